"""Errors of the node: one root, each with a stable code, a hint and an exit status of at least 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NodeError(Exception):
    """Root of every error that the node raises on purpose.

    The message is one sentence that names the value; `hint` is the fix; `code` is stable and documented.
    """

    code = "NODE"
    exit_status = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(NodeError, ValueError):
    """A value in the configuration or on the command line is wrong."""

    code = "CONFIG"


class UnknownName(ConfigError, LookupError):
    """A strategy, task or option was asked for by a name that does not exist."""

    code = "UNKNOWN_NAME"

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        names = sorted(valid)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {name!r}{guess}", hint=f"valid: {', '.join(names)}")
        self.kind, self.name, self.valid = kind, name, tuple(names)


class DataError(NodeError, ValueError):
    """A data set cannot be read as its schema says."""

    code = "DATA"


class TrainingError(NodeError, ArithmeticError):
    """Local training gave a value that is not finite."""

    code = "TRAINING"


class GraphError(NodeError, ValueError):
    """Links between raters and rated are malformed: an unknown node, a weight below 1, a node that rates itself."""

    code = "GRAPH"


class CalibrationRefused(NodeError, ValueError):
    """Honest machines end up too far apart on a task: the tolerance that lets them pass would let cheats pass."""

    code = "CALIBRATION_REFUSED"


class TooFewUpdates(NodeError, ValueError):
    """A robust rule was given fewer updates, or more Byzantine weight, than it tolerates."""

    code = "TOO_FEW_UPDATES"


class JournalError(NodeError, ValueError):
    """The write-ahead journal is not what this node wrote."""

    code = "JOURNAL"


class PeerError(NodeError, ConnectionError):
    """A peer sent something malformed, oversized or wrongly signed, or cannot be reached."""

    code = "PEER"


class AuditFailed(NodeError):
    """A past round does not follow from the chain and the store."""

    code = "AUDIT"
    exit_status = 3
