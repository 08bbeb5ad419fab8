"""Attacks: parsing, and what each one sends."""

import numpy as np
import pytest

from node.attacks import ATTACKS, AttackSpec, ForgeContext, parse_attack
from node.errors import ConfigError, UnknownName

UPDATE = np.linspace(-1, 2, 1000, dtype=np.float32)


def forge(name: str, strength: str | None = None, round_: int = 3, previous: np.ndarray | None = None) -> np.ndarray:
    context = ForgeContext(seed=1, round=round_, previous_global=previous, strength=strength)
    return ATTACKS.get(name).forge(UPDATE, context=context)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("sign_flip:2", AttackSpec("sign_flip", 2, None)),
        (" sign_flip=2.5:2 ", AttackSpec("sign_flip", 2, "2.5")),
        ("free_rider=noise:1", AttackSpec("free_rider", 1, "noise")),
        ("free_rider=stale:1", AttackSpec("free_rider", 1, "stale")),
        ("lazy_verifier:10", AttackSpec("lazy_verifier", 10, None)),
    ],
)
def test_parse(text: str, spec: AttackSpec) -> None:
    assert parse_attack(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "sign_flip",
        "sign_flip:",
        "sign_flip:0",
        "sign_flip:-1",
        "sign_flip:x",
        ":2",
        "",
        "=1:2",
        "sign_flip=:2",
        "sign_flip:²",
    ],
)
def test_malformed_text_shows_the_syntax(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_attack(text)
    assert "NAME[=STRENGTH]:COUNT" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["sign_flip=big:1", "sign_flip=-1:1", "gaussian=0:1", "gaussian=nan:1", "free_rider=x:1", "copycat=1:1"],
)
def test_wrong_strength(text: str) -> None:
    with pytest.raises(ConfigError, match="has no strength"):
        parse_attack(text)


def test_unknown_attack() -> None:
    with pytest.raises(UnknownName, match="unknown attack 'sing_flip'; did you mean 'sign_flip'"):
        parse_attack("sing_flip:2")


def test_roles_and_flags() -> None:
    kinds = {name: ATTACKS.get(name) for name in ATTACKS}
    assert {"copycat", "free_rider", "gaussian", "lazy_verifier", "malformed", "sign_flip", "skip_steps"} <= set(kinds)
    assert {"alie", "ipm", "mimic", "label_flip", "backdoor", "sybil_clones", "sybil_noise", "outlier"} <= set(kinds)
    assert [name for name in kinds if kinds[name].role == "verifier"] == ["lazy_verifier", "leak_taker", "vote_copier"]
    assert [name for name in kinds if kinds[name].skips_work] == ["lazy_verifier"]
    assert [name for name in kinds if kinds[name].copies_commitment] == ["copycat"]
    assert [name for name in kinds if kinds[name].malforms] == ["malformed"]
    assert [name for name in kinds if kinds[name].copies_votes] == ["vote_copier"]
    assert [name for name in kinds if kinds[name].skips_steps] == ["skip_steps"]
    assert all(kinds[name].summary and kinds[name].name == name for name in kinds)


def test_sign_flip() -> None:
    assert (forge("sign_flip") == -4 * UPDATE).all()
    assert (forge("sign_flip", "2.5") == np.float32(-2.5) * UPDATE).all()


def test_gaussian_has_the_norm_and_no_direction() -> None:
    sent = forge("gaussian")
    assert np.linalg.norm(sent) == pytest.approx(np.linalg.norm(UPDATE), rel=1e-5)
    assert np.linalg.norm(forge("gaussian", "3")) == pytest.approx(3 * np.linalg.norm(UPDATE), rel=1e-5)
    assert abs(sent @ UPDATE) < 0.15 * float(UPDATE @ UPDATE)
    assert (sent == forge("gaussian")).all()
    assert (sent != forge("gaussian", round_=4)).any()


def test_free_rider() -> None:
    previous = np.ones(1000, np.float32)
    sent = forge("free_rider", previous=previous)
    assert (sent == previous).all()
    sent[:] = 0
    assert (previous == 1).all()
    for nothing in (forge("free_rider"), forge("free_rider", "noise", previous=previous)):
        assert 0 < np.abs(nothing).max() < 1e-5


@pytest.mark.parametrize("name", ["copycat", "lazy_verifier"])
def test_protocol_attacks_leave_the_update(name: str) -> None:
    assert (forge(name) == UPDATE).all()


def test_forge_checks_its_strength_and_changes_nothing() -> None:
    with pytest.raises(ConfigError, match="has no strength"):
        forge("sign_flip", "much")
    kept = UPDATE.copy()
    for name in ATTACKS:
        assert forge(name).dtype == np.float32
    assert (kept == UPDATE).all()
