"""The in-process EVM: py-evm behind eth-tester's backend, with timestamp and mixHash pinned.

eth-tester takes both from the wall clock and a random source; here the caller gives them, on the pending
header (so that a transaction sees them) and thereby at sealing. The same blocks give the same hashes, byte
for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp
from eth.exceptions import PyEVMError, Revert
from eth_keys.exceptions import BadSignature
from eth_tester import EthereumTester
from eth_tester.backends.pyevm import PyEVMBackend
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ledger.archive import Genesis
from ledger.chain import RevertedCall
from ledger.errors import BadArgument, OutOfGas, TransactionFailed
from ledger.types import Block, RawLog, RawReceipt, TxInfo

FORK = "prague"
CHAIN_ID = 131_277_322_940_537  # eth-tester's own, which its provider reports in any case
_ZERO = b"\0" * 20
_REFUSALS = (ValidationError, PyEVMError, BadSignature, rlp.exceptions.RLPException, ValueError)


class PinnedBackend(PyEVMBackend):  # type: ignore[misc] # eth-tester is untyped
    """eth-tester's backend without its clock, its randomness and its snapshots."""

    def __init__(self, genesis: Genesis) -> None:
        accounts: dict[Any, Any] = {
            to_canonical_address(address): {"balance": balance, "nonce": 0, "code": b"", "storage": {}}
            for address, balance in genesis.funded
        }
        parameters = {
            "gas_limit": genesis.gas_limit,
            "timestamp": genesis.start_time,
            "mix_hash": genesis.mix_hash,
        }
        # An empty state would make eth-tester fund its well-known keys.
        accounts = accounts or {_ZERO: {"balance": 0, "nonce": 0, "code": b"", "storage": {}}}
        super().__init__(genesis_parameters=PyEVMBackend.generate_genesis_params(parameters), genesis_state=accounts)
        self.account_keys = ()

    def take_snapshot(self) -> Any:
        """Refused: an archive only grows."""
        raise BadArgument("the in-process chain has no snapshots", hint="open a second chain with the same seed")


