"""`TesterChain`: a deterministic chain in this process, with an archive that anyone can replay.

Each transaction is mined at once in a block of its own, one second after its parent unless the clock is
moved. The mixHash of block n is keccak256(seed ‖ n), so the same seed and the same transactions give the same
block hashes. It is a simulation's chain: the seed's owner knows every future beacon, and nobody competes for
blocks.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import rlp
from eth_utils.address import to_canonical_address, to_checksum_address

from ledger.archive import ArchivedBlock, ArchivedTx, ArchiveReader, ArchiveWriter, Genesis
from ledger.chain import Chain, Topics, check_header
from ledger.errors import (
    AlreadyKnown,
    ArchiveCorrupt,
    BadArgument,
    ReadOnlyChain,
    SeedMismatch,
    TransactionFailed,
    TransactionTimeout,
)
from ledger.evm import CHAIN_ID, FORK, Engine, PinnedTester, mix_hash_of
from ledger.gas import TX_CAP
from ledger.types import Block, RawLog, RawReceipt, TxInfo

if TYPE_CHECKING:
    from web3 import Web3

LOG = logging.getLogger(__name__)
START_TIME = 1_750_000_000
GAS_LIMIT = 2**30
BALANCE = 10**24  # wei of the chain's coin in each funded account


class TesterChain(Chain):
    """An in-process chain. Thread-safe: one lock around the EVM."""

    kind: ClassVar[str] = "tester"
    can_move_clock: ClassVar[bool] = True
    __test__: ClassVar[bool] = False  # its name must not make pytest collect it

    def __init__(self, engine: Engine, *, genesis: Genesis, seed: bytes | None) -> None:
        """Internal: use `create` or `open`."""
        self._engine = engine
        self._genesis = genesis
        self._seed = seed
        self._writer: ArchiveWriter | None = None
        self._lock = threading.RLock()

    @classmethod
    def create(
        cls,
        *,
        seed: bytes,
        funded: Sequence[str],
        start_time: int = START_TIME,
        gas_limit: int = GAS_LIMIT,
        archive: Path | str | None = None,
    ) -> TesterChain:
        """A new chain. `funded` addresses get 10^24 wei of the chain's coin; `start_time` in seconds is block
        0's.

        `archive` names a file that must not exist. Raises `BadArgument` where it does, or on an empty seed.
        """
        if not seed:
            raise BadArgument("the seed is empty", hint="pass bytes that name the run")
        addresses = sorted({str(to_checksum_address(address)) for address in funded})
        genesis = Genesis(
            chain_id=CHAIN_ID,
            fork=FORK,
            gas_limit=gas_limit,
            start_time=start_time,
            mix_hash=mix_hash_of(seed, 0),
            funded=tuple((address, BALANCE) for address in addresses),
        )
        engine = Engine(genesis)
        genesis = replace(genesis, block_hash=engine.head.hash)
        chain = cls(engine, genesis=genesis, seed=seed)
        if archive is not None:
            chain._writer = ArchiveWriter.create(Path(archive), genesis)
        return chain

    @classmethod
    def open(cls, archive: Path | str, *, seed: bytes | None = None) -> TesterChain:
        """Replay an archive, checking every signature and every block hash; with its `seed` the chain goes
        on.

        Without `seed` the chain is read only, and the archive may be one that another process still writes.
        Raises `ArchiveCorrupt` naming block and transaction, `SeedMismatch`, or `ArchiveInUse`.
        """
        path = Path(archive)
        writer = ArchiveWriter.reopen(path) if seed is not None else None
        try:
            reader = ArchiveReader(path)
            if seed is not None and mix_hash_of(seed, 0) != reader.genesis.mix_hash:
                raise SeedMismatch(f"{path} was not made with this seed")
            engine = Engine(reader.genesis)
            if engine.head.hash != reader.genesis.block_hash:
                raise ArchiveCorrupt("block 0 has another hash", block=0, artefact="genesis")
            for block in reader.blocks():
                _replay(engine, block)
        except BaseException:
            if writer is not None:
                writer.close()
            raise
        chain = cls(engine, genesis=reader.genesis, seed=seed)
        if writer is not None:
            writer.cut(reader.complete_bytes)
            chain._writer = writer
        return chain

    # --- what it is ---
    @cached_property
    def w3(self) -> Web3:
        """A web3.py client over eth-tester's provider; slow, but complete."""
        from web3 import EthereumTesterProvider, Web3

        return Web3(EthereumTesterProvider(PinnedTester(self, self._engine.backend)))

    @property
    def chain_id(self) -> int:
        """eth-tester's constant; `genesis_hash` tells runs apart."""
        return self._genesis.chain_id

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0, a function of seed, start time and funded accounts."""
        return self._genesis.block_hash

    @property
    def genesis(self) -> Genesis:
        """What block 0 was made of."""
        return self._genesis

    # --- reading ---
    def block(self, number: int) -> Block:
        """See `Chain.block`."""
        with self._lock:
            if not 0 <= number < len(self._engine.blocks):
                raise BadArgument(f"there is no block {number}", hint=f"the head is {self.block_number()}")
            return self._engine.blocks[number]

    def block_number(self) -> int:
        """See `Chain.block_number`."""
        return self._engine.head.number

    def header_rlp(self, number: int) -> bytes:
        """See `Chain.header_rlp`."""
        sealed = self.block(number)
        with self._lock:
            encoded = bytes(rlp.encode(self._engine.header(number)))
        return check_header(encoded, sealed.hash, number)

    def call(self, *, to: str | None, data: bytes, sender: str | None = None, block: int | None = None) -> bytes:
        """See `Chain.call`; the block's own number and timestamp are what the code sees."""
        with self._lock:
            return self._engine.call(to=to, data=data, sender=sender, block=block)

    def suggest_gas(self, *, to: str | None, data: bytes, sender: str) -> int:
        """A fixed 2^24, the cap of mainnet: gas is free here and an estimate would cost a second run."""
        return min(TX_CAP, self._genesis.gas_limit)

    def fees(self) -> dict[str, int]:
        """Twice the head's base fee, no tip: enough for the next block and a function of the chain alone."""
        with self._lock:
            base = int(self._engine.header(self._engine.head.number).base_fee_per_gas)
        return {"maxFeePerGas": 2 * base, "maxPriorityFeePerGas": 0}

    def nonce(self, address: str) -> int:
        """See `Chain.nonce`."""
        with self._lock:
            return int(self._engine.state().get_nonce(to_canonical_address(address)))

    def balance(self, address: str) -> int:
        """Wei of the chain's coin at `address`."""
        with self._lock:
            return int(self._engine.state().get_balance(to_canonical_address(address)))

    def code(self, address: str) -> bytes:
        """See `Chain.code`."""
        with self._lock:
            return bytes(self._engine.state().get_code(to_canonical_address(address)))

    def receipt(self, tx_hash: bytes) -> RawReceipt | None:
        """See `Chain.receipt`."""
        return self._engine.receipts.get(tx_hash)

    def transaction(self, tx_hash: bytes) -> TxInfo:
        """See `Chain.transaction`."""
        found = self._engine.transactions.get(tx_hash)
        if found is None:
            raise BadArgument(f"there is no transaction 0x{tx_hash.hex()}", hint="check the hash")
        return found

    def wait(self, tx_hash: bytes, *, timeout_s: float) -> RawReceipt:
        """See `Chain.wait`; never waits, since a transaction is mined when it is sent."""
        found = self._engine.receipts.get(tx_hash)
        if found is None:
            raise TransactionTimeout(f"0x{tx_hash.hex()} was never sent to this chain", tx_hash=tx_hash)
        return found

    def get_logs(
        self,
        *,
        address: str | Sequence[str] | None = None,
        topics: Topics = (),
        from_block: int = 0,
        to_block: int | None = None,
    ) -> list[RawLog]:
        """See `Chain.get_logs`; answered from an index by event, without touching the EVM."""
        allowed = None if address is None else {address} if isinstance(address, str) else set(address)
        wanted = [None if t is None else {t} if isinstance(t, bytes) else set(t) for t in topics]
        with self._lock:
            first = wanted[0] if wanted else None
            lists = [self._engine.logs.get(topic, []) for topic in (first or self._engine.logs)]
            last = self.block_number() if to_block is None else to_block
            found = [
                log
                for logs in lists
                for log in logs[bisect_left(logs, from_block, key=lambda entry: entry.block_number) :]
                if log.block_number <= last
                and (allowed is None or log.address in allowed)
                and len(log.topics) >= len(wanted)
                and all(want is None or topic in want for want, topic in zip(wanted, log.topics, strict=False))
            ]
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    # --- writing ---
    def send_raw(self, raw: bytes) -> bytes:
        """Mine a signed transaction in a block of its own; returns its hash (also where it reverts: see the
        receipt)."""
        with self._lock:
            transaction = self._engine.decode(raw)
            if transaction.hash in self._engine.receipts:
                raise AlreadyKnown(f"0x{transaction.hash.hex()} is mined", tx_hash=bytes(transaction.hash))
            self._seal([transaction], [raw], self._engine.head.timestamp + 1)
            return bytes(transaction.hash)

    def mine(self, blocks: int, *, timeout_s: float = 60.0) -> None:
        """Mine `blocks` empty blocks, a second apart."""
        with self._lock:
            for _ in range(blocks):
                self._seal([], [], self._engine.head.timestamp + 1)

    def advance_to(self, timestamp: int) -> None:
        """Mine one empty block at `timestamp`; nothing where the head is at or after it."""
        with self._lock:
            if timestamp > self._engine.head.timestamp:
                self._seal([], [], timestamp)

    def _seal(self, transactions: list[Any], raws: list[bytes], timestamp: int) -> None:
        if self._seed is None:
            raise ReadOnlyChain("this chain was opened without its seed")
        number = self._engine.head.number + 1
        mix_hash = mix_hash_of(self._seed, number)
        self._engine.pin(timestamp, mix_hash)
        sealed, _ = self._engine.seal(transactions)
        if self._writer is not None:
            txs = tuple(
                ArchivedTx(bytes(tx.hash), self._engine.transactions[tx.hash].sender, raw)
                for tx, raw in zip(transactions, raws, strict=True)
            )
            self._writer.append(ArchivedBlock(number, timestamp, mix_hash, txs, sealed.hash))

    def close(self) -> None:
        """Flush and unlock the archive; the chain then grows no more."""
        with self._lock:
            self._seed = None
            if self._writer is not None:
                self._writer.close()
                self._writer = None


