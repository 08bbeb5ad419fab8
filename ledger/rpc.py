"""`RpcChain`: a real node over JSON-RPC (HTTP, HTTPS or an IPC socket).

Each call has a deadline; only reads are sent again after a failure. Nothing of the chain is cached but its id
and genesis, so a reorganisation shows at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import RPCEndpoint

from ledger.chain import Chain, RevertedCall, Topics, check_header
from ledger.errors import (
    AlreadyKnown,
    BadArgument,
    ChainUnavailable,
    ClockStandsStill,
    LedgerError,
    TransactionFailed,
    TransactionTimeout,
    WrongChain,
)
from ledger.gas import TX_CAP
from ledger.transport import DeadlineProvider, HttpTransport, IpcTransport
from ledger.types import Block, RawLog, RawReceipt, TxInfo

LOG = logging.getLogger(__name__)
LOG_RANGE = 10_000  # blocks in one eth_getLogs call, halved where the node refuses
READ_ATTEMPTS = 3
_BACKOFF_S = 0.1
_NEW_SLOT = 25_000  # gas of a write to a storage slot that was cold and zero, and of the branch that leads there
_TIP = 10**9  # wei per gas, where the node suggests none
_FEES_KEPT_S = 2.0
_WRITES = ("eth_sendRawTransaction",)
_HEADER_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    "requestsHash",
)
_QUANTITIES = frozenset(
    (
        "difficulty",
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "baseFeePerGas",
        "blobGasUsed",
        "excessBlobGas",
    )
)


class RpcError(LedgerError):
    """The node answered with a JSON-RPC error."""

    code = "rpc-error"
    hint = "the message is the node's"

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        self.text = str(error.get("message", ""))
        self.rpc_code = error.get("code")
        self.data = error.get("data")
        super().__init__(f"{method}: {self.text} (code {self.rpc_code})")


class RpcChain(Chain):
    """A node behind a URL or an IPC path. `timeout_s` bounds each call."""

    kind: ClassVar[str] = "rpc"

    def __init__(self, url: str, *, timeout_s: float = 30.0, expected_chain_id: int | None = None) -> None:
        """Connect. Raises `ChainUnavailable` where nothing answers, `WrongChain` on another id than
        expected."""
        transport: HttpTransport | IpcTransport
        if url.startswith(("http://", "https://")):
            transport = HttpTransport(url)
        else:
            transport = IpcTransport(str(Path(url).expanduser()))
        self._transport = transport
        self._provider = DeadlineProvider(transport, timeout_s)
        self._fees: tuple[float, dict[str, int]] | None = None
        try:
            self._chain_id = int(self.request("eth_chainId"), 16)
            self._genesis_hash = self.block(0).hash
        except BaseException:
            transport.close()
            raise
        if expected_chain_id is not None and expected_chain_id != self._chain_id:
            transport.close()
            raise WrongChain(f"{transport.name} serves chain {self._chain_id}, not {expected_chain_id}")

    @cached_property
    def w3(self) -> Web3:
        """A web3.py client over the same transport and deadline."""
        return Web3(self._provider)

    @property
    def chain_id(self) -> int:
        """See `Chain.chain_id`."""
        return self._chain_id

    @property
    def genesis_hash(self) -> bytes:
        """See `Chain.genesis_hash`."""
        return self._genesis_hash

    def request(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call; reads are tried three times. Raises `ChainUnavailable`, `RpcError`."""
        attempts = 1 if method in _WRITES else READ_ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                answer = self._provider.make_request(RPCEndpoint(method), list(params))
            except ChainUnavailable as failure:
                if attempt == attempts:
                    raise
                LOG.warning("attempt %d of %d: %s", attempt, attempts, failure.message)
                time.sleep(_BACKOFF_S * attempt)
                continue
            if "error" in answer:
                error = answer["error"]
                raise RpcError(method, dict(error) if isinstance(error, dict) else {"message": str(error)})
            return answer["result"]
        raise AssertionError("unreachable")  # pragma: no cover

    # --- reading ---
    def block(self, number: int) -> Block:
        """See `Chain.block`."""
        raw = self._raw_block(hex(number))
        if raw is None:
            raise BadArgument(f"there is no block {number}", hint="it may have been reorganised away")
        return Block(
            number=int(raw["number"], 16),
            hash=_bytes(raw["hash"]),
            parent_hash=_bytes(raw["parentHash"]),
            timestamp=int(raw["timestamp"], 16),
            mix_hash=_bytes(raw.get("mixHash") or "0x" + "00" * 32),
            tx_hashes=tuple(map(_bytes, raw["transactions"])),
        )

    def _raw_block(self, tag: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.request("eth_getBlockByNumber", tag, False)
        return found

    def block_number(self) -> int:
        """See `Chain.block_number`."""
        return int(self.request("eth_blockNumber"), 16)

    def now(self) -> int:
        """See `Chain.now`; one call, so that number and time cannot be of two blocks."""
        raw = self._raw_block("latest")
        if raw is None:
            raise ChainUnavailable(f"{self._transport.name} has no latest block")
        return int(raw["timestamp"], 16)

    def header_rlp(self, number: int) -> bytes:
        """See `Chain.header_rlp`; built from the JSON fields in consensus order."""
        raw = self._raw_block(hex(number))
        if raw is None:
            raise BadArgument(f"there is no block {number}", hint="it may have been reorganised away")
        values = []
        for field in _HEADER_FIELDS:
            value = raw.get(field)
            if value is None:
                continue
            if field in _QUANTITIES:
                quantity = int(value, 16)
                values.append(quantity.to_bytes((quantity.bit_length() + 7) // 8, "big"))
            else:
                values.append(_bytes(value))
        return check_header(bytes(rlp.encode(values)), _bytes(raw["hash"]), number)

    def call(self, *, to: str | None, data: bytes, sender: str | None = None, block: int | None = None) -> bytes:
        """See `Chain.call`."""
        tag = "latest" if block is None else hex(block)
        try:
            return _bytes(self.request("eth_call", _message(to, data, sender), tag))
        except RpcError as failure:
            raise _reverted(failure) from failure

    def suggest_gas(self, *, to: str | None, data: bytes, sender: str) -> int:
        """The node's estimate and a quarter more, since state may change before the transaction is mined, or a new slot
        if that is more: a stake checkpoint that is overwritten at the time of the estimate is a new one a second later.
        But no more than mainnet's cap while the estimate is below it."""
        try:
            estimate = int(self.request("eth_estimateGas", _message(to, data, sender)), 16)
        except RpcError as failure:
            raise _reverted(failure) from failure
        ample = estimate + max(estimate // 4, _NEW_SLOT)
        return ample if estimate > TX_CAP else min(ample, TX_CAP)

    def fees(self) -> dict[str, int]:
        """EIP-1559 fields where the chain has a base fee (twice it, and the node's tip), else a gas price."""
        kept = self._fees
        if kept is not None and time.monotonic() - kept[0] < _FEES_KEPT_S:
            return dict(kept[1])
        raw = self._raw_block("latest") or {}
        if raw.get("baseFeePerGas") is None:
            fields = {"gasPrice": int(self.request("eth_gasPrice"), 16)}
        else:
            try:
                tip = int(self.request("eth_maxPriorityFeePerGas"), 16)
            except RpcError:
                tip = _TIP  # the method is younger than the fee market
            fields = {"maxFeePerGas": 2 * int(raw["baseFeePerGas"], 16) + tip, "maxPriorityFeePerGas": tip}
        self._fees = (time.monotonic(), fields)
        return dict(fields)

    def nonce(self, address: str) -> int:
        """See `Chain.nonce`."""
        return int(self.request("eth_getTransactionCount", address, "pending"), 16)

    def code(self, address: str) -> bytes:
        """See `Chain.code`."""
        return _bytes(self.request("eth_getCode", address, "latest"))

    def receipt(self, tx_hash: bytes) -> RawReceipt | None:
        """See `Chain.receipt`."""
        raw = self.request("eth_getTransactionReceipt", "0x" + tx_hash.hex())
        if raw is None or raw.get("blockNumber") is None:
            return None
        created = raw.get("contractAddress")
        return RawReceipt(
            tx_hash=_bytes(raw["transactionHash"]),
            status=int(raw["status"], 16),
            block_number=int(raw["blockNumber"], 16),
            block_hash=_bytes(raw["blockHash"]),
            gas_used=int(raw["gasUsed"], 16),
            logs=tuple(map(_log, raw["logs"])),
            contract_address=str(to_checksum_address(created)) if created else None,
        )

    def transaction(self, tx_hash: bytes) -> TxInfo:
        """See `Chain.transaction`."""
        raw = self.request("eth_getTransactionByHash", "0x" + tx_hash.hex())
        if raw is None or raw.get("blockNumber") is None:
            raise BadArgument(f"there is no mined transaction 0x{tx_hash.hex()}", hint="check the hash")
        return TxInfo(
            tx_hash=tx_hash,
            sender=str(to_checksum_address(raw["from"])),
            to=str(to_checksum_address(raw["to"])) if raw.get("to") else None,
            data=_bytes(raw["input"]),
            gas=int(raw["gas"], 16),
            block_number=int(raw["blockNumber"], 16),
        )

    def get_logs(
        self,
        *,
        address: str | Sequence[str] | None = None,
        topics: Topics = (),
        from_block: int = 0,
        to_block: int | None = None,
    ) -> list[RawLog]:
        """See `Chain.get_logs`; split into ranges of 10,000 blocks, halved where the node says too much."""
        last = self.block_number() if to_block is None else to_block
        query: dict[str, Any] = {"topics": [_topic(topic) for topic in topics]}
        if address is not None:
            query["address"] = address if isinstance(address, str) else list(address)
        found: list[RawLog] = []
        start, span = from_block, LOG_RANGE
        while start <= last:
            end = min(last, start + span - 1)
            try:
                raw = self.request("eth_getLogs", {**query, "fromBlock": hex(start), "toBlock": hex(end)})
            except RpcError as failure:
                if span == 1 or start == end:
                    raise ChainUnavailable(f"no logs of block {start}: {failure.message}") from failure
                span = max(1, (end - start + 1) // 2)
                LOG.info("eth_getLogs refused blocks %d to %d, trying %d at a time", start, end, span)
                continue
            found.extend(map(_log, raw))
            start = end + 1
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    # --- writing ---
    def send_raw(self, raw: bytes) -> bytes:
        """See `Chain.send_raw`. The same bytes are the same transaction: after a broken call they go out once
        more."""
        tx_hash = bytes(keccak(raw))
        for last_try in (False, True):
            try:
                return _bytes(self.request("eth_sendRawTransaction", "0x" + raw.hex()))
            except ChainUnavailable:
                if last_try:
                    raise
                LOG.warning("no answer for 0x%s, sending the same bytes once more", tx_hash.hex())
            except RpcError as failure:
                if self._is_known(failure, tx_hash):
                    if last_try:
                        return tx_hash  # our first call got through, only its answer was lost
                    raise AlreadyKnown(f"0x{tx_hash.hex()} was sent before", tx_hash=tx_hash) from failure
                raise TransactionFailed(
                    f"the node refused the transaction: {failure.text}", tx_hash=tx_hash
                ) from failure
        raise AssertionError("unreachable")  # pragma: no cover

    def _is_known(self, failure: RpcError, tx_hash: bytes) -> bool:
        text = failure.text.lower()
        if "already known" in text or "already imported" in text:
            return True
        # A transaction that was mined between two sends is refused for its nonce.
        return "nonce" in text and self.request("eth_getTransactionByHash", "0x" + tx_hash.hex()) is not None

    def wait(self, tx_hash: bytes, *, timeout_s: float) -> RawReceipt:
        """See `Chain.wait`."""
        deadline = time.monotonic() + timeout_s
        pause = self.poll_s / 8
        while True:
            found = self.receipt(tx_hash)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise TransactionTimeout(f"0x{tx_hash.hex()} has no receipt after {timeout_s:g} s", tx_hash=tx_hash)
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)

    def mine(self, blocks: int, *, timeout_s: float = 60.0) -> None:
        """Wait until `blocks` more blocks are there; raises `ClockStandsStill`."""
        target = self.block_number() + blocks
        deadline = time.monotonic() + timeout_s
        while (head := self.block_number()) < target:
            if time.monotonic() > deadline:
                raise ClockStandsStill(f"block {target} did not come within {timeout_s:g} s, the head is {head}")
            time.sleep(self.poll_s)

    def require_moving_clock(self, timeout_s: float) -> None:
        """Return once a block comes without a transaction of ours; raises `ClockStandsStill` after
        `timeout_s`."""
        self.mine(1, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def _topic(topic: bytes | Sequence[bytes] | None) -> Any:
    if topic is None:
        return None
    if isinstance(topic, bytes):
        return "0x" + topic.hex()
    return ["0x" + choice.hex() for choice in topic]


def _message(to: str | None, data: bytes, sender: str | None) -> dict[str, str]:
    message = {"data": "0x" + data.hex()}
    if to is not None:
        message["to"] = to
    if sender is not None:
        message["from"] = sender
    return message


def _reverted(failure: RpcError) -> Exception:
    """The revert in a call's error; nodes put its data in one of two places, or say only that there was
    one."""
    data = failure.data.get("data") if isinstance(failure.data, dict) else failure.data
    if isinstance(data, str) and data.startswith("0x"):
        return RevertedCall(_bytes(data))
    if failure.rpc_code == 3 or "revert" in failure.text.lower():
        return RevertedCall(b"")
    return failure


def _log(raw: dict[str, Any]) -> RawLog:
    return RawLog(
        address=str(to_checksum_address(raw["address"])),
        topics=tuple(map(_bytes, raw["topics"])),
        data=_bytes(raw["data"]),
        block_number=int(raw["blockNumber"], 16),
        block_hash=_bytes(raw["blockHash"]),
        tx_hash=_bytes(raw["transactionHash"]),
        log_index=int(raw["logIndex"], 16),
    )
