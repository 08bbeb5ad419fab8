"""A whole network on one chain and one store: identities, deployment, task, registration, joins.

Every step looks at the chain first, so that an interrupted set-up resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger import (
    Chain,
    Deployment,
    Ledger,
    Role,
    Signer,
    deploy,
    deployments,
)
from node.attacks import AttackSpec
from node.config import SimulationConfig
from node.publish import TOKEN, PublishedTask, Timing, publish_task, task_params
from node.seeds import derive_bytes
from storage import Store

SEAT_STAKE = 1_000 * TOKEN
MIN_STAKE = 100 * TOKEN
UNBONDING_S = 30 * 86_400
SETUP_SLACK_S = 120


@dataclass(frozen=True)
class Identity:
    """One simulated participant: a cold key that owns, a hot key that signs. Keys derive from the run seed."""

    label: str
    role: Role
    cold: Signer
    hot: Signer
    attack: AttackSpec | None


@dataclass(frozen=True)
class Member:
    """An identity with the node id that the vault gave it."""

    identity: Identity
    node: int


@dataclass(frozen=True)
class Network:
    """Everything that exists before the first round."""

    ledger: Ledger
    task: int
    published: PublishedTask
    owner: Signer
    secret: bytes
    members: tuple[Member, ...]

    def of_role(self, role: Role) -> list[Member]:
        """Members of one role, in slot order."""
        return [m for m in self.members if m.identity.role is role]


def key_seed(seed: int) -> bytes:
    """Where a simulation's keys come from. Public by design: never use them on a real chain."""
    return derive_bytes(seed, "simulation keys")


def identities(config: SimulationConfig) -> list[Identity]:
    """All participants of a simulation: trainers, then verifiers; attackers last within each role."""
    root = key_seed(config.seed)
    found = []
    for role, name in ((Role.TRAINER, "trainer"), (Role.VERIFIER, "verifier")):
        for index, attack in enumerate(config.assignment(name), 1):
            label = f"{name}-{index}"
            cold, hot = Signer.from_seed(root, f"{label}/cold"), Signer.from_seed(root, f"{label}/hot")
            found.append(Identity(label, role, cold, hot, attack))
    return found


def owner_key(config: SimulationConfig) -> Signer:
    """The project owner of a simulation."""
    return Signer.from_seed(key_seed(config.seed), "owner")


def timing_for(config: SimulationConfig, *, moves_clock: bool) -> Timing:
    """Phases long enough for one transaction a second on a chain whose clock we move; short ones on a live chain."""
    if moves_clock:
        per_node = 2 * (config.nodes + config.verifiers)
        return Timing(600 + per_node, 600 + per_node, 1_800 + per_node, 600, 900 + per_node)
    people = config.nodes + config.verifiers  # each transaction waits for a block of its own
    return Timing(10 + 2 * people, 5 + people, 40 + 2 * people, 3, 30 + people)


def establish(
    chain: Chain,
    store: Store,
    config: SimulationConfig,
    folder: Path,
    *,
    step: Callable[[str], None] = lambda _: None,
) -> Network:
    """Deploy, publish, register, take seats, create the task and join; or find what is there already."""
    owner, people = owner_key(config), identities(config)
    step("deploying contracts")
    ledger = Ledger(chain, _deployment(chain, owner, folder / "deployment.json"))
    secret = derive_bytes(config.seed, "probe secret")
    overrides = {
        "aggregator": config.aggregator,
        "weighting": config.weighting,
        "utility": config.utility,
        "codec": config.codec,
        "collector": config.collector,
        "canary_rate": config.canary_rate,
    }
    step("publishing the task")
    published = publish_task(
        store,
        name=config.task,
        options=config.options,
        rounds=config.rounds,
        seed=config.seed,
        secret=secret,
        overrides=overrides,
        public=(config.partition, config.nodes) if config.verification == "replay" else None,
    )
    step("registering nodes")
    members = tuple(Member(person, _register(ledger, person)) for person in people)
    task = _create_task(ledger, owner, published, config)
    step("joining the task")
    for member in members:
        if member.node not in ledger.members(task, member.identity.role):
            ledger.join(member.identity.hot, task, member.node, member.identity.role, "")
    return Network(ledger, task, published, owner, secret, members)


BEGUN = "deployment-begun.json"


def _deployment(chain: Chain, owner: Signer, path: Path) -> Deployment:
    if path.exists():
        return deployments.load(path, chain)
    begun = deployments.begin(path.with_name(BEGUN), chain, owner)
    deployment = deploy(chain, owner, seat_stake=SEAT_STAKE, min_stake=MIN_STAKE, unbonding_s=UNBONDING_S, begun=begun)
    deployments.save(path, deployment)
    return deployment


def _register(ledger: Ledger, person: Identity) -> int:
    node = ledger.node_of_signer(person.hot.address)
    if node == 0:
        if ledger.token_balance(person.cold.address) < SEAT_STAKE:
            ledger.mint(person.cold, person.cold.address, SEAT_STAKE)
        node, _ = ledger.register(person.cold, person.hot, SEAT_STAKE)
    if person.role is Role.VERIFIER and ledger.node(node).seats == 0:
        ledger.take_seats(person.cold, node, 1)
    return node


def _create_task(ledger: Ledger, owner: Signer, published: PublishedTask, config: SimulationConfig) -> int:
    for task in range(1, ledger.task_count() + 1):
        found = ledger.task(task)
        if found.owner == owner.address and found.params.spec_digest == published.artefact.digest:
            return task
    timing = timing_for(config, moves_clock=ledger.chain.can_move_clock)
    joins = (2 if ledger.chain.can_move_clock else 1) * (config.nodes + config.verifiers)
    params = task_params(
        published,
        rounds=config.rounds,
        seats=config.verifiers,
        timing=timing,
        starts_at=ledger.chain.now() + SETUP_SLACK_S * ledger.chain.can_move_clock + joins + 10,
        settlement=config.settlement,
        capacity=max(config.nodes, config.verifiers),
    )
    budget = config.rounds * (params.trainer_pool + params.verifier_pool)
    if ledger.token_balance(owner.address) < budget:
        ledger.mint(owner, owner.address, budget)
    task, _ = ledger.create_task(owner, params)
    return task


def funded_addresses(config: SimulationConfig) -> Sequence[str]:
    """Accounts that pay for gas in a simulation."""
    people = identities(config)
    return [owner_key(config).address, *(key.address for p in people for key in (p.cold, p.hot))]