def _replay(engine: Engine, block: ArchivedBlock) -> None:
    """Seal an archived block again; raises `ArchiveCorrupt` at the first thing that differs."""
    transactions = []
    for position, tx in enumerate(block.txs):
        artefact = f"transaction {position} (0x{tx.hash.hex()})"
        try:
            transaction = engine.decode(tx.raw)
        except TransactionFailed as failure:
            raise ArchiveCorrupt(failure.message, block=block.number, artefact=artefact) from failure
        if transaction.hash != tx.hash:
            raise ArchiveCorrupt(f"its bytes hash to 0x{transaction.hash.hex()}", block=block.number, artefact=artefact)
        sender = str(to_checksum_address(transaction.sender))
        if sender != tx.sender:
            raise ArchiveCorrupt(f"it is signed by {sender}", block=block.number, artefact=artefact)
        transactions.append(transaction)
    if block.timestamp <= engine.head.timestamp:
        raise ArchiveCorrupt("its time is not after its parent's", block=block.number, artefact="timestamp")
    engine.pin(block.timestamp, block.mix_hash)
    try:
        sealed, _ = engine.seal(transactions)
    except TransactionFailed as failure:
        artefact = f"transaction 0 (0x{block.txs[0].hash.hex()})" if block.txs else "header"
        raise ArchiveCorrupt(failure.message, block=block.number, artefact=artefact) from failure
    if sealed.hash != block.block_hash:
        raise ArchiveCorrupt(
            f"it hashes to 0x{sealed.hash.hex()}, the record says 0x{block.block_hash.hex()}",
            block=block.number,
            artefact="block hash",
        )
