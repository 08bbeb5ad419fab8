"""Typed reads of the contracts: state by calls, history by logs filtered on indexed topics."""

from __future__ import annotations

import threading
from typing import Any

from ledger.abi import Call, Contract, decode_error, decode_log
from ledger.chain import Chain, RevertedCall
from ledger.deployments import TOKEN, Deployment
from ledger.errors import WrongChain
from ledger.types import Clock, Event, Live, NodeInfo, Phase, Role, Seat, Task
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
        self.book = Contract("RoundBook", deployment.contracts["RoundBook"])
        # The development token's interface is a superset of ERC-20's.
        self.token = Contract("DevToken", deployment.contracts[TOKEN])
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

    def task(self, task: int) -> Task:
        """A task's parameters and state. Raises `UnknownTask`."""
        found: Task = self.read(self.book.call("taskOf", task))
        return found

    def live(self, task: int) -> Live:
        """The current round's draw and pending post. Raises `UnknownTask`."""
        found: Live = self.read(self.book.call("liveOf", task))
        return found

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
        """Contribution units that were paid."""
        return int(self.read(self.book.call("claimedOf", task, role, node)))

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

    def posted(self, task: int, round: int) -> Event | None:
        """The latest `Posted` of a round, with report, votes and words."""
        return self._round_event("Posted", task, round)

    def finalised(self, task: int, round: int) -> Event | None:
        """The `Finalised` of a round."""
        return self._round_event("Finalised", task, round)

    def voided(self, task: int, round: int) -> Event | None:
        """The latest `Voided` of a round: a proof killed its post."""
        return self._round_event("Voided", task, round)

    def report_digest(self, report: Any) -> bytes:
        """The EIP-712 digest as the contract computes it."""
        return bytes(self.read(self.book.call("reportDigest", report)))
