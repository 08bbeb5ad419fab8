"""What every role shares: a node's context, the idempotent step, and the keeper's duties (arm, draw, finalise).

An actor never blocks: `advance` does whatever can be done now and says whether it did anything. A simulation calls the
actors in turn and moves the clock when none of them can do more; a real node calls its one actor again and again.
Every step looks at the journal and the chain first, so that a node killed at any instant resumes.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ledger import Clock, ContractError, Phase, Signer
from ledger.errors import NotNeeded, TransactionTimeout
from node.errors import DataError, PeerError, TooFewUpdates
from node.journal import Journal
from node.message import Kind, Message, Scope, sign_message
from node.metrics import Metrics
from node.model import Evaluator, Parameters
from node.peers import Peers
from node.round.facts import facts_of
from node.round.gather import load_model
from node.round.settle import RoundFacts
from node.round.view import TaskView
from node.spec import TaskSpec
from node.task import TASKS
from storage import MissingContent, Store

log = logging.getLogger("credence.round")


@dataclass
class Context:
    """One node's hands: chain view, store, peers, journal, key. Shared parts may be shared by nodes of one process."""

    view: TaskView
    store: Store
    peers: Peers
    journal: Journal
    signer: Signer
    node: int
    spec: TaskSpec
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def task(self) -> int:
        """The task that this context serves."""
        return self.view.task

    @cached_property
    def scope(self) -> Scope:
        """Chain and contract, part of every signature."""
        ledger = self.view.ledger
        return Scope(ledger.chain.chain_id, ledger.deployment.contracts["RoundBook"])

    @cached_property
    def evaluator(self) -> Evaluator:
        """The task's model, ready to evaluate."""
        return Evaluator(TASKS.get(self.spec.name).module(self.spec.shape, self.spec.classes))

    def model(self, digest: bytes) -> Parameters:
        """Parameters of a model, fetched once."""
        if self._model[0] != digest:
            with self.metrics.phase("store"):
                self._model = (digest, load_model(self.store, self.spec, digest))
        return self._model[1]

    _model: tuple[bytes, Parameters] = field(default=(b"", {}), repr=False)


class Actor(ABC):
    """One node in one role. Subclasses fill in `_advance_round`."""

    def __init__(self, context: Context, *, patience_s: int = 0) -> None:
        self.context = context
        self.patience_s = patience_s  # how long to leave the keeper's duties to others first

    @property
    def view(self) -> TaskView:
        """The chain as this actor sees it."""
        return self.context.view

    def advance(self) -> bool:
        """Do what can be done now. True when something was done; an error of the chain's rules is logged, not fatal."""
        clock = self.view.clock
        if clock.round == 0:
            return False
        try:
            if self._finalise_due(clock):
                return True
            return not self.done(clock.round, "skipped") and self._advance_round(clock)
        except (TooFewUpdates, DataError) as error:
            # No rule can settle this round (no stake, too few updates, a broken probe): the parent model stands.
            log.warning("round=%d node=%d skipped: %s", clock.round, self.context.node, error)
            self.record(clock.round, "skipped", why=str(error))
            return False
        except _SURVIVABLE as error:
            log.warning("round=%d node=%d dropped: %s", clock.round, self.context.node, error)
            return False

    @abstractmethod
    def _advance_round(self, clock: Clock) -> bool:
        """One step of this role's part of the round."""

    def finished(self) -> bool:
        """Whether the task has nothing left for this actor: the last round is over and nothing waits to be final."""
        return self.view.clock.phase is Phase.OVER and self.view.pending_round == 0

    # -- journal -------------------------------------------------------------------------------------------------

    def done(self, round_: int, stage: str) -> bool:
        """Whether this node has finished a stage of a round."""
        return self.context.journal.done(self.context.task, round_, stage)

    def record(self, round_: int, stage: str, **data: Any) -> None:
        """Write a finished stage to the journal."""
        self.context.journal.record(self.context.task, round_, stage, **data)

    def recall(self, round_: int, stage: str) -> Mapping[str, Any]:
        """What a finished stage wrote. Raises KeyError when it has not finished."""
        data = self.context.journal.get(self.context.task, round_, stage)
        if data is None:
            raise KeyError(f"stage {stage} of round {round_} has not finished")
        return data

    def say(self, round_: int, kind: Kind, body: Mapping[str, Any], *, attempt: int = 0) -> bool:
        """Publish a signed message, once; after a restart, again with the same bytes. True the first time."""
        stage = f"said:{kind.value}:{attempt}"
        first = not self.done(round_, stage)
        if first:
            self.record(round_, stage, body=dict(body))
        elif self.context.peers.find(self.context.task, round_, kind, attempt=attempt, node=self.context.node):
            return False
        message = sign_message(
            self.context.signer,
            self.context.scope,
            kind=kind,
            task=self.context.task,
            round_=round_,
            node=self.context.node,
            body=self.recall(round_, stage)["body"],
            attempt=attempt,
        )
        self.context.peers.publish(message)
        return True

    def heard(self, round_: int, kind: Kind) -> list[Message]:
        """Valid messages of a kind, own ones included."""
        return self.context.peers.messages(self.context.task, round_, kind)

    # -- keeper's duties: anyone may do them; `patience_s` staggers the nodes so that one of them pays -----------

    def _finalise_due(self, clock: Clock) -> bool:
        """Words mode: apply the words of a post whose window is over. In root mode the clock alone makes it final."""
        pending, params = self.view.pending_round, self.view.state.params
        if pending == 0 or self.view.root_mode:
            return False
        if self.view.now < self.view.window_end(pending) + self._stagger(params.commit_s):
            return False
        with self.context.metrics.phase("chain"):
            self.view.ledger.finalise(self.context.signer, self.context.task)
        return True

    def _beacon_due(self, clock: Clock) -> bool:
        """Arm the beacon when the reveal deadline has passed, then prove it and draw the committee."""
        round_, live, ledger = clock.round, self.view.live, self.view.ledger
        if live.drawn_round == round_:
            return False
        if not self.view.commitments(round_):
            return False  # nobody committed: nothing to verify, the round is skipped
        if self.view.now < self.view.post_start(round_) + self._stagger(self.view.state.params.attempt_s):
            return False
        with self.context.metrics.phase("chain"):
            expired = live.armed_round == round_ and ledger.chain.block_number() > live.seed_block + 256
            if live.armed_round != round_ or expired:
                ledger.arm_beacon(self.context.signer, self.context.task, round_)
                return True
            if ledger.chain.can_move_clock:
                ledger.chain.mine(max(0, live.seed_block - ledger.chain.block_number()))
            if ledger.chain.block_number() < live.seed_block:
                return False
            ledger.draw_committee(self.context.signer, self.context.task, round_)
        return True

    def _stagger(self, span_s: int) -> int:
        return min(self.patience_s, span_s // 2)

    def facts(self, round_: int) -> RoundFacts | None:
        """The chain's part of a round, once its committee is drawn."""
        return facts_of(self.view, self.context.scope, round_)


# A rule of the contracts said no (too late, done by another), a receipt is late, a peer's bytes are not there yet:
# the next step looks again.
_SURVIVABLE = (ContractError, NotNeeded, TransactionTimeout, PeerError, MissingContent)
