"""`Ledger`: typed reads and writes over one deployment. Every write waits for its receipt and returns its
events."""

from __future__ import annotations

from typing import Unpack

from eth_abi.abi import encode

from ledger.accounts import Signer
from ledger.disputes import DisputeCalls
from ledger.hashing import keccak
from ledger.report import domain_separator, typed_digest
from ledger.rounds import RoundCalls
from ledger.sender import SendOptions
from ledger.training_disputes import TrainingDisputeCalls
from ledger.types import Mode, Receipt, TaskParams

_POSSESSION_TYPEHASH = keccak(b"Possession(address owner,address signer)")


class Ledger(RoundCalls, DisputeCalls, TrainingDisputeCalls):
    """Reads and writes. The first argument of a write is the `Signer` that pays for it.

    A write raises the class of `ledger.contract_errors` that the contract refused with, or what
    `Transmitter.send` raises; `gas=`, `timeout_s=` and `still_needed=` go to it. Thread-safe; keep one Ledger
    a process, since it counts nonces.
    """

    # --- token ---
    def mint(self, by: Signer, to: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Create `amount` wei of the development token for `to`; only where the deployment has that token."""
        return self._send(by, self.token.call("mint", to, amount), options)

    def transfer(self, by: Signer, to: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Send `amount` wei of `by`'s tokens to `to`."""
        return self._send(by, self.token.call("transfer", to, amount), options)

    # --- stake ---
    def possession(self, owner: str, signer_key: Signer) -> bytes:
        """The hot key's proof that it agrees to sign for a node of `owner`."""
        separator = domain_separator(
            name="Credence StakeVault",
            version="1",
            chain_id=self.chain.chain_id,
            verifying_contract=self.vault.address,
        )
        types = ("bytes32", "address", "address")
        struct_hash = keccak(encode(types, (_POSSESSION_TYPEHASH, owner, signer_key.address)))
        return signer_key.sign_digest(typed_digest(separator, struct_hash))

    def register(
        self, by: Signer, signer_key: Signer, amount: int, **options: Unpack[SendOptions]
    ) -> tuple[int, Receipt]:
        """Register a node owned by `by` with this hot key, bonding `amount` wei (approved first if need
        be)."""
        self._allow(by, self.vault.address, amount)
        proof = self.possession(by.address, signer_key)
        receipt = self._send(by, self.vault.call("register", signer_key.address, amount, proof), options)
        return int(receipt.event("Registered").args["node"]), receipt

    def bond(self, by: Signer, node: int, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Add `amount` wei to a node's stake (approved first if need be); anyone may pay."""
        self._allow(by, self.vault.address, amount)
        return self._send(by, self.vault.call("bond", node, amount), options)

    def unbond(self, by: Signer, node: int, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: start to take out `amount` wei; restarts the delay of all exiting stake."""
        return self._send(by, self.vault.call("unbond", node, amount), options)

    def withdraw(self, by: Signer, node: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: take the exiting stake once the delay is over."""
        return self._send(by, self.vault.call("withdraw", node), options)

    def take_seats(self, by: Signer, node: int, count: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: put `count` seats in the draw, each backed by the seat stake."""
        return self._send(by, self.vault.call("takeSeats", node, count), options)

    def leave_seats(self, by: Signer, node: int, count: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner: take `count` seats out of the draw."""
        return self._send(by, self.vault.call("leaveSeats", node, count), options)

    # --- tasks ---
    def create_task(
        self, by: Signer, params: TaskParams, funded_rounds: int | None = None, **options: Unpack[SendOptions]
    ) -> tuple[int, Receipt]:
        """Create a task and pay for its first `funded_rounds` rounds (None = all) from `by` (approved first if need
        be)."""
        funded = params.rounds if funded_rounds is None else funded_rounds
        self._allow(by, self.book.address, funded * params.pools)
        receipt = self._send(by, self.book.call("createTask", params, funded), options)
        return int(receipt.event("TaskCreated").args["task"]), receipt

    def fund_task(self, by: Signer, task: int, rounds: int, **options: Unpack[SendOptions]) -> Receipt:
        """Pay for `rounds` more rounds of a task (approved first if need be); anyone may."""
        self._allow(by, self.book.address, rounds * self.stored_task(task).params.pools)
        return self._send(by, self.book.call("fundTask", task, rounds), options)

    def cancel_task(self, by: Signer, task: int, **options: Unpack[SendOptions]) -> Receipt:
        """Owner, before the start: everything paid in returns."""
        return self._send(by, self.book.call("cancelTask", task), options)

    def close_task(self, by: Signer, task: int, **options: Unpack[SendOptions]) -> Receipt:
        """After the last window: what no final round has earned goes back to the owner; anyone may call."""
        if self.stored_task(task).params.mode == Mode.ROOT:
            final = self.final(task)
            call = self.book.call("closeRootTask", task, self._settled(final), self._state(final))
        else:
            call = self.book.call("closeTask", task)
        return self._send(by, call, options)
