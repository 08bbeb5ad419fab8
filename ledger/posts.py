"""A post out of its log: the report, what the RoundBook remembers of it by hash, and its words or root state."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.report import settled_hash, state_of
from ledger.types import Event, Mode, Report, Role, RootState, Settled


@dataclass(frozen=True, slots=True)
class Post:
    """One `Posted` log. In words mode `words` are the score words, trainers' first; in root mode the seven words
    of the root state. `trainer_count` is how many words the trainers' slots fill, in either mode."""

    event: Event
    digest: bytes
    report: Report
    signers: int
    trainer_count: int
    words: tuple[int, ...]

    @classmethod
    def of(cls, event: Event) -> Post:
        """The post in a `Posted` event."""
        args = event.args
        return cls(
            event=event,
            digest=bytes(args["reportDigest"]),
            report=args["report"],
            signers=int(args["signers"]),
            trainer_count=int(args["trainerWords"]),
            words=tuple(map(int, args["words"])),
        )

    @property
    def task(self) -> int:
        """The task's id."""
        return self.report.task

    @property
    def round(self) -> int:
        """The round that it settles."""
        return self.report.round

    @property
    def settled(self) -> Settled:
        """What the RoundBook remembers, as later calls pass it."""
        return Settled(self.digest, self.signers, self.report.model, self.report.words_hash, self.trainer_count)

    @property
    def hash(self) -> bytes:
        """What the RoundBook stores."""
        return settled_hash(self.settled)

    @property
    def trainer_words(self) -> tuple[int, ...]:
        """Words mode: the trainers' score words; none in root mode."""
        return self.words[: self.trainer_count] if self.report.mode == Mode.WORDS else ()

    @property
    def verifier_words(self) -> tuple[int, ...]:
        """Words mode: the verifiers' score words; none in root mode."""
        return self.words[self.trainer_count :] if self.report.mode == Mode.WORDS else ()

    def words_of(self, role: Role) -> tuple[int, ...]:
        """Words mode: a role's score words."""
        return self.trainer_words if role == Role.TRAINER else self.verifier_words

    @property
    def state(self) -> RootState:
        """Root mode: the state that was signed. Raises `BadArgument` in words mode."""
        return state_of(self.words if self.report.mode == Mode.ROOT else ())


@dataclass(frozen=True, slots=True)
class Pending:
    """A post whose window is open, and when that closes (seconds)."""

    post: Post
    closes_at: int
