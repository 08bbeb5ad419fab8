"""Questions to the index: who stands where, and why a score is what it is. Pure functions of what was
indexed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ledger.errors import StateMissing
from ledger.history import (
    Found,
    RoundWords,
    Step,
    Terms,
    checked_state,
    final_posts,
    find,
    history_of,
    indexed_time,
    posted_words,
    report_of,
    slots_of,
    terms_of,
)
from ledger.index import SOURCE, Index, to_int
from ledger.types import Mode, Report, Role
from ledger.words import LANES, reputation_lanes

__all__ = ["Row", "Step", "Trail", "reputation_table", "score_trail"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the reputation table. `contribution` in units (words mode) or wei (root mode), `stake` in wei;
    `rounds` = final rounds in which the node was due."""

    node: int
    role: Role
    reputation: int
    contribution: int
    stake: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything the chain says about one node's score in one round; `missing` says what is not there and
    why. `final` is by the clock of the last indexed block; in root mode no transaction makes it so."""

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
    final: bool
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


def _stakes(connection: sa.Connection) -> dict[int, int]:
    """Bonded stake by node, replayed from the vault's events."""
    stakes: dict[int, int] = {}
    for event in find(connection, "Registered", "Bonded", "Unbonding", "Slashed"):
        node = int(event.args["node"])
        if event.name == "Slashed":
            stakes[node] = stakes.get(node, 0) - to_int(event.args["fromBonded"])
        else:
            stakes[node] = to_int(event.args["bonded"])
    return stakes


def reputation_table(index: Index, task: int, *, states: Mapping[int, bytes] | None = None) -> list[Row]:
    """Every member of a task in both roles, best first: by reputation, then contribution, then the older
    node.

    A task in root mode needs `states`: by final round the data that its root state names. Raises `StateMissing`
    where they are not given, `BadArgument` where they are not those that were signed.
    """
    with index.reading() as connection:
        slots, stakes = slots_of(connection, task), _stakes(connection)
        history = history_of(connection, task, states or {})
    rows = []
    for (role, node), slot in slots.items():
        word, lane = divmod(slot, LANES)
        passed = [words for words in history[role] if word < len(words.after)]
        rows.append(
            Row(
                node=node,
                role=role,
                reputation=reputation_lanes(passed[-1].after[word])[lane] if passed else 0,
                contribution=sum(words.earned[slot] for words in passed if slot < len(words.earned)),
                stake=stakes.get(node, 0),
                rounds=sum(_was_due(words, slot) for words in passed),
            )
        )
    return sorted(rows, key=lambda row: (-row.reputation, -row.contribution, row.node, row.role))


def _was_due(words: RoundWords, slot: int) -> bool:
    """Whether a slot had a score in a round, and its word was applied."""
    word, lane = divmod(slot, LANES)
    applied = words.after[word] >> 240 == words.round & 0xFFFF
    return applied and reputation_lanes(words.scores[word])[lane] != 0


def score_trail(
    index: Index,
    task: int,
    round: int,
    node: int,
    role: Role = Role.TRAINER,
    *,
    states: Mapping[int, bytes] | None = None,
) -> Trail:
    """What led to a node's score in a round: each stage's transaction, the words around it, and what is
    missing. In root mode the words are in `states`, as for `reputation_table`."""
    with index.reading() as connection:
        slot = slots_of(connection, task).get((role, node))
        of_node = find(connection, "Committed", "Revealed", task=task, round=round, node=node)
        of_round = find(
            connection,
            *("Collected", "BeaconArmed", "CommitteeDrawn", "Posted", "Voided", "Finalised"),
            **{"task": task, "round": round},
        )
        cursor = connection.execute(sa.select(SOURCE.c.cursor)).scalar_one_or_none()
        terms, now = terms_of(connection, task), indexed_time(connection)
        latest = {event.name: event for event in of_round}
        words, score, gap = _around(connection, latest.get("Posted"), terms, role, slot, states or {})
        final = any(post.round == round for post in final_posts(connection, task))
    commits = [event for event in of_node if event.name == "Committed"]
    reveals = [event for event in of_node if event.name == "Revealed"]
    posted = latest.get("Posted")
    position, lane = divmod(slot or 0, LANES)
    before = None if words is None else words.before[position]
    after = None if words is None else words.after[position]

    def step(name: str) -> Step | None:
        return latest[name].step if name in latest else None

    missing = _missing(
        role=role,
        node=node,
        slot=slot,
        seen={*latest, *(event.name for event in of_node)},
        cursor=cursor,
        score=score,
        final=final,
        closes=None if terms is None else terms.closes(round),
        root=terms is not None and terms.mode == Mode.ROOT,
        now=now,
    )
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
        final=final,
        score=score,
        word_before=before,
        word_after=after,
        reputation_before=None if before is None else reputation_lanes(before)[lane],
        reputation_after=None if after is None else reputation_lanes(after)[lane],
        report=report_of(posted.args["report"]) if posted else None,
        report_digest=_bytes(posted.args["reportDigest"]) if posted else None,
        commitment=_bytes(commits[0].args["commitment"]) if commits else None,
        manifest=_bytes(reveals[0].args["manifest"]) if reveals else None,
        missing=(*missing, *gap),
    )


def _around(
    connection: sa.Connection,
    posted: Found | None,
    terms: Terms | None,
    role: Role,
    slot: int | None,
    states: Mapping[int, bytes],
) -> tuple[RoundWords | None, int | None, list[str]]:
    """The applied words around a posted score, the score itself, and what is missing for either."""
    if posted is None or posted.round is None or terms is None or slot is None:
        return None, None, []
    gap: list[str] = []
    if terms.mode == Mode.WORDS:
        scores = posted_words(posted)[role]
    elif posted.round in states:
        scores = checked_state(posted, states[posted.round]).scores[role]
    else:
        return None, None, [f"the data of round {posted.round} are not given: in root mode scores are in the store"]
    word, lane = divmod(slot, LANES)
    score = reputation_lanes(scores[word])[lane] if word < len(scores) else None
    try:
        rounds = history_of(connection, posted.args["task"], states)[role]
    except StateMissing as failure:
        return None, score, [failure.message]
    for words in rounds:
        applied = word < len(words.after) and words.after[word] >> 240 == words.round & 0xFFFF
        if words.round == posted.round and applied:
            return words, score, gap
    return None, score, gap


def _missing(
    *,
    role: Role,
    node: int,
    slot: int | None,
    seen: set[str],
    cursor: int | None,
    score: int | None,
    final: bool,
    closes: int | None,
    root: bool,
    now: int | None,
) -> list[str]:
    """One sentence for each thing that is not there, in the order of a round."""
    if cursor is None:
        return ["nothing is indexed yet: follow the chain first"]
    missing = []
    if slot is None:
        missing.append(f"node {node} has not joined as {role.name.lower()}: it has no lane to score")
    if role == Role.TRAINER and "Committed" not in seen and "Collected" in seen:
        missing.append("no commitment of its own: a collector's bundle may have it, see the data of its log")
    elif role == Role.TRAINER and "Committed" not in seen:
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
    elif not final:
        missing.append(f"not final yet: the challenge window is open until {closes}, the index is at {now}")
    elif not root and "Finalised" not in seen:
        missing.append("final, but its words are not applied yet: nobody has called finalise")
    if score == 0:
        missing.append("score 0: the node was not due in this round")
    return missing


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