class Engine:
    """Seals blocks and answers calls. Not thread-safe: `TesterChain` holds the lock."""

    def __init__(self, genesis: Genesis) -> None:
        if genesis.fork != FORK or genesis.chain_id != CHAIN_ID:
            raise BadArgument(
                f"fork {genesis.fork} and chain id {genesis.chain_id} cannot be replayed",
                hint=f"this version makes {FORK} and {CHAIN_ID}",
            )
        self.backend = PinnedBackend(genesis)
        self.chain = self.backend.chain
        self.blocks = [_block(self.chain.get_canonical_block_by_number(0))]
        self.receipts: dict[bytes, RawReceipt] = {}
        self.transactions: dict[bytes, TxInfo] = {}
        self.logs: dict[bytes, list[RawLog]] = {}

    @property
    def head(self) -> Block:
        """The latest sealed block."""
        return self.blocks[-1]

    def decode(self, raw: bytes) -> Any:
        """The signed transaction in `raw`, its sender recovered. Raises `TransactionFailed` where it is
        none."""
        try:
            transaction = self.chain.get_transaction_builder().decode(raw)
            transaction.check_signature_validity()
            _ = transaction.sender
        except _REFUSALS as failure:
            raise TransactionFailed(f"not a signed transaction: {failure}") from failure
        return transaction

    def pin(self, timestamp: int, mix_hash: bytes) -> None:
        """Fix the two free fields of the pending header."""
        self.chain.header = self.chain.header.copy(timestamp=timestamp, mix_hash=mix_hash)

    def seal(self, transactions: Sequence[Any]) -> tuple[Block, tuple[RawReceipt, ...]]:
        """Mine the pending block. Raises `TransactionFailed` where a transaction is invalid; nothing changes
        then."""
        pending = self.chain.header
        try:
            imported, receipts, computations = self.chain.mine_all(
                transactions, timestamp=pending.timestamp, mix_hash=pending.mix_hash
            )
        except _REFUSALS as failure:
            self.chain.header = pending
            text = " ".join(str(failure).split())
            hash_ = transactions[0].hash if transactions else None
            raise TransactionFailed(f"the chain refused the transaction: {text}", tx_hash=hash_) from failure
        sealed = _block(imported.imported_block)
        self.blocks.append(sealed)
        gas_before, log_index, made = 0, 0, []
        for transaction, receipt, computation in zip(transactions, receipts, computations, strict=True):
            logs = tuple(
                RawLog(
                    address=str(to_checksum_address(log.address)),
                    topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
                    data=bytes(log.data),
                    block_number=sealed.number,
                    block_hash=sealed.hash,
                    tx_hash=transaction.hash,
                    log_index=log_index + offset,
                )
                for offset, log in enumerate(receipt.logs)
            )
            for log in logs:
                self.logs.setdefault(log.topics[0] if log.topics else b"", []).append(log)
            raw_receipt = RawReceipt(
                tx_hash=transaction.hash,
                status=0 if computation.is_error else 1,
                block_number=sealed.number,
                block_hash=sealed.hash,
                gas_used=receipt.gas_used - gas_before,
                logs=logs,
                contract_address=None if transaction.to else str(to_checksum_address(computation.msg.storage_address)),
                revert=_revert_data(computation),
            )
            gas_before, log_index = receipt.gas_used, log_index + len(logs)
            self.receipts[transaction.hash] = raw_receipt
            self.transactions[transaction.hash] = TxInfo(
                tx_hash=transaction.hash,
                sender=str(to_checksum_address(transaction.sender)),
                to=str(to_checksum_address(transaction.to)) if transaction.to else None,
                data=bytes(transaction.data),
                gas=transaction.gas,
                block_number=sealed.number,
            )
            made.append(raw_receipt)
        return sealed, tuple(made)

    def header(self, number: int) -> Any:
        """py-evm's header of a sealed block."""
        return self.chain.get_canonical_block_header_by_number(number)

    def state(self, number: int | None = None) -> Any:
        """py-evm's state after a sealed block (None = head)."""
        return self.chain.get_vm(self.header(self.head.number if number is None else number)).state

    def call(self, *, to: str | None, data: bytes, sender: str | None, block: int | None) -> bytes:
        """Run code without a transaction; raises `RevertedCall` with the revert data, `OutOfGas` above 2^30
        gas."""
        header = self.header(self.head.number if block is None else block)
        vm = self.chain.get_vm(header)
        target = to_canonical_address(to) if to else _ZERO
        origin = to_canonical_address(sender) if sender else _ZERO
        computation = vm.execute_bytecode(
            origin=origin,
            gas_price=0,
            gas=header.gas_limit,
            to=target,
            sender=origin,
            value=0,
            data=data if to else b"",
            code=vm.state.get_code(target) if to else data,
            code_address=target,
        )
        if computation.is_error:
            revert = _revert_data(computation)
            if revert is None:
                raise OutOfGas(f"the call failed: {type(computation.error).__name__}", hint="")
            raise RevertedCall(revert)
        return bytes(computation.output)


class PinnedTester(EthereumTester):  # type: ignore[misc] # eth-tester is untyped
    """eth-tester over a chain of ours, so that whatever goes in through web3.py is sealed and archived as
    well."""

    def __init__(self, chain: Any, backend: PinnedBackend) -> None:
        super().__init__(backend=backend, auto_mine_transactions=True)
        self._credence_chain = chain

    def send_raw_transaction(self, raw_transaction_hex: str) -> str:
        """Seal one block with the transaction."""
        return "0x" + str(self._credence_chain.send_raw(bytes.fromhex(raw_transaction_hex[2:])).hex())

    def mine_blocks(self, num_blocks: int = 1, coinbase: str = "") -> list[str]:
        """Seal empty blocks; `coinbase` is ignored."""
        before = self._credence_chain.block_number()
        self._credence_chain.mine(num_blocks)
        numbers = range(before + 1, before + 1 + num_blocks)
        return ["0x" + str(self._credence_chain.block(number).hash.hex()) for number in numbers]

    def time_travel(self, to_timestamp: int) -> None:
        """Seal one empty block with this timestamp."""
        self._credence_chain.advance_to(to_timestamp)


def _revert_data(computation: Any) -> bytes | None:
    if computation.is_error and isinstance(computation.error, Revert):
        return bytes(computation.output)
    return None


def _block(block: Any) -> Block:
    header = block.header
    return Block(
        number=header.block_number,
        hash=bytes(header.hash),
        parent_hash=bytes(header.parent_hash),
        timestamp=header.timestamp,
        mix_hash=bytes(header.mix_hash),
        tx_hashes=tuple(bytes(transaction.hash) for transaction in block.transactions),
    )


def mix_hash_of(seed: bytes, number: int) -> bytes:
    """The mixHash that a run's seed gives block `number`: keccak256(seed ‖ number as 32 bytes)."""
    return bytes(keccak(seed + number.to_bytes(32, "big")))
