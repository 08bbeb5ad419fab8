"""Committee odds against hand-computed cases, brute force and scipy-free enumeration."""

from __future__ import annotations

import itertools
import json
import warnings
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli import main
from node.committee import CommitteeWarning, committee_risk, hostile_law, warn_if_weak
from node.errors import ConfigError


def test_a_committee_of_two_by_hand() -> None:
    risk = committee_risk(stake_bad="0.1", size=2, quorum=2)
    assert (risk.capture, risk.median, risk.stall) == (Fraction(1, 100), Fraction(19, 100), Fraction(19, 100))


@pytest.mark.parametrize(
    ("size", "quorum", "stake_bad", "capture"),
    [(7, 5, "0.2", 4.7e-3), (13, 9, "0.2", 1.7e-4), (21, 14, "0.2", 4.5e-6), (31, 21, "0.2", 1.1e-8)],
)
def test_published_figures(size: int, quorum: int, stake_bad: str, capture: float) -> None:
    assert float(committee_risk(stake_bad=stake_bad, size=size, quorum=quorum).capture) == pytest.approx(
        capture, rel=0.08
    )


def test_odds_by_enumerating_every_committee() -> None:
    """Binomial over all hostile patterns of 5 seats; hypergeometric over all draws of 3 of 6 with 2 hostile."""
    share = Fraction(1, 4)
    patterns = list(itertools.product((0, 1), repeat=5))
    weight = [share ** sum(p) * (1 - share) ** (5 - sum(p)) for p in patterns]
    risk = committee_risk(stake_bad=share, size=5, quorum=4)
    assert risk.capture == sum(w for p, w in zip(patterns, weight, strict=True) if sum(p) >= 4)
    assert risk.median == sum(w for p, w in zip(patterns, weight, strict=True) if sum(p) >= 3)
    assert risk.stall == sum(w for p, w in zip(patterns, weight, strict=True) if 5 - sum(p) < 4)
    draws = list(itertools.combinations((1, 1, 0, 0, 0, 0), 3))
    exact = committee_risk(stake_bad="0.3", size=3, quorum=2, seats=6)  # ceil(1.8) = 2 hostile seats
    assert exact.capture == Fraction(sum(sum(draw) >= 2 for draw in draws), len(draws)) == Fraction(1, 5)


@given(st.integers(1, 40), st.fractions(0, 1, max_denominator=50), st.data())
def test_invariants(size: int, share: Fraction, data: st.DataObject) -> None:
    quorum = data.draw(st.integers(1, size))
    seats = data.draw(st.none() | st.integers(size, 200))
    assert sum(hostile_law(share, size, seats)) == 1
    risk = committee_risk(stake_bad=share, size=size, quorum=quorum, seats=seats)
    stricter = committee_risk(stake_bad=share, size=size, quorum=size, seats=seats)
    assert 0 <= stricter.capture <= risk.capture <= 1
    assert 0 <= risk.stall <= stricter.stall <= 1


def test_the_hypergeometric_law_nears_the_binomial_as_seats_grow() -> None:
    near = committee_risk(stake_bad="0.2", size=21, quorum=15, seats=1_000_000)
    assert float(near.capture) == pytest.approx(
        float(committee_risk(stake_bad="0.2", size=21, quorum=15).capture), rel=1e-3
    )


@pytest.mark.parametrize(
    "values",
    [{"stake_bad": "x"}, {"stake_bad": "1.1"}, {"stake_bad": "NaN"}, {"quorum": 0}, {"quorum": 22}, {"size": 129},
     {"seats": 20}],
)  # fmt: skip
def test_bad_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        committee_risk(**{"stake_bad": "0.2", "size": 21, "quorum": 15, **values})  # type: ignore[arg-type]


def test_a_weak_committee_warns_and_a_strong_one_does_not() -> None:
    risk = committee_risk(stake_bad="0.2", size=7, quorum=5)
    with pytest.warns(CommitteeWarning, match="capture probability 0.00467 exceeds the task's bound 0.001"):
        warn_if_weak(risk, capture_bound=1e-3, stall_bound=1)
    with pytest.warns(CommitteeWarning, match="stall"):
        warn_if_weak(risk, capture_bound=1, stall_bound=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_weak(risk, capture_bound=0.01, stall_bound=0.5)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["committee", "--stake-bad", "0.2", "--size", "21", "--quorum", "15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    exact = committee_risk(stake_bad="0.2", size=21, quorum=15)
    assert Fraction(found["exact"]["capture"]) == exact.capture
    assert (found["capture"], found["stall"]) == (float(exact.capture), float(exact.stall))
    assert main(["committee", "--size", "21"]) == 0
    assert "quorum 15" in capsys.readouterr().out
    assert main(["committee", "--size", "0"]) == 2
