"""A trainer's part in canaries (node.canary): decide in secret, leak a decoy where it planted, open the origin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.canary import Origin, decoy, plants
from node.message import Kind, Message
from node.round.actor import Actor, Context
from node.round.settle import agreed_roster, roster_entries
from node.round.turns import REVEAL_BY, is_past
from node.seeds import derive_bytes

MAX_LEAK_BYTES = 1 << 18


class Planter(Actor):
    """A trainer's part. `run_seed` is secret on a real node: it decides what is planted."""

    def __init__(self, context: Context, *, run_seed: int, patience_s: int = 0) -> None:
        super().__init__(context, patience_s=patience_s)
        self.run_seed = run_seed

    def origin(self, round_: int, update: bytes) -> Origin | None:
        """What the manifest of this update (digest) binds; None in a task without canaries."""
        context, rate = self.context, self.context.spec.canary_share
        if not rate:
            return None
        planted = plants(self.run_seed, round_=round_, node=context.node, rate=rate)
        return Origin(context.task, round_, context.node, update, planted, self._origin_salt(round_))

    def _origin_salt(self, round_: int) -> bytes:
        return derive_bytes(self.run_seed, "origin salt", round_, self.context.node)

    def planted(self, round_: int) -> bool:
        """What was decided, and is in the journal, when the round's update was made."""
        return bool(self.recall(round_, "trained").get("planted", False))

    def leaks(self, round_: int) -> bool:
        """Whether to hand out outputs unasked. Honest trainers do so where these are wrong."""
        return self.planted(round_)

    def leak(self, round_: int, outputs: NDArray[np.float32]) -> None:
        """Say what the outputs (b, classes) are, to members that would rather not compute them; of a canary, falsely.

        Only where that is small enough for a message; in replay mode nothing is leaked, since members execute segments.
        """
        if not self.leaks(round_) or outputs.nbytes > MAX_LEAK_BYTES:
            return
        said = decoy(outputs, self.run_seed, round_=round_, node=self.context.node) if self.planted(round_) else outputs
        self.say(round_, Kind.LEAKED, {"outputs": said.astype("<f4").tobytes().hex()})

    def _leak_again(self, round_: int) -> None:
        """After a restart: what was leaked before it, with the same bytes."""
        if self.done(round_, f"said:{Kind.LEAKED.value}:0"):
            self.say(round_, Kind.LEAKED, {})

    def _open_origin(self, round_: int) -> bool:
        """Once members have revealed, or may not any more: say whether this submission was planted. Every trainer does,
        so that members know when all have. Earlier, a member could keep back what it is bound to.
        """
        facts = self.facts(round_)
        if not self.context.spec.canary_share or facts is None:
            return False
        if not self.done(round_, f"said:{Kind.CLAIM_OPENED.value}:0"):
            return False
        roster = agreed_roster(facts, self.heard(round_, Kind.ROSTER), self.heard(round_, Kind.ROSTER_ACK))
        if roster is None:
            return False
        revealed = {message.node for message in self.heard(round_, Kind.REVEALED)}
        if not roster_entries(roster, Kind.OBSERVED).keys() <= revealed and not is_past(self.view, facts, REVEAL_BY):
            return False
        body = {"planted": self.planted(round_), "salt": self._origin_salt(round_).hex()}
        return self.say(round_, Kind.ORIGIN_OPENED, body)


def leaked_outputs(messages: Sequence[Message], *, shape: tuple[int, int]) -> dict[int, NDArray[np.float32]]:
    """Leaks by trainer as (b, classes) float32; what has another size, or is not finite, is nobody's outputs."""
    found = {}
    for message in messages:
        try:
            values = np.frombuffer(bytes.fromhex(str(message.body.get("outputs"))), dtype="<f4").reshape(shape)
        except ValueError:
            continue
        if np.isfinite(values).all():
            found[message.node] = values.astype(np.float32)
    return found
