"""Attacks that know honest updates, or poison their own data."""

import numpy as np
import pytest

from node.aggregate import AGGREGATORS
from node.attacks import ATTACKS, ForgeContext, parse_attack
from node.attacks.collude import worst_factor
from node.attacks.poison import stamped
from node.data import Dataset
from node.errors import ConfigError

HONEST = np.random.default_rng(0).standard_normal((16, 40)).astype(np.float32) + 1
OWN = np.linspace(0, 1, 40, dtype=np.float32)
MEAN = HONEST.astype(np.float64).mean(axis=0)


def mean_rule(updates: np.ndarray) -> np.ndarray:
    return AGGREGATORS.get("mean")(updates, np.full(len(updates), 1 / len(updates)), f=0.0)


def median_rule(updates: np.ndarray) -> np.ndarray:
    return AGGREGATORS.get("median")(updates, np.full(len(updates), 1 / len(updates)), f=0.2)


def forge(name: str, strength: str | None = None, *, seed: int = 1, **known: object) -> np.ndarray:
    context = ForgeContext(
        seed=seed,
        round=2,
        strength=strength,
        attackers=4,
        **{"honest": HONEST, **known},  # type: ignore[arg-type]
    )
    return ATTACKS.get(name).forge(OWN, context=context)


def test_alie_is_the_mean_less_z_deviations() -> None:
    """n = 20, m = 4: s = 11 - 4 = 7 supporters, z = Phi^-1(9/16) = 0.157."""
    std = HONEST.astype(np.float64).std(axis=0)
    assert forge("alie") == pytest.approx(MEAN - 0.15731 * std, abs=1e-4)
    assert forge("alie", "1.5") == pytest.approx(MEAN - 1.5 * std, abs=1e-5)


def test_ipm_is_the_mean_reversed() -> None:
    assert forge("ipm") == pytest.approx(-2 * MEAN, abs=1e-5)
    assert forge("ipm", "0.5") == pytest.approx(-0.5 * MEAN, abs=1e-5)


@pytest.mark.parametrize("name", ["alie", "ipm"])
def test_a_searched_strength_harms_at_least_as_much_as_any_fixed_one(name: str) -> None:
    def damage(strength: str) -> float:
        sent = forge(name, strength, aggregate=median_rule)
        step = median_rule(np.vstack([HONEST, np.repeat(sent[None], 4, 0)]))
        return float(np.linalg.norm(step - MEAN))

    found = damage("search")
    assert found >= max(damage(text) for text in ("0.25", "0.5", "1", "2", "4", "8")) - 1e-5


def test_the_search_climbs_to_the_end_where_more_is_always_worse() -> None:
    context = ForgeContext(seed=1, round=1, attackers=4, honest=HONEST, aggregate=mean_rule)
    assert worst_factor(lambda k: -k * MEAN, HONEST.astype(np.float64), context) > 8
    assert worst_factor(lambda k: -k * MEAN, HONEST.astype(np.float64), ForgeContext(seed=1, round=1)) == 1


def test_mimic_repeats_the_one_that_differs_most() -> None:
    honest = np.zeros((5, 3), np.float32)
    honest[:, 0] = [0, 0, 0, 0, 9]
    honest[:, 1] = [1, 2, 1, 2, 1]
    assert (forge("mimic", honest=honest) == honest[4]).all()
    assert (forge("mimic", "6", honest=honest) == honest[1]).all()


def test_clones_are_one_vector_and_noisy_ones_are_not() -> None:
    length = np.median(np.linalg.norm(HONEST.astype(np.float64), axis=1))
    clone = forge("sybil_clones")
    assert np.linalg.norm(clone) == pytest.approx(length, rel=1e-5)
    assert clone @ MEAN == pytest.approx(-length * np.linalg.norm(MEAN), rel=1e-5)
    assert (clone == forge("sybil_clones", seed=2)).all()
    one, two = forge("sybil_noise"), forge("sybil_noise", seed=2)
    assert np.linalg.norm(one - clone) == pytest.approx(0.5 * length, rel=1e-4)
    assert (one != two).any()


def test_an_outlier_is_far_odd_and_shared() -> None:
    sent = forge("outlier")
    assert np.linalg.norm(sent) == pytest.approx(10 * np.linalg.norm(MEAN), rel=1e-5)
    assert abs(sent @ MEAN) < 0.6 * np.linalg.norm(sent) * np.linalg.norm(MEAN)
    assert (sent == forge("outlier", seed=2)).all()
    assert (sent != forge("outlier", shared_seed=1)).any()


@pytest.mark.parametrize("name", ["alie", "mimic"])
def test_who_knows_nobody_sends_its_own(name: str) -> None:
    assert forge(name, honest=None) == pytest.approx(OWN)


@pytest.mark.parametrize(
    "text", ["alie=x:1", "ipm=-1:1", "mimic=a:1", "label_flip=1:1", "label_flip=2-2:1", "backdoor=x:1"]
)
def test_wrong_strengths(text: str) -> None:
    with pytest.raises(ConfigError, match="has no strength"):
        parse_attack(text)


def digits(count: int = 30) -> Dataset:
    x = np.random.default_rng(0).random((count, 8, 8)).astype(np.float32) / 2
    return Dataset(x, np.arange(count) % 10, 10)


def test_label_flip_poisons_and_aims() -> None:
    data, kind = digits(), ATTACKS.get("label_flip")
    assert (kind.poison(data, None).y == 9 - data.y).all()
    swapped = kind.poison(data, "0-1")
    assert swapped.y[:4].tolist() == [1, 0, 2, 3]
    assert kind.aim is not None
    wanted = kind.aim(data, "0-1")
    assert len(wanted) == 6
    assert set(wanted.y.tolist()) == {0, 1}
    with pytest.raises(ConfigError, match="beyond 9"):
        kind.poison(data, "0-10")


def test_backdoor_doubles_the_shard_and_aims_at_other_classes() -> None:
    data, kind = digits(), ATTACKS.get("backdoor")
    poisoned = kind.poison(data, None)
    assert len(poisoned) == 60
    assert (poisoned.x[:30] == data.x).all()
    assert (poisoned.y[30:] == 1).all()
    assert (poisoned.x[30:, :2, :2] == 1).all()
    assert (poisoned.x[30:, 2:] == data.x[:, 2:]).all()
    assert kind.aim is not None
    aim = kind.aim(data, "3")
    assert len(aim) == 27
    assert (aim.y == 3).all()
    with pytest.raises(ConfigError, match="beyond 9"):
        kind.poison(data, "10")


def test_the_patch_fits_the_picture() -> None:
    assert (stamped(np.zeros((1, 28, 28), np.float32)) == 1).sum() == 9
    assert (stamped(np.zeros((1, 3, 8, 8), np.float32)) == 1).sum() == 12
    assert (stamped(np.zeros((2, 30), np.float32)) == 1).sum() == 4


def test_other_attacks_leave_the_data() -> None:
    data = digits()
    assert ATTACKS.get("sign_flip").poison(data, None) is data
