"""Every chain back-end behaves alike: one class of tests, run in process, over HTTP and over IPC."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from eth_utils.crypto import keccak

from ledger import (
    Ledger,
    Phase,
    Role,
    Seat,
    Signer,
    TesterChain,
    expected_draw,
    open_chain,
    pack_committee,
    report_digest,
    seed_of,
)
from ledger import contract_errors as refused
from ledger.chain import Chain
from ledger.deployments import check
from ledger.errors import (
    AlreadyKnown,
    BadArgument,
    ChainUnavailable,
    NotNeeded,
    OutOfGas,
    TransactionFailed,
    TransactionTimeout,
)
from ledger.rpc import RpcChain
from ledger.types import RawLog
from tests.integration.ledger import world as w
from tests.support import anvil as anvil_support


class ChainContract:
    """What any `Chain` does. Subclasses give `empty`: a world with contracts and accounts, and no node."""

    @pytest.fixture
    def world(self, empty: w.World) -> w.World:
        return empty.populate()

    # --- the chain itself ---
    def test_header_hashes_to_the_block_hash_and_holds_the_mix_hash(self, empty: w.World) -> None:
        for number in (0, 1, empty.chain.block_number()):
            header, block = empty.chain.header_rlp(number), empty.chain.block(number)
            assert keccak(header) == block.hash
            assert block.mix_hash in header

    def test_blocks_link_and_time_rises(self, empty: w.World) -> None:
        blocks = [empty.chain.block(n) for n in range(empty.chain.block_number() + 1)]
        for parent, child in pairwise(blocks):
            assert child.parent_hash == parent.hash
            assert child.timestamp >= parent.timestamp  # anvil gives block 1 the time of block 0
        assert empty.chain.genesis_hash == blocks[0].hash
        assert empty.chain.now() == blocks[-1].timestamp

    def test_clock_and_blocks_move(self, empty: w.World) -> None:
        target = empty.chain.now() + 5_000
        empty.advance_to(target)
        assert empty.chain.now() == target
        before = empty.chain.block_number()
        empty.mine(3)
        assert empty.chain.block_number() == before + 3

    def test_there_is_no_future_block_and_no_unknown_transaction(self, empty: w.World) -> None:
        head = empty.chain.block_number()
        with pytest.raises(BadArgument, match=str(head + 7)):
            empty.chain.block(head + 7)
        with pytest.raises(BadArgument):
            empty.chain.header_rlp(head + 7)
        assert empty.chain.receipt(b"\7" * 32) is None
        with pytest.raises(BadArgument):
            empty.chain.transaction(b"\7" * 32)
        with pytest.raises(TransactionTimeout) as caught:
            empty.chain.wait(b"\7" * 32, timeout_s=0.05)
        assert caught.value.tx_hash == b"\7" * 32

    def test_logs_are_filtered_by_address_topic_and_range(self, world: w.World) -> None:
        chain, ledger = world.chain, world.ledger
        everything = chain.get_logs()
        assert everything == sorted(everything, key=lambda log: (log.block_number, log.log_index))
        vault = chain.get_logs(address=ledger.vault.address)
        assert vault == [log for log in everything if log.address == ledger.vault.address]
        topics = ledger.vault.topics("Registered", node=3)
        (third,) = chain.get_logs(address=[ledger.vault.address, ledger.book.address], topics=topics)
        assert int.from_bytes(third.topics[1], "big") == 3
        alternatives = [topics[0], [(n).to_bytes(32, "big") for n in (1, 2)]]
        assert len(chain.get_logs(topics=alternatives)) == 2
        assert chain.get_logs(topics=topics, from_block=third.block_number + 1) == []
        assert chain.get_logs(topics=topics, to_block=third.block_number - 1) == []
        at = third.block_number
        assert chain.get_logs(topics=topics, from_block=at, to_block=at) == [third]
        assert isinstance(third, RawLog)
        assert third.block_hash == chain.block(at).hash
        assert chain.transaction(third.tx_hash).sender == w.owner(3).address
        assert third.tx_hash in chain.block(at).tx_hashes

    def test_sending_the_same_bytes_twice_is_harmless(self, empty: w.World) -> None:
        chain, sender = empty.chain, w.owner(1)
        transaction = {
            "to": w.owner(2).address, "value": 1, "gas": 21_000, "type": 2,
            "nonce": chain.nonce(sender.address), "chainId": chain.chain_id, **chain.fees(),
        }  # fmt: skip
        raw = sender.sign_transaction(transaction)
        first = chain.send_raw(raw)
        with pytest.raises(AlreadyKnown) as caught:
            chain.send_raw(raw)
        assert caught.value.tx_hash == first == keccak(raw)
        assert chain.wait(first, timeout_s=30).status == 1
        assert chain.nonce(sender.address) == 1

    def test_a_refused_transaction_raises(self, empty: w.World) -> None:
        chain, pauper = empty.chain, Signer.from_seed(b"world", "pauper")
        transaction = {
            "to": w.owner(2).address, "value": 1, "gas": 21_000, "type": 2,
            "nonce": 0, "chainId": chain.chain_id, **chain.fees(),
        }  # fmt: skip
        with pytest.raises(TransactionFailed):
            chain.send_raw(pauper.sign_transaction(transaction))
        with pytest.raises(TransactionFailed):
            chain.send_raw(b"\x02\x01\x02")
        assert chain.block(chain.block_number()).number == chain.block_number()

    def test_web3_sees_the_same_chain(self, empty: w.World) -> None:
        chain = empty.chain
        assert chain.w3.eth.chain_id == chain.chain_id
        assert chain.w3.eth.block_number == chain.block_number()
        assert bytes(chain.w3.eth.get_block(1)["hash"]) == chain.block(1).hash
        token = chain.w3.eth.contract(
            address=empty.ledger.token.address,
            abi=[
                {
                    "type": "function", "name": "mint", "outputs": [], "stateMutability": "nonpayable",
                    "inputs": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}],
                }
            ],
        )  # fmt: skip
        transmitter = empty.ledger.transmitter(w.owner(0))
        receipt = transmitter.send(token.functions.mint(w.owner(4).address, 77))
        assert receipt.event("Transfer").args["value"] == 77
        assert empty.ledger.token_balance(w.owner(4).address) == 77

    # --- sending ---
    def test_many_threads_share_one_nonce_sequence(self, empty: w.World) -> None:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(5):
                    empty.ledger.mint(w.owner(0), w.owner(1).address, 1, gas=100_000)
            except Exception as failure:  # noqa: BLE001 - shown by the assertion below
                failures.append(failure)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures
        assert empty.ledger.token_balance(w.owner(1).address) == 20

    def test_another_process_with_the_same_key_costs_a_retry(self, empty: w.World) -> None:
        ours, other = empty.ledger, Ledger(empty.chain, empty.ledger.deployment)
        ours.mint(w.owner(0), w.owner(1).address, 1)
        other.mint(w.owner(0), w.owner(1).address, 1)
        ours.mint(w.owner(0), w.owner(1).address, 1)
        assert ours.token_balance(w.owner(1).address) == 3

    def test_out_of_gas_is_named(self, empty: w.World) -> None:
        with pytest.raises(OutOfGas) as caught:
            empty.ledger.mint(w.owner(0), w.owner(1).address, 1, gas=30_000)
        assert caught.value.tx_hash is not None
        assert empty.ledger.mint(w.owner(0), w.owner(1).address, 1).gas_used > 30_000

    def test_a_failed_transaction_is_explained_with_and_without_an_estimate(self, empty: w.World) -> None:
        for gas in (None, 300_000):
            with pytest.raises(refused.ERC20InsufficientBalance) as caught:
                empty.ledger.transfer(w.owner(1), w.owner(2).address, 5, gas=gas)
            assert caught.value.args_by_name == {"sender": w.owner(1).address, "balance": 0, "needed": 5}
        assert caught.value.tx_hash is not None

    def test_a_send_that_is_no_longer_needed_is_dropped(self, empty: w.World) -> None:
        before = empty.chain.block_number()
        with pytest.raises(NotNeeded):
            empty.ledger.mint(w.owner(0), w.owner(1).address, 1, still_needed=lambda: False)
        assert empty.chain.block_number() == before
        empty.ledger.mint(w.owner(0), w.owner(1).address, 1, still_needed=lambda: True)

    # --- the contracts through Ledger ---
    def test_deployment_is_believed(self, empty: w.World) -> None:
        check(empty.chain, empty.ledger.deployment)
        assert empty.ledger.task_count() == 0
        assert empty.ledger.node_count() == 0
        assert empty.ledger.seat_stake() == w.SEAT_STAKE
        assert empty.ledger.min_stake() == 100 * w.UNIT
        assert empty.ledger.unbonding_s() == 100_000

    def test_nodes_seats_and_members(self, world: w.World) -> None:
        ledger = world.ledger
        info = ledger.node(2)
        assert (info.owner, info.signer) == (w.owner(2).address, w.hot(2).address)
        assert (info.bonded, info.exiting, info.seats) == (10 * w.SEAT_STAKE, 0, 2)
        assert ledger.node_count() == w.NODES
        assert ledger.node_of_signer(w.hot(3).address) == 3
        assert ledger.node_of_signer(w.owner(3).address) == 0
        assert ledger.seats() == [(node, 0) for node in range(1, 6) for _ in range(2)]
        assert ledger.members(world.task, Role.TRAINER) == [1, 2, 3]
        assert ledger.slot_of(world.task, Role.VERIFIER, 5) == 4
        assert ledger.slot_count(world.task, Role.VERIFIER) == 5
        assert ledger.endpoints(world.task)[Role.TRAINER, 2] == "http://node2"
        assert ledger.stake_at(2, world.chain.now()) == 10 * w.SEAT_STAKE
        assert ledger.stake_at(2, anvil_support.START_TIME - 1) == 0
        assert ledger.reputations(world.task, Role.TRAINER) == {1: 0, 2: 0, 3: 0}

    def test_stake_moves(self, world: w.World) -> None:
        ledger, owner = world.ledger, w.owner(1)
        receipt = ledger.bond(owner, 1, 7)
        assert receipt.event("Bonded").args == {"node": 1, "amount": 7, "bonded": 10 * w.SEAT_STAKE + 7}
        receipt = ledger.unbond(owner, 1, 7)
        exit_at = receipt.event("Unbonding").args["exitAt"]
        with pytest.raises(refused.ExitTooEarly) as caught:
            ledger.withdraw(owner, 1)
        assert caught.value.args_by_name["exitAt"] == exit_at
        assert str(exit_at) in str(caught.value)
        world.advance_to(exit_at)
        before = ledger.token_balance(owner.address)
        ledger.withdraw(owner, 1)
        assert ledger.token_balance(owner.address) == before + 7
        with pytest.raises(refused.NothingToWithdraw):
            ledger.withdraw(owner, 1)
        assert ledger.leave_seats(owner, 1, 2).event("SeatsChanged").args["seatsAfter"] == 0

    def test_refusals_of_the_vault(self, world: w.World) -> None:
        ledger = world.ledger
        with pytest.raises(refused.UnknownNode):
            ledger.node(99)
        with pytest.raises(refused.SignerTaken):
            ledger.register(w.owner(1), w.hot(2), w.SEAT_STAKE)
        with pytest.raises(refused.StakeTooLow):
            ledger.register(w.owner(1), Signer.from_seed(b"x", "new"), 1)
        with pytest.raises(refused.StakeTooLow):
            ledger.take_seats(w.owner(1), 1, 9)
        with pytest.raises(refused.TooManySeats):
            ledger.leave_seats(w.owner(1), 1, 3)
        with pytest.raises(refused.NotOwner):
            ledger.unbond(w.hot(1), 1, 1)
        with pytest.raises(refused.ZeroAmount):
            ledger.take_seats(w.owner(1), 1, 0)
        forged = ledger.possession(w.owner(2).address, Signer.from_seed(b"x", "new"))
        call = ledger.vault.call("register", Signer.from_seed(b"x", "new").address, w.SEAT_STAKE, forged)
        with pytest.raises(refused.BadPossession):
            ledger.transmitter(w.owner(1)).send(call)

    def test_refusals_of_the_book(self, world: w.World) -> None:
        ledger, task = world.ledger, world.task
        with pytest.raises(refused.UnknownTask):
            ledger.task(9)
        with pytest.raises(refused.SlotTaken):
            ledger.join(w.hot(1), task, 1, Role.TRAINER)
        with pytest.raises(refused.NotNode):
            ledger.join(w.hot(2), task, 4, Role.TRAINER)
        with pytest.raises(refused.EndpointTooLong):
            ledger.join(w.hot(4), task, 4, Role.TRAINER, "x" * 129)
        with pytest.raises(refused.NotJoined):
            ledger.commit(w.hot(4), task, 1, 4, b"\1" * 32)
        with pytest.raises(refused.WrongRound):
            ledger.commit(w.hot(1), task, 2, 1, b"\1" * 32)
        with pytest.raises(refused.WrongPhase) as caught:
            ledger.reveal(w.hot(1), task, 1, 1, b"\1" * 32, 1, b"\1" * 32)
        assert "COMMIT, needed REVEAL" in str(caught.value)
        with pytest.raises(refused.NothingPosted):
            ledger.finalise(w.owner(0), task)
        with pytest.raises(refused.TaskRunning):
            ledger.close_task(w.owner(0), task)
        with pytest.raises(refused.NoSlot):
            ledger.reputation(task, Role.TRAINER, 5)
        with pytest.raises(refused.NothingToClaim):
            ledger.claim(w.owner(0), task, Role.TRAINER, 1)
        with pytest.raises(refused.NotRounds):
            ledger.transmitter(w.owner(0)).send(ledger.rewards.call("credit", task, 1))
        with pytest.raises(refused.NotDisputes):
            ledger.transmitter(w.owner(0)).send(ledger.book.call("voidPost", task, bytes(32), w.owner(0).address))
        with pytest.raises(refused.BadParams) as bad:
            ledger.create_task(w.owner(0), replace(w.PARAMS, quorum=1))
        assert bad.value.args_by_name["field"].rstrip(b"\0") == b"quorum"
        assert "quorum" in str(bad.value)

    def test_a_round_from_commit_to_claim(self, world: w.World) -> None:
        ledger, task = world.ledger, world.task
        assert ledger.clock(task).phase == Phase.COMMIT
        world.submit(1)
        assert [event.args["node"] for event in ledger.commits(task, 1)] == [1, 2, 3]
        assert [event.args["length"] for event in ledger.reveals(task, 1)] == [1_000] * 3
        assert ledger.commits(task, 2) == []
        assert (ledger.clock(task).round, ledger.clock(task).phase) == (1, Phase.POST)
        assert ledger.clock(task, world.phase_start(2, 1)).phase == Phase.REVEAL
        assert ledger.clock(task, world.phase_start(4, 0)).phase == Phase.OVER
        with pytest.raises(refused.NotArmed):
            ledger.draw_committee(w.owner(0), task, 1)
        with pytest.raises(refused.NotTaskOwner):
            ledger.open_probe(w.owner(1), task, 1, b"\1" * 32)
        assert ledger.probe_key(task, 1) is None
        assert ledger.committee(task, 1) is None
        committee = world.draw(1)
        assert ledger.probe_key(task, 1) == w.digest("probe", 1)
        self._check_draw(world, committee)
        with pytest.raises(refused.AlreadyDrawn):
            ledger.arm_beacon(w.owner(0), task, 1)

        settlement = world.settlement(1, committee)
        digest = report_digest(settlement.report, chain_id=world.chain.chain_id, book=ledger.deployment.book)
        assert ledger.report_digest(settlement.report) == digest
        self._check_post_refusals(world, settlement)
        receipt = settlement.post()
        posted = ledger.posted(task, 1)
        assert posted == receipt.event("Posted")
        post = settlement.posted()
        assert (post.report, post.digest, post.event) == (settlement.report, digest, posted)
        assert list(post.trainer_words) == settlement.trainer_words
        assert list(post.verifier_words) == settlement.verifier_words
        assert ledger.live(task).posted_hash == post.hash
        pending = ledger.pending(task)
        assert pending is not None
        assert (pending.post, pending.closes_at) == (post, world.phase_start(2, 0))
        assert (ledger.final(task), ledger.parent_post(task)) == (None, None)
        with pytest.raises(refused.StaleReport):
            settlement.post()
        with pytest.raises(refused.WindowOpen):
            ledger.finalise(w.owner(0), task)
        with pytest.raises(refused.NotAFault):
            settlement.challenge()
        assert ledger.finalised(task, 1) is None

        # Final by the clock, before anybody has applied the words.
        world.advance_to(world.phase_start(2, 0))
        assert (ledger.final(task), ledger.pending(task), ledger.unapplied(task)) == (post, None, post)
        assert ledger.task(task).model == settlement.report.model
        assert ledger.reputations(task, Role.TRAINER) == {1: 0, 2: 0, 3: 0}
        receipt = world.finish(1)
        assert (ledger.final(task), ledger.unapplied(task)) == (post, None)
        assert ledger.finalised(task, 1) == receipt.event("Finalised")
        assert ledger.task(task).model == settlement.report.model
        state = ledger.task(task)
        assert (state.final_round, state.finalised, state.escrow) == (1, 1, 3 * 90 * w.UNIT)
        assert ledger.tasks() == {task: state}
        assert ledger.reputations(task, Role.TRAINER) == {1: 2_500, 2: 2_250, 3: 0}
        assert ledger.reputation(task, Role.TRAINER, 1) == 2_500
        parts = {1: 40_000 - 32_768, 2: 36_000 - 32_768}
        units = {node: part * 10**6 // sum(parts.values()) for node, part in parts.items()}
        assert ledger.contributions(task, Role.TRAINER) == {**units, 3: 0}
        assert ledger.contribution(task, Role.TRAINER, 2) == units[2]
        assert ledger.reputation_words(task, Role.TRAINER)[0] >> 240 == 1
        before = ledger.token_balance(w.owner(1).address)
        claimed = ledger.claim(w.hot(5), task, Role.TRAINER, 1).event("Claimed").args
        assert claimed["amount"] == units[1] * w.PARAMS.trainer_pool // 10**6
        assert ledger.token_balance(w.owner(1).address) == before + claimed["amount"]
        assert ledger.claimed(task, Role.TRAINER, 1) == units[1]
        assert ledger.escrow(task) == state.escrow - claimed["amount"]

    def _check_draw(self, world: w.World, committee: tuple[Seat, ...]) -> None:
        """The draw is the Python mirror's, from the seats as they stood and the seed block's mixHash."""
        ledger, chain = world.ledger, world.chain
        drawn = ledger.drawn(world.task, 1)
        armed = ledger.armed(world.task, 1)
        assert drawn is not None
        assert armed is not None
        mix_hash = chain.block(armed.args["seedBlock"]).mix_hash
        seed = seed_of(chain.chain_id, ledger.deployment.book, world.task, 1, mix_hash)
        assert drawn.args["seed"] == seed == ledger.seed(world.task, 1)
        assert drawn.args["committee"] == pack_committee(committee)
        seats = [
            (node, w.hot(node).address, until > world.chain.now())
            for node, until in ledger.seats(block=drawn.block_number - 1)
        ]
        assert tuple(expected_draw(seed, seats, w.SEATS)) == committee

    def _check_post_refusals(self, world: w.World, good: w.Settlement) -> None:
        report = good.report
        cases: list[tuple[type[refused.ContractError], dict[str, object]]] = [
            (refused.WrongMode, {"mode": 1}),
            (refused.WrongDraw, {"seed": b"\1" * 32}),
            (refused.WrongDraw, {"committee_hash": b"\1" * 32}),
            (refused.WrongParent, {"parent": b"\1" * 32}),
            (refused.WrongHash, {"words_hash": b"\1" * 32}),
            (refused.AttemptTooEarly, {"attempt": 9}),
            (refused.RewardTooHigh, {"reward_total": 10**30}),
        ]
        for error, changes in cases:
            good.report = replace(report, **changes)  # type: ignore[arg-type]
            with pytest.raises(error):
                good.post()
        good.report = report
        signatures = good.signatures()
        first = good.committee[0].node
        with pytest.raises(refused.NoQuorum):
            good.post({first: signatures[first]})
        with pytest.raises(refused.BadSignature):
            good.post({**signatures, first: good.sign(first, attempt=1)})
        words = good.trainer_words
        good.trainer_words = [*words, 0]
        with pytest.raises(refused.WrongLength) as caught:
            good.post()
        assert caught.value.args_by_name == {"what": b"words".ljust(32, b"\0"), "got": 3, "expected": 2}
        good.trainer_words = [words[0] | 1 << 48]  # a lane behind the third slot
        with pytest.raises(refused.WrongLength, match="trainerWords"):
            good.post()
        good.trainer_words = words
        good.committee, committee = (*good.committee[1:], good.committee[0]), good.committee
        with pytest.raises(refused.WrongCommittee):
            good.post()
        good.committee = committee

    def test_a_false_score_is_challenged_and_the_signers_slashed(self, world: w.World) -> None:
        ledger, task = world.ledger, world.task
        world.submit(1)
        committee = world.draw(1)
        settlement = world.settlement(1, committee, posted_scores={1: 65_000, 2: 36_000, 3: 1})
        settlement.post()
        before = ledger.token_balance(w.owner(1).address)
        receipt = settlement.challenge()
        assert receipt.event("Voided").args["challenger"] == w.owner(1).address
        assert ledger.voided(task, 1) == receipt.event("Voided")
        slashed = [event for event in receipt.events if event.name == "Slashed"]
        assert {event.args["node"] for event in slashed} == {seat.node for seat in committee}
        reward = sum(e.args["fromBonded"] - e.args["burnt"] for e in slashed)
        assert ledger.token_balance(w.owner(1).address) == before + reward
        world.advance_to(world.phase_start(2, 0))
        with pytest.raises(refused.NothingPosted):
            ledger.finalise(w.owner(0), task)
        assert ledger.reputations(task, Role.TRAINER) == {1: 0, 2: 0, 3: 0}
        state = ledger.task(task)
        assert (state.final_round, state.finalised, state.model) == (0, 0, w.PARAMS.genesis_model)

    def test_a_record_that_the_logs_do_not_have_is_named(self, world: w.World, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that prunes logs must not make the genesis model look final."""
        ledger, task = world.ledger, world.task
        world.submit(1)
        settlement = world.settlement(1, world.draw(1))
        settlement.post()
        world.advance_to(world.phase_start(2, 0))
        other = replace(settlement.posted().event, args={**settlement.posted().event.args, "signers": 1})
        for found in ([], [other]):
            monkeypatch.setattr(ledger, "events", lambda *_, found=found, **__: found)
            with pytest.raises(ChainUnavailable, match="round 1"):
                ledger.task(task)
        monkeypatch.undo()
        assert ledger.task(task).model == settlement.report.model
        post = settlement.posted()
        undrawn = replace(post, report=replace(post.report, round=2))
        with pytest.raises(BadArgument, match="no committee"):
            ledger.accused(undrawn)

    def test_two_signed_reports_of_one_attempt_are_punished_once(self, world: w.World) -> None:
        ledger, task = world.ledger, world.task
        world.submit(1)
        settlement = world.settlement(1, world.draw(1))
        node = settlement.committee[0].node
        other = replace(settlement.report, model=b"\x09" * 32)
        signatures = settlement.sign(node), settlement.sign(node, model=b"\x09" * 32)
        bonded = ledger.node(node).bonded
        receipt = ledger.equivocate(w.hot(1), settlement.report, signatures[0], other, signatures[1])
        assert receipt.event("Equivocated").args["node"] == node
        assert ledger.node(node).bonded == bonded - w.PARAMS.slash
        with pytest.raises(refused.AlreadyPunished):
            ledger.equivocate(w.hot(1), settlement.report, signatures[0], other, signatures[1])
        with pytest.raises(refused.NotAFault):
            ledger.equivocate(w.hot(1), settlement.report, signatures[0], settlement.report, signatures[0])
        later = replace(settlement.report, attempt=1)
        with pytest.raises(refused.NotAFault):
            ledger.equivocate(w.hot(1), settlement.report, signatures[0], later, settlement.sign(node, attempt=1))
        assert ledger.task(task).final_round == 0

    def test_a_task_closes_after_its_last_window(self, world: w.World) -> None:
        ledger, task = world.ledger, world.task
        world.advance_to(world.phase_start(4, 0))
        assert ledger.clock(task).phase == Phase.OVER
        receipt = ledger.close_task(w.owner(3), task)
        assert receipt.event("TaskClosed").args["refunded"] == 3 * 90 * w.UNIT
        assert ledger.task(task).closed
        with pytest.raises(refused.TaskIsClosed):
            ledger.close_task(w.owner(3), task)


