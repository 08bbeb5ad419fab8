"""The transcript: what a reader sees of chain, rounds, slashing, reputation, and where to look next."""

from types import SimpleNamespace
from typing import Any

import pytest

from node.transcript import TOKEN, closing_lines, command_name, network_lines, reasons, round_line, table_lines, tokens


def node(number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "node": number, "role": "trainer", "reputation": 100, "contribution": 10, "reward": 0,
        "stake_start": 1_000 * TOKEN, "stake_end": 1_000 * TOKEN, "rejections": [],
    }  # fmt: skip
    return {**fields, **changes}


def rejected(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"round": round_, "reason": reason} for round_, reason in pairs]


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        (0, "0"),
        (1, "0"),
        (TOKEN // 100 - 1, "0"),
        (TOKEN // 100, "0.01"),
        (TOKEN // 2, "0.50"),
        (TOKEN - 1, "0.99"),
        (TOKEN, "1"),
        (1_234 * TOKEN + 567 * 10**15, "1234.56"),
        (100 * TOKEN, "100"),
    ],
)
def test_tokens_have_at_most_two_decimals_rounded_down(wei: int, text: str) -> None:
    assert tokens(wei) == text


@pytest.mark.parametrize(
    ("rounds", "text"),
    [
        ([3], "x in round 3"),
        ([1, 2], "x in rounds 1-2"),
        ([1, 2, 3, 4, 5], "x in rounds 1-5"),
        ([5, 1, 3, 2], "x in rounds 1-3, 5"),
        ([1, 3, 5], "x in rounds 1, 3, 5"),
        ([9, 10, 12, 13, 14], "x in rounds 9-10, 12-14"),
    ],
)
def test_rounds_are_written_as_ranges(rounds: list[int], text: str) -> None:
    assert reasons(rejected(*((round_, "x") for round_ in rounds))) == text


def test_reasons_come_by_name_each_with_its_rounds() -> None:
    found = rejected((2, "norm_bound"), (1, "duplicate"), (3, "norm_bound"))
    assert reasons(found) == "duplicate in round 1; norm_bound in rounds 2-3"
    assert reasons([]) == "-"


def test_a_round_is_one_line_with_accuracy_verdicts_and_gas() -> None:
    row = {
        "round": 3,
        "settled": True,
        "accuracy": 0.94567,
        "accepted": 6,
        "rejected": 2,
        "gas_used": 1_234_567,
        "gas_per_score": 4_321.5,
    }
    line = round_line(row, 10)
    assert line == "    3/10  accuracy 0.946  accepted 6  rejected 2  gas 1,234,567 (4,322 per score)"
    skipped = {**row, "settled": False, "gas_per_score": None}
    assert round_line(skipped, 10) == "    3/10  skipped: nothing was settled; the parent model stands"


def test_the_table_is_sorted_and_aligned() -> None:
    nodes = [
        node(3, reputation=5),
        node(1, reputation=900, contribution=5, reward=TOKEN // 2),
        node(2, reputation=900, contribution=6),
        node(4, reputation=900, contribution=6, role="verifier", rejections=rejected((1, "silent"))),
    ]
    head, *rows = table_lines(nodes)
    assert [row.split()[0] for row in rows] == ["2", "4", "1", "3"]
    assert rows[1].endswith("silent in round 1")
    assert [row.index("1000") for row in rows] == [head.index(" stake") + 2] * 4
    assert "0.50" in rows[2]


def summary(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "nodes": nodes, "run": "runs/x", "rounds": [{}, {}, {}],
        "final_accuracy": 0.95, "clean_accuracy": 0.9612, "undefended_accuracy": 0.1,
    }  # fmt: skip


def test_the_close_names_who_was_slashed_and_by_how_much() -> None:
    lines = closing_lines(summary([node(1), node(2, stake_end=750 * TOKEN)]))
    assert lines[0] == "slashed"
    assert lines[1] == "  node 2: 250 tokens"
    assert not any("nobody" in line for line in lines)


def test_the_close_says_when_nobody_was_slashed() -> None:
    lines = closing_lines(summary([node(1)]))
    assert lines[1].startswith("  nobody: stake is slashed only on a proven fault")
    assert "accuracy   0.950   clean 0.961   undefended 0.100" in lines


def test_the_next_commands_explain_the_worst_node() -> None:
    lines = closing_lines(summary([node(1), node(2, reputation=7), node(3, reputation=7, contribution=3)]))
    assert lines[-4:] == [
        "next",
        "  open runs/x/report.html",
        f"  {command_name()} reputation --run runs/x --node 3 --explain 3",
        f"  {command_name()} audit --run runs/x --replay",
    ]


@pytest.mark.parametrize(("kind", "text"), [("tester", "in process (eth-tester)"), ("rpc", "JSON-RPC")])
def test_the_head_says_which_chain_and_contracts(kind: str, text: str) -> None:
    chain = SimpleNamespace(kind=kind, chain_id=31_337, genesis_hash=bytes(range(32)))
    deployment = SimpleNamespace(contracts={"StakeVault": "0x2", "RoundBook": "0x1"})
    network: Any = SimpleNamespace(ledger=SimpleNamespace(chain=chain, deployment=deployment))
    assert network_lines(network) == [
        f"chain      {text}, id 31337, genesis 0x0001020304050607…",
        "contracts",
        "  RoundBook       0x1",
        "  StakeVault      0x2",
        "rounds",
    ]
