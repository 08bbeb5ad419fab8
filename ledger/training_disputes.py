"""Disputes over training (`TrainingDisputes.sol`): what is signed, the bonds, and the moves of both parties.

A trainer signs one `Training` a round off chain; only a dispute costs transactions. Digests of states and their trees
are the caller's: `PositionTree` over `segments` + 1 checkpoints, and over `steps` + 1 states of one segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Unpack

from eth_abi.abi import encode

from ledger.abi import Contract, artefact, interface
from ledger.accounts import Signer
from ledger.chain import Chain
from ledger.deployments import TRAINING, Deployment
from ledger.errors import BadArgument, NoCode
from ledger.hashing import keccak
from ledger.report import assemble_signatures, domain_separator, pack_committee, typed_digest
from ledger.sender import Sender, SendOptions
from ledger.transmit import Transmitter
from ledger.types import Border, Receipt, Seat, Training, TrainingDispute

_TRAINING_TYPEHASH = keccak(b"Training(uint64 task,uint32 round,uint32 node,uint32 segments,uint32 steps,bytes32 root)")
_VERDICT_TYPEHASH = keccak(b"Verdict(uint64 dispute,bytes32 state,bool trainerRight)")
_RESOLVE_GAS, _RESOLVE_GAS_PER_SEAT = 300_000, 10_000


def training_hash(training: Training) -> bytes:
    """The struct hash by which the contract remembers a training (`faultOf`)."""
    types = ("bytes32", "uint64", "uint32", "uint32", "uint32", "uint32", "bytes32")
    return keccak(encode(types, (_TRAINING_TYPEHASH, *astuple(training))))


def training_digest(training: Training, *, chain_id: int, contract: str) -> bytes:
    """The EIP-712 digest that a trainer's hot key signs."""
    return typed_digest(_domain(chain_id, contract), training_hash(training))


def verdict_digest(
    number: int, dispute: TrainingDispute, trainer_right: bool, *, chain_id: int, contract: str
) -> bytes:
    """The EIP-712 digest that members sign over the one step that is left of dispute `number`."""
    place = (dispute.training, dispute.in_segment, dispute.segment, dispute.low, dispute.step_root)
    state = keccak(encode(("bytes32", "bool", "uint32", "uint32", "bytes32"), place))
    body = encode(("bytes32", "uint64", "bytes32", "bool"), (_VERDICT_TYPEHASH, number, state, trainer_right))
    return typed_digest(_domain(chain_id, contract), keccak(body))


def _domain(chain_id: int, contract: str) -> bytes:
    name = "Credence TrainingDisputes"
    return domain_separator(name=name, version="1", chain_id=chain_id, verifying_contract=contract)


def deploy_training_disputes(
    chain: Chain,
    signer: Signer,
    deployment: Deployment,
    *,
    bond: int,
    move_s: int,
    verdict_s: int,
    unbonding_s: int,
    timeout_s: float = 60.0,
) -> Deployment:
    """The deployment with a `TrainingDisputes` beside its other contracts.

    `bond` wei that each party risks; a turn lasts `move_s` seconds, the committee's `verdict_s` (longer than a round,
    so that a later draw can judge); `unbonding_s` is longer than a round with its window. Raises as `Transmitter`.
    """
    arguments = (deployment.book, bond, move_s, verdict_s, unbonding_s)
    init_code = bytes.fromhex(artefact(TRAINING)["bytecode"].removeprefix("0x"))
    init_code += interface(TRAINING).constructor.encode(arguments)
    address = Transmitter(chain, signer).create(TRAINING, init_code, timeout_s=timeout_s).contract_address
    if address is None:
        raise NoCode(f"the creation of {TRAINING} gave no address")
    return replace(
        deployment,
        contracts={**deployment.contracts, TRAINING: address},
        code_hashes={**deployment.code_hashes, TRAINING: keccak(chain.code(address))},
    )


