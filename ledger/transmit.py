"""Sending transactions: nonces, fees, deadlines, and typed errors when a contract refuses.

A transaction never fails silently: it returns a `Receipt` with its events, or raises.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from eth_utils.address import to_checksum_address

from ledger.abi import Call, decode_error, decode_log
from ledger.accounts import Signer
from ledger.chain import Chain, RevertedCall
from ledger.errors import AlreadyKnown, ChainUnavailable, LedgerError, NotNeeded, OutOfGas, TransactionFailed
from ledger.types import RawReceipt, Receipt

LOG = logging.getLogger(__name__)


class Transmitter:
    """Sends for one key on one chain. Thread-safe: one nonce at a time, waiting outside the lock.

    Use one Transmitter a key and process; another process with the same key is noticed (the nonce is read
    again after a refusal), and costs a retry.
    """

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self.chain = chain
        self.signer = signer
        self._lock = threading.Lock()
        self._nonce: int | None = None

    def send(
        self,
        contract_fn: Any,
        *,
        gas: int | None = None,
        timeout_s: float = 60.0,
        still_needed: Callable[[], bool] | None = None,
    ) -> Receipt:
        """Send a call (of `ledger.abi`, or a web3.py contract function) and wait for its receipt.

        `gas` None asks the chain, which costs a second run on a real node; pass a limit in loops.
        `still_needed` is asked just before sending. Raises `NotNeeded`, a class of `contract_errors` where a
        contract refuses, `OutOfGas`, `TransactionTimeout`, `ChainUnavailable`.
        """
        name, address, data = _parts(contract_fn)
        raw = self._transact(name, to=address, data=data, gas=gas, timeout_s=timeout_s, still_needed=still_needed)
        return _receipt(raw)

    def create(self, name: str, init_code: bytes, *, gas: int | None = None, timeout_s: float = 60.0) -> RawReceipt:
        """Deploy a contract; the receipt has its address. Raises like `send`."""
        return self._transact(
            f"creation of {name}", to=None, data=init_code, gas=gas, timeout_s=timeout_s, still_needed=None
        )

    def next_nonce(self) -> int:
        """The nonce that the next transaction will have."""
        with self._lock:
            return self._peek()

    def _peek(self) -> int:
        if self._nonce is None:
            self._nonce = self.chain.nonce(self.signer.address)
        return self._nonce

    def _transact(
        self,
        name: str,
        *,
        to: str | None,
        data: bytes,
        gas: int | None,
        timeout_s: float,
        still_needed: Callable[[], bool] | None,
    ) -> RawReceipt:
        limit = self._limit(name, to, data) if gas is None else gas
        with self._lock:
            if still_needed is not None and not still_needed():
                LOG.info("dropped %s by %s: no longer needed", name, self.signer.address)
                raise NotNeeded(f"{name} is no longer needed")
            tx_hash = self._sign_and_send(name, to, data, limit)
        try:
            receipt = self.chain.wait(tx_hash, timeout_s=timeout_s)
        except LedgerError as failure:
            self._forget(name, failure)
            raise
        if receipt.status != 1:
            reason = self._explain(name, to, data, limit, receipt)
            LOG.warning("%s by %s failed in block %d: %s", name, self.signer.address, receipt.block_number, reason)
            raise reason
        LOG.debug("%s by %s in block %d, gas %d", name, self.signer.address, receipt.block_number, receipt.gas_used)
        return receipt

    def _limit(self, name: str, to: str | None, data: bytes) -> int:
        try:
            return self.chain.suggest_gas(to=to, data=data, sender=self.signer.address)
        except RevertedCall as reverted:
            failure = decode_error(reverted.data, what=name)
            LOG.warning("%s by %s was not sent, it would fail: %s", name, self.signer.address, failure)
            raise failure from None

    def _sign_and_send(self, name: str, to: str | None, data: bytes, gas: int) -> bytes:
        """Under the lock. A refusal for the nonce reads it again, once."""
        for last_try in (False, True):
            transaction: dict[str, Any] = {
                "chainId": self.chain.chain_id,
                "nonce": self._peek(),
                "gas": gas,
                "value": 0,
                "data": data,
                **self.chain.fees(),
            }
            if to is not None:
                transaction["to"] = to
            if "maxFeePerGas" in transaction:
                transaction["type"] = 2
            try:
                tx_hash = self.chain.send_raw(self.signer.sign_transaction(transaction))
            except (TransactionFailed, ChainUnavailable) as failure:
                self._nonce = None
                # The same bytes by another process are that process's transaction, not ours.
                stale = isinstance(failure, AlreadyKnown) or (
                    isinstance(failure, TransactionFailed) and "nonce" in failure.message.lower()
                )
                if last_try or not stale:
                    LOG.warning("%s by %s was not sent: %s", name, self.signer.address, failure)
                    raise
                LOG.info("%s by %s: nonce %d was taken", name, self.signer.address, transaction["nonce"])
                continue
            self._nonce = transaction["nonce"] + 1
            return tx_hash
        raise AssertionError("unreachable")  # pragma: no cover

    def _forget(self, name: str, failure: LedgerError) -> None:
        """After a lost transaction the nonce is whatever the chain says."""
        with self._lock:
            self._nonce = None
        LOG.warning("%s by %s: %s", name, self.signer.address, failure)

    def _explain(self, name: str, to: str | None, data: bytes, gas: int, receipt: RawReceipt) -> TransactionFailed:
        """The typed reason of a failed transaction: the revert data where kept, else from running it
        again."""
        reason = receipt.revert
        if reason is None and receipt.gas_used < gas:
            try:
                # On the state after its own block: the same time and number, and a failed transaction left no
                # trace.
                self.chain.call(to=to, data=data, sender=self.signer.address, block=receipt.block_number)
            except RevertedCall as reverted:
                reason = reverted.data
            except LedgerError as failure:
                LOG.warning("the reason of 0x%s cannot be read: %s", receipt.tx_hash.hex(), failure)
        if reason:
            return decode_error(reason, what=name, tx_hash=receipt.tx_hash)
        # An inner call that runs out leaves its caller a 64th of the gas, and no data.
        if receipt.gas_used * 64 >= gas * 62:
            return OutOfGas(f"{name} used {receipt.gas_used} of {gas} gas", tx_hash=receipt.tx_hash)
        return TransactionFailed(
            f"{name} failed in block {receipt.block_number} and says not why",
            hint="run it again as a call on that block",
            tx_hash=receipt.tx_hash,
        )


def _parts(contract_fn: Any) -> tuple[str, str, bytes]:
    if isinstance(contract_fn, Call):
        return contract_fn.name, contract_fn.address, contract_fn.data
    data = contract_fn._encode_transaction_data()
    encoded = bytes.fromhex(data[2:]) if isinstance(data, str) else bytes(data)
    return str(contract_fn.fn_name), str(to_checksum_address(contract_fn.address)), encoded


def _receipt(raw: RawReceipt) -> Receipt:
    events = tuple(event for log in raw.logs if (event := decode_log(log)) is not None)
    return Receipt(raw.tx_hash, raw.block_number, raw.gas_used, events)
