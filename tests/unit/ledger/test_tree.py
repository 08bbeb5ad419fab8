"""The position-bound tree."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadArgument
from ledger.tree import PositionTree, depth_of, tree_proof, tree_root, verify
from tests.unit.ledger.vectors import load, number, raw

WORDS = st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=20)


def test_roots_and_proofs_equal_the_shared_vectors() -> None:
    for case in load("tree")["cases"]:
        words = [number(word) for word in case["words"]]
        proof = [raw(node) for node in case["proof"]]
        assert tree_root(words) == raw(case["root"])
        assert tree_proof(words, case["index"]) == proof
        assert verify(words[case["index"]], case["index"], len(words), proof, raw(case["root"]))


@given(WORDS, st.data())
def test_a_proof_holds_at_its_own_index_alone(words: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(words) - 1))
    root, proof = tree_root(words), tree_proof(words, index)
    assert len(proof) == depth_of(len(words))
    assert verify(words[index], index, len(words), proof, root)
    assert not verify(words[index] ^ 1, index, len(words), proof, root)
    for other in range(len(words)):
        if words[other] != words[index]:
            assert not verify(words[index], other, len(words), proof, root)
    assert not verify(words[index], index, len(words), [*proof, b"\0" * 32], root)
    assert not verify(words[index], len(words), len(words), proof, root)


def test_edges() -> None:
    assert tree_root([]) == tree_root([0])
    assert [depth_of(count) for count in (0, 1, 2, 3, 4, 5)] == [0, 0, 1, 2, 2, 3]
    with pytest.raises(BadArgument, match="index 3"):
        tree_proof([1, 2, 3], 3)


@given(st.dictionaries(st.integers(0, 31), st.integers(0, 2**256 - 1), max_size=6), st.integers(0, 3), st.data())
def test_a_sparse_tree_is_the_dense_one(words: dict[int, int], fill: int, data: st.DataObject) -> None:
    dense = [words.get(index, fill) for index in range(32)]
    tree = PositionTree(words, 5, fill=fill)
    assert tree.root == tree_root(dense)
    index = data.draw(st.integers(0, 31))
    proof = tree.proof(index)
    assert proof.word == dense[index]
    assert list(proof.siblings) == tree_proof(dense, index)
    assert verify(proof.word, index, 32, proof.siblings, tree.root)


def test_a_fixed_depth_is_kept_and_has_room_for_what_fits() -> None:
    assert len(tree_proof([5], 3, depth=2)) == 2
    assert tree_root([5], depth=2) == tree_root([5, 0, 0, 0])
    for words, depth in (([1, 2, 3], 1), ({4: 1}, 2), ({-1: 1}, 2), ([], 41), ([], -1)):
        with pytest.raises(BadArgument, match="depth"):
            PositionTree(words, depth)
    with pytest.raises(BadArgument, match="index 4"):
        tree_proof([5], 4, depth=2)


def test_few_words_in_a_large_tree_are_quick() -> None:
    started = time.perf_counter()
    tree = PositionTree({index: index + 1 for index in (0, 1, 2**13, 2**14 - 1)}, 14)
    assert verify(2**14, 2**14 - 1, 2**14, tree.siblings(2**14 - 1), tree.root)
    assert time.perf_counter() - started < 1  # about a millisecond