class TrainingDisputeCalls(Sender):
    """Reads and writes of `TrainingDisputes`. The first argument of a write is the `Signer` that pays for it."""

    @property
    def training(self) -> Contract:
        """The contract. Raises `BadArgument` where the deployment has none."""
        address = self.deployment.contracts.get(TRAINING)
        if address is None:
            raise BadArgument("the deployment has no TrainingDisputes", hint="deploy_training_disputes adds it")
        return Contract(TRAINING, address)

    # --- reads ---
    def training_dispute(self, number: int) -> TrainingDispute:
        """A dispute as it stands."""
        found: TrainingDispute = self.read(self.training.call("disputeOf", number))
        return found

    def training_bond(self, node: int) -> tuple[int, int, int]:
        """Free and leaving bond of a node in wei, and when the latter may be withdrawn (seconds)."""
        free, exiting, exit_at = self.read(self.training.call("bondOf", node))
        return int(free), int(exiting), int(exit_at)

    def training_fault(self, training: Training) -> int | None:
        """The dispute that a training has lost, or None."""
        return int(self.read(self.training.call("faultOf", training_hash(training)))) or None

    def dispute_bond(self) -> int:
        """Wei that each party of a dispute risks."""
        return int(self.read(self.training.call("BOND")))

    # --- what is signed off chain ---
    def sign_training(self, signer_key: Signer, training: Training) -> bytes:
        """The hot key's signature of a training, which lets anybody dispute it."""
        digest = training_digest(training, chain_id=self.chain.chain_id, contract=self.training.address)
        return signer_key.sign_digest(digest)

    def sign_verdict(self, signer_key: Signer, number: int, *, trainer_right: bool) -> bytes:
        """A member's signature of a verdict over the step that is left."""
        dispute, contract = self.training_dispute(number), self.training.address
        digest = verdict_digest(number, dispute, trainer_right, chain_id=self.chain.chain_id, contract=contract)
        return signer_key.sign_digest(digest)

    # --- bonds ---
    def bond_training(self, by: Signer, node: int, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Add `amount` wei to a node's bond (approved first if need be); anyone may pay."""
        self._allow(by, self.training.address, amount)
        return self._send(by, self.training.call("bond", node, amount), options)

    def unbond_training(self, by: Signer, node: int, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: start to take out `amount` wei; restarts the delay of all that is leaving."""
        return self._send(by, self.training.call("unbond", node, amount), options)

    def withdraw_training(self, by: Signer, node: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: take what has left."""
        return self._send(by, self.training.call("withdraw", node), options)

    # --- moves ---
    def open_dispute(
        self,
        by: Signer,
        training: Training,
        signature: bytes,
        *,
        low: int,
        high: int,
        seed: bytes,
        **options: Unpack[SendOptions],
    ) -> tuple[int, Receipt]:
        """Challenger: checkpoint `high` does not follow from checkpoint `low`. Takes the bond (approved first)."""
        self._allow(by, self.training.address, self.dispute_bond())
        call = self.training.call("open", training, signature, low, high, seed)
        receipt = self._send(by, call, options)
        return int(receipt.event("DisputeOpened").args["dispute"]), receipt

    def state_middle(
        self,
        by: Signer,
        number: int,
        digest: int,
        siblings: Sequence[bytes],
        sketch: bytes,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Trainer: open the state in the middle and say its sketch (32 bytes for every eight rows)."""
        return self._send(by, self.training.call("answer", number, digest, siblings, sketch), options)

    def choose_half(self, by: Signer, number: int, *, agrees: bool, **options: Unpack[SendOptions]) -> Receipt:
        """Challenger: whether the middle is right."""
        return self._send(by, self.training.call("choose", number, agrees), options)

    def descend(
        self,
        by: Signer,
        number: int,
        step_root: bytes,
        first: Border,
        last: Border,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Trainer: fix the states of the one segment left."""
        return self._send(by, self.training.call("descend", number, step_root, first, last), options)

    def reseed(self, by: Signer, number: int, seed: bytes, **options: Unpack[SendOptions]) -> Receipt:
        """Challenger: draw rows for the steps."""
        return self._send(by, self.training.call("reseed", number, seed), options)

    def time_out(self, by: Signer, number: int, **options: Unpack[SendOptions]) -> Receipt:
        """Anyone, after the deadline: who was to move has lost."""
        return self._send(by, self.training.call("timeout", number), options)

    def resolve_dispute(
        self,
        by: Signer,
        number: int,
        *,
        trainer_right: bool,
        draw_seed: bytes,
        committee: Sequence[Seat],
        signatures: Mapping[int, bytes],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Anyone: bring the verdict of the task's latest draw; one 65-byte signature a node."""
        bitmap, packed = assemble_signatures(committee, signatures)
        options.setdefault("gas", _RESOLVE_GAS + _RESOLVE_GAS_PER_SEAT * len(committee))
        parts = (trainer_right, draw_seed, pack_committee(committee), bitmap, packed)
        return self._send(by, self.training.call("resolve", number, *parts), options)
