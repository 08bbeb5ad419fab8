"""An event follower that writes a SQL index: events, their blocks and their transactions.

SQLite by default, any SQLAlchemy URL otherwise. Following is idempotent and resumes at a cursor; a
reorganisation is found by block hash and rolled back. The index holds nothing that the chain does not: it may
be deleted at any time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.abi import decode_log, method_names
from ledger.chain import Chain
from ledger.deployments import CORE, Deployment
from ledger.errors import BadArgument, ChainUnavailable, IndexMismatch
from ledger.types import Block, Event, RawLog

LOG = logging.getLogger(__name__)
RANGE = 2_000  # blocks written in one database transaction
_TRIES = 5

_META = sa.MetaData()
SOURCE = sa.Table(
    "source",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("chain_id", sa.String(80), nullable=False),
    sa.Column("genesis_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("book", sa.String(42), nullable=False),
    sa.Column("first_block", sa.BigInteger, nullable=False),
    sa.Column("cursor", sa.BigInteger, nullable=False),  # the last block followed
)
BLOCKS = sa.Table(
    "blocks",
    _META,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("parent_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),  # seconds
)
TRANSACTIONS = sa.Table(
    "transactions",
    _META,
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("block_number", sa.BigInteger, nullable=False, index=True),
    sa.Column("sender", sa.String(42), nullable=False),
    sa.Column("gas_used", sa.BigInteger, nullable=False),
    sa.Column("method", sa.String(64), nullable=False),  # a function's name, or its selector in hex
)
EVENTS = sa.Table(
    "events",
    _META,
    sa.Column("block_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("log_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tx_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("address", sa.String(42), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("task", sa.BigInteger),
    sa.Column("round", sa.BigInteger),
    sa.Column("node", sa.BigInteger),
    sa.Column("args", sa.Text, nullable=False),  # JSON: integers above 2^53 and bytes as 0x strings
    sa.Index("events_by_round", "name", "task", "round", "node"),
)


class Index:
    """The index in a file (a path) or a database (a SQLAlchemy URL). Close it, or use it in a `with`."""

    def __init__(self, url_or_path: str | Path) -> None:
        """Open or create. Raises `BadArgument` where the database does not open."""
        text = str(url_or_path)
        self.url = text if "://" in text else f"sqlite:///{text}"
        if "://" not in text:
            Path(text).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._engine = sa.create_engine(self.url)
            _META.create_all(self._engine)
        except sa.exc.SQLAlchemyError as failure:
            raise BadArgument(f"the index {text} does not open: {failure}", hint="check path and rights") from failure

    def close(self) -> None:
        """Release the database; idempotent."""
        self._engine.dispose()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for queries over the tables of this module."""
        with self._engine.connect() as connection:
            yield connection

    def cursor(self) -> int | None:
        """The last block followed; None for a new index."""
        with self.reading() as connection:
            found = connection.execute(sa.select(SOURCE.c.cursor)).scalar_one_or_none()
            return None if found is None else int(found)

    def follow(
        self,
        chain: Chain,
        deployment: Deployment,
        *,
        confirmations: int = 0,
        to_block: int | None = None,
        block_range: int = RANGE,
    ) -> int:
        """Bring the index up to the head less `confirmations` (blocks), or to `to_block`; returns the last
        block.

        Rolls back what a reorganisation removed. Raises `IndexMismatch` on an index of another chain or book,
        `ChainUnavailable` where the chain does not hold still.
        """
        self._claim(deployment)
        for attempt in range(1, _TRIES + 1):
            cursor = self._roll_back(chain)
            goal = chain.block_number() - confirmations
            goal = goal if to_block is None else min(goal, to_block)
            if self._forward(chain, deployment, cursor=cursor, goal=goal, block_range=block_range):
                return max(cursor, goal)
            LOG.info("the chain reorganised while it was read, attempt %d of %d", attempt, _TRIES)
        raise ChainUnavailable(
            f"the chain reorganised {_TRIES} times while it was read", hint="follow with confirmations="
        )

    def _claim(self, deployment: Deployment) -> None:
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(SOURCE)).mappings().one_or_none()
            ours = (str(deployment.chain_id), deployment.genesis_hash, deployment.book)
            if row is None:
                connection.execute(
                    SOURCE.insert().values(
                        id=1,
                        chain_id=ours[0],
                        genesis_hash=ours[1],
                        book=ours[2],
                        first_block=deployment.block,
                        cursor=deployment.block - 1,
                    )
                )
            elif (row["chain_id"], bytes(row["genesis_hash"]), row["book"]) != ours:
                raise IndexMismatch(
                    f"{self.url} indexes {row['book']} on chain {row['chain_id']}, not {deployment.book} on "
                    f"{deployment.chain_id}"
                )

    def _roll_back(self, chain: Chain) -> int:
        """Remove what is no longer on the chain; returns the cursor."""
        with self._engine.begin() as connection:
            source = connection.execute(sa.select(SOURCE)).mappings().one()
            kept = int(source["first_block"]) - 1
            head = chain.block_number()
            stored = sa.select(BLOCKS.c.number, BLOCKS.c.hash).order_by(BLOCKS.c.number.desc())
            with connection.execute(stored) as rows:
                for number, hash_ in rows:
                    if number <= head and chain.block(number).hash == hash_:
                        kept = number
                        break
            cursor = int(source["cursor"])
            # Every followed range ends with a stored block, so the cursor stands on one.
            if kept < cursor:
                LOG.warning("blocks %d to %d were reorganised away", kept + 1, cursor)
                for table, column in (
                    (EVENTS, EVENTS.c.block_number),
                    (TRANSACTIONS, TRANSACTIONS.c.block_number),
                    (BLOCKS, BLOCKS.c.number),
                ):
                    connection.execute(table.delete().where(column > kept))
                connection.execute(SOURCE.update().values(cursor=kept))
                cursor = kept
            return cursor

    def _forward(self, chain: Chain, deployment: Deployment, *, cursor: int, goal: int, block_range: int) -> bool:
        """Store up to `goal`; False where the chain changed under us (what was stored is then checked
        again)."""
        addresses = [deployment.contracts[name] for name in CORE]
        start = cursor + 1
        while start <= goal:
            end = min(goal, start + block_range - 1)
            tip = chain.block(end)
            logs = chain.get_logs(address=addresses, from_block=start, to_block=end)
            blocks = {number: chain.block(number) for number in {log.block_number for log in logs}}
            blocks[end] = tip
            if chain.block(end).hash != tip.hash or any(
                log.block_hash != blocks[log.block_number].hash for log in logs
            ):
                return False
            self._store(chain, logs, blocks.values(), end)
            start = end + 1
        return True

    def _store(self, chain: Chain, logs: Iterable[RawLog], blocks: Iterable[Block], end: int) -> None:
        events = [event for log in logs if (event := decode_log(log)) is not None]
        transactions = [_transaction_row(chain, tx_hash) for tx_hash in {event.tx_hash for event in events}]
        with self._engine.begin() as connection:
            for table, rows in (
                (BLOCKS, [_block_row(block) for block in blocks]),
                (TRANSACTIONS, transactions),
                (EVENTS, [_event_row(event) for event in events]),
            ):
                if rows:
                    connection.execute(table.insert(), rows)
            connection.execute(SOURCE.update().values(cursor=end))


