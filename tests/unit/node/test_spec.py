"""The task specification: one spelling for one task, and nothing but ConfigError for anything else."""

import hashlib
import json
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.calibrate import Level
from node.errors import ConfigError
from node.spec import MAX_SPEC_BYTES, Artefact, ProbeShard, PublicShard, ReplayPlan, TaskSpec
from node.train import Recipe
from storage import cid_of, digest_of
from tests.support.protocol import tampered, tiny_spec

SHARD = ProbeShard(Artefact(b"\x03" * 32, 99), b"\x04" * 32)
SPEC = tiny_spec(probe=(SHARD, SHARD), recipe=Recipe("adam", 0.1, 2, 8, weight_decay=1e-05), tau="0.00012")
DATA = SPEC.to_bytes()
DECIMALS = [f.name for f in fields(TaskSpec) if isinstance(f.default, str) and f.default[0].isdecimal()]


# -- artefacts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_an_artefact_is_the_root_digest_and_length_of_what_is_stored(size: int) -> None:
    data = bytes(size)
    found = Artefact.of(data)
    assert found == Artefact(digest_of(cid_of(data)), size)
    assert Artefact.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"digest": "00" * 32},
        {"length": 1},
        {"digest": "00" * 31, "length": 1},
        {"digest": "zz" * 32, "length": 1},
        {"digest": 5, "length": 1},
        {"digest": "00" * 32, "length": -1},
        {"digest": "00" * 32, "length": "many"},
        {"digest": "00" * 32, "length": None},
        {"digest": "00" * 32, "length": []},
        "text",
        "",
        5,
        None,
        [],
        [1, 2],
    ],
)
def test_no_other_value_is_an_artefact(value: Any) -> None:
    with pytest.raises(ConfigError):
        Artefact.from_json(value)


# -- decimals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECIMALS)
def test_decimals_are_read_exactly(name: str) -> None:
    assert tiny_spec(**{name: "0.1"}).number(name) == float(Decimal("0.1"))
    assert tiny_spec(**{name: "0"}).number(name) == 0.0


@pytest.mark.parametrize("text", ["", "x", "-1", "-0.1", "nan", "sNaN", "inf", "-inf", "1e400", "1,5"])
def test_what_is_no_finite_decimal_from_zero_on_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="tau must be a"):
        tiny_spec(tau=text).number("tau")


@pytest.mark.parametrize("value", [[], [1], {}, None])
def test_a_decimal_of_another_type_is_a_config_error(value: object) -> None:
    with pytest.raises(ConfigError):
        tiny_spec(tau=value).number("tau")


# -- bytes -----------------------------------------------------------------------------------------------


def test_a_spec_survives_its_bytes() -> None:
    assert TaskSpec.from_bytes(DATA) == SPEC
    assert TaskSpec.from_bytes(DATA).to_bytes() == DATA


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    rate=st.one_of(st.floats(1e-12, 1e6), st.integers(1, 1000)),
    momentum=st.one_of(st.floats(0, 1, exclude_max=True), st.just(0)),
    decay=st.one_of(st.floats(0, 1e300), st.integers(0, 5)),
    epochs=st.integers(1, 10**6),
)
def test_every_recipe_survives_with_equal_bytes(rate: float, momentum: float, decay: float, epochs: int) -> None:
    spec = tiny_spec(recipe=Recipe("sgd", rate, epochs, 4, momentum=momentum, weight_decay=decay))
    again = TaskSpec.from_bytes(spec.to_bytes())
    assert again == spec
    assert again.to_bytes() == spec.to_bytes()


def test_bytes_are_canonical_json_without_floats() -> None:
    body = json.loads(DATA, parse_float=lambda text: pytest.fail(f"float {text}"))
    assert json.dumps(body, sort_keys=True, separators=(",", ":")).encode() == DATA
    assert body["recipe"]["learning_rate"] == "0.1"


