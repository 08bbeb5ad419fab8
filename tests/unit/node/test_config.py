"""The configuration of a run: every wrong value is named with the valid ones, every value counts."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from node.attacks import AttackSpec
from node.config import MAX_NODES, SimulationConfig
from node.errors import ConfigError, UnknownName

DEFAULT = SimulationConfig()


@pytest.mark.parametrize(
    ("field", "value", "guess", "valid"),
    [
        ("task", "digit", "digits", "breast_cancer, digits, files"),
        ("aggregator", "medain", "median", "krum, mean, median, multi_krum, trimmed_mean"),
        ("weighting", "stakes", "stake", "clusters, foolsgold, stake, stake_only, sybilwall, uniform"),
        ("utility", "lo", "loo", "first_order, gtg_shapley, loo, shapley"),
        ("codec", "fp61", "fp16", "fp16, raw"),
        ("partition", "dirichelt:0.5", "dirichlet", "dirichlet, iid, label"),
        ("attack", ("sign_flop:1",), "sign_flip", "copycat, free_rider, gaussian, lazy_verifier, sign_flip"),
    ],
)
def test_an_unknown_name_is_guessed_and_the_valid_ones_listed(field: str, value: Any, guess: str, valid: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{guess}'") as caught:
        SimulationConfig(**{field: value})
    assert set(valid.split(", ")) <= set(caught.value.valid)
    assert caught.value.hint == "valid: " + ", ".join(sorted(caught.value.valid))


@pytest.mark.parametrize(
    ("field", "low", "high"), [("nodes", 1, MAX_NODES), ("verifiers", 1, 128), ("rounds", 1, 4_294)]
)
def test_counts_have_ranges(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(SimulationConfig(**{field: value}), field) == value
    for value in (low - 1, high + 1, -5):
        with pytest.raises(ConfigError, match=f"--{field} {value} is out of range") as caught:
            SimulationConfig(**{field: value})
        assert caught.value.hint == f"give {low} to {high}"


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_has_63_bits(seed: int) -> None:
    with pytest.raises(ConfigError, match=f"--seed {seed} is out of range"):
        SimulationConfig(seed=seed)
    assert SimulationConfig(seed=2**63 - 1).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("attack", "problem"),
    [
        (("sign_flip:9",), "9 trainers attack but there are only 8"),
        (("sign_flip:5", "copycat:4"), "9 trainers attack but there are only 8"),
        (("lazy_verifier:4",), "4 verifiers attack but there are only 3"),
        (("sign_flip",), "does not say how many"),
        (("sign_flip:0",), "does not say how many"),
        (("sign_flip=x:1",), "has no strength 'x'"),
    ],
)
def test_attacks_must_fit(attack: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        SimulationConfig(attack=attack)
    assert caught.value.hint


def test_everybody_may_attack() -> None:
    config = SimulationConfig(nodes=2, verifiers=1, attack=("sign_flip:2", "lazy_verifier:1"))
    assert None not in config.assignment("trainer") + config.assignment("verifier")


def test_attackers_are_the_last_of_their_role_in_the_order_given() -> None:
    config = SimulationConfig(nodes=5, attack=("sign_flip=2.5:2", "lazy_verifier:1", "copycat:1"))
    flip, copy = AttackSpec("sign_flip", 2, "2.5"), AttackSpec("copycat", 1, None)
    assert config.assignment("trainer") == [None, None, flip, flip, copy]
    assert config.assignment("verifier") == [None, None, AttackSpec("lazy_verifier", 1, None)]
    assert config.attacks == (flip, AttackSpec("lazy_verifier", 1, None), copy)


# -- config.json -----------------------------------------------------------------------------------------

CHANGED: dict[str, Any] = {
    "task": "files",
    "options": {"path": "x.csv"},
    "nodes": 9,
    "verifiers": 5,
    "rounds": 2,
    "seed": 8,
    "attack": ("copycat:1",),
    "partition": "dirichlet:0.3",
    "aggregator": "median",
    "weighting": "uniform",
    "utility": "first_order",
    "codec": "fp16",
    "settlement": "root",
    "collector": "none",
    "verification": "replay",
    "canary_rate": "0.05",
    "chain": "http://127.0.0.1:8545",
    "store": "disk:x",
}


def test_a_configuration_survives_config_json() -> None:
    for config in (DEFAULT, SimulationConfig(**CHANGED)):
        assert SimulationConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_unknown_and_missing_fields_are_named() -> None:
    data = DEFAULT.to_json()
    with pytest.raises(ConfigError, match=r"wrong fields: \['nodez'\]"):
        SimulationConfig.from_json({**data, "nodez": 1})
    with pytest.raises(ConfigError, match=r"wrong fields: \['nodes'\]"):
        SimulationConfig.from_json({name: value for name, value in data.items() if name != "nodes"})
    with pytest.raises(ConfigError, match="out of range"):
        SimulationConfig.from_json({**data, "nodes": 0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nodes", "8"),
        ("nodes", None),
        ("seed", []),
        ("attack", 5),
        ("attack", [5]),
        ("task", []),
        ("options", 5),
    ],
)
def test_a_value_of_another_type_in_config_json_is_a_config_error(name: str, value: Any) -> None:
    with pytest.raises(ConfigError):
        SimulationConfig.from_json({**DEFAULT.to_json(), name: value})


def test_every_value_changes_the_fingerprint_and_the_folder() -> None:
    assert set(CHANGED) == {field.name for field in fields(SimulationConfig)}
    runs = [replace(DEFAULT, **{name: value}) for name, value in CHANGED.items()]
    assert len({run.fingerprint for run in (DEFAULT, *runs)}) == len(CHANGED) + 1
    assert len({run.default_folder() for run in (DEFAULT, *runs)}) == len(CHANGED) + 1
    assert SimulationConfig().fingerprint == DEFAULT.fingerprint


def test_a_run_without_canaries_is_called_what_it_always_was() -> None:
    assert "canary_rate" not in DEFAULT.to_json()
    assert SimulationConfig.from_json(DEFAULT.to_json()).canary_rate == "0"
    assert SimulationConfig.from_json(SimulationConfig(canary_rate="0.2").to_json()).canary_rate == "0.2"


@pytest.mark.parametrize("rate", ["1", "0.51", "-0.1", "nan", "inf", "often", ""])
def test_a_canary_rate_that_is_no_share_is_named_with_the_fix(rate: str) -> None:
    with pytest.raises(ConfigError, match="share of submissions that are planted") as caught:
        SimulationConfig(canary_rate=rate)
    assert repr(rate) in str(caught.value)
    assert "0.05" in str(caught.value.hint)


def test_a_folder_says_task_and_seed() -> None:
    folder = SimulationConfig(seed=42).default_folder()
    assert folder.parent.name == "runs"
    assert folder.name.startswith("digits-seed42-")
    assert len(folder.name.rpartition("-")[2]) == 8
