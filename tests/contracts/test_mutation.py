"""The mutator itself: each fault does behind its switch what it does when it is compiled alone, and 0 means none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from ledger.archive import Genesis
from ledger.evm import CHAIN_ID, FORK, Engine
from ledger.hashing import keccak
from scripts import mutate
from scripts.mutation import build
from scripts.mutation.build import MutationError, Source, errors_of, solc, viewable
from scripts.mutation.points import Point
from scripts.mutation.run import KILLED, SURVIVED

UNIT = "contracts/Tiny.sol"
TEXT = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

contract Tiny {
    error TooBig(uint256 got, uint256 limit);
    uint256 private constant LIMIT = 100;

    modifier small(uint256 a) {
        require(a < LIMIT, TooBig(a, LIMIT));
        _;
    }

    function f(uint256 a, uint256 b) external pure small(a) returns (uint256 c) {
        if (a <= b) return a + b;
        bool odd = a % 2 == 1 && !(b > 7);
        c = odd ? a : b;
        c += 3;
        assembly {
            if gt(c, 10) { c := add(c, 4) }
        }
        return g(c, a);
    }

    function g(uint256 a, uint256 b) private pure returns (uint256) {
        return a * 2 + b;
    }
}
"""
INPUTS = [(0, 0), (1, 2), (2, 2), (3, 1), (9, 1), (9, 7), (9, 8), (12, 3), (7, 6), (99, 5), (100, 1), (101, 200)]
Outcome = tuple[bool, bytes]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    path = tmp_path / UNIT
    path.parent.mkdir(parents=True)
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    return Source.read(UNIT)


def runtime(text: str) -> bytes:
    answer = solc({UNIT: text}, {UNIT: {"Tiny": ["evm.deployedBytecode.object"]}})
    assert not errors_of(answer)
    return bytes.fromhex(answer["contracts"][UNIT]["Tiny"]["evm"]["deployedBytecode"]["object"])


@pytest.fixture(scope="module")
def execute() -> Callable[[bytes, int], list[Outcome]]:
    """Outcomes of f over all inputs, with a coinbase."""
    genesis = Genesis(
        chain_id=CHAIN_ID, fork=FORK, gas_limit=2**30, start_time=1, mix_hash=bytes(32), funded=()
    )  # fmt: skip
    engine = Engine(genesis)

    def run(code: bytes, coinbase: int) -> list[Outcome]:
        header = engine.header(0).copy(coinbase=coinbase.to_bytes(20, "big"))
        found = []
        for a, b in INPUTS:
            zero = bytes(20)
            computation: Any = engine.chain.get_vm(header).execute_bytecode(
                origin=zero, gas_price=0, gas=10**6, to=zero, sender=zero, value=0,
                data=keccak(b"f(uint256,uint256)")[:4] + encode(("uint256", "uint256"), (a, b)), code=code,
                code_address=zero,
            )  # fmt: skip
            found.append((bool(computation.is_error), bytes(computation.output)))
        return found

    return run


def test_every_kind_of_fault_is_found(source: Source) -> None:
    kinds = {point.operator for point in source.points}
    assert kinds == {"assign", "binary", "branch", "check", "constant", "delete", "literal", "modifier", "never",
                     "swap", "unary"}  # fmt: skip
    assert len({point.id for point in source.points}) == len(source.points)
    by_text = {(point.operator, point.original, point.text) for point in source.points}
    assert ("binary", "a <= b", "a < b") in by_text
    assert ("binary", "a <= b", "a > b") in by_text
    assert ("binary", "gt(c, 10)", "lt(c, 10)") in by_text
    assert ("swap", "return g(c, a);", "return g(a, c);") in by_text
    assert ("check", "require(a < LIMIT, TooBig(a, LIMIT));", "") in by_text


def test_ids_do_not_move_with_the_lines(source: Source, tmp_path: Path) -> None:
    (tmp_path / UNIT).write_text(TEXT.replace("contract Tiny", "// a line more\ncontract Tiny"), encoding="utf-8")
    later = Source.read(UNIT)
    assert [point.id for point in later.points] == [point.id for point in source.points]
    assert later.points[0].line == source.points[0].line + 1


def test_a_switch_does_what_the_fault_alone_does(
    source: Source, execute: Callable[[bytes, int], list[Outcome]]
) -> None:
    text, others = source.switched()
    assert others == []
    code, plain = runtime(text), execute(runtime(TEXT), 0)
    assert execute(code, 0) == plain
    assert execute(code, len(source.points) + 1) == plain
    unseen = []
    for point in source.points:
        switched = execute(code, source.numbers[point.id])
        assert switched == execute(runtime(viewable(UNIT, source.alone(point))), 0), point
        if switched == plain:
            unseen.append(point)
    # Where a and b are equal nothing tells the two apart; and c is 10 nowhere.
    assert {point.text for point in unseen} <= {"a < b", "11", "a - b"}, unseen


def test_a_source_that_does_not_compile_is_named(source: Source, tmp_path: Path) -> None:
    (tmp_path / UNIT).write_text(TEXT.replace("uint256 c)", "uint257 c)"), encoding="utf-8")
    with pytest.raises(MutationError, match=r"contracts/Tiny\.sol does not compile"):
        Source.read(UNIT)


def kept_of(source: Source, status: Callable[[Point], str]) -> mutate.Kept:
    return {p.id: {"status": status(p), "by": "", "source": source.digest(), "tests": "t"} for p in source.points}


def test_results_hold_until_source_or_tests_change(source: Source) -> None:
    point = source.points[0]
    killed, survived = kept_of(source, lambda _: KILLED), kept_of(source, lambda _: SURVIVED)
    assert mutate.is_known(point, source, killed, "other tests")
    assert mutate.is_known(point, source, survived, "t")
    assert not mutate.is_known(point, source, survived, "other tests")
    assert not mutate.is_known(point, source, {point.id: {**killed[point.id], "source": "old"}}, "t")
    assert not mutate.is_known(point, source, {}, "t")


def test_the_page_names_survivors_and_their_reasons(source: Source) -> None:
    first, second = source.points[0], source.points[1]
    kept = kept_of(source, lambda point: SURVIVED if point in (first, second) else KILLED)
    page = mutate.page([source], kept, {first.id: "both give 0"})
    total = len(source.points)
    assert f"| Tiny.sol | {total} | {total - 2} | 0 | 0 | 0 | 2 |" in page
    assert f"`{first.id}`" in page
    assert "both give 0" in page
    assert page.count("**not explained**") == 1
