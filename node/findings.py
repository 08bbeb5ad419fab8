"""What an audit found: counts by item and verdict, and the one way to say that something differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledger import LedgerError
from node.errors import AuditFailed, NodeError
from storage import StorageError


@dataclass
class Findings:
    """What an audit checked: counts by item and verdict (`exact`, `tolerance`)."""

    rounds: list[int] = field(default_factory=list)
    items: Counter[tuple[str, str]] = field(default_factory=Counter)
    graph: str = ""  # digest of the evaluation graph that follows, hex

    def add(self, item: str, verdict: str = "exact", count: int = 1) -> None:
        """Count a checked item."""
        self.items[(item, verdict)] += count

    def rows(self) -> list[dict[str, object]]:
        """Sorted rows {item, verdict, count}."""
        return [{"item": i, "verdict": v, "count": n} for (i, v), n in sorted(self.items.items())]


@contextmanager
def blame(where: str) -> Iterator[None]:
    """Turn any failure to read or check an artefact into AuditFailed that says where."""
    try:
        yield
    except AuditFailed:
        raise
    except (NodeError, StorageError, LedgerError) as error:
        raise AuditFailed(f"{where}: {error}") from error


def same(where: str, what: str, derived: object, found: object) -> None:
    """Raise AuditFailed unless what was found is what follows from the evidence."""
    if derived != found:
        raise AuditFailed(f"{where}: {what} is {_short(found)}, but {_short(derived)} follows from the evidence")


def _short(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 96 else text[:93] + "…"
