"""The client of TrainingDisputes on both back-ends: bonds, every move, both verdicts, time-outs, refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger import (
    Border,
    DisputeOutcome,
    DisputeTurn,
    Ledger,
    PositionTree,
    RpcChain,
    TesterChain,
    Training,
    deploy_training_disputes,
    training_digest,
    training_hash,
    verdict_digest,
)
from ledger import contract_errors as refused
from ledger.errors import BadArgument
from tests.integration.ledger import world as w
from tests.support import anvil as anvil_support

SEGMENTS, STEPS = 4, 4
BOND, MOVE_S, LEAVE_S = 50 * w.UNIT, 100, 50_000
SKETCH = bytes(64)
TRAINER, CHALLENGER = 1, 5


def state(step: int) -> int:
    """The digest of a state, as a tree's word."""
    return int.from_bytes(w.digest("state", step), "big")


CHECKPOINTS = PositionTree([state(i * STEPS) for i in range(SEGMENTS + 1)])


def steps_of(segment: int) -> PositionTree:
    return PositionTree([state(segment * STEPS + i) for i in range(STEPS + 1)])


class DisputeContract:
    """What holds on any chain. Subclasses give `world`: populated, with the contract, in round 1's REVEAL."""

    def training(self, world: w.World) -> Training:
        return Training(world.task, 1, TRAINER, SEGMENTS, STEPS, CHECKPOINTS.root)

    def opened(self, world: w.World) -> int:
        ledger, training = world.ledger, self.training(world)
        signature = ledger.sign_training(w.hot(TRAINER), training)
        number, receipt = ledger.open_dispute(
            w.owner(CHALLENGER), training, signature, low=0, high=SEGMENTS, seed=w.digest("rows")
        )
        assert receipt.event("DisputeOpened").args["training"] == training
        return number

    def answer(self, world: w.World, number: int) -> None:
        dispute = world.ledger.training_dispute(number)
        tree = steps_of(dispute.segment) if dispute.in_segment else CHECKPOINTS
        proof = tree.proof(dispute.middle)
        world.ledger.state_middle(w.hot(TRAINER), number, proof.word, proof.siblings, SKETCH)

    def bisected(self, world: w.World, faulty: int) -> tuple[int, int]:
        """A dispute at its last step, and the halvings that it took."""
        ledger, number, moves = world.ledger, self.opened(world), 0
        while (dispute := ledger.training_dispute(number)).turn is not DisputeTurn.JUDGE:
            if dispute.turn is DisputeTurn.DESCEND:
                self.descend(world, number, dispute.low)
                ledger.reseed(w.owner(CHALLENGER), number, w.digest("fresh"))
                continue
            here = dispute.segment * STEPS + dispute.middle if dispute.in_segment else dispute.middle * STEPS
            self.answer(world, number)
            ledger.choose_half(w.owner(CHALLENGER), number, agrees=here <= faulty)
            moves += 1
        return number, moves

    def descend(self, world: w.World, number: int, segment: int) -> None:
        steps = steps_of(segment)
        first, last = (
            Border(state((segment + end) * STEPS), CHECKPOINTS.siblings(segment + end), steps.siblings(end * STEPS))
            for end in (0, 1)
        )
        world.ledger.descend(w.hot(TRAINER), number, steps.root, first, last)

    def verdict(self, world: w.World, number: int, *, trainer_right: bool) -> None:
        ledger, committee = world.ledger, world.draw(2)
        seed = ledger.seed(world.task, 2)
        assert seed is not None
        signatures = {
            seat.node: ledger.sign_verdict(w.hot(seat.node), number, trainer_right=trainer_right) for seat in committee
        }
        ledger.resolve_dispute(
            w.owner(0), number, trainer_right=trainer_right, draw_seed=seed, committee=committee, signatures=signatures
        )

    def test_a_wrong_trainer_pays(self, world: w.World) -> None:
        ledger = world.ledger
        before = ledger.token_balance(w.owner(CHALLENGER).address)
        number, moves = self.bisected(world, faulty=9)
        assert moves == 2 + 2
        dispute = ledger.training_dispute(number)
        assert (dispute.segment * STEPS + dispute.low, dispute.high - dispute.low) == (9, 1)
        contract, chain_id = ledger.training.address, world.chain.chain_id
        for right in (True, False):
            on_chain = ledger.read(ledger.training.call("verdictDigest", number, right))
            assert on_chain == verdict_digest(number, dispute, right, chain_id=chain_id, contract=contract)
        self.verdict(world, number, trainer_right=False)
        assert ledger.training_dispute(number).outcome is DisputeOutcome.CHALLENGER_WON
        assert ledger.token_balance(w.owner(CHALLENGER).address) == before + BOND // 2
        assert ledger.training_bond(TRAINER)[0] == 0
        assert ledger.token_balance(w.BURNT) == BOND // 2
        assert ledger.training_fault(self.training(world)) == number

    def test_a_wrong_challenger_pays(self, world: w.World) -> None:
        ledger = world.ledger
        number, _ = self.bisected(world, faulty=15)
        self.verdict(world, number, trainer_right=True)
        assert ledger.training_dispute(number).outcome is DisputeOutcome.TRAINER_WON
        assert ledger.training_bond(TRAINER)[0] == BOND + BOND // 2
        assert ledger.training_fault(self.training(world)) is None
        with pytest.raises(refused.WrongTurn):
            ledger.time_out(w.owner(0), number)

    def test_silence_pays(self, world: w.World) -> None:
        ledger = world.ledger
        number = self.opened(world)
        with pytest.raises(refused.TurnOpen):
            ledger.time_out(w.owner(0), number)
        self.answer(world, number)
        world.advance_to(ledger.training_dispute(number).deadline + 1)
        with pytest.raises(refused.TurnOver):
            ledger.choose_half(w.owner(CHALLENGER), number, agrees=True)
        ledger.time_out(w.owner(0), number)
        assert ledger.training_dispute(number).outcome is DisputeOutcome.TRAINER_WON
        number = self.opened(world)
        world.advance_to(ledger.training_dispute(number).deadline + 1)
        ledger.time_out(w.owner(0), number)
        assert ledger.training_dispute(number).outcome is DisputeOutcome.CHALLENGER_WON

    def test_refusals_and_bonds(self, world: w.World) -> None:
        ledger, training = world.ledger, self.training(world)
        contract = ledger.training.address
        digest = training_digest(training, chain_id=world.chain.chain_id, contract=contract)
        assert ledger.read(ledger.training.call("trainingDigest", training)) == digest
        assert training_hash(training) != digest
        with pytest.raises(refused.BadTrainingSignature):
            ledger.open_dispute(
                w.owner(CHALLENGER), training, w.hot(2).sign_digest(digest), low=0, high=1, seed=bytes(32)
            )
        number = self.opened(world)
        proof = CHECKPOINTS.proof(1)
        with pytest.raises(refused.WrongState):
            ledger.state_middle(w.hot(TRAINER), number, proof.word, proof.siblings, SKETCH)
        with pytest.raises(refused.NotParty):
            ledger.state_middle(w.hot(2), number, proof.word, proof.siblings, SKETCH)
        with pytest.raises(refused.UnknownDispute):
            ledger.training_dispute(9)
        ledger.bond_training(w.owner(0), TRAINER, 5)
        assert ledger.training_bond(TRAINER) == (5, 0, 0)  # the rest is locked
        ledger.unbond_training(w.owner(TRAINER), TRAINER, 5)
        with pytest.raises(refused.ExitTooEarly):
            ledger.withdraw_training(w.owner(TRAINER), TRAINER)
        world.advance_to(ledger.training_bond(TRAINER)[2])
        before = ledger.token_balance(w.owner(TRAINER).address)
        ledger.withdraw_training(w.owner(TRAINER), TRAINER)
        assert ledger.token_balance(w.owner(TRAINER).address) == before + 5