def _block_row(block: Block) -> dict[str, Any]:
    return {
        "number": block.number,
        "hash": block.hash,
        "parent_hash": block.parent_hash,
        "timestamp": block.timestamp,
    }


def _transaction_row(chain: Chain, tx_hash: bytes) -> dict[str, Any]:
    info, receipt = chain.transaction(tx_hash), chain.receipt(tx_hash)
    if receipt is None:
        raise ChainUnavailable(f"the node has 0x{tx_hash.hex()} and no receipt of it")
    selector = info.data[:4]
    return {
        "hash": tx_hash,
        "block_number": info.block_number,
        "sender": info.sender,
        "gas_used": receipt.gas_used,
        "method": method_names().get(selector, "0x" + selector.hex()),
    }


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "block_number": event.block_number,
        "log_index": event.log_index,
        "tx_hash": event.tx_hash,
        "address": event.address,
        "name": event.name,
        "task": event.args.get("task"),
        "round": event.args.get("round"),
        "node": event.args.get("node"),
        "args": json.dumps(to_json(event.args), separators=(",", ":")),
    }


def to_json(value: Any) -> Any:
    """A decoded value as JSON: bytes and integers above 2^53 as 0x strings, dataclasses as objects."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value) if value < 2**53 else hex(value)
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(asdict(value))
    if isinstance(value, dict):
        return {str(key): to_json(entry) for key, entry in value.items()}
    return [to_json(entry) for entry in value]


def to_int(value: Any) -> int:
    """An integer out of an event's JSON."""
    return int(value, 16) if isinstance(value, str) else int(value)
