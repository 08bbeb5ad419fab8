"""Both sides of a dispute over training, and its judge: what they read from the contract's log and what they send.

The trainer and the challenger hold a `Run` each. Neither waits: `move` does what its turn asks for, and says whether it
did anything. Rows come from seeds that the challenger draws after the states of a level were fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger import Border, DisputeTurn, Event, Ledger, PositionTree, Signer, TrainingDispute
from ledger.abi import decode_log
from node.errors import DataError
from node.model import Layout
from node.replay.checkpoint import checkpoint_bytes, checkpoint_length, checkpoint_tree, read_checkpoint
from node.replay.movement import decode_movement, encode_movement, movement_sketch, same_movement, same_step
from node.replay.run import Run
from node.sketch import Sketch
from node.spec import Artefact
from node.train import MOMENTS, Trainer, TrainerState
from storage import CidMismatch, CodecError, MissingContent, Store, TooLarge, from_digest

_DOMAIN = b"credence dispute\x00"


@dataclass(frozen=True)
class Terms:
    """What a task fixes of its disputes: rows of each group, tolerance, and the norm bound that gives the grid."""

    tau: float
    norm_bound: float
    rows: int = 16

    def sketch(self, state: TrainerState, base: TrainerState, seed: bytes) -> Sketch:
        """The sketch of `state` that a dispute carries under a challenger's seed."""
        return movement_sketch(state, base, seed=_DOMAIN + seed, k=self.rows, norm_bound=self.norm_bound)


def events_of(ledger: Ledger, number: int) -> list[Event]:
    """Every message of a dispute in chain order."""
    logs = ledger.chain.get_logs(
        address=ledger.training.address,
        topics=[None, number.to_bytes(32, "big")],
        from_block=ledger.deployment.block,
    )
    found = [event for log in logs if (event := decode_log(log)) is not None and "dispute" in event.args]
    return sorted(found, key=lambda event: (event.block_number, event.log_index))


def seed_of_level(events: Sequence[Event], *, in_segment: bool) -> bytes:
    """The seed of the rows of one level."""
    name = "Reseeded" if in_segment else "DisputeOpened"
    return next(bytes(event.args["seed"]) for event in events if event.name == name)


class _Party:
    def __init__(self, ledger: Ledger, signer: Signer, run: Run, terms: Terms) -> None:
        self.ledger, self.signer, self.run, self.terms = ledger, signer, run, terms
        self._segment: tuple[int, list[TrainerState]] = (-1, [])

    def states(self, dispute: TrainingDispute) -> Sequence[TrainerState]:
        """The states that the dispute's level counts, by index."""
        return self.steps(dispute.segment) if dispute.in_segment else self.run.checkpoints

    def steps(self, segment: int) -> list[TrainerState]:
        if self._segment[0] != segment:
            self._segment = (segment, self.run.segment(segment))
        return self._segment[1]

    def own_sketch(self, number: int, dispute: TrainingDispute) -> Sketch:
        """The sketch of the middle, of the states that this party holds."""
        seed = seed_of_level(events_of(self.ledger, number), in_segment=dispute.in_segment)
        states = self.states(dispute)
        return self.terms.sketch(states[dispute.middle], states[0], seed)


class Defender(_Party):
    """The trainer: opens middles, shows the steps of the last segment, publishes the two last states."""

    def __init__(self, ledger: Ledger, signer: Signer, run: Run, terms: Terms, *, store: Store) -> None:
        super().__init__(ledger, signer, run, terms)
        self.store = store

    def move(self, number: int) -> bool:
        """Do what this dispute asks of the trainer now."""
        dispute = self.ledger.training_dispute(number)
        if dispute.turn is DisputeTurn.ANSWER:
            tree = _tree(self.states(dispute))
            proof = tree.proof(dispute.middle)
            said = encode_movement(self.own_sketch(number, dispute))
            self.ledger.state_middle(self.signer, number, proof.word, proof.siblings, said)
            return True
        if dispute.turn is DisputeTurn.DESCEND:
            self._descend(number, dispute)
            return True
        if dispute.turn is DisputeTurn.JUDGE:
            states = self.states(dispute)
            for state in (self.run.checkpoints[0], states[0], states[dispute.low], states[dispute.high]):
                self.store.pin(self.store.put(checkpoint_bytes(state)))
        return False

    def _descend(self, number: int, dispute: TrainingDispute) -> None:
        checkpoints, steps = _tree(self.run.checkpoints), _tree(self.steps(dispute.low))

        def border(checkpoint: int, step: int) -> Border:
            proof = checkpoints.proof(checkpoint)
            return Border(proof.word, tuple(proof.siblings), steps.siblings(step))

        first, last = border(dispute.low, 0), border(dispute.high, self.run.steps)
        self.ledger.descend(self.signer, number, steps.root, first, last)


