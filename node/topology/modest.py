"""Sampled learning as a loop: each round a beacon-ordered sample trains, and its first members recompute one step.

The rules are those of `node.topology.sampled`; here they move models and views among nodes in process, and every byte
is counted at its sender. One round: those who hold the newest model push it to the sample; members train and send
their update and view to the aggregators; these go on as soon as enough of them is there, agree on the set that most of
them hold, and compute one robust step each. Only a step that most of them computed, byte for byte, counts.

Limits: sending is reliable between living nodes, and what an aggregator announces it announces to all alike (signed
messages make two versions a fault that anyone can show); then a minority of liars can neither move a step nor stop it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

import numpy as np

from node.aggregate import AGGREGATORS
from node.config import SimulationConfig
from node.data import FloatArray
from node.defence import robust_step
from node.errors import ConfigError, TooFewUpdates
from node.seeds import derive_bytes, derive_seed
from node.spec import TaskSpec
from node.topology.sampled import WINDOW, Entry, aggregators, aggregators_agree, enough, merge, order, sample
from node.topology.schedule import Presence, Schedule
from node.topology.training import Trainers, train_each
from node.weight import WEIGHTINGS
from node.weight.participation import PARTICIPATIONS, Arrival

PING_BYTES, DIGEST_BYTES, NAMED_DIGEST_BYTES, ENTRY_BYTES, HEADER_BYTES = 40, 32, 36, 12, 16
"""A ping or its answer: round and digest of the model held. A view's entry: node, round, counter with its join bit."""
ADVERTISED = 10
"""Peers that a join or leave is told to at once; views carry it on."""


class Fault(StrEnum):
    """What a node does wrong, in every round that it takes part in."""

    SILENT = "silent"
    """Answers a ping and then sends nothing."""
    BROKEN = "broken"
    """Sends an update that is not finite."""
    EQUIVOCATES = "equivocates"
    """Sends each aggregator another update."""
    LIES = "lies"
    """As an aggregator computes another step; as a holder of the model pushes another one."""


@dataclass(frozen=True)
class SampledSetting:
    """Sizes of a run. `share` of a sample is enough to go on. Raises ConfigError where they do not fit together."""

    nodes: int
    size: int = 13
    aggregators: int = 3
    share: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        aggregators(range(self.size), self.aggregators)
        if self.size > self.nodes:
            raise ConfigError(f"a sample of {self.size} of {self.nodes} nodes", hint="at most all of them")
        if not 0 < self.share <= 1:
            raise ConfigError(f"a share of {self.share:g} of the sample", hint="above 0, at most 1")


@dataclass(frozen=True)
class Work:
    """An update as it travels: by whom, from which round's model, when it is done, and the bytes of (d,) float32."""

    node: int
    started: int
    due: int
    epochs: int
    update: FloatArray


@dataclass(frozen=True)
class SampledRound:
    """What came of a round: who was pinged, who answered, whose work was used, who was caught.

    `skipped` says why no step was taken, and is empty where one was.
    """

    round: int
    asked: tuple[int, ...] = ()
    sample: tuple[int, ...] = ()
    aggregators: tuple[int, ...] = ()
    used: tuple[int, ...] = ()
    liars: tuple[int, ...] = ()
    equivocators: tuple[int, ...] = ()
    skipped: str = ""


