"""A member that signs two observation commitments of one round is brought to the contract, which slashes it."""

from __future__ import annotations

import logging

from node.errors import PeerError
from node.message import Kind, Message
from node.round.actor import Actor
from node.round.settle import RoundFacts, committed_observation

log = logging.getLogger("credence.verifier")


def accuse(actor: Actor, facts: RoundFacts) -> bool:
    """Send one proof of equivocation that nobody has sent yet. True when something was sent."""
    context = actor.context
    accused = {int(event.args["node"]) for event in actor.view.events("Equivocated", facts.round)}
    for pair in context.peers.contradictions(facts.task, facts.round, Kind.OBSERVED):
        node = pair[0].node
        if node in accused or node not in facts.seats or not all(signed_for_contract(facts, m) for m in pair):
            continue
        first, second = (committed_observation(facts, message) for message in pair)
        if first == second:
            continue
        by_first, by_second = (bytes.fromhex(message.body["signature"]) for message in pair)
        with context.metrics.phase("chain"):
            actor.view.ledger.equivocate_observation(
                context.signer,
                task=facts.task,
                round=facts.round,
                seed=facts.seed,
                node=node,
                commitments=(first, second),
                signatures=(by_first, by_second),
            )
        return True
    return False


def signed_for_contract(facts: RoundFacts, message: Message) -> bool:
    """Whether the contract would take this observation commitment as its member's."""
    try:
        committed_observation(facts, message)
    except PeerError as error:
        log.warning("round=%d peer=%d reason=%s", facts.round, message.node, error)
        return False
    return True
