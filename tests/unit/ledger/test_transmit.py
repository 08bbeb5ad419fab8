"""The sender's decisions, on a chain that does as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import Signer, TesterChain, Transmitter
from ledger.abi import Contract
from ledger.chain import RevertedCall
from ledger.errors import (
    AlreadyKnown,
    ChainUnavailable,
    LedgerError,
    OutOfGas,
    TransactionFailed,
    TransactionTimeout,
)
from ledger.types import RawReceipt

SIGNER = Signer.from_seed(b"transmit", "a")
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CALL = Contract("DevToken", TOKEN).call("mint", SIGNER.address, 1)


class Scripted(TesterChain):
    """Raises what stands in `refusals`, one a send; a receipt is `outcome`."""

    refusals: list[LedgerError]
    outcome: RawReceipt
    explanation: Exception | None

    def send_raw(self, raw: bytes) -> bytes:
        self.sent.append(raw)
        if self.refusals:
            raise self.refusals.pop(0)
        return b"\1" * 32

    def wait(self, tx_hash: bytes, *, timeout_s: float) -> RawReceipt:
        if self.lost:
            raise TransactionTimeout("lost", tx_hash=tx_hash)
        return self.outcome

    def call(self, **_: Any) -> bytes:
        if self.explanation is not None:
            raise self.explanation
        return b""


@pytest.fixture
def chain() -> Scripted:
    made = Scripted.create(seed=b"scripted", funded=[SIGNER.address])
    assert isinstance(made, Scripted)
    made.sent, made.lost = [], False  # type: ignore[attr-defined]
    made.refusals, made.explanation = [], None
    made.outcome = RawReceipt(b"\1" * 32, 1, 1, b"\2" * 32, 50_000, ())
    return made


def test_a_taken_nonce_is_read_again_once(chain: Scripted) -> None:
    sender = Transmitter(chain, SIGNER)
    chain.refusals = [TransactionFailed("nonce too low")]
    assert sender.send(CALL).gas_used == 50_000
    chain.refusals = [AlreadyKnown("sent before")]
    sender.send(CALL)
    chain.refusals = [TransactionFailed("nonce too low"), TransactionFailed("nonce too low")]
    with pytest.raises(TransactionFailed, match="nonce too low"):
        sender.send(CALL)
    assert len(chain.sent) == 6  # type: ignore[attr-defined]


def test_other_refusals_are_final_and_logged(chain: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    sender = Transmitter(chain, SIGNER)
    for refusal in (TransactionFailed("insufficient funds"), ChainUnavailable("gone")):
        chain.refusals = [refusal]
        with pytest.raises(type(refusal)):
            sender.send(CALL)
        assert refusal.message in caplog.text
    assert SIGNER.address in caplog.text


def test_a_lost_transaction_resets_the_nonce(chain: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    sender = Transmitter(chain, SIGNER)
    chain.lost = True  # type: ignore[attr-defined]
    with pytest.raises(TransactionTimeout):
        sender.send(CALL)
    assert "lost" in caplog.text
    assert sender.next_nonce() == 0


def test_a_failure_is_explained_by_running_it_again(chain: Scripted) -> None:
    sender = Transmitter(chain, SIGNER)
    chain.outcome = replace(chain.outcome, status=0)
    chain.explanation = RevertedCall(b"\1\2\3\4")
    with pytest.raises(TransactionFailed, match="0x01020304"):
        sender.send(CALL, gas=200_000)
    chain.explanation = None
    with pytest.raises(TransactionFailed, match="says not why"):
        sender.send(CALL, gas=200_000)
    chain.explanation = ChainUnavailable("gone")
    with pytest.raises(TransactionFailed, match="says not why"):
        sender.send(CALL, gas=200_000)
    with pytest.raises(OutOfGas, match="50000 of 50001"):
        sender.send(CALL, gas=50_001)


def test_an_estimate_that_reverts_sends_nothing(chain: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> int:
        raise RevertedCall(b"")

    monkeypatch.setattr(chain, "suggest_gas", refuse)
    with pytest.raises(TransactionFailed, match="mint reverted with no data"):
        Transmitter(chain, SIGNER).send(CALL)
    assert chain.sent == []  # type: ignore[attr-defined]
