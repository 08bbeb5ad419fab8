"""The transcript of a run: where the chain is, contracts, a line a round, who was slashed, the table, where to look."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.network import Network

TOKEN = 10**18


def network_lines(network: Network) -> list[str]:
    """Chain and contracts."""
    chain, deployment = network.ledger.chain, network.ledger.deployment
    kind = "in process (eth-tester)" if chain.kind == "tester" else "JSON-RPC"
    lines = [
        f"chain      {kind}, id {chain.chain_id}, genesis 0x{chain.genesis_hash.hex()[:16]}…",
        "contracts",
    ]
    lines += [f"  {name:15} {address}" for name, address in sorted(deployment.contracts.items())]
    return [*lines, "rounds"]


def round_line(row: Mapping[str, Any], total: int) -> str:
    """One finished round."""
    if not row["settled"]:
        return f"  {row['round']:>3}/{total}  skipped: nothing was settled; the parent model stands"
    return (
        f"  {row['round']:>3}/{total}  accuracy {row['accuracy']:.3f}  accepted {row['accepted']}"
        f"  rejected {row['rejected']}  gas {row['gas_used']:,} ({row['gas_per_score']:,.0f} per score)"
    )


def closing_lines(summary: Mapping[str, Any]) -> list[str]:
    """Slashed, the reputation table, and where to look next."""
    slashed = [n for n in summary["nodes"] if n["stake_end"] < n["stake_start"]]
    lines = ["slashed"]
    lines += [f"  node {n['node']}: {tokens(n['stake_start'] - n['stake_end'])} tokens" for n in slashed]
    if not slashed:
        lines.append("  nobody: stake is slashed only on a proven fault; rejected work costs reputation and pay")
    lines += ["reputation", *table_lines(summary["nodes"])]
    lines.append(
        f"accuracy   {summary['final_accuracy']:.3f}   clean {summary['clean_accuracy']:.3f}   "
        f"undefended {summary['undefended_accuracy']:.3f}"
    )
    worst = min(summary["nodes"], key=lambda n: (n["reputation"], n["contribution"], -n["node"]))["node"]
    run, command = summary["run"], command_name()
    lines += [
        "next",
        f"  open {run}/report.html",
        f"  {command} reputation --run {run} --node {worst} --explain {len(summary['rounds'])}",
        f"  {command} audit --run {run} --replay",
    ]
    return lines


def command_name() -> str:
    """How this user can call the command: by name where it is on the path, else where it is installed."""
    if shutil.which("credence"):
        return "credence"
    return os.path.relpath(Path(sys.executable).parent / "credence")


def table_lines(nodes: list[Mapping[str, Any]]) -> list[str]:
    """Nodes best first, with the reason for every rejection."""
    lines = [f"  {'node':>4}  {'role':8}  {'reputation':>10}  {'units':>9}  {'reward':>8}  {'stake':>6}  rejected"]
    for node in sorted(nodes, key=lambda n: (-n["reputation"], -n["contribution"], n["node"])):
        lines.append(
            f"  {node['node']:>4}  {node['role']:8}  {node['reputation']:>10}  {node['contribution']:>9}  "
            f"{tokens(node['reward']):>8}  {tokens(node['stake_end']):>6}  {reasons(node['rejections'])}"
        )
    return lines


def tokens(wei: int) -> str:
    """Wei of the token as tokens, at most two decimals, rounded down."""
    cents = wei * 100 // TOKEN
    return f"{cents // 100}.{cents % 100:02d}".removesuffix(".00")


def reasons(rejections: list[Mapping[str, Any]]) -> str:
    """`negative_cosine in rounds 1-5`, or a dash."""
    rounds: dict[str, list[int]] = {}
    for item in rejections:
        rounds.setdefault(item["reason"], []).append(item["round"])
    return "; ".join(f"{reason} in {_ranges(found)}" for reason, found in sorted(rounds.items())) or "-"


def _ranges(rounds: list[int]) -> str:
    spans: list[list[int]] = []
    for round_ in sorted(rounds):
        if spans and round_ == spans[-1][1] + 1:
            spans[-1][1] = round_
        else:
            spans.append([round_, round_])
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return ("round " if len(rounds) == 1 else "rounds ") + text
