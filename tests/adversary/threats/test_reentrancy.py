"""A token that calls whoever receives it, and receivers that call back before the payer is done."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ledger import DemandKind, Mode, Role
from ledger import contract_errors as refused
from ledger.abi import Call, Interface, decode_error
from ledger.transmit import Transmitter
from scripts import compile as build
from tests.adversary.threats.chains import Site
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import BOND, MALLORY, PARAMS, Stage, both_modes
from tests.integration.ledger import world as w

SOURCE = Path(__file__).with_name("Hooks.sol")
ROBBER = 8  # a node whose owner is a contract
LIE = {1: 65_000, 2: 36_000, 3: 1}


@dataclass
class Deployed:
    """A contract of Hooks.sol."""

    site: Site
    address: str
    interface: Interface

    def call(self, function: str, *arguments: Any) -> Call:
        return Call(self.address, self.interface.functions[function], arguments)

    def read(self, function: str) -> Any:
        call = self.call(function)
        return call.decode(self.site.chain.call(to=self.address, data=call.data))


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    """ABI and bytecode of Hooks.sol, by the product's compiler, without its optimizer."""
    import solcx

    if build.VERSION not in {str(version) for version in solcx.get_installed_solc_versions()}:
        os.environ["SOLCX_BINARY_PATH"] = str(build.SHIM)
    request = {
        "language": "Solidity",
        "sources": {SOURCE.name: {"content": SOURCE.read_text()}},
        "settings": {"evmVersion": "cancun", "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}}},
    }
    found: dict[str, Any] = solcx.compile_standard(request, solc_version=build.VERSION)["contracts"][SOURCE.name]
    return found


@pytest.fixture(scope="module")
def cast(own_site: Site, compiled: dict[str, Any]) -> tuple[Stage, Deployed]:
    """A deployment on the hooked token, with an eighth node whose owner is the contract; and that contract."""

    def create(name: str) -> Deployed:
        code = bytes.fromhex(compiled[name]["evm"]["bytecode"]["object"])
        address = Transmitter(own_site.chain, w.owner(0)).create(name, code).contract_address
        assert address is not None
        return Deployed(own_site, address, Interface(compiled[name]["abi"]))

    token, robber = create("HookedToken"), create("Reentrant")
    stage = Stage.on(own_site, token=token.address).enrol()
    ledger = stage.ledger
    ledger.mint(w.owner(0), robber.address, 2 * BOND)
    run(stage, robber, ledger.token.call("approve", ledger.vault.address, BOND))
    key = ledger.possession(robber.address, w.hot(ROBBER))
    run(stage, robber, ledger.vault.call("register", w.hot(ROBBER).address, BOND, key))
    assert ledger.node(ROBBER).owner == robber.address
    for mode in Mode:
        assert stage.add_task(PARAMS[mode]) == int(mode) + 1
        ledger.join(w.hot(ROBBER), stage.task, ROBBER, Role.TRAINER)
    own_site.snapshot()
    return stage, robber


@pytest.fixture
def stage(cast: tuple[Stage, Deployed]) -> Stage:
    return cast[0].rewind()


@pytest.fixture
def robber(cast: tuple[Stage, Deployed]) -> Deployed:
    return cast[1]


def run(stage: Stage, robber: Deployed, call: Call) -> None:
    """The robber calls one of our contracts."""
    stage.ledger.transmitter(MALLORY).send(robber.call("run", call.address, call.data), gas=5_000_000)


def aim(stage: Stage, robber: Deployed, call: Call) -> None:
    """What it calls back with while it is being paid."""
    stage.ledger.transmitter(MALLORY).send(robber.call("aim", call.address, call.data), gas=5_000_000)


def loot(stage: Stage, robber: Deployed) -> int:
    """What the robber holds."""
    return stage.ledger.token_balance(robber.address)


def was_refused(robber: Deployed, error: type[refused.ContractError]) -> None:
    """It called back, and was answered with this error every time."""
    assert robber.read("tries") >= 1
    assert robber.read("successes") == 0
    assert isinstance(decode_error(robber.read("answer"), what="call back"), error)


@threat(31, "claim again while the claim is being paid")
@both_modes
def test_a_claim_inside_of_a_claim(stage: Stage, robber: Deployed, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was paid is written down before the token moves, so the second claim finds nothing."""
    monkeypatch.setattr(w, "TRAINERS", (1, 2, 3, ROBBER))
    case = stage.use(mode).final(scores={1: 1, 2: 36_000, 3: 1, ROBBER: 50_000})
    ledger, before = stage.ledger, loot(stage, robber)
    if case.data is None:
        claim = ledger.rewards.call("claim", stage.task, Role.TRAINER, ROBBER)
    else:
        proof, post = case.data.pay_proof(Role.TRAINER, 3), case.posted()
        head = (stage.task, Role.TRAINER, ROBBER, post.settled, post.state)
        claim = ledger.rewards.call("claimRoot", *head, proof.amount, proof.sums, proof.siblings)
    aim(stage, robber, claim)
    escrow = ledger.escrow(stage.task)
    run(stage, robber, claim)
    was_refused(robber, refused.NothingToClaim)
    gained = loot(stage, robber) - before
    assert 0 < gained == escrow - ledger.escrow(stage.task) < stage.params.trainer_pool


@threat(31, "withdraw again while the stake is being paid out")
def test_a_withdrawal_inside_of_a_withdrawal(stage: Stage, robber: Deployed) -> None:
    """The exiting stake is zero before the token moves."""
    ledger, before = stage.ledger, loot(stage, robber)
    run(stage, robber, ledger.vault.call("unbond", ROBBER, BOND))
    stage.advance_to(ledger.node(ROBBER).exit_at)
    withdraw = ledger.vault.call("withdraw", ROBBER)
    aim(stage, robber, withdraw)
    run(stage, robber, withdraw)
    was_refused(robber, refused.NothingToWithdraw)
    assert loot(stage, robber) == before + BOND
    assert ledger.token_balance(ledger.vault.address) == 7 * BOND


@threat(31, "prove the same fault again while the reward is being paid")
@both_modes
def test_a_challenge_inside_of_a_challenge(stage: Stage, robber: Deployed, mode: Mode) -> None:
    """The post is void before anybody is slashed or paid, so one fault is punished once."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    before, proof = loot(stage, robber), case.proof_call()
    aim(stage, robber, proof)
    run(stage, robber, proof)
    was_refused(robber, refused.NotPending)
    assert robber.read("tries") == len(case.signing)  # one payment for each signer
    slash = stage.params.slash
    assert loot(stage, robber) == before + len(case.signing) * slash // 2
    for node in case.signing:
        assert stage.ledger.node(node).bonded == BOND - slash


@threat(31, "show two reports again while their reward is being paid")
def test_an_equivocation_inside_of_an_equivocation(stage: Stage, robber: Deployed) -> None:
    """The fault is marked as punished before the slash."""
    case = stage.prepared()
    node, model = case.signing[0], w.digest("other")
    two = (case.report, case.sign(node), replace(case.report, model=model), case.sign(node, model=model))
    call, before = stage.ledger.disputes.call("equivocate", *two), loot(stage, robber)
    aim(stage, robber, call)
    run(stage, robber, call)
    was_refused(robber, refused.AlreadyPunished)
    assert loot(stage, robber) == before + stage.params.slash // 2


@threat(31, "answer, expire or take back a demand again while its fee is being paid")
@pytest.mark.parametrize("end", ["answer", "expire", "reclaim"])
def test_a_demand_is_ended_once(stage: Stage, robber: Deployed, end: str) -> None:
    """A demand is over before its fee moves, and the fees of others stay where they are."""
    case = stage.prepared()
    case.post()
    post, ledger, fee = case.posted(), stage.ledger, w.DEMAND_FEE
    run(stage, robber, ledger.token.call("approve", ledger.disputes.address, fee))
    run(stage, robber, ledger.disputes.call("demand", post.report, post.signers, 1, DemandKind.VOTES, 0, 0))
    ledger.demand(MALLORY, post, DemandKind.VOTES, 1, 0)
    found = ledger.demand_of(post.digest, DemandKind.VOTES, 0, 0)
    assert found is not None
    name = {"answer": "answerVotes"}.get(end, end)
    tail = (DemandKind.VOTES, 0, 0)
    arguments: dict[str, tuple[Any, ...]] = {
        "answer": (post.report, 0, 0, 1, case.votes, case.vote_proofs()[0]),
        "expire": (ledger.accused(post), *tail),
        "reclaim": (post.report, *tail),
    }
    call = ledger.disputes.call(name, *arguments[end])
    if end == "expire":
        stage.advance_to(found[1] + 1)
    if end == "reclaim":
        stage.advance_to(stage.phase_start(2, 0))
    before = loot(stage, robber)
    aim(stage, robber, call)
    run(stage, robber, call)
    was_refused(robber, refused.NotPending if end == "expire" else refused.NotDemanded)
    rewards = len(case.signing) * stage.params.slash // 2 if end == "expire" else 0
    assert loot(stage, robber) == before + fee + rewards
    assert ledger.token_balance(ledger.disputes.address) == fee
