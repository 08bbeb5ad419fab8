"""Typed reads of the contracts: state by calls, history by logs filtered on indexed topics."""

from __future__ import annotations

import threading
from typing import Any

from ledger.abi import Call, Contract, decode_error, decode_log
from ledger.chain import Chain, RevertedCall
from ledger.collect import bundle_counts
from ledger.deployments import SEEDS, TOKEN, Deployment
from ledger.errors import ChainUnavailable, WrongChain
from ledger.posts import Pending, Post
from ledger.types import (
    Clock,
    DemandKind,
    Event,
    Live,
    NodeInfo,
    Phase,
    Role,
    RootState,
    Seat,
    StoredTask,
    Task,
)
from ledger.words import CONTRIBUTION_LANES, LANES, contribution_lanes, reputation_lanes, words_for


class Reads:
    """What the chain says. A revert raises its class of `ledger.contract_errors`; nothing is cached."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        if (chain.chain_id, chain.genesis_hash) != (deployment.chain_id, deployment.genesis_hash):
            raise WrongChain(f"the deployment is of chain {deployment.chain_id}, this is {chain.chain_id}")
        self.chain = chain
        self.deployment = deployment
        self.vault = Contract("StakeVault", deployment.contracts["StakeVault"])
        self.reputation_book = Contract("ReputationBook", deployment.contracts["ReputationBook"])
        self.rewards = Contract("Rewards", deployment.contracts["Rewards"])
        self.disputes = Contract("Disputes", deployment.contracts["Disputes"])
        self.book = Contract("RoundBook", deployment.contracts["RoundBook"])
        # The development token's interface is a superset of ERC-20's.
        self.token = Contract("DevToken", deployment.contracts[TOKEN])
        seeds = deployment.contracts.get(SEEDS)
        self.seeds = None if seeds is None else Contract("HashChainSeed", seeds)
        self._lock = threading.Lock()

    def read(self, call: Call, *, block: int | None = None) -> Any:
        """Evaluate a call on the state after `block` (None = head)."""
        try:
            return call.decode(self.chain.call(to=call.address, data=call.data, block=block))
        except RevertedCall as reverted:
            raise decode_error(reverted.data, what=call.name) from None

    def events(self, contract: Contract, event: str, **indexed: int | None) -> list[Event]:
        """Decoded events of one kind in chain order; `indexed` narrows by parameter, at the node."""
        logs = self.chain.get_logs(
            address=contract.address,
            topics=contract.topics(event, **indexed),
            from_block=self.deployment.block,
        )
        return [decoded for log in logs if (decoded := decode_log(log)) is not None]

    # --- tasks ---
    def task_count(self) -> int:
        """How many tasks there are; ids are 1..count."""
        return int(self.read(self.book.call("taskCount")))

    def tasks(self) -> dict[int, Task]:
        """Every task by id."""
        return {task: self.task(task) for task in range(1, self.task_count() + 1)}

    def stored_task(self, task: int) -> StoredTask:
        """A task's parameters and owner, in one call. Raises `UnknownTask`."""
        found: StoredTask = self.read(self.book.call("taskOf", task))
        return found

    def task(self, task: int) -> Task:
        """A task as it stands by the clock of the head block: parameters, latest final model, escrow. Raises
        `UnknownTask`."""
        stored = self.stored_task(task)
        final = self.final(task)
        finalised = 0
        if final is not None:
            rounds = set(self._rounds_of("Posted", task)) - set(self._rounds_of("Voided", task))
            finalised = sum(round_ <= final.round for round_ in rounds)
        return Task(
            params=stored.params,
            owner=stored.owner,
            closed=stored.closed,
            final_round=final.round if final else 0,
            finalised=finalised,
            model=final.report.model if final else stored.params.genesis_model,
            escrow=self.escrow(task),
        )

    def _rounds_of(self, event: str, task: int) -> list[int]:
        """Rounds of a task that have such an event, without decoding what else is in it."""
        logs = self.chain.get_logs(
            address=self.book.address,
            topics=self.book.topics(event, task=task),
            from_block=self.deployment.block,
        )
        return [int.from_bytes(log.topics[2], "big") for log in logs]

    def live(self, task: int) -> Live:
        """The current round's draw and the records as stored. Raises `UnknownTask`."""
        found: Live = self.read(self.book.call("liveOf", task))
        return found

    def escrow(self, task: int) -> int:
        """Wei held for a task."""
        return int(self.read(self.rewards.call("balanceOf", task)))

    def final(self, task: int) -> Post | None:
        """The latest final post by the clock of the head block; None before the first. Raises `UnknownTask`."""
        round_, hash_ = self.read(self.book.call("finalOf", task))
        return self._recorded(task, int(round_), hash_)

    def parent_post(self, task: int) -> Post | None:
        """The record before the pending or latest post: what that post built on; None where there was none."""
        round_, hash_ = self.read(self.book.call("parentOf", task))
        return self._recorded(task, int(round_), hash_)

    def pending(self, task: int) -> Pending | None:
        """The post whose window is open, None where there is none. Raises `UnknownTask`."""
        round_, hash_, closes_at = self.read(self.book.call("pendingOf", task))
        post = self._recorded(task, int(round_), hash_)
        return None if post is None else Pending(post, int(closes_at))

    def unapplied(self, task: int) -> Post | None:
        """Words mode: the post whose words `finalise` has still to apply, its window open or not."""
        live = self.live(task)
        return self._recorded(task, live.posted_round, live.posted_hash)

    def root_state(self, task: int) -> RootState:
        """Root mode: the state of the final record; all zero before the first final round."""
        final = self.final(task)
        return RootState() if final is None else final.state

    def _recorded(self, task: int, round: int, settled_hash: bytes) -> Post | None:
        """The post that the RoundBook remembers by this hash, out of the logs. Raises `ChainUnavailable` where the
        logs do not have it."""
        if round == 0:
            return None
        for event in reversed(self.events(self.book, "Posted", task=task, round=round)):
            post = Post.of(event)
            if post.hash == settled_hash:
                return post
        raise ChainUnavailable(
            f"the logs do not have the post of round {round} of task {task} that the contract remembers",
            hint="the endpoint prunes logs or lags: ask another one",
        )

    def clock(self, task: int, time: int | None = None) -> Clock:
        """Round, phase and its end at `time` (seconds; None = the head block's time)."""
        at = self.chain.now() if time is None else time
        round_, phase, ends_at = self.read(self.book.call("clockAt", task, at))
        return Clock(int(round_), Phase(phase), int(ends_at))

    # --- nodes ---
    def node_count(self) -> int:
        """How many nodes are registered; ids are 1..count."""
        return int(self.read(self.vault.call("nodeCount")))

    def node(self, node: int) -> NodeInfo:
        """A node's keys, stake and seats. Raises `UnknownNode`."""
        found: NodeInfo = self.read(self.vault.call("nodeOf", node))
        return found

    def node_of_signer(self, address: str) -> int:
        """The node whose hot key this is, 0 where none."""
        return int(self.read(self.vault.call("nodeOfSigner", address)))

    def stake_at(self, node: int, time: int) -> int:
        """Bonded stake (wei) of a node at a time (seconds), past or present: the snapshot that weights
        use."""
        return int(self.read(self.vault.call("stakeAt", node, time)))

    def seat_stake(self) -> int:
        """Stake (wei) that backs one seat."""
        return int(self.read(self.vault.call("SEAT_STAKE")))

    def min_stake(self) -> int:
        """The least stake (wei) that registers a node."""
        return int(self.read(self.vault.call("MIN_STAKE")))

    def unbonding_s(self) -> int:
        """Seconds from `unbond` to `withdraw`."""
        return int(self.read(self.vault.call("UNBONDING_S")))

    def seats(self, *, block: int | None = None) -> list[tuple[int, int]]:
        """(node, locked until) of every seat in index order; node 0 is a vacant place, locked for ever.

        `block` reads a past state, for instance the one that a draw saw.
        """
        count = int(self.read(self.vault.call("seatCount"), block=block))
        seats = (self.read(self.vault.call("seatAt", index), block=block) for index in range(count))
        return [(int(node), int(until)) for node, until in seats]

    def token_balance(self, address: str) -> int:
        """Wei of the stake token at `address`."""
        return int(self.read(self.token.call("balanceOf", address)))

    def allowance(self, owner: str, spender: str) -> int:
        """Wei of the stake token that `spender` may take from `owner`."""
        return int(self.read(self.token.call("allowance", owner, spender)))

    # --- members and scores ---
    def slot_of(self, task: int, role: Role, node: int) -> int:
        """A node's lane in a task. Raises `NoSlot`."""
        return int(self.read(self.reputation_book.call("slotOf", task, role, node)))

    def slot_count(self, task: int, role: Role) -> int:
        """How many nodes joined a task in this role."""
        return int(self.read(self.reputation_book.call("slotCount", task, role)))

    def _joined(self, task: int, role: Role | None = None) -> list[Event]:
        return self.events(self.book, "Joined", task=task, role=role)

    def members(self, task: int, role: Role) -> list[int]:
        """Nodes of a task in this role, by slot."""
        by_slot = {event.args["slot"]: event.args["node"] for event in self._joined(task, role)}
        return [by_slot[slot] for slot in range(len(by_slot))]

    def endpoints(self, task: int) -> dict[tuple[Role, int], str]:
        """Where each member is reached, by (role, node); the latest where a node joined again."""
        joined = self._joined(task)
        return {(event.args["role"], event.args["node"]): event.args["endpoint"] for event in joined}

    def reputation(self, task: int, role: Role, node: int) -> int:
        """Reputation of a node, 0..65535. Raises `NoSlot`."""
        return int(self.read(self.reputation_book.call("reputationOf", task, role, node)))

    def _words(self, task: int, role: Role, *, function: str, count: int) -> list[int]:
        call = self.reputation_book.call
        return [int(self.read(call(function, task, role, index))) for index in range(count)]

    def reputations(self, task: int, role: Role) -> dict[int, int]:
        """Reputation by node, of every member, read by the word."""
        nodes = self.members(task, role)
        words = self._words(task, role, function="wordAt", count=words_for(len(nodes)))
        lanes = [lane for word in words for lane in reputation_lanes(word)]
        return dict(zip(nodes, lanes[: len(nodes)], strict=True))

    def reputation_words(self, task: int, role: Role) -> list[int]:
        """The raw reputation words of a role, with their round stamps."""
        count = -(-self.slot_count(task, role) // LANES)
        return self._words(task, role, function="wordAt", count=count)

    def contribution(self, task: int, role: Role, node: int) -> int:
        """Contribution units of a node over all final rounds (a round shares 10^6). Raises `NoSlot`."""
        return int(self.read(self.reputation_book.call("contributionOf", task, role, node)))

    def contributions(self, task: int, role: Role) -> dict[int, int]:
        """Contribution units by node, of every member, read by the word."""
        nodes = self.members(task, role)
        count = -(-len(nodes) // CONTRIBUTION_LANES)
        words = self._words(task, role, function="contributionWordAt", count=count)
        lanes = [lane for word in words for lane in contribution_lanes(word)]
        return dict(zip(nodes, lanes[: len(nodes)], strict=True))

    def claimed(self, task: int, role: Role, node: int) -> int:
        """What a node was paid for: contribution units (words mode) or wei (root mode)."""
        return int(self.read(self.rewards.call("claimedOf", task, role, node)))

    # --- one round ---
    def _round_event(self, event: str, task: int, round: int) -> Event | None:
        found = self.events(self.book, event, task=task, round=round)
        return found[-1] if found else None

    def commits(self, task: int, round: int) -> list[Event]:
        """`Committed` events in chain order: for each node the first counts."""
        return self.events(self.book, "Committed", task=task, round=round)

    def reveals(self, task: int, round: int) -> list[Event]:
        """`Revealed` events in chain order."""
        return self.events(self.book, "Revealed", task=task, round=round)

    def probe_key(self, task: int, round: int) -> bytes | None:
        """The key of the round's probe shard, once opened; the first counts."""
        found = self.events(self.book, "ProbeOpened", task=task, round=round)
        return bytes(found[0].args["key"]) if found else None

    def armed(self, task: int, round: int) -> Event | None:
        """The latest `BeaconArmed` of a round."""
        return self._round_event("BeaconArmed", task, round)

    def drawn(self, task: int, round: int) -> Event | None:
        """The `CommitteeDrawn` event of a round, with its seed."""
        return self._round_event("CommitteeDrawn", task, round)

    def committee(self, task: int, round: int) -> tuple[Seat, ...] | None:
        """The drawn seats in drawn order, None before the draw."""
        found = self.drawn(task, round)
        return None if found is None else tuple(found.args["seats"])

    def seed(self, task: int, round: int) -> bytes | None:
        """The drawn round's seed, None before the draw."""
        found = self.drawn(task, round)
        return None if found is None else bytes(found.args["seed"])

    def collected(self, task: int, round: int, *, reveals: bool) -> list[Event]:
        """Collectors' `Collected` events of commits or of reveals that came in time, in chain order."""
        found = self.events(self.book, "Collected", task=task, round=round)
        params = self.stored_task(task).params
        armed = next(iter(self.events(self.book, "BeaconArmed", task=task, round=round)), None)
        return [
            event
            for event in found
            if event.args["reveals"] == reveals
            and bundle_counts(params, event, time=self.chain.block(event.block_number).timestamp, armed=armed)
        ]

    def posted(self, task: int, round: int) -> Event | None:
        """The latest `Posted` of a round, with report and words."""
        return self._round_event("Posted", task, round)

    def post_of(self, task: int, round: int) -> Post | None:
        """The same as a `Post`."""
        found = self.posted(task, round)
        return None if found is None else Post.of(found)

    def finalised(self, task: int, round: int) -> Event | None:
        """The latest `Finalised` of a round: its last part, once all words are applied. Words mode."""
        return self._round_event("Finalised", task, round)

    def voided(self, task: int, round: int) -> Event | None:
        """The latest `Voided` of a round: a proof killed its post."""
        return self._round_event("Voided", task, round)

    def report_digest(self, report: Any) -> bytes:
        """The EIP-712 digest as the contract computes it."""
        return bytes(self.read(self.book.call("reportDigest", report)))

    # --- disputes ---
    def demand_fee(self) -> int:
        """Wei that asking for withheld data costs, until it is answered or the post dies."""
        return int(self.read(self.disputes.call("DEMAND_FEE")))

    def demand_of(self, digest: bytes, kind: DemandKind, a: int, b: int = 0) -> tuple[str, int] | None:
        """Who demanded this of the post with that report digest, and until when (seconds) an answer is due; None
        where nobody did, time 0 once it is answered or expired."""
        by, deadline = self.read(self.disputes.call("demandOf", digest, kind, a, b))
        return None if int(by, 16) == 0 else (str(by), int(deadline))

    def seed_source(self) -> str | None:
        """Where seeds come from, None for block headers."""
        found = str(self.read(self.book.call("seedSource")))
        return None if int(found, 16) == 0 else found