class Sampled:
    """All nodes of a run, each with its own view and the newest model that it has seen."""

    def __init__(
        self,
        trainers: Trainers,
        initial: FloatArray,
        setting: SampledSetting,
        *,
        schedule: Schedule,
        participation: str = "uniform",
        faults: Mapping[int, Fault] | None = None,
    ) -> None:
        everyone = range(setting.nodes)
        self.setting, self._trainers, self._schedule = setting, trainers, schedule
        self._faults = dict(faults or {})
        self._participation = PARTICIPATIONS.get(participation)()
        chosen = SimulationConfig()
        self._weighting, self._rule = WEIGHTINGS.get(chosen.weighting), AGGREGATORS.get(chosen.aggregator)
        self.views: list[dict[int, Entry]] = [{node: Entry(0, 1, True) for node in everyone} for _ in everyone]
        self.held: list[tuple[int, FloatArray]] = [(0, initial)] * setting.nodes
        self.sent_bytes = np.zeros(setting.nodes, dtype=np.int64)
        self._pending: list[Work] = []

    @property
    def models(self) -> FloatArray:
        """(n, d) float32: what each node holds."""
        return np.stack([model for _, model in self.held])

    @property
    def newest(self) -> FloatArray:
        """(d,) float32: the model of the last round that took a step."""
        return max(self.held, key=lambda held: held[0])[1]

    def announce(self, node: int, round_: int, *, joined: bool) -> None:
        """A node joins or leaves: its counter rises, and it tells some peers, drawn by the run's seed."""
        before = self.views[node].get(node, Entry(0, 0, False))
        entry = Entry(round_ if joined else before.active, before.counter + 1, joined)
        generator = np.random.default_rng(derive_seed(self.setting.seed, "announce", node, round_))
        peers = generator.permutation(self.setting.nodes)[:ADVERTISED].tolist()
        self.sent_bytes[node] += len(peers) * ENTRY_BYTES
        for peer in {node, *peers}:
            self.views[peer] = merge(self.views[peer], {node: entry})

    def round(self, round_: int) -> SampledRound:
        """One round. Never raises for what others do: without a sample, enough work or a majority it is skipped."""
        beacon = derive_bytes(self.setting.seed, "beacon", round_)
        done = SampledRound(round_)
        self._signs_of_life(round_)
        try:
            pushers, done = self._sampled(done, beacon)
            base, members = self._push(done, pushers)
            delivered = self._work(done, base, members)
            done, boxes = self._collected(done, delivered)
            return self._step(done, base, beacon, boxes)
        except TooFewUpdates as error:
            return replace(done, skipped=str(error))

    def deliver(self, round_: int) -> None:
        """Give the newest model to every living node, as an ending; its holders share the sending."""
        here = self._there(round_)
        newest = max((self.held[node] for node in here), key=lambda held: held[0], default=self.held[0])
        holders = [node for node in here if self.held[node][0] == newest[0]]
        for place, node in enumerate(node for node in here if node not in holders):
            self.sent_bytes[holders[place % len(holders)]] += HEADER_BYTES + newest[1].nbytes
            self.held[node] = newest

    def _signs_of_life(self, round_: int) -> None:
        """Who has not been used for half the window says that it is still there, before others forget it."""
        for node in self._answering(round_):
            own = self.views[node].get(node)
            if own is not None and own.joined and own.active < round_ - WINDOW // 2:
                self.announce(node, round_, joined=True)

    # -- the sample ----------------------------------------------------------------------------------------------------

    def _presence(self, node: int, round_: int) -> Presence:
        return self._schedule(node, round_)

    def _answering(self, round_: int) -> list[int]:
        """Who answers a ping: there, and not at work on an earlier round's model, nor just handing that in."""
        busy = {work.node for work in self._pending}
        return [node for node in self._there(round_) if node not in busy]

    def _there(self, round_: int) -> list[int]:
        return [node for node in range(self.setting.nodes) if self._presence(node, round_).there]

    def _sampled(self, done: SampledRound, beacon: bytes) -> tuple[list[int], SampledRound]:
        """Who pushes the model, and the sample. The holders exchange views first, so that all draw the same one."""
        here = self._there(done.round)  # who is at work can still push
        newest = max((self.held[node][0] for node in here), default=0)
        pushers = [node for node in here if self.held[node][0] == newest][: self.setting.aggregators]
        view: dict[int, Entry] = {}
        for node in pushers:
            view = merge(view, self.views[node])
            self._count(node, (len(pushers) - 1) * len(self.views[node]) * ENTRY_BYTES)
        chosen = sample(view, done.round, beacon, size=self.setting.size, alive=self._answering(done.round))
        asked = order(view, done.round, beacon)
        asked = asked[: asked.index(chosen[-1]) + 1]
        self._count(pushers[0], len(asked) * PING_BYTES)
        for node in chosen:
            self._count(node, PING_BYTES)
        for node in pushers:
            self.views[node] = view
        acting = [node for node in chosen if self._faults.get(node) is not Fault.SILENT]
        return pushers, replace(
            done, asked=tuple(asked), sample=chosen, aggregators=aggregators(acting, self.setting.aggregators)
        )

    def _count(self, node: int, size: int) -> None:
        self.sent_bytes[node] += size

    def _push(self, done: SampledRound, pushers: Sequence[int]) -> tuple[FloatArray, list[int]]:
        """(d,) the model that the sample starts from, and the members that train on it.

        A member gets the model from one holder and its digest from the others; another model than the digest that the
        last aggregators agreed on is thrown away and asked for again.
        """
        honest = [node for node in pushers if self._faults.get(node) is not Fault.LIES]
        if not honest:
            raise TooFewUpdates(f"round {done.round}: nobody pushes the model that was agreed on")
        held, view = self.held[honest[0]], self.views[honest[0]]
        size = HEADER_BYTES + held[1].nbytes + len(view) * ENTRY_BYTES
        for place, member in enumerate(done.sample):
            if member not in pushers:
                first = pushers[place % len(pushers)]
                self._count(first, size)
                if first not in honest:
                    self._count(honest[place % len(honest)], size)
                for other in pushers:
                    self._count(other, DIGEST_BYTES if other != first else 0)
            self.held[member] = held
            self.views[member] = merge(self.views[member], view)
        return held[1], [node for node in done.sample if self._faults.get(node) is not Fault.SILENT]

    # -- work ----------------------------------------------------------------------------------------------------------

    def _work(self, done: SampledRound, base: FloatArray, members: Sequence[int]) -> list[Work]:
        """What comes in this round: the members' work that is in time, and earlier work where late work is taken."""
        epochs = {node: self._presence(node, done.round).epochs or self._trainers.epochs for node in members}
        for node, row in train_each(self._trainers, base, done.round, epochs).items():
            update = np.full_like(row, np.nan) if self._faults.get(node) is Fault.BROKEN else row
            due = done.round + self._presence(node, done.round).delay
            self._pending.append(Work(node, done.round, due, epochs[node], update))
        ready = [work for work in self._pending if work.due <= done.round]
        self._pending = [work for work in self._pending if work.due > done.round]
        taken = [work for work in ready if work.started == done.round or self._participation.late]
        return sorted((w for w in taken if self._presence(w.node, done.round).there), key=lambda work: work.node)

    def _collected(
        self, done: SampledRound, delivered: Sequence[Work]
    ) -> tuple[SampledRound, dict[int, dict[int, Work]]]:
        """The set of work that most aggregators hold, by aggregator and trainer, and who sent different work to each.

        Each aggregator stops at enough; what it lacks of the common set, another sends it.
        """
        self._count_sending(done, delivered)
        boxes = {node: self._box(done, node, delivered) for node in done.aggregators}
        votes = Counter((work.node, _digest(work.update)) for box in boxes.values() for work in box.values())
        common = dict(sorted(key for key, count in votes.items() if 2 * count > len(boxes)))
        complete: dict[int, dict[int, Work]] = {}
        for aggregator, box in boxes.items():
            self._count(aggregator, (len(boxes) - 1) * len(box) * NAMED_DIGEST_BYTES)
            complete[aggregator] = {}
            for node, digest in common.items():
                holders = [h for h in boxes if node in boxes[h] and _digest(boxes[h][node].update) == digest]
                giver = aggregator if aggregator in holders else holders[0]
                complete[aggregator][node] = work = boxes[giver][node]
                if giver != aggregator:
                    self._count(giver, HEADER_BYTES + work.update.nbytes)
        versions = Counter(node for node, _ in votes)
        two = tuple(sorted(node for node, count in versions.items() if count > 1))
        return replace(done, used=tuple(common), equivocators=two), complete

    def _count_sending(self, done: SampledRound, delivered: Sequence[Work]) -> None:
        """Everybody sends to every aggregator, and in vain to those before the last that do not acknowledge."""
        tried = done.sample[: done.sample.index(done.aggregators[-1]) + 1]
        for work in delivered:
            size = HEADER_BYTES + work.update.nbytes + len(self.views[work.node]) * ENTRY_BYTES
            self._count(work.node, size * sum(node != work.node for node in tried))

    def _box(self, done: SampledRound, aggregator: int, delivered: Sequence[Work]) -> dict[int, Work]:
        """What one aggregator has when it goes on: its own work first, the rest as the network brings it."""
        generator = np.random.default_rng(derive_seed(self.setting.seed, "network", done.round, aggregator))
        queue = [delivered[place] for place in generator.permutation(len(delivered))]
        queue.sort(key=lambda work: work.node != aggregator)
        box: dict[int, Work] = {}
        for work in queue:
            if not np.isfinite(work.update).all() or enough(len(box), self.setting.size, share=self.setting.share):
                continue
            two_faced = self._faults.get(work.node) is Fault.EQUIVOCATES
            update = work.update * np.float32(1 + done.aggregators.index(aggregator)) if two_faced else work.update
            box[work.node] = replace(work, update=update)
            self.views[aggregator] = merge(self.views[aggregator], self.views[work.node])
        return box

    # -- the step ------------------------------------------------------------------------------------------------------

    def _step(
        self, done: SampledRound, base: FloatArray, beacon: bytes, boxes: Mapping[int, Mapping[int, Work]]
    ) -> SampledRound:
        """Every aggregator computes the step; the one that most computed moves the model of those who computed it."""
        if not done.used:
            raise TooFewUpdates(f"round {done.round}: no update that most aggregators hold")
        steps = {node: self._computed(node, done.round, beacon, box) for node, box in boxes.items()}
        for node in steps:
            self._count(node, (len(steps) - 1) * DIGEST_BYTES)
        step, liars = aggregators_agree(steps)
        self._participation.record(set(done.used), {*done.asked, *done.used})
        model = np.asarray(base + step, dtype=np.float32)
        for node in done.aggregators:
            if node in liars:
                continue
            self.held[node] = (done.round, model)
            known = self.views[node]
            active = {peer: replace(known[peer], active=done.round) for peer in done.used if peer in known}
            self.views[node] = merge(known, active)
        return replace(done, liars=tuple(liars))

    def _computed(self, aggregator: int, round_: int, beacon: bytes, box: Mapping[int, Work]) -> FloatArray:
        """(d,) float32: the robust step of the common set, from one aggregator's own copies."""
        works = [box[node] for node in sorted(box)]
        arrivals = [Arrival(work.node, round_ - work.started, work.epochs) for work in works]
        scales = self._participation.scales(arrivals)[:, None]
        step = robust_step(
            np.asarray(np.stack([work.update for work in works]) * scales, dtype=np.float32),
            np.full(len(works), 1 / len(works)),
            weighting=self._weighting,
            rule=self._rule,
            f=float(TaskSpec.byzantine_fraction),
            factors=self._participation.factors(arrivals),
            seed=beacon,
        )
        return step if self._faults.get(aggregator) is not Fault.LIES else -step


def _digest(update: FloatArray) -> bytes:
    return sha256(update.tobytes()).digest()
