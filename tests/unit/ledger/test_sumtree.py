"""The pay tree against a scalar model written from the interface, and what its proofs bind."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from eth_abi.packed import encode_packed
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadArgument
from ledger.hashing import keccak as quick_keccak
from ledger.sumtree import MAX_SUM, SumTree, verify
from ledger.types import PayProof
from tests.unit.ledger.vectors import load, number, raw

AMOUNT = st.integers(0, 2**80)
AMOUNTS = st.lists(AMOUNT, max_size=33)


def model(amounts: list[int], depth: int) -> tuple[bytes, int]:
    """Hash and sum of the root, leaf by leaf as the interface says it."""
    row = [(keccak(encode_packed(("uint8", "uint96"), (2, n))), n) for n in amounts]
    row += [(keccak(encode_packed(("uint8", "uint96"), (2, 0))), 0)] * (2**depth - len(amounts))
    kinds = ("uint8", "bytes32", "uint96", "bytes32", "uint96")
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [(keccak(encode_packed(kinds, (3, *left, *right))), left[1] + right[1]) for left, right in pairs]
    return row[0]


def test_roots_and_proofs_equal_the_shared_vectors() -> None:
    for case in load("sumtree")["cases"]:
        tree = SumTree([number(amount) for amount in case["amounts"]], case["depth"])
        sums, siblings = tuple(map(number, case["sums"])), tuple(map(raw, case["siblings"]))
        assert (tree.root, tree.total) == (raw(case["root"]), number(case["total"]))
        assert tree.proof(case["index"]) == PayProof(number(case["amount"]), sums, siblings)


@given(AMOUNTS, st.integers(0, 2))
def test_the_root_is_the_model_s_and_a_sparse_tree_the_same(amounts: list[int], more: int) -> None:
    depth = max(0, len(amounts) - 1).bit_length() + more
    tree = SumTree(amounts, depth)
    assert (tree.root, tree.total) == model(amounts, depth)
    sparse = SumTree({index: amount for index, amount in enumerate(amounts) if amount}, depth)
    assert (sparse.root, sparse.total) == (tree.root, tree.total)


@given(st.lists(AMOUNT, min_size=1, max_size=33), st.data())
def test_a_proof_binds_amount_position_sums_and_total(amounts: list[int], data: st.DataObject) -> None:
    depth = 6
    tree = SumTree(amounts, depth)
    index = data.draw(st.integers(0, 2**depth - 1))
    proof = tree.proof(index)
    right = {"root": tree.root, "total": tree.total}
    assert proof.amount == (amounts[index] if index < len(amounts) else 0)
    assert verify(index, depth, proof, **right)
    assert not verify(index, depth, replace(proof, amount=proof.amount + 1), **right)
    assert not verify(index, depth, proof, root=tree.root, total=tree.total + 1)
    height = data.draw(st.integers(0, depth - 1))
    sums = (*proof.sums[:height], proof.sums[height] + 1, *proof.sums[height + 1 :])
    assert not verify(index, depth, replace(proof, sums=sums), **right)
    other = index ^ (1 << height)
    if (tree.proof(other).amount, tree.proof(other).siblings) != (proof.amount, proof.siblings):
        assert not verify(other, depth, proof, **right)
    short = PayProof(proof.amount, proof.sums[:-1], proof.siblings[:-1])
    assert not verify(index, depth, short, **right)
    assert not verify(2**depth, depth, proof, **right)


def test_what_a_forged_sum_could_gain_is_refused() -> None:
    tree = SumTree([5, 7], 1)
    proof = tree.proof(0)
    assert not verify(0, 1, replace(proof, sums=(7 - 2**96,)), root=tree.root, total=tree.total)
    assert not verify(0, 1, replace(proof, amount=MAX_SUM), root=tree.root, total=tree.total)
    assert not verify(0, 1, replace(proof, amount=-1), root=tree.root, total=tree.total)
    assert not verify(0, 1, replace(proof, siblings=(b"\1" * 31,)), root=tree.root, total=tree.total)


def test_edges() -> None:
    assert SumTree([], 0).total == 0
    assert SumTree([MAX_SUM], 0).total == MAX_SUM
    for amounts, depth in (([1, 2], 0), ([-1], 3), ([MAX_SUM, 1], 1), ([], 41), ([], -1)):
        with pytest.raises(BadArgument):
            SumTree(amounts, depth)
    with pytest.raises(BadArgument, match="index 4"):
        SumTree([1], 2).proof(4)
    with pytest.raises(BadArgument):
        SumTree({-1: 5}, 2)


def test_a_hundred_thousand_leaves_are_quick() -> None:
    amounts = {index: index * 10**15 for index in range(131_072)}
    started = time.perf_counter()
    tree = SumTree(amounts, 17)
    took = time.perf_counter() - started
    assert verify(77_777, 17, tree.proof(77_777), root=tree.root, total=sum(amounts.values()))
    assert took < 10  # about 0.6 s on two quiet cores


@given(st.binary(max_size=300))
def test_the_quick_hash_is_keccak(data: bytes) -> None:
    assert quick_keccak(data) == keccak(data)