class Challenger(_Party):
    """Who re-executed the run: compares each stated sketch with its own. `seed` is its secret for fresh rows."""

    def __init__(self, ledger: Ledger, signer: Signer, run: Run, terms: Terms, *, seed: bytes) -> None:
        super().__init__(ledger, signer, run, terms)
        self.seed = seed

    def move(self, number: int) -> bool:
        """Do what this dispute asks of the challenger now."""
        dispute = self.ledger.training_dispute(number)
        if dispute.turn is DisputeTurn.CHOOSE:
            self.ledger.choose_half(self.signer, number, agrees=self._agrees(number, dispute))
            return True
        if dispute.turn is DisputeTurn.RESEED:
            self.ledger.reseed(self.signer, number, self.seed)
            return True
        return False

    def _agrees(self, number: int, dispute: TrainingDispute) -> bool:
        stated = [event for event in events_of(self.ledger, number) if event.name == "MiddleStated"][-1]
        groups = 1 + len(self.run.checkpoints[0].moments)
        claim = decode_movement(stated.args["sketch"])
        return same_movement(claim, self.own_sketch(number, dispute), groups=groups, tau=self.terms.tau)


def _tree(states: Sequence[TrainerState]) -> PositionTree:
    return checkpoint_tree([Artefact.of(checkpoint_bytes(state)).digest for state in states])


def judge(
    ledger: Ledger,
    number: int,
    *,
    store: Store,
    reference: Trainer,
    layout: Layout,
    terms: Terms,
    checkpoints: Sequence[bytes],
) -> bool:
    """Whether the trainer is right about the one step left: what an honest member signs.

    `reference` runs the recipe in float64 (`Profile(precision="float64")`), `checkpoints` are the digests that the
    trainer published with its root. Content that is missing, malformed or not what a digest or a stated sketch says
    counts against the trainer, and a list that does not hash to the root is none. One step is re-executed.
    """
    dispute = ledger.training_dispute(number)
    events = events_of(ledger, number)
    contents = _Contents(store, layout, reference, checkpoints, dispute, events)
    try:
        before, after = contents.state(dispute.low), contents.state(dispute.high)
        stated_right = all(contents.sketched(event, terms) for event in events if event.name == "MiddleStated")
    except (MissingContent, CidMismatch, TooLarge, CodecError, DataError):
        return False
    first = dispute.segment * dispute.steps + dispute.low if dispute.in_segment else dispute.low * dispute.steps
    if not stated_right or before.step != first:
        return False
    return same_step(after, reference.advance(before, 1), before, tau=terms.tau)


class _Contents:
    """The published states that a dispute names, each fetched by its digest."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        reference: Trainer,
        checkpoints: Sequence[bytes],
        dispute: TrainingDispute,
        events: Sequence[Event],
    ) -> None:
        if checkpoint_tree(checkpoints).root != dispute.root:
            checkpoints = ()
        self._store, self._layout, self._recipe = store, layout, reference.recipe
        self._dispute, self._events = dispute, events
        self._levels = {False: dict(enumerate(checkpoints)), True: self._steps()}
        self._groups = 1 + len(MOMENTS[reference.recipe.optimiser])

    def _steps(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for event in self._events:
            if event.name == "Descended":
                found[0] = int(event.args["first"]).to_bytes(32, "big")
                found[self._dispute.steps] = int(event.args["last"]).to_bytes(32, "big")
            if event.name == "MiddleStated" and event.args["inSegment"]:
                found[int(event.args["index"])] = int(event.args["digest"]).to_bytes(32, "big")
        return found

    def state(self, index: int, in_segment: bool | None = None) -> TrainerState:
        """The content of a state of a level (None: of the last one). Raises what fetching and decoding raise."""
        level = self._dispute.in_segment if in_segment is None else in_segment
        digest = self._levels[level].get(index)
        if digest is None:
            raise DataError(f"no digest is known of state {index}")
        length = checkpoint_length(self._layout, self._recipe)
        data = self._store.get(from_digest(digest, length), max_bytes=length)
        return read_checkpoint(data, self._layout, self._recipe)

    def sketched(self, event: Event, terms: Terms) -> bool:
        """Whether a stated sketch is that of its content, where the content matters: for one of the last two states."""
        level, index = bool(event.args["inSegment"]), int(event.args["index"])
        if index not in self._last(level):
            return True
        seed = seed_of_level(self._events, in_segment=level)
        own = terms.sketch(self.state(index, level), self.state(0, level), seed)
        return encode_movement(own) == bytes(event.args["sketch"])

    def _last(self, level: bool) -> set[int]:
        low, high = self._dispute.low, self._dispute.high
        if level == self._dispute.in_segment:
            return {low, high}
        ends = {0: self._dispute.segment, self._dispute.steps: self._dispute.segment + 1}
        return {ends[index] for index in (low, high) if index in ends}
