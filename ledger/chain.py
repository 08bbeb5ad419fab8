"""The chain seam: one abstract `Chain`, an in-process back-end (`tester`) and a JSON-RPC one (`rpc`).

Every method that talks to an endpoint has a deadline. Reads may be retried, writes are sent once.
"""

from __future__ import annotations

import difflib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from eth_utils.crypto import keccak

from ledger.errors import BadArgument, ChainUnavailable
from ledger.types import Block, RawLog, RawReceipt, TxInfo

if TYPE_CHECKING:
    from types import TracebackType

    from web3 import Web3

LOG = logging.getLogger(__name__)
# One topic filter: position → None (any), one topic, or alternatives.
Topics = Sequence["bytes | Sequence[bytes] | None"]


class RevertedCall(Exception):
    """A call or an estimate reverted with this data. Internal: `ledger.abi.decode_error` gives the typed
    error."""

    def __init__(self, data: bytes) -> None:
        super().__init__("0x" + data.hex())
        self.data = data


class Chain(ABC):
    """One chain. Block numbers and times are of its head; hashes are 32 `bytes`."""

    kind: ClassVar[str]
    can_move_clock: ClassVar[bool] = False
    poll_s: ClassVar[float] = 0.05

    @property
    @abstractmethod
    def w3(self) -> Web3:
        """A web3.py client of this chain, for whoever needs more than this class offers."""

    @property
    @abstractmethod
    def chain_id(self) -> int:
        """The chain id that transactions and reports are bound to."""

    @property
    @abstractmethod
    def genesis_hash(self) -> bytes:
        """Hash of block 0: tells apart chains that share an id."""

    @abstractmethod
    def block(self, number: int) -> Block:
        """The sealed block `number`. Raises `BadArgument` where there is none."""

    @abstractmethod
    def block_number(self) -> int:
        """Number of the head block."""

    @abstractmethod
    def header_rlp(self, number: int) -> bytes:
        """The RLP header of block `number`; its keccak equals the block's hash (checked)."""

    @abstractmethod
    def call(self, *, to: str | None, data: bytes, sender: str | None = None, block: int | None = None) -> bytes:
        """Result of a call on the state after `block` (None = head). Raises `RevertedCall`."""

    @abstractmethod
    def suggest_gas(self, *, to: str | None, data: bytes, sender: str) -> int:
        """A gas limit for a transaction. Raises `RevertedCall` where it would revert (back-ends that
        estimate)."""

    @abstractmethod
    def fees(self) -> dict[str, int]:
        """Fee fields of a transaction, in wei of the chain's coin per gas."""

    @abstractmethod
    def nonce(self, address: str) -> int:
        """How many transactions of `address` are mined or pending."""

    @abstractmethod
    def code(self, address: str) -> bytes:
        """Deployed code at `address`, empty where there is none."""

    @abstractmethod
    def send_raw(self, raw: bytes) -> bytes:
        """Send a signed transaction; returns its hash.

        Raises `AlreadyKnown` where an earlier call sent the same bytes, `TransactionFailed` where it is refused.
        """

    @abstractmethod
    def receipt(self, tx_hash: bytes) -> RawReceipt | None:
        """The receipt, or None where it is not mined."""

    @abstractmethod
    def transaction(self, tx_hash: bytes) -> TxInfo:
        """A mined transaction. Raises `BadArgument` where it is unknown."""

    @abstractmethod
    def wait(self, tx_hash: bytes, *, timeout_s: float) -> RawReceipt:
        """The receipt within `timeout_s`; raises `TransactionTimeout`."""

    @abstractmethod
    def get_logs(
        self,
        *,
        address: str | Sequence[str] | None = None,
        topics: Topics = (),
        from_block: int = 0,
        to_block: int | None = None,
    ) -> list[RawLog]:
        """Logs in chain order, both ends included; `to_block` None = head. Split into ranges where need
        be."""

    @abstractmethod
    def mine(self, blocks: int, *, timeout_s: float = 60.0) -> None:
        """See `blocks` more blocks: the in-process chain mines them empty, any other is waited for.

        Raises `ClockStandsStill` where they do not come in time.
        """

    def advance_to(self, timestamp: int) -> None:
        """Mine one empty block with this timestamp (seconds, after the head's). Only where
        `can_move_clock`."""
        raise BadArgument(
            f"the clock of a {self.kind} chain cannot be moved to {timestamp}",
            hint="wait for it; simulations use the in-process chain",
        )

    def close(self) -> None:  # noqa: B027 - nothing to release by default
        """Release files and connections; idempotent."""

    def now(self) -> int:
        """Timestamp of the head block, in seconds: the only clock that contracts know."""
        return self.block(self.block_number()).timestamp

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_header(rlp: bytes, expected_hash: bytes, number: int) -> bytes:
    """`rlp` where it hashes to `expected_hash`; raises `ChainUnavailable` otherwise (the endpoint lies or is
    exotic)."""
    if keccak(rlp) != expected_hash:
        raise ChainUnavailable(
            f"the header of block {number} does not hash to the block's hash",
            hint="the endpoint is broken, or its chain has other header fields than Ethereum's",
        )
    return rlp


def open_chain(
    spec: str,
    *,
    archive: Path | str | None = None,
    seed: bytes | None = None,
    funded: Sequence[str] = (),
    timeout_s: float = 30.0,
    expected_chain_id: int | None = None,
) -> Chain:
    """Open a chain by name: "tester" (in process), an http(s) URL, or the path of an IPC socket.

    "tester" needs `seed` or `archive`: an archive that exists is replayed (and, with its seed, continued),
    otherwise a new chain is made with `funded` accounts. `timeout_s` is the deadline of each JSON-RPC call.
    Raises `BadArgument` with the nearest valid spec, `WrongChain` on another id than the expected one.
    """
    from ledger.rpc import RpcChain
    from ledger.tester import TesterChain

    makers: dict[str, Callable[[], Chain]] = {
        "tester": lambda: _open_tester(TesterChain, archive=archive, seed=seed, funded=funded),
    }
    if spec in makers:
        return makers[spec]()
    if spec.startswith(("http://", "https://")) or Path(spec).expanduser().is_socket():
        return RpcChain(spec, timeout_s=timeout_s, expected_chain_id=expected_chain_id)
    near = difflib.get_close_matches(spec, ["tester", "http://127.0.0.1:8545"], n=1, cutoff=0.4)
    guess = f"did you mean {near[0]!r}? " if near else ""
    if "/" in spec and "://" not in spec:
        guess = "no IPC socket is there: is the node running? "
    raise BadArgument(
        f"unknown chain {spec!r}",
        hint=f"{guess}valid are: tester, http://HOST:PORT, https://HOST, path of an IPC socket",
    )


def _open_tester(kind: Any, *, archive: Path | str | None, seed: bytes | None, funded: Sequence[str]) -> Chain:
    if archive is not None and Path(archive).exists():
        reopened: Chain = kind.open(archive, seed=seed)
        return reopened
    if seed is None:
        raise BadArgument("a new in-process chain needs a seed", hint="pass seed=, or an archive that exists")
    created: Chain = kind.create(seed=seed, funded=funded, archive=Path(archive) if archive else None)
    return created
