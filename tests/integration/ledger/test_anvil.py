"""What only a real node shows: reorganisations, a clock that stands still, a node that goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger import Index, Ledger, RpcChain, deploy, open_chain
from ledger.errors import BadArgument, ChainUnavailable, ClockStandsStill, TransactionTimeout, WrongChain
from ledger.index import EVENTS
from tests.integration.ledger import world as w
from tests.support import anvil as support

pytestmark = pytest.mark.anvil


@pytest.fixture(scope="module")
def node() -> Iterator[support.Anvil]:
    with support.anvil() as running:
        yield running


@pytest.fixture
def chain(node: support.Anvil) -> Iterator[RpcChain]:
    """The module's node, set back after the test."""
    with RpcChain(node.url) as opened:
        snapshot = opened.request("evm_snapshot")
        for address in w.ACCOUNTS:
            support.fund(opened, address)
        yield opened
        opened.request("evm_revert", snapshot)


@pytest.fixture
def ledger(chain: RpcChain) -> Ledger:
    return Ledger(chain, deploy(chain, w.owner(0), seat_stake=w.UNIT, min_stake=w.UNIT, unbonding_s=10**6))


def _names(index: Index) -> list[str]:
    with index.reading() as connection:
        ordered = sa.select(EVENTS.c.name).order_by(EVENTS.c.block_number, EVENTS.c.log_index)
        return list(connection.execute(ordered).scalars())


def test_the_index_rolls_a_reorganisation_back(chain: RpcChain, ledger: Ledger, tmp_path: Path) -> None:
    ledger.mint(w.owner(0), w.owner(1).address, 100 * w.UNIT)
    ledger.register(w.owner(1), w.hot(1), 10 * w.UNIT)
    with Index(tmp_path / "index.db") as index:
        index.follow(chain, ledger.deployment, block_range=1)
        fork = chain.request("evm_snapshot")
        kept = chain.block_number()
        ledger.bond(w.owner(1), 1, w.UNIT)
        ledger.take_seats(w.owner(1), 1, 2)
        index.follow(chain, ledger.deployment, block_range=1)
        assert _names(index) == ["Registered", "Bonded", "SeatsChanged"]

        chain.request("evm_revert", fork)
        again = Ledger(chain, ledger.deployment)
        again.unbond(w.owner(1), 1, w.UNIT)
        support.mine(chain, 5)
        index.follow(chain, ledger.deployment)
        assert _names(index) == ["Registered", "Unbonding"]
        assert index.cursor() == chain.block_number() > kept

        chain.request("evm_revert", chain.request("evm_snapshot"))
        assert index.follow(chain, ledger.deployment) == chain.block_number()


def test_a_chain_that_became_shorter_is_noticed(chain: RpcChain, ledger: Ledger, tmp_path: Path) -> None:
    ledger.mint(w.owner(0), w.owner(1).address, 100 * w.UNIT)
    fork = chain.request("evm_snapshot")
    with Index(tmp_path / "index.db") as index:
        ledger.register(w.owner(1), w.hot(1), 10 * w.UNIT)
        index.follow(chain, ledger.deployment)
        assert _names(index) == ["Registered"]
        chain.request("evm_revert", fork)
        assert index.follow(chain, ledger.deployment) == chain.block_number()
        assert _names(index) == []


def test_a_clock_that_stands_still_is_named(chain: RpcChain) -> None:
    with pytest.raises(ClockStandsStill, match="--block-time"):
        chain.require_moving_clock(0.2)
    with pytest.raises(BadArgument, match="cannot be moved"):
        chain.advance_to(chain.now() + 10)


def test_a_clock_that_moves_is_found_and_blocks_are_waited_for() -> None:
    with support.anvil(block_time_s=1, start_time=None) as node, RpcChain(node.url) as chain:
        chain.require_moving_clock(10)
        before = chain.block_number()
        chain.mine(1, timeout_s=10)
        assert chain.block_number() > before


def test_a_transaction_that_is_not_mined_times_out(chain: RpcChain, ledger: Ledger) -> None:
    chain.request("evm_setAutomine", False)
    try:
        with pytest.raises(TransactionTimeout) as caught:
            ledger.mint(w.owner(0), w.owner(1).address, 1, timeout_s=0.2)
        assert caught.value.tx_hash is not None
        assert chain.receipt(caught.value.tx_hash) is None
        support.mine(chain, 1)
        assert chain.wait(caught.value.tx_hash, timeout_s=5).status == 1
    finally:
        chain.request("evm_setAutomine", True)
    ledger.mint(w.owner(0), w.owner(1).address, 1)
    assert ledger.token_balance(w.owner(1).address) == 2


def test_another_chain_is_refused(node: support.Anvil) -> None:
    with pytest.raises(WrongChain, match="31337"):
        open_chain(node.url, expected_chain_id=1)
    open_chain(node.url, expected_chain_id=31_337).close()


def test_a_node_that_went_away_is_named_in_time() -> None:
    for ipc in (False, True):
        with support.anvil(ipc=ipc) as node:
            chain = RpcChain(node.spec, timeout_s=2.0)
            node.process.kill()
            node.process.wait(timeout=10)
            started = time.monotonic()
            with pytest.raises(ChainUnavailable):
                chain.block_number()
            assert time.monotonic() - started < 10
            chain.close()


def test_a_chain_without_base_fee_gets_a_gas_price() -> None:
    with support.anvil(hardfork="istanbul") as node, RpcChain(node.url) as chain:
        support.fund(chain, w.owner(0).address)
        assert list(chain.fees()) == ["gasPrice"]
        raw = w.owner(0).sign_transaction(
            {
                "to": w.owner(1).address, "value": 5, "gas": 21_000, "nonce": 0,
                "chainId": chain.chain_id, **chain.fees(),
            }
        )  # fmt: skip
        assert chain.wait(chain.send_raw(raw), timeout_s=10).status == 1


def test_gas_suggested_in_a_block_of_the_same_second_is_enough_a_second_later(chain: RpcChain, ledger: Ledger) -> None:
    """The estimate overwrites the stake checkpoint of its own time; the transaction, later, needs a new slot."""
    ledger.mint(w.owner(0), w.owner(1).address, 100 * w.UNIT)
    ledger.register(w.owner(1), w.hot(1), 10 * w.UNIT)
    call = ledger.vault.call("unbond", 1, w.UNIT)
    chain.request("anvil_setBlockTimestampInterval", 0)
    ledger.bond(w.owner(1), 1, w.UNIT)
    gas = chain.suggest_gas(to=call.address, data=call.data, sender=w.owner(1).address)
    chain.request("anvil_removeBlockTimestampInterval")
    chain.request("evm_setNextBlockTimestamp", chain.now() + 1)
    receipt = ledger.unbond(w.owner(1), 1, w.UNIT, gas=gas)
    assert receipt.gas_used > 1.25 * (gas - 25_000)
