"""The project owner's part of a round: collect commits and reveals, open probe shards, keep the clockwork going."""

from __future__ import annotations

from ledger import Clock, Phase, Role
from node.message import Kind
from node.probe import shard_key
from node.round.actor import Actor, Context
from node.round.bundle import pack
from node.round.collect import BUNDLE_LEAVES, COLLECT_BY, collect_time, collected


class Owner(Actor):
    """Holds the probe secret. Opens shard r only after the reveal deadline of round r."""

    def __init__(self, context: Context, *, secret: bytes, patience_s: int = 0) -> None:
        super().__init__(context, patience_s=patience_s)
        self._secret = secret

    def _advance_round(self, clock: Clock) -> bool:
        if clock.phase is Phase.OVER:
            return self._close()
        if clock.phase is Phase.COMMIT:
            return self._collect(clock.round, Kind.COMMITTED)
        if clock.phase is Phase.REVEAL:
            return self._collect(clock.round, Kind.DISCLOSED)
        if clock.phase is not Phase.POST:
            return False
        return self._open_probe(clock.round) or self._beacon_due(clock)

    def _collect(self, round_: int, kind: Kind) -> bool:
        """Log the trainers' signed commits, or reveals, in one transaction: once all are here, or when it is time."""
        if self.context.spec.collector == "none":
            return False
        entries = {c.node: c for c in self.view.commitments(round_)}
        if kind is Kind.COMMITTED:
            missing = self.view.slots(Role.TRAINER).keys() - entries.keys()
        else:
            missing = {node for node, entry in entries.items() if entry.manifest is None}
        messages = [m for m in self.heard(round_, kind) if m.node in missing and not m.attempt]
        if not messages or (collected(self.view, round_, kind) and len(messages) < BUNDLE_LEAVES):
            return False  # what comes later than the bundle comes directly
        complete = missing == {m.node for m in messages}
        if not complete and self.view.now < collect_time(self.view, round_, kind, COLLECT_BY):
            return False
        bundle, context = pack(messages[:BUNDLE_LEAVES]), self.context
        with context.metrics.phase("store"):
            context.store.pin(context.store.put(bundle.encoded))
        with context.metrics.phase("chain"):
            self.view.ledger.collect(context.signer, context.task, round_, bundle, reveals=kind is Kind.DISCLOSED)
        return True

    def _open_probe(self, round_: int) -> bool:
        if self.view.probe_key(round_) is not None or not self.view.commitments(round_):
            return False
        context = self.context
        with context.metrics.phase("chain"):
            self.view.ledger.open_probe(context.signer, context.task, round_, shard_key(self._secret, round_))
        return True

    def _close(self) -> bool:
        """After the last round: unspent pools return to the owner."""
        if self.view.state.closed or self.view.pending_round != 0:
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
