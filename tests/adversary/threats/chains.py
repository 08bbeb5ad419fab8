"""The two chains that every attack runs on, each with a snapshot: a test begins where the last one began."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eth_utils.address import to_canonical_address

from ledger import Chain, RpcChain, TesterChain
from tests.support import anvil as anvil_support

IN_PROCESS, ANVIL = "in-process", "anvil"


class Site(ABC):
    """A chain whose clock and blocks a test moves."""

    chain: Chain

    @abstractmethod
    def advance_to(self, timestamp: int) -> None:
        """Mine one empty block at `timestamp`; nothing where the head is there already."""

    @abstractmethod
    def mine(self, blocks: int) -> None:
        """Mine empty blocks."""

    @abstractmethod
    def next_at(self, timestamp: int) -> None:
        """The block of the next transaction has exactly this timestamp, which is after the head's."""

    @abstractmethod
    def storage_root(self, address: str) -> str:
        """Hash of all that a contract stores: equal only where not a bit of it has changed."""

    @abstractmethod
    def snapshot(self) -> None:
        """Remember the head."""

    @abstractmethod
    def revert(self) -> None:
        """Go back to the remembered head, as often as wanted."""


class InProcess(Site):
    """py-evm behind eth-tester's backend."""

    def __init__(self, chain: TesterChain) -> None:
        self.chain = chain
        self._engine: Any = chain._engine
        self._saved: tuple[Any, ...] = ()

    def advance_to(self, timestamp: int) -> None:
        self.chain.advance_to(timestamp)

    def mine(self, blocks: int) -> None:
        self.chain.mine(blocks)

    def next_at(self, timestamp: int) -> None:
        self.chain.advance_to(timestamp - 1)  # a transaction's block comes a second after the head

    def storage_root(self, address: str) -> str:
        accounts = self._engine.state()._account_db  # py-evm shows it nowhere else
        return "0x" + str(accounts._get_account(to_canonical_address(address)).storage_root.hex())

    def snapshot(self) -> None:
        engine = self._engine
        logs = {topic: list(entries) for topic, entries in engine.logs.items()}
        data = dict(engine.chain.chaindb.db.wrapped_db.kv_store)
        books = (list(engine.blocks), dict(engine.receipts), dict(engine.transactions))
        self._saved = (engine.chain.header, data, logs, *books)

    def revert(self) -> None:
        engine = self._engine
        header, data, logs, blocks, receipts, transactions = self._saved
        engine.chain.header = header
        engine.chain.chaindb.db.wrapped_db.kv_store = dict(data)
        engine.logs = {topic: list(entries) for topic, entries in logs.items()}
        engine.blocks, engine.receipts, engine.transactions = list(blocks), dict(receipts), dict(transactions)


class OnAnvil(Site):
    """anvil by the rules of the current mainnet, with its cap on a transaction's gas."""

    def __init__(self, chain: RpcChain) -> None:
        self.chain = chain
        self._saved = ""

    def advance_to(self, timestamp: int) -> None:
        anvil_support.advance_to(self.chain, timestamp)

    def mine(self, blocks: int) -> None:
        anvil_support.mine(self.chain, blocks)

    def next_at(self, timestamp: int) -> None:
        self.chain.request("evm_setNextBlockTimestamp", timestamp)

    def storage_root(self, address: str) -> str:
        return str(self.chain.request("eth_getProof", address, [], "latest")["storageHash"])

    def snapshot(self) -> None:
        self._saved = self.chain.request("evm_snapshot")

    def revert(self) -> None:
        assert self.chain.request("evm_revert", self._saved)
        self.snapshot()  # a snapshot serves once


@contextmanager
def open_site(name: str, funded: Sequence[str]) -> Iterator[Site]:
    """One of the two chains, fresh, with coins for these addresses."""
    if name == IN_PROCESS:
        with TesterChain.create(seed=b"threats", funded=funded) as chain:
            assert isinstance(chain, TesterChain)
            yield InProcess(chain)
        return
    with anvil_support.anvil("--enable-tx-gas-limit", ipc=True, hardfork="osaka") as node, RpcChain(node.spec) as chain:
        assert isinstance(chain, RpcChain)
        for address in funded:
            anvil_support.fund(chain, address)
        yield OnAnvil(chain)
