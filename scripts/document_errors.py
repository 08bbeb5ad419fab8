"""Write docs/errors.md from the error classes: code, meaning, what to do."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ledger.contract_errors
import ledger.errors
import node.errors
import storage.errors

TARGET = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
ROOTS = (
    ("node", node.errors.NodeError),
    ("ledger", ledger.errors.LedgerError),
    ("storage", storage.errors.StorageError),
)


def _family(root: type[Exception]) -> list[type[Exception]]:
    found = {root}
    for child in root.__subclasses__():
        found |= set(_family(child))
    return sorted(found, key=lambda kind: (str(getattr(kind, "code", "")), kind.__name__))


def text() -> str:
    """The whole page."""
    lines = [
        "# Errors",
        "",
        "Written by `scripts/document_errors.py` from the classes. Every error is one sentence that names the value,",
        "with a hint that says what to do; the command then exits with 2 (3 where an audit found a difference).",
    ]
    for package, root in ROOTS:
        lines += ["", f"## {package}", "", "| code | class | meaning | usual fix |", "|---|---|---|---|"]
        for kind in _family(root):
            if kind.__module__.split(".")[0] != package:
                continue
            meaning = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
            # A contract's error says its fix with the values in braces.
            hint = kind.__dict__.get("hint") or kind.__dict__.get("fix", "")
            fix = hint.replace("|", "\\|") if isinstance(hint, str) and hint else "see the message"
            lines.append(f"| `{getattr(kind, 'code', '')}` | {kind.__name__} | {' '.join(meaning.split())} | {fix} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page."""
    TARGET.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
