"""The sketch: byte-exact vectors, sensitivity, forgery, and the encodings that go into reports."""

import hashlib
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from node.sketch import (
    CHUNK,
    Domain,
    agrees,
    decode_sketch,
    distance,
    encode_sketch,
    grid_of,
    lower_median,
    norm,
    projections,
    sign_rows,
    sketch,
    sketch_digest,
    sketch_seed,
    stream,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "sketch.json").read_text())
TAU = 1e-4
BEACON = bytes(range(32))
ADDRESS = "0x" + "Ab" * 20


def seed_of(number: int) -> bytes:
    return sketch_seed(Domain.OUTPUT, beacon=number.to_bytes(32, "big"), task=1, round_=2, node=3)


def recipe(text: dict[str, Any]) -> np.ndarray:
    """u of a golden vector: u_j = ((a * j + b) mod m - m // 2) / 2^shift, exact in float32."""
    j = np.arange(text["n"], dtype=np.int64)
    return (((text["a"] * j + text["b"]) % text["m"] - text["m"] // 2) / 2 ** text["shift"]).astype(np.float32)


def naive(u: np.ndarray, seed: bytes, k: int, grid: float) -> list[int]:
    """The definition, one bit at a time, in exact integer arithmetic on multiples of 2^-149."""
    sums = [0] * k
    exact = [int(float(value) * 2**149) for value in u.ravel()]
    for j, value in enumerate(exact):
        chunk, offset = divmod(j, CHUNK)
        bits = hashlib.shake_256(seed + struct.pack(">Q", chunk)).digest((offset + 1) * k // 8)
        for row in range(k):
            at = offset * k + row
            sums[row] += value if bits[at // 8] >> (at % 8) & 1 else -value
    return [max(-(2**31), min(2**31 - 1, round(total / 2**149 / grid))) for total in sums]


@pytest.mark.parametrize("vector", VECTORS["sketches"], ids=lambda vector: vector["name"])
def test_golden_vectors(vector: dict[str, Any]) -> None:
    seed = bytes.fromhex(vector["seed"])
    assert stream(seed, 0, 16).hex() == vector["stream_0"]
    got = sketch(recipe(vector["u"]), seed=seed, k=vector["k"], grid=vector["grid"])
    assert got.tolist() == vector["sketch"]
    assert encode_sketch(got) == vector["encoded"]


def test_golden_seed_and_digest() -> None:
    given_ = VECTORS["seed"]
    seed = sketch_seed(
        Domain[given_["domain"]],
        beacon=bytes.fromhex(given_["beacon"]),
        task=given_["task"],
        round_=given_["round"],
        node=given_["node"],
        member=given_["member"],
    )
    assert seed.hex() == given_["encoded"]
    rows = {int(node): np.array(row, np.int32) for node, row in VECTORS["digest"]["sketches"].items()}
    assert sketch_digest(rows).hex() == VECTORS["digest"]["sha256"]


@pytest.mark.parametrize("k", [8, 16, 24, 128])
def test_against_the_definition(k: int) -> None:
    u = np.random.default_rng(k).standard_normal((7, 31)).astype(np.float32)
    assert sketch(u, seed=b"any seed", k=k, grid=2**-20).tolist() == naive(u, b"any seed", k, 2**-20)


def test_second_chunk_has_its_own_stream() -> None:
    u = np.zeros(CHUNK + 2, np.float32)
    u[CHUNK + 1] = 1
    second = np.frombuffer(hashlib.shake_256(b"s" + struct.pack(">Q", 1)).digest(4), np.uint8)[2:]
    signs = np.unpackbits(second, bitorder="little").astype(int) * 2 - 1
    assert sketch(u, seed=b"s", grid=1.0).tolist() == signs.tolist()


@given(cuts=st.lists(st.integers(0, 2 * CHUNK + 9), max_size=4), tensors=st.booleans())
@settings(max_examples=10, deadline=None)
def test_pieces_of_a_vector_have_its_sketch(cuts: list[int], tensors: bool) -> None:
    u = np.random.default_rng(5).standard_normal(2 * CHUNK + 9).astype(np.float32)
    pieces = np.split(u, sorted(cuts))
    given_ = (torch.tensor(p, requires_grad=True) for p in pieces) if tensors else (p[None] for p in pieces)
    assert (projections(given_, seed=b"s", k=8) == projections(u, seed=b"s", k=8)).all()
    assert (projections(torch.from_numpy(u), seed=b"s", k=8) == projections(u, seed=b"s", k=8)).all()


def test_memory_is_bounded_by_a_chunk() -> None:
    """24 MB of values go by one piece at a time; what is held meanwhile stays below 8 MB."""
    piece = np.ones(300_000, np.float32)
    tracemalloc.start()
    try:
        projections((piece for _ in range(20)), seed=b"s", k=16)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("k", [8, 24])
def test_sign_rows_are_the_rows(k: int) -> None:
    u = np.random.default_rng(6).integers(-99, 99, CHUNK + 33).astype(np.float32)  # integers: products are exact
    rows = sign_rows(u.size, seed=b"s", k=k)
    assert rows.shape == (k, u.size)
    assert (rows.astype(np.float64) @ u == projections(u, seed=b"s", k=k)).all()
    assert sign_rows(0, seed=b"s", k=k).shape == (k, 0)


def test_rows_estimate_the_norm() -> None:
    u = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    lengths = [(projections(u, seed=seed_of(i), k=16) ** 2).mean() for i in range(100)]
    assert np.mean(lengths) == pytest.approx(float((u.astype(np.float64) ** 2).sum()), rel=0.1)


def test_rounding_is_half_to_even_and_saturates() -> None:
    one = np.ones(1, np.float32)
    signs = sketch(one, seed=b"s", grid=1.0)
    assert sketch(one * 5, seed=b"s", grid=2.0).tolist() == (2 * signs).tolist()
    assert sketch(one * 7, seed=b"s", grid=2.0).tolist() == (4 * signs).tolist()
    limits = np.where(signs > 0, 2**31 - 1, -(2**31)).tolist()
    for grid in (1e-30, 5e-324):
        assert sketch(one * 1e30, seed=b"s", grid=grid).tolist() == limits


def test_empty_vector_and_other_floats() -> None:
    assert sketch(np.empty(0, np.float32), seed=b"s", grid=1.0).tolist() == [0] * 16
    wide = np.full(3, 1 / 3)
    narrow = wide.astype(np.float32)
    assert (projections(wide, seed=b"s", k=8) == projections(narrow, seed=b"s", k=8)).all()


@pytest.mark.parametrize("k", [0, -8, 12, 136])
def test_rows_are_whole_bytes(k: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        sketch(np.ones(2, np.float32), seed=b"", k=k, grid=1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_must_be_finite(value: float) -> None:
    u = np.ones(CHUNK + 5, np.float32)
    u[CHUNK + 1] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        sketch(u, seed=b"", grid=1.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_grid_and_bound_must_be_positive(bad: float) -> None:
    with pytest.raises(ValueError, match="not a positive number"):
        sketch(np.ones(2, np.float32), seed=b"", grid=bad)
    with pytest.raises(ValueError, match="not a positive number"):
        grid_of(bad)


def test_grid_of() -> None:
    assert grid_of(2.0**28) == 1.0
    u = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    bound = float(np.linalg.norm(u))
    assert abs(sketch(u, seed=b"x", grid=grid_of(bound))).max() < 2**31 - 1


# --- what it is for ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs() -> np.ndarray:
    return np.random.default_rng(2).standard_normal((64, 10)).astype(np.float32) * 5


def grid(u: np.ndarray) -> float:
    return grid_of(10 * float(np.linalg.norm(u)))


def accepts(claim: np.ndarray, truth: np.ndarray, seed: bytes) -> bool:
    step = grid(truth)
    return agrees(sketch(claim, seed=seed, grid=step), sketch(truth, seed=seed, grid=step), tau=TAU)


def test_honest_drift_passes_and_cheats_do_not(outputs: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(outputs.shape).astype(np.float32)
    noise *= np.linalg.norm(outputs) / np.linalg.norm(noise)
    for number in range(300):
        seed = seed_of(number)
        assert accepts(outputs + np.float32(1e-6) * noise, outputs, seed)
        for size in (6e-3, 1e-2, 0.1):
            assert not accepts(outputs + np.float32(size) * noise, outputs, seed)


def test_scale_is_seen(outputs: np.ndarray) -> None:
    for number in range(100):
        for factor in (1.001, 1.1, 10, -1, 0):
            assert not accepts(np.float32(factor) * outputs, outputs, seed_of(number))


def test_constant_and_foreign_sketches_are_refused(outputs: np.ndarray) -> None:
    reference = sketch(outputs, seed=seed_of(0), grid=grid(outputs))
    neighbour = sketch(outputs, seed=seed_of(1), grid=grid(outputs))
    for claim in (np.zeros(16, np.int32), np.full(16, 2**31 - 1, np.int32), neighbour, reference[::-1]):
        assert not agrees(claim, reference, tau=TAU)


def test_null_space_forgery_works_on_known_rows_only(outputs: np.ndarray) -> None:
    """Why the rows are drawn after the commitment: an error of 100 % in their null space goes unseen."""
    known = seed_of(7)
    rows = np.stack([projections(unit.astype(np.float32), seed=known, k=16) for unit in np.eye(outputs.size)], axis=1)
    error = np.random.default_rng(4).standard_normal(outputs.size)
    error -= np.linalg.pinv(rows) @ (rows @ error)
    error *= np.linalg.norm(outputs) / np.linalg.norm(error)
    forged = (outputs.ravel() + error).astype(np.float32)
    assert np.linalg.norm(forged - outputs.ravel()) > 0.99 * np.linalg.norm(outputs)
    assert accepts(forged, outputs, known)
    assert not any(accepts(forged, outputs, seed_of(number)) for number in range(100, 400))


# --- agreement and medians ---------------------------------------------------------------------------------


def test_agreement_boundary_by_hand() -> None:
    reference = np.zeros(16, np.int32)
    reference[0] = 100_000
    claim = reference.copy()
    claim[1] = 14  # tau |S_v| + sqrt(k) = 10 + 4
    assert agrees(claim, reference, tau=TAU)
    claim[1] = 15
    assert not agrees(claim, reference, tau=TAU)


def test_agreement_does_not_overflow() -> None:
    low, high = np.full(16, -(2**31), np.int32), np.full(16, 2**31 - 1, np.int32)
    assert distance(low, high) == pytest.approx(4 * (2**32 - 1))
    assert norm(low) == 4 * 2**31
    assert not agrees(low, high, tau=0.01)


def test_agreement_refuses_nonsense() -> None:
    one = np.zeros(16, np.int32)
    assert not agrees(one, np.zeros(8, np.int32), tau=TAU)
    for tau in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="tau"):
            agrees(one, one, tau=tau)


def test_lower_median_by_hand() -> None:
    rows = np.array([[1, 9], [5, 2], [3, 7], [8, 4]])
    assert lower_median(rows).tolist() == [3, 4]
    assert lower_median(rows[:3]).tolist() == [3, 7]
    assert lower_median(rows[[0, 0, 0, 1]]).tolist() == [1, 9]
    assert lower_median(rows[:1]).dtype == np.int32


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9))
def test_lower_median_is_the_lower_middle(values: list[int]) -> None:
    median = int(lower_median(np.array(values)[:, None])[0])
    assert sorted(values)[(len(values) - 1) // 2] == median


@pytest.mark.parametrize("rows", [np.zeros((0, 3), int), np.zeros(3, int), np.zeros((2, 3)), np.full((1, 1), 2**31)])
def test_lower_median_refuses(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"rows of integers|outside int32"):
        lower_median(rows)


# --- encodings ---------------------------------------------------------------------------------------------


def test_seed_by_hand() -> None:
    seed = sketch_seed(Domain.MEMBER, beacon=BEACON, task=1, round_=2, node=3, member=ADDRESS)
    assert seed == b"\3" + BEACON + struct.pack(">QQQ", 1, 2, 3) + b"\xab" * 20
    shared = sketch_seed(Domain.DUPLICATE, beacon=BEACON, task=1, round_=2)
    assert shared == b"\4" + BEACON + struct.pack(">QQQ", 1, 2, 0) + bytes(20)


def test_seeds_differ_in_every_field() -> None:
    base: dict[str, Any] = {"beacon": BEACON, "task": 1, "round_": 2, "node": 3}
    seeds = [sketch_seed(domain, **base) for domain in (Domain.OUTPUT, Domain.REPLAY)]
    changes = ({"beacon": bytes(32)}, {"task": 2}, {"round_": 1}, {"node": 4}, {"node": 0})
    seeds += [sketch_seed(Domain.OUTPUT, **{**base, **change}) for change in changes]
    assert len(set(seeds)) == len(seeds)
    assert {len(seed) for seed in seeds} == {77}


@pytest.mark.parametrize(
    ("domain", "change"),
    [
        (Domain.OUTPUT, {"node": None}),
        (Domain.OUTPUT, {"member": ADDRESS}),
        (Domain.MEMBER, {}),
        (Domain.DUPLICATE, {}),
        (Domain.OUTPUT, {"beacon": b"short"}),
        (Domain.OUTPUT, {"task": -1}),
        (Domain.OUTPUT, {"node": 2**64}),
        (Domain.MEMBER, {"member": "0x12"}),
        (Domain.MEMBER, {"member": "0x" + "zz" * 20}),
    ],
)
def test_seed_fields_are_checked(domain: Domain, change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"beacon": BEACON, "task": 1, "round_": 2, "node": 3, "member": None, **change}
    with pytest.raises(ValueError, match=r"beacon|missing or superfluous|uint64|address"):
        sketch_seed(domain, **fields)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=16, max_size=16))
def test_sketches_round_trip(values: list[int]) -> None:
    text = encode_sketch(np.array(values, np.int32))
    assert text == struct.pack(">16i", *values).hex()
    assert decode_sketch(text).tolist() == values


@pytest.mark.parametrize(
    "text", ["", "00" * 63, "00" * 65, "00" * 544, "AB" * 64, "zz" * 64, " " * 128, "0x" + "0" * 126]
)
def test_other_encodings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lower-case hex"):
        decode_sketch(text)


def test_encoding_checks_the_range() -> None:
    with pytest.raises(ValueError, match="int32"):
        encode_sketch(np.array([2**31]))  # type: ignore[arg-type]


def test_digest_by_hand_and_order() -> None:
    rows = {5: np.array([-1] * 8, np.int32), 2: np.arange(8, dtype=np.int32)}
    raw = struct.pack(">IIQ8iQ8i", 2, 8, 2, *range(8), 5, *[-1] * 8)
    assert sketch_digest(rows) == hashlib.sha256(raw).digest()
    assert sketch_digest(dict(reversed(rows.items()))) == sketch_digest(rows)
    assert sketch_digest({}) == hashlib.sha256(bytes(8)).digest()
    with pytest.raises(ValueError, match="no common digest"):
        sketch_digest({1: rows[5], 2: np.zeros(16, np.int32)})
    with pytest.raises(ValueError, match="uint64"):
        sketch_digest({-1: rows[5]})
