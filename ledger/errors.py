"""Every error of the ledger. One root; each carries a stable `code` and a `hint` that says what to do.

Errors that a contract raised are in `ledger.contract_errors`, one class for each custom error.
"""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Root of all errors raised here. `code` is stable and has a section in the docs; `hint` is the next
    step."""

    code: ClassVar[str] = "ledger"
    hint: str = ""

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadArgument(LedgerError, ValueError):
    """A value is out of range or of the wrong shape; nothing was sent."""

    code = "bad-argument"


class ChainUnavailable(LedgerError, ConnectionError):
    """The chain endpoint did not answer in time, or answered nonsense."""

    code = "chain-unavailable"
    hint = "check that the endpoint is up and that the URL or IPC path is right"


class WrongChain(LedgerError):
    """The endpoint serves another chain than the one expected."""

    code = "wrong-chain"
    hint = "point to the chain of the deployment, or deploy to this one"


class ClockStandsStill(LedgerError, TimeoutError):
    """No new block came while one was needed: rounds end by block time, so nothing would ever end."""

    code = "clock-stands-still"
    hint = "a development chain mines only on transactions: start anvil with --block-time 1"


class NoCode(LedgerError):
    """There is no contract at an address where one is expected."""

    code = "no-code"
    hint = "the chain was reset or the file is of another chain: run `credence deploy` again"


class StaleDeployment(LedgerError):
    """The deployment on file does not match this chain or these contracts."""

    code = "stale-deployment"
    hint = "run `credence deploy` again, or check out the version that made the deployment"


class NotCompiled(LedgerError, FileNotFoundError):
    """The ABI and bytecode of a contract are not there."""

    code = "not-compiled"
    hint = "run `python scripts/compile.py`, or restore contracts/build from version control"


class KeystoreLocked(LedgerError):
    """A key is needed and its password, or the key itself, is not at hand."""

    code = "keystore-locked"
    hint = "set CREDENCE_PASSWORD or pass a password file"


class WrongPassword(KeystoreLocked, ValueError):
    """The password does not open the keystore file."""

    code = "wrong-password"
    hint = "use the password that the key was created with"


class BadSignatureBytes(LedgerError, ValueError):
    """65 bytes that are no canonical signature (length, high s, or v not 27/28)."""

    code = "bad-signature-bytes"
    hint = "signatures are r, s, v with s in the lower half and v 27 or 28"


class TransactionFailed(LedgerError):
    """A transaction was refused or reverted for a reason that is not one of the contracts' custom errors."""

    code = "transaction-failed"

    def __init__(self, message: str = "", *, hint: str | None = None, tx_hash: bytes | None = None) -> None:
        super().__init__(message, hint=hint)
        self.tx_hash = tx_hash


class AlreadyKnown(TransactionFailed):
    """These very bytes were sent before: the transaction is pending or mined, and nothing new was sent."""

    code = "already-known"
    hint = "wait for its receipt by hash"


class OutOfGas(TransactionFailed):
    """A transaction used up its gas limit."""

    code = "out-of-gas"
    hint = "pass a higher gas="


class TransactionTimeout(LedgerError, TimeoutError):
    """A transaction was sent and has no receipt yet; it may still be mined."""

    code = "transaction-timeout"
    hint = "look for the hash on the chain before sending again; the sender re-reads its nonce"

    def __init__(self, message: str = "", *, hint: str | None = None, tx_hash: bytes | None = None) -> None:
        super().__init__(message, hint=hint)
        self.tx_hash = tx_hash


class NotNeeded(LedgerError):
    """A staged send was dropped, because its purpose was met before it was sent."""

    code = "not-needed"
    hint = "nothing to do: another node was first"


class ArchiveCorrupt(LedgerError):
    """A replayed chain archive disagrees with itself at `block`, in `artefact`."""

    code = "archive-corrupt"
    hint = "restore the file from a copy; nothing after this point can be trusted"

    def __init__(self, message: str = "", *, block: int, artefact: str, hint: str | None = None) -> None:
        super().__init__(f"block {block}, {artefact}: {message}", hint=hint)
        self.block = block
        self.artefact = artefact


class ArchiveInUse(LedgerError):
    """Another process appends to this chain archive."""

    code = "archive-in-use"
    hint = "stop the other run, or open the archive without a seed (read only)"


class ReadOnlyChain(LedgerError):
    """A replayed archive was opened without its seed, so it cannot grow."""

    code = "read-only-chain"
    hint = "open the archive with the seed of its run"


class SeedMismatch(LedgerError, ValueError):
    """The seed given is not the one that the archive was made with."""

    code = "seed-mismatch"
    hint = "pass the seed of the run that wrote the archive"


class IndexMismatch(LedgerError):
    """An event index belongs to another chain or other contracts."""

    code = "index-mismatch"
    hint = "delete the index file, it is rebuilt from the chain, or point to another one"


class StateMissing(LedgerError, LookupError):
    """A question about a task in root mode needs data that the chain has only the digest of."""

    code = "state-missing"
    hint = "fetch the data by their digest from the store, and pass them by round"