class TestTesterChain(ChainContract):
    """In process."""

    @pytest.fixture
    def empty(self) -> Iterator[w.World]:
        with TesterChain.create(seed=b"contract", funded=w.ACCOUNTS) as chain:
            assert isinstance(chain, Chain)
            yield w.World(chain, chain.advance_to, chain.mine)

    def test_draw_mines_the_seed_block(self, world: w.World) -> None:
        world.submit(1)
        world.ledger.arm_beacon(w.owner(0), world.task, 1)
        world.ledger.draw_committee(w.owner(0), world.task, 1)
        assert world.ledger.committee(world.task, 1) is not None


def _anvil_world(ipc: bool) -> Iterator[w.World]:
    with anvil_support.anvil(ipc=ipc) as node, open_chain(node.spec) as chain:
        assert isinstance(chain, RpcChain)
        for address in w.ACCOUNTS:
            anvil_support.fund(chain, address)
        yield w.World(chain, lambda time: anvil_support.advance_to(chain, time), lambda n: anvil_support.mine(chain, n))


@pytest.mark.anvil
class TestAnvilHttp(ChainContract):
    """Over HTTP."""

    @pytest.fixture
    def empty(self) -> Iterator[w.World]:
        yield from _anvil_world(ipc=False)


@pytest.mark.anvil
class TestAnvilIpc(ChainContract):
    """Over a Unix socket."""

    @pytest.fixture
    def empty(self) -> Iterator[w.World]:
        yield from _anvil_world(ipc=True)
