"""`Ledger`: typed reads and writes over one deployment. Every write waits for its receipt and returns its
events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, Unpack

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger.abi import Call
from ledger.accounts import Signer
from ledger.contract_errors import NothingPosted
from ledger.reads import Reads
from ledger.report import assemble_signatures, domain_separator, typed_digest
from ledger.transmit import Transmitter
from ledger.types import Event, Receipt, Report, Role, Seat, TaskParams, Vote

_POSSESSION_TYPEHASH = keccak(text="Possession(address owner,address signer)")
_DRAW_GAS, _DRAW_GAS_PER_SEAT = 500_000, 120_000


class SendOptions(TypedDict, total=False):
    """What every write takes besides its arguments: see `Transmitter.send`."""

    gas: int | None
    timeout_s: float
    still_needed: Callable[[], bool] | None


class Ledger(Reads):
    """Reads and writes. The first argument of a write is the `Signer` that pays for it.

    A write raises the class of `ledger.contract_errors` that the contract refused with, or what
    `Transmitter.send` raises; `gas=`, `timeout_s=` and `still_needed=` go to it. Thread-safe; keep one Ledger
    a process, since it counts nonces.
    """

    def transmitter(self, by: Signer) -> Transmitter:
        """The one Transmitter of a key."""
        with self._lock:
            known: dict[str, Transmitter] = self.__dict__.setdefault("_transmitters", {})
            return known.setdefault(by.address, Transmitter(self.chain, by))

    def _send(self, by: Signer, call: Call, options: SendOptions) -> Receipt:
        return self.transmitter(by).send(call, **options)

    # --- token ---
    def mint(self, by: Signer, to: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Create `amount` wei of the development token for `to`; only where the deployment has that token."""
        return self._send(by, self.token.call("mint", to, amount), options)

    def approve(self, by: Signer, spender: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Let `spender` take up to `amount` wei of `by`'s tokens."""
        return self._send(by, self.token.call("approve", spender, amount), options)

    def transfer(self, by: Signer, to: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Send `amount` wei of `by`'s tokens to `to`."""
        return self._send(by, self.token.call("transfer", to, amount), options)

    def _allow(self, by: Signer, spender: str, amount: int) -> None:
        """Approve exactly `amount` where less is allowed."""
        if self.allowance(by.address, spender) < amount:
            self.approve(by, spender, amount)

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
    def create_task(self, by: Signer, params: TaskParams, **options: Unpack[SendOptions]) -> tuple[int, Receipt]:
        """Create a task and fund all its rounds from `by` (approved first if need be)."""
        self._allow(by, self.book.address, params.rounds * (params.trainer_pool + params.verifier_pool))
        receipt = self._send(by, self.book.call("createTask", params), options)
        return int(receipt.event("TaskCreated").args["task"]), receipt

    def close_task(self, by: Signer, task: int, **options: Unpack[SendOptions]) -> Receipt:
        """After the last window: unspent pools go back to the owner; anyone may call."""
        return self._send(by, self.book.call("closeTask", task), options)

    def join(
        self, by: Signer, task: int, node: int, role: Role, endpoint: str = "", **options: Unpack[SendOptions]
    ) -> Receipt:
        """Take a slot in a task; `endpoint` (at most 128 bytes) is where peers reach the node."""
        return self._send(by, self.book.call("join", task, node, role, endpoint), options)

    # --- one round ---
    def commit(
        self, by: Signer, task: int, round: int, node: int, commitment: bytes, **options: Unpack[SendOptions]
    ) -> Receipt:
        """COMMIT phase: a trainer's 32-byte commitment (`update_commitment`)."""
        return self._send(by, self.book.call("commit", task, round, node, commitment), options)

    def reveal(
        self,
        by: Signer,
        task: int,
        round: int,
        node: int,
        manifest: bytes,
        length: int,
        salt: bytes,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """REVEAL phase: open the commitment; `length` is the manifest's size in bytes."""
        call = self.book.call("reveal", task, round, node, manifest, length, salt)
        return self._send(by, call, options)

    def open_probe(self, by: Signer, task: int, round: int, key: bytes, **options: Unpack[SendOptions]) -> Receipt:
        """Task owner, POST phase: the 32-byte key of this round's probe shard."""
        return self._send(by, self.book.call("openProbe", task, round, key), options)

    def arm_beacon(self, by: Signer, task: int, round: int, **options: Unpack[SendOptions]) -> Receipt:
        """POST phase, anyone, once: fix the block whose mixHash seeds the round."""
        return self._send(by, self.book.call("armBeacon", task, round), options)

    def draw_committee(self, by: Signer, task: int, round: int, **options: Unpack[SendOptions]) -> Receipt:
        """POST phase, anyone: prove the seed block by its header and draw.

        Waits until the block exists, at most `timeout_s` (60), and on the in-process chain mines it. Raises
        `ClockStandsStill` where it does not come.
        """
        live = self.live(task)
        header = b""
        if live.armed_round == round:  # otherwise the contract says what is wrong
            missing = live.seed_block - self.chain.block_number()
            if missing > 0:
                self.chain.mine(missing, timeout_s=options.get("timeout_s", 60.0))
            header = self.chain.header_rlp(live.seed_block)
        if options.get("gas") is None and not self.chain.can_move_clock:
            # An estimate runs on the head, where a block that is the head has no hash yet.
            options["gas"] = _DRAW_GAS + _DRAW_GAS_PER_SEAT * self.task(task).params.seats
        return self._send(by, self.book.call("drawCommittee", task, round, header), options)

    def post(
        self,
        by: Signer,
        report: Report,
        committee: Sequence[Seat],
        votes: Sequence[Vote],
        trainer_words: Sequence[int],
        verifier_words: Sequence[int],
        signatures: Mapping[int, bytes],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """POST phase, anyone: settle a report with the signatures (65 bytes, by node) of seats of quorum
        weight."""
        bitmap, joined = assemble_signatures(committee, signatures)
        call = self.book.call("post", report, committee, votes, trainer_words, verifier_words, bitmap, joined)
        return self._send(by, call, options)

    def challenge_score(
        self,
        by: Signer,
        posted: Event,
        word_index: int,
        vote_words: Sequence[int],
        proofs: Sequence[Sequence[bytes]],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """WINDOW: prove that a trainer word is not the lower median of the signed votes.

        `posted` is the `Posted` event; `vote_words` has word `word_index` of each vote, in the votes' order,
        `proofs` its `tree_proof`.
        """
        committee = self.committee(posted.args["task"], posted.args["round"]) or ()
        parts = (posted.args[name] for name in ("votes", "trainerWords", "verifierWords", "signerBitmap"))
        call = self.book.call(
            "challengeScore", posted.args["report"], committee, *parts, word_index, vote_words, proofs
        )
        return self._send(by, call, options)

    def equivocate(
        self,
        by: Signer,
        a: Report,
        signature_a: bytes,
        b: Report,
        signature_b: bytes,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Prove two different reports of one attempt signed by one member; slashes it, pays `by`."""
        return self._send(by, self.book.call("equivocate", a, signature_a, b, signature_b), options)

    def finalise(self, by: Signer, task: int, **options: Unpack[SendOptions]) -> Receipt:
        """After the window, anyone: apply the pending post, read from its event. Raises `NothingPosted`."""
        live = self.live(task)
        posted = self.posted(task, live.posted_round) if live.posted_round else None
        if posted is None:
            raise NothingPosted("NothingPosted", {"task": task})
        report, trainers, verifiers = (posted.args[name] for name in ("report", "trainerWords", "verifierWords"))
        return self._send(by, self.book.call("finalise", task, report, trainers, verifiers), options)

    def claim(self, by: Signer, task: int, role: Role, node: int, **options: Unpack[SendOptions]) -> Receipt:
        """Pay a node's owner what it earned and was not paid; anyone may call. The amount is in `Claimed`."""
        return self._send(by, self.book.call("claim", task, role, node), options)
