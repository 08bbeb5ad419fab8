"""Errors: one root, stable codes, natural built-ins, and a guess for a mistyped name."""

import pytest

from node import errors
from node.errors import AuditFailed, NodeError, UnknownName

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NodeError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_code_of_its_own_and_an_exit_status(kind: type[NodeError]) -> None:
    assert kind.code.isupper()
    assert [other.code for other in KINDS].count(kind.code) == 1
    assert kind.exit_status >= 2
    assert kind.__doc__


def test_the_hint_is_beside_the_message() -> None:
    error = NodeError("it broke", hint="mend it")
    assert (str(error), error.hint) == ("it broke", "mend it")
    assert NodeError("it broke").hint == ""


def test_a_failed_audit_is_told_apart_by_its_exit_status() -> None:
    assert AuditFailed.exit_status == 3


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.DataError, ValueError),
        (errors.TrainingError, ArithmeticError),
        (errors.TooFewUpdates, ValueError),
        (errors.JournalError, ValueError),
        (errors.PeerError, ConnectionError),
        (errors.UnknownName, LookupError),
    ],
)
def test_errors_are_what_a_reader_expects(kind: type[NodeError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_an_unknown_name_lists_all_and_guesses_the_nearest() -> None:
    error = UnknownName("aggregator", "medain", ["median", "krum", "mean"])
    assert str(error) == "unknown aggregator 'medain'; did you mean 'median'?"
    assert error.hint == "valid: krum, mean, median"
    assert (error.kind, error.name, error.valid) == ("aggregator", "medain", ("krum", "mean", "median"))


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert str(UnknownName("codec", "zzz", ["raw", "fp16"])) == "unknown codec 'zzz'"
