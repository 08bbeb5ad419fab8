"""The project owner's part of a round: open the one-time probe shard, and keep the clockwork going."""

from __future__ import annotations

from ledger import Clock, Phase, Role
from node.probe import shard_key
from node.round.actor import Actor, Context


class Owner(Actor):
    """Holds the probe secret. Opens shard r only after the reveal deadline of round r."""

    def __init__(self, context: Context, *, secret: bytes, patience_s: int = 0) -> None:
        super().__init__(context, patience_s=patience_s)
        self._secret = secret

    def _advance_round(self, clock: Clock) -> bool:
        if clock.phase is Phase.OVER:
            return self._close()
        if clock.phase is not Phase.POST:
            return False
        return self._open_probe(clock.round) or self._beacon_due(clock)

    def _open_probe(self, round_: int) -> bool:
        if self.view.probe_key(round_) is not None or not self.view.commitments(round_):
            return False
        context = self.context
        with context.metrics.phase("chain"):
            self.view.ledger.open_probe(context.signer, context.task, round_, shard_key(self._secret, round_))
        return True

    def _close(self) -> bool:
        """After the last round: unspent pools return to the owner."""
        if self.view.state.closed or self.view.live.posted_round != 0:
            return False
        with self.context.metrics.phase("chain"):
            self.view.ledger.close_task(self.context.signer, self.context.task)
        return True

    def finished(self) -> bool:
        return super().finished() and self.view.state.closed

    @property
    def role(self) -> Role | None:
        """None: the owner holds no slot."""
        return None
