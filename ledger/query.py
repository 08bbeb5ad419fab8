"""Questions to the index: who stands where, and why a score is what it is. Pure functions of what was
indexed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from ledger.index import BLOCKS, EVENTS, SOURCE, TRANSACTIONS, Index, to_int
from ledger.types import Report, Role
from ledger.words import CONTRIBUTION_LANES, LANES, contribution_lanes, reputation_lanes


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the reputation table. `stake` in wei; `rounds` = final rounds in which the node was due."""

    node: int
    role: Role
    reputation: int
    contribution: int
    stake: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Step:
    """One stage's transaction; `time` in seconds."""

    tx_hash: bytes
    block_number: int
    time: int
    gas_used: int
    sender: str


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything the chain says about one node's score in one round; `missing` says what is not there and
    why."""

    task: int
    round: int
    node: int
    role: Role
    slot: int | None
    commit: Step | None
    reveal: Step | None
    draw: Step | None
    post: Step | None
    finalise: Step | None
    voided: Step | None
    score: int | None
    word_before: int | None
    word_after: int | None
    reputation_before: int | None
    reputation_after: int | None
    report: Report | None
    report_digest: bytes | None
    commitment: bytes | None
    manifest: bytes | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """An indexed event with its transaction."""

    name: str
    args: dict[str, Any]
    node: int | None
    round: int | None
    step: Step


def _find(connection: sa.Connection, *names: str, **columns: int) -> list[_Found]:
    query = (
        sa.select(EVENTS, TRANSACTIONS.c.gas_used, TRANSACTIONS.c.sender, BLOCKS.c.timestamp)
        .join(TRANSACTIONS, TRANSACTIONS.c.hash == EVENTS.c.tx_hash)
        .join(BLOCKS, BLOCKS.c.number == EVENTS.c.block_number)
        .where(EVENTS.c.name.in_(names))
        .order_by(EVENTS.c.block_number, EVENTS.c.log_index)
    )
    for column, value in columns.items():
        query = query.where(EVENTS.c[column] == value)
    return [
        _Found(
            name=row["name"],
            args=json.loads(row["args"]),
            node=row["node"],
            round=row["round"],
            step=Step(row["tx_hash"], row["block_number"], row["timestamp"], row["gas_used"], row["sender"]),
        )
        for row in connection.execute(query).mappings()
    ]


def _slots(connection: sa.Connection, task: int) -> dict[tuple[Role, int], int]:
    opened = _find(connection, "SlotOpened", task=task)
    return {(Role(event.args["role"]), int(event.args["node"])): int(event.args["slot"]) for event in opened}


def _stakes(connection: sa.Connection) -> dict[int, int]:
    """Bonded stake by node, replayed from the vault's events."""
    stakes: dict[int, int] = {}
    for event in _find(connection, "Registered", "Bonded", "Unbonding", "Slashed"):
        node = int(event.args["node"])
        if event.name == "Slashed":
            stakes[node] = stakes.get(node, 0) - to_int(event.args["fromBonded"])
        else:
            stakes[node] = to_int(event.args["bonded"])
    return stakes


def reputation_table(index: Index, task: int) -> list[Row]:
    """Every member of a task in both roles, best first: by reputation, then contribution, then the older
    node."""
    with index.reading() as connection:
        slots, stakes = _slots(connection, task), _stakes(connection)
        reputations: dict[tuple[Role, int], int] = {}
        rounds: dict[tuple[Role, int], int] = {}
        for event in _find(connection, "WordStepped", task=task):
            role, base = Role(event.args["role"]), int(event.args["index"]) * LANES
            scores = reputation_lanes(to_int(event.args["scores"]))
            for lane, reputation in enumerate(reputation_lanes(to_int(event.args["next"]))):
                reputations[role, base + lane] = reputation
                rounds[role, base + lane] = rounds.get((role, base + lane), 0) + (scores[lane] != 0)
        contributions: dict[tuple[Role, int], int] = {}
        for event in _find(connection, "ContributionStepped", task=task):
            role, base = Role(event.args["role"]), int(event.args["index"]) * CONTRIBUTION_LANES
            for lane, units in enumerate(contribution_lanes(to_int(event.args["next"]))):
                contributions[role, base + lane] = units
    rows = [
        Row(
            node=node,
            role=role,
            reputation=reputations.get((role, slot), 0),
            contribution=contributions.get((role, slot), 0),
            stake=stakes.get(node, 0),
            rounds=rounds.get((role, slot), 0),
        )
        for (role, node), slot in slots.items()
    ]
    return sorted(rows, key=lambda row: (-row.reputation, -row.contribution, row.node, row.role))