def test_every_field_changes_the_bytes() -> None:
    composite = {
        "shape": (4,),
        "layout": (("w", (2, 3)),),
        "genesis": Artefact(b"\x09" * 32, 1),
        "recipe": Recipe("sgd", 0.2, 1, 4),
        "probe": (SHARD,),
        "collector": "none",
        "sketch_rows": 24,
        "canary_rate": "0.1",
        "profiles": ("permuted",),
        "calibration": (Level("output", "0", "0.1", 1, 0, 1, 0),),
        "replay": ReplayPlan(4, 2, 7, (PublicShard(Artefact(b"\x0b" * 32, 9), 3),)),
    }
    written = {tiny_spec().to_bytes()}
    names = set(TaskSpec.__dataclass_fields__)
    for name in sorted(names):
        plain = getattr(tiny_spec(), name)
        value = composite[name] if name in composite else plain + (1 if isinstance(plain, int) else "1")
        written.add(tiny_spec(**{name: value}).to_bytes())
    assert len(written) == 1 + len(names)


def test_a_task_without_canaries_has_the_bytes_that_it_always_had() -> None:
    assert b"canary" not in DATA
    assert (SPEC.canary_share, tiny_spec(canary_rate="0.0").canary_share) == (0, 0)
    planted = tiny_spec(canary_rate="0.25")
    assert planted.canary_share == Fraction(1, 4)
    assert TaskSpec.from_bytes(planted.to_bytes()) == planted
    with pytest.raises(ConfigError, match="canonical"):  # one spelling
        TaskSpec.from_bytes(tampered(DATA, lambda body: body.update(canary_rate="0")))


@pytest.mark.parametrize("rate", ["0.51", "1", "-0.1", "nan", "1e400", "x", "", 0.1, 1, None, [], True])
def test_a_canary_rate_is_a_share_and_a_string(rate: Any) -> None:
    with pytest.raises(ConfigError, match=r"share of submissions that are planted, got") as caught:
        tiny_spec(canary_rate=rate)
    assert caught.value.hint
    with pytest.raises(ConfigError):
        TaskSpec.from_bytes(tampered(DATA, lambda body: body.update(canary_rate=rate)))


def test_a_replay_plan_survives_and_refuses_nonsense() -> None:
    shard = PublicShard(Artefact(b"\x0b" * 32, 9), 3)
    spec = tiny_spec(replay=ReplayPlan(4, 2, 7, (shard, shard)))
    assert TaskSpec.from_bytes(spec.to_bytes()) == spec
    assert (spec.sketch_groups, tiny_spec().sketch_groups) == (2, 1)  # weights and velocity
    for bad in ((0, 2, 7, (shard,)), (4, 0, 7, (shard,)), (4, 2, -1, (shard,)), (4, 2, 7, ())):
        with pytest.raises(ConfigError):
            ReplayPlan(*bad)
    with pytest.raises(ConfigError, match="codec raw"):
        tiny_spec(replay=spec.replay, codec="fp16")


def test_the_probe_root_names_every_shard_in_order() -> None:
    entry = {"key_hash": "04" * 32, "sealed": {"digest": "03" * 32, "length": 99}}
    text = json.dumps([entry, entry], sort_keys=True, separators=(",", ":")).encode()
    assert SPEC.probe_root == hashlib.sha256(text).digest()
    other = ProbeShard(SHARD.sealed, b"\x05" * 32)
    roots = {tiny_spec(probe=shards).probe_root for shards in ((), (SHARD,), (SHARD, other), (other, SHARD))}
    assert len(roots) == 4


def test_sizes_follow_from_the_layout() -> None:
    spec = tiny_spec(layout=(("a", (3, 4)), ("b", (5,)), ("c", ())))
    assert spec.parameters == 18
    assert spec.max_update_bytes == 4 * 18 + 65_536


# -- hostile bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b"\xff",
        DATA + b" ",
        DATA[:-1],
        json.dumps(json.loads(DATA)).encode(),  # spaces
        b" " * (MAX_SPEC_BYTES + 1),
        DATA.replace(b'"classes":2', b'"classes":2.0'),
        DATA.replace(b'"classes":2', b'"classes":null'),
        DATA.replace(b'"classes":2', b'"classes":2,"classes":2'),
        DATA.replace(b'"tau"', b'"t\\u0061u"'),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_bytes_that_are_no_canonical_spec_are_a_config_error(data: bytes) -> None:
    with pytest.raises(ConfigError):
        TaskSpec.from_bytes(data)