def prepared(world: w.World) -> w.World:
    """The contract beside the others, and its trainer bonded."""
    deployment = deploy_training_disputes(
        world.chain,
        w.owner(0),
        world.ledger.deployment,
        bond=BOND,
        move_s=MOVE_S,
        verdict_s=20_000,
        unbonding_s=LEAVE_S,
    )
    with pytest.raises(BadArgument, match="no TrainingDisputes"):
        world.ledger.dispute_bond()
    world.ledger = Ledger(world.chain, deployment)
    world.populate()
    world.ledger.bond_training(w.owner(TRAINER), TRAINER, BOND)
    world.advance_to(world.phase_start(1, 1))
    return world


class TestTester(DisputeContract):
    @pytest.fixture
    def world(self) -> Iterator[w.World]:
        with TesterChain.create(seed=b"training", funded=w.ACCOUNTS) as chain:
            yield prepared(w.World(chain, chain.advance_to, chain.mine))


@pytest.fixture(scope="module")
def node() -> Iterator[anvil_support.Anvil]:
    with anvil_support.anvil() as running:
        yield running


@pytest.mark.anvil
class TestAnvil(DisputeContract):
    @pytest.fixture
    def world(self, node: anvil_support.Anvil) -> Iterator[w.World]:
        with RpcChain(node.url) as chain:
            snapshot = chain.request("evm_snapshot")
            for address in w.ACCOUNTS:
                anvil_support.fund(chain, address)
            yield prepared(
                w.World(
                    chain,
                    lambda time: anvil_support.advance_to(chain, time),
                    lambda blocks: anvil_support.mine(chain, blocks),
                )
            )
            chain.request("evm_revert", snapshot)