def score_trail(index: Index, task: int, round: int, node: int, role: Role = Role.TRAINER) -> Trail:
    """What led to a node's score in a round: each stage's transaction, the words around it, and what is
    missing."""
    with index.reading() as connection:
        slot = _slots(connection, task).get((role, node))
        of_node = _find(connection, "Committed", "Revealed", task=task, round=round, node=node)
        of_round = _find(
            connection,
            *("BeaconArmed", "CommitteeDrawn", "Posted", "Voided", "Finalised", "WordStepped"),
            **{"task": task, "round": round},
        )
        cursor = connection.execute(sa.select(SOURCE.c.cursor)).scalar_one_or_none()
    commits = [event for event in of_node if event.name == "Committed"]
    reveals = [event for event in of_node if event.name == "Revealed"]
    latest = {event.name: event for event in of_round if event.name != "WordStepped"}
    posted = latest.get("Posted")
    key = "trainerWords" if role == Role.TRAINER else "verifierWords"
    score = None
    if posted is not None and slot is not None and slot // LANES < len(posted.args[key]):
        score = reputation_lanes(to_int(posted.args[key][slot // LANES]))[slot % LANES]
    stepped = [
        event
        for event in of_round
        if event.name == "WordStepped"
        and slot is not None
        and (event.args["role"], event.args["index"]) == (role, slot // LANES)
    ]
    before = to_int(stepped[0].args["before"]) if stepped else None
    after = to_int(stepped[0].args["next"]) if stepped else None
    lane = 0 if slot is None else slot % LANES

    def step(name: str) -> Step | None:
        return latest[name].step if name in latest else None

    return Trail(
        task=task,
        round=round,
        node=node,
        role=role,
        slot=slot,
        commit=commits[0].step if commits else None,
        reveal=reveals[0].step if reveals else None,
        draw=step("CommitteeDrawn"),
        post=step("Posted"),
        finalise=step("Finalised"),
        voided=step("Voided"),
        score=score,
        word_before=before,
        word_after=after,
        reputation_before=None if before is None else reputation_lanes(before)[lane],
        reputation_after=None if after is None else reputation_lanes(after)[lane],
        report=_report(posted.args["report"]) if posted else None,
        report_digest=_bytes(posted.args["reportDigest"]) if posted else None,
        commitment=_bytes(commits[0].args["commitment"]) if commits else None,
        manifest=_bytes(reveals[0].args["manifest"]) if reveals else None,
        missing=tuple(
            _missing(
                role=role,
                node=node,
                slot=slot,
                seen={*latest, *(event.name for event in of_node)},
                cursor=cursor,
                score=score,
                scored=bool(stepped),
            )
        ),
    )


def _missing(
    *,
    role: Role,
    node: int,
    slot: int | None,
    seen: set[str],
    cursor: int | None,
    score: int | None,
    scored: bool,
) -> list[str]:
    """One sentence for each thing that is not there, in the order of a round."""
    if cursor is None:
        return ["nothing is indexed yet: follow the chain first"]
    missing = []
    if slot is None:
        missing.append(f"node {node} has not joined as {role.name.lower()}: it has no lane to score")
    if role == Role.TRAINER and "Committed" not in seen:
        missing.append("no commitment: the node did not commit in this round")
    elif role == Role.TRAINER and "Revealed" not in seen:
        missing.append("not revealed: a commitment without reveal scores 1 (failed)")
    if "CommitteeDrawn" not in seen:
        missing.append(
            "no committee yet: the beacon is armed, its block is awaited"
            if "BeaconArmed" in seen
            else "no committee yet: nobody has armed the beacon"
        )
    if "Voided" in seen:
        missing.append("the post was voided by a proof: the round is skipped and its signers were slashed")
    elif "Posted" not in seen:
        missing.append(f"not posted yet: no report of this round up to block {cursor}")
    elif "Finalised" not in seen:
        missing.append("not final yet: the challenge window is open, or nobody has called finalise")
    elif score is not None and not scored:
        missing.append("no word was stepped: the index is incomplete")
    if score == 0:
        missing.append("score 0: the node was not due in this round")
    return missing


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _report(raw: dict[str, Any]) -> Report:
    values: dict[str, Any] = {
        field.name: to_int(raw[field.name]) if field.type == "int" else _bytes(raw[field.name])
        for field in fields(Report)
    }
    return Report(**values)