def edit(*path: Any, value: Any) -> bytes:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return tampered(DATA, change)


def remove(*path: Any) -> bytes:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        del body[path[-1]]

    return tampered(DATA, change)


def test_an_older_or_newer_version_is_named() -> None:
    for version in (0, 2, "1"):
        with pytest.raises(ConfigError, match="version 1 expected") as caught:
            TaskSpec.from_bytes(edit("version", value=version))
        assert caught.value.hint


@pytest.mark.parametrize("name", sorted(set(TaskSpec.__dataclass_fields__) - {"version", "canary_rate"}))
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"wrong fields: \\['{name}'\\]"):
        TaskSpec.from_bytes(remove(name))


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"wrong fields: \['backdoor'\]"):
        TaskSpec.from_bytes(edit("backdoor", value=1))


@pytest.mark.parametrize("path", [("recipe", "epochs"), ("genesis", "digest"), ("probe", 0, "key_hash")])
def test_a_missing_inner_field_is_a_config_error(path: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError):
        TaskSpec.from_bytes(remove(*path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("recipe", "backdoor"), 1),
        (("genesis", "backdoor"), 1),
        (("probe", 0, "backdoor"), 1),
        (("recipe",), []),
        (("recipe", "epochs"), "many"),
        (("recipe", "epochs"), 0),
        (("recipe", "epochs"), True),
        (("recipe", "learning_rate"), "fast"),
        (("recipe", "learning_rate"), "0.10"),
        (("recipe", "learning_rate"), "-1"),
        (("recipe", "optimiser"), "newton"),
        (("recipe", "optimiser"), []),
        (("shape",), "38"),
        (("shape",), 3),
        (("shape",), ["3"]),
        (("shape",), [-3]),
        (("classes",), "two"),
        (("classes",), []),
        (("classes",), -2),
        (("name",), 5),
        (("codec",), ["raw"]),
        (("tau",), 1),
        (("tau",), []),
        (("tau",), "-1"),
        (("probe_shard",), "many"),
        (("sketch_rows",), "16"),
        (("sketch_rows",), 12),
        (("sketch_rows",), 0),
        (("sketch_rows",), 136),
        (("profiles",), [1]),
        (("profiles",), None),
        (("calibration",), [{}]),
        (("calibration",), 7),
        (("layout",), {}),
        (("layout", 0), ["weight"]),
        (("layout", 0, 0), 7),
        (("layout", 0, 1), "23"),
        (("layout", 0, 1), [2, -3]),
        (("genesis",), "00"),
        (("genesis",), 7),
        (("genesis", "digest"), ("AB" * 32)),
        (("genesis", "length"), "144"),
        (("genesis", "length"), True),
        (("probe",), 7),
        (("probe", 0), 7),
        (("probe", 0, "key_hash"), "zz"),
        (("probe", 0, "key_hash"), "04"),
        (("probe", 0, "key_hash"), 4),
    ],
)
def test_a_malformed_field_is_a_config_error(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(ConfigError):
        TaskSpec.from_bytes(edit(*path, value=value))


VALUES = st.one_of(
    st.integers(-3, 70_000), st.booleans(), st.text(max_size=3), st.just([]), st.just({}), st.just("0" * 64)
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data(), value=VALUES)
def test_any_changed_value_is_a_config_error_or_another_spec_with_these_bytes(data: st.DataObject, value: Any) -> None:
    def change(body: Any) -> None:
        while True:
            key = data.draw(st.sampled_from(sorted(body) if isinstance(body, dict) else range(len(body))))
            inner = body[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
                body[key] = value
                return
            body = inner

    changed = tampered(DATA, change)
    try:
        found = TaskSpec.from_bytes(changed)
    except ConfigError:
        return
    assert found.to_bytes() == changed
    for name in DECIMALS:
        found.number(name)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(position=st.integers(0, len(DATA) - 1), value=st.integers(0, 255))
def test_any_changed_byte_is_a_config_error_or_another_spec_with_these_bytes(position: int, value: int) -> None:
    changed = DATA[:position] + bytes([value]) + DATA[position + 1 :]
    try:
        found = TaskSpec.from_bytes(changed)
    except ConfigError:
        return
    assert found.to_bytes() == changed
