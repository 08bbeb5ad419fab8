"""What rounds made of a task's words, replayed from indexed logs alone. Pure functions of what was indexed.

Words mode: the words of `Posted` that `Finalised` says were applied, stepped as the contract steps them. Root
mode: the chain has roots only, so the caller brings the data that they name (by round, out of its store).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from ledger.errors import BadArgument, StateMissing
from ledger.index import BLOCKS, EVENTS, SOURCE, TRANSACTIONS, to_int
from ledger.report import state_of
from ledger.rootstate import RootLedgerState, decode_data, matches
from ledger.types import Mode, Report, Role
from ledger.words import LANES, UNITS, apply_scores


@dataclass(frozen=True, slots=True)
class Step:
    """One stage's transaction; `time` in seconds."""

    tx_hash: bytes
    block_number: int
    time: int
    gas_used: int
    sender: str


@dataclass(frozen=True, slots=True)
class Found:
    """An indexed event with its transaction."""

    name: str
    args: dict[str, Any]
    node: int | None
    round: int | None
    step: Step


def find(connection: sa.Connection, *names: str, **columns: int) -> list[Found]:
    """Events by name and column, in chain order."""
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
        Found(
            name=row["name"],
            args=json.loads(row["args"]),
            node=row["node"],
            round=row["round"],
            step=Step(row["tx_hash"], row["block_number"], row["timestamp"], row["gas_used"], row["sender"]),
        )
        for row in connection.execute(query).mappings()
    ]


def slots_of(connection: sa.Connection, task: int) -> dict[tuple[Role, int], int]:
    """Slot by role and node, of everybody who joined."""
    joined = find(connection, "Joined", task=task)
    return {(Role(event.args["role"]), int(event.args["node"])): int(event.args["slot"]) for event in joined}


def indexed_time(connection: sa.Connection) -> int | None:
    """Timestamp of the last block that the index followed; None for a new index."""
    cursor = connection.execute(sa.select(SOURCE.c.cursor)).scalar_one_or_none()
    if cursor is None:
        return None
    return connection.execute(sa.select(BLOCKS.c.timestamp).where(BLOCKS.c.number == cursor)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a task's creation says that a replay needs."""

    mode: Mode
    levels: int
    starts_at: int
    period: int
    pools: tuple[int, int]

    def closes(self, round: int) -> int:
        """When the window of a round closes (seconds)."""
        return self.starts_at + round * self.period


def terms_of(connection: sa.Connection, task: int) -> Terms | None:
    """A task's terms; None where it is not indexed."""
    created = find(connection, "TaskCreated", task=task)
    if not created:
        return None
    raw = created[0].args["params"]
    value = {name: to_int(raw[name]) for name in raw if name not in {"spec_digest", "genesis_model", "probe_root"}}
    return Terms(
        mode=Mode(value["mode"]),
        levels=value["levels"],
        starts_at=value["starts_at"],
        period=sum(value[name] for name in ("commit_s", "reveal_s", "post_s", "window_s")),
        pools=(value["trainer_pool"], value["verifier_pool"]),
    )


@dataclass(frozen=True, slots=True)
class RoundWords:
    """One final round of one role: its score words, the reputation words around it, and what each slot earned
    (contribution units, or wei in root mode)."""

    round: int
    scores: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    earned: tuple[int, ...]


History = dict[Role, list[RoundWords]]


def posted_words(post: Found) -> dict[Role, tuple[int, ...]]:
    """Score words by role of a post in words mode."""
    words = tuple(to_int(word) for word in post.args["words"])
    count = to_int(post.args["trainerWords"])
    return {Role.TRAINER: words[:count], Role.VERIFIER: words[count:]}


def final_posts(connection: sa.Connection, task: int) -> list[Found]:
    """Posts that are final by the time of the last indexed block, in order of their rounds."""
    terms, now = terms_of(connection, task), indexed_time(connection)
    if terms is None or now is None:
        return []
    voided = {event.round for event in find(connection, "Voided", task=task)}
    posts = find(connection, "Posted", task=task)
    return [post for post in posts if post.round and post.round not in voided and now >= terms.closes(post.round)]


def words_history(connection: sa.Connection, task: int) -> History:
    """Every applied round of a task in words mode, by role. A round whose words are applied in part counts with
    those words."""
    applied: dict[int, int] = {}
    for event in find(connection, "Finalised", task=task):
        if event.round is not None:
            applied[event.round] = to_int(event.args["to"])
    history: History = {role: [] for role in Role}
    current: dict[Role, tuple[int, ...]] = dict.fromkeys(Role, ())
    for post in find(connection, "Posted", task=task):
        if post.round not in applied:
            continue
        done, first = applied[post.round], 0
        for role, scores in posted_words(post).items():
            outcome = apply_scores(current[role], scores, role=role, round=post.round, amount=UNITS)
            reached = max(0, min(len(scores), done - first))
            first += len(scores)
            before = (*current[role], *[0] * (len(scores) - len(current[role])))
            after = (*outcome.words[:reached], *before[reached:])
            units = (*outcome.earned[: reached * LANES], *[0] * ((len(scores) - reached) * LANES))
            history[role].append(RoundWords(post.round, scores, before, after, units))
            current[role] = after
    return history


def checked_state(post: Found, data: bytes) -> RootLedgerState:
    """The state behind a root post. Raises `BadArgument` unless the data are what the post signs."""
    root = state_of([to_int(word) for word in post.args["words"]])
    state = decode_data(data, expected=root)
    if state.round != post.round or not matches(state, root):
        raise BadArgument(f"the data of round {post.round} do not have the roots that were signed", hint="audit it")
    return state


def root_history(connection: sa.Connection, task: int, states: Mapping[int, bytes]) -> History:
    """Every final round of a task in root mode, by role, from the data of each. Raises `StateMissing` naming the
    first round whose data are not given."""
    terms = terms_of(connection, task)
    history: History = {role: [] for role in Role}
    if terms is None:
        return history
    parent = RootLedgerState(levels=terms.levels, round=0)
    for post in final_posts(connection, task):
        assert post.round is not None
        if post.round not in states:
            digest = state_of([to_int(word) for word in post.args["words"]]).data
            raise StateMissing(f"the data of round {post.round} of task {task} (digest 0x{digest.hex()}) are not given")
        state = checked_state(post, states[post.round])
        for role in Role:
            words = state.reputation[role]
            before = (*parent.reputation[role], *[0] * (len(words) - len(parent.reputation[role])))
            old = (*parent.pay[role], *[0] * (len(state.pay[role]) - len(parent.pay[role])))
            earned = tuple(new - known for new, known in zip(state.pay[role], old, strict=True))
            history[role].append(RoundWords(post.round, state.scores[role], before, words, earned))
        parent = state
    return history


def history_of(connection: sa.Connection, task: int, states: Mapping[int, bytes]) -> History:
    """Every final and applied round of a task, by role. Raises `StateMissing` in root mode."""
    terms = terms_of(connection, task)
    if terms is not None and terms.mode == Mode.ROOT:
        return root_history(connection, task, states)
    return words_history(connection, task)


def report_of(raw: dict[str, Any]) -> Report:
    """A report out of an event's JSON."""
    values: dict[str, Any] = {
        field.name: to_int(raw[field.name]) if field.type == "int" else bytes.fromhex(raw[field.name][2:])
        for field in fields(Report)
    }
    return Report(**values)
