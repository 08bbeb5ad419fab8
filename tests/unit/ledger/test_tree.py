"""The position-bound tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadArgument
from ledger.tree import depth_of, tree_proof, tree_root, verify
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
