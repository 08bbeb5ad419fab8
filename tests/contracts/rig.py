"""One deployment on the in-process chain and the moves of a round, for tests that need real blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rlp
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_tester import EthereumTester, PyEVMBackend
from eth_utils.crypto import keccak
from web3 import EthereumTesterProvider, Web3
from web3.logs import DISCARD

from tests.contracts import model

BUILD = Path(__file__).resolve().parents[2] / "contracts" / "build"
TRAINER, VERIFIER = 0, 1
WORDS, ROOT = 0, 1
SEAT_STAKE = 1000 * 10**18
POOL = 100 * 10**18
POOLS = (POOL, POOL // 4)
PERIODS = {"commitS": 1000, "revealS": 1000, "postS": 1000, "windowS": 1000}
ZERO = "0x" + "00" * 20
NOTHING = (bytes(32), 0, bytes(32), bytes(32), 0)  # Settled before the first final round
NO_STATE = (bytes(32), bytes(32), bytes(32), bytes(32), 0, 0, bytes(32))
BATCH = 40


def start_chain() -> tuple[Web3, EthereumTester]:
    genesis = PyEVMBackend.generate_genesis_params({"gas_limit": 60_000_000})
    tester = EthereumTester(PyEVMBackend(genesis_parameters=genesis))
    return Web3(EthereumTesterProvider(tester)), tester


@dataclass
class Rig:
    """Deployed contracts, `trainers` + `members` registered nodes (ids from 1), every member with one seat."""

    trainers: int
    members: int
    quorum: int
    gas: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.w3, self.tester = start_chain()
        self.owner = self.w3.eth.accounts[0]
        nonce = self.w3.eth.get_transaction_count(self.owner)
        disputes, rounds = (self._address(nonce + place) for place in (4, 5))
        self.token = self.deploy("DevToken")
        self.vault = self.deploy("StakeVault", self.token.address, rounds, disputes, SEAT_STAKE, 10**18, 10**6)
        self.book = self.deploy("ReputationBook", rounds)
        self.rewards = self.deploy("Rewards", self.token.address, rounds, self.book.address, self.vault.address)
        self.disputes = self.deploy("Disputes", rounds, self.vault.address, 10**18)
        others = (self.vault, self.book, self.rewards, self.disputes)
        self.rounds = self.deploy("RoundBook", *(contract.address for contract in others), ZERO, 0)
        assert (self.disputes.address, self.rounds.address) == (disputes, rounds)
        self.keys = [Account.from_key(keccak(text=f"signer {i}")) for i in range(self.trainers + self.members)]
        self.send("mint", self.token.functions.mint(self.owner, 10**30))
        for contract in (self.vault, self.rounds, self.disputes):
            self.send("approve", self.token.functions.approve(contract.address, 2**256 - 1))
        self.batch("register", self.vault, [self._register(key) for key in self.keys])
        seats = range(self.trainers + 1, len(self.keys) + 1)
        self.batch("takeSeats", self.vault, [self.vault.encode_abi("takeSeats", [node, 1]) for node in seats])

    def _address(self, nonce: int) -> str:
        return Web3.to_checksum_address(keccak(rlp.encode([bytes.fromhex(self.owner[2:]), nonce]))[-20:])

    def _register(self, key: Any) -> str:
        typed = model.typed_possession(self.owner, key.address, self.w3.eth.chain_id, self.vault.address)
        proof = key.sign_message(encode_typed_data(full_message=typed)).signature
        return str(self.vault.encode_abi("register", [key.address, SEAT_STAKE, proof]))

    def deploy(self, name: str, *args: Any) -> Any:
        artifact = json.loads((BUILD / f"{name}.json").read_text())
        factory = self.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        sent = factory.constructor(*args).transact({"from": self.owner})
        receipt = self.w3.eth.get_transaction_receipt(sent)
        self.gas[f"deploy {name}"] = receipt["gasUsed"]
        return self.w3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])

    def send(self, name: str, call: Any) -> Any:
        receipt = self.w3.eth.get_transaction_receipt(call.transact({"from": self.owner, "gas": 16_000_000}))
        assert receipt["status"] == 1, name
        self.gas[name] = receipt["gasUsed"]
        return receipt

    def batch(self, name: str, contract: Any, calls: list[str]) -> None:
        """Many calls in few transactions; notes the gas of one of them."""
        for start in range(0, len(calls), BATCH):
            part = calls[start : start + BATCH]
            self.send(name, contract.functions.multicall(part))
            self.gas[name] //= len(part)

    def create_task(self, **changes: Any) -> int:
        params = {
            "specDigest": b"\1" * 32, "genesisModel": b"\2" * 32, "probeRoot": b"\3" * 32, "startsAt": 0,
            **PERIODS, "attemptS": 100, "rounds": 10, "seats": self.members, "quorum": self.quorum, "mode": WORDS,
            "levels": 0, "contributions": True, "trainerPool": POOLS[0], "verifierPool": POOLS[1],
            "slash": SEAT_STAKE // 2, **changes,
        }  # fmt: skip
        self.send("createTask", self.rounds.functions.createTask(params, params["rounds"]))
        task: int = self.rounds.functions.taskCount().call()
        nodes = {TRAINER: range(1, self.trainers + 1), VERIFIER: range(self.trainers + 1, len(self.keys) + 1)}
        for role, name in ((TRAINER, "join trainer"), (VERIFIER, "join verifier")):
            joins = [self.rounds.encode_abi("join", [task, node, role, ""]) for node in nodes[role]]
            self.batch(name, self.rounds, joins)
        return task

    def now(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def to_phase(self, task: int, round_: int, phase: int) -> None:
        starts = self.rounds.functions.taskOf(task).call()[0][3]
        target = starts + (round_ - 1) * sum(PERIODS.values()) + phase * 1000 + 1
        if target > self.now():
            self.tester.time_travel(target)

    def header(self, number: int) -> bytes:
        encoded: bytes = rlp.encode(self.tester.backend.chain.get_canonical_block_header_by_number(number))
        return encoded

    def draw(self, task: int, round_: int) -> tuple[bytes, list[tuple[int, str]]]:
        """Arm, wait, draw; returns the seed and the seats."""
        self.send("armBeacon", self.rounds.functions.armBeacon(task, round_))
        block = self.rounds.functions.liveOf(task).call()[1]
        self.tester.mine_blocks(3)
        receipt = self.send("drawCommittee", self.rounds.functions.drawCommittee(task, round_, self.header(block)))
        (event,) = self.rounds.events.CommitteeDrawn().process_receipt(receipt, errors=DISCARD)
        packed = bytes(event["args"]["committee"])
        seats = [packed[at : at + 24] for at in range(0, len(packed), 24)]
        drawn = [(int.from_bytes(seat[:4], "big"), Web3.to_checksum_address(seat[4:])) for seat in seats]
        return bytes(event["args"]["seed"]), drawn

    def report(self, task: int, round_: int, seed: bytes, seats: list[tuple[int, str]], votes: list[Any],
               words_hash: bytes, parent: bytes, **changes: Any) -> dict[str, Any]:  # fmt: skip
        return {
            "mode": WORDS, "task": task, "round": round_, "seed": seed,
            "committeeHash": model.committee_hash(seats), "attempt": 0, "parent": parent,
            "submissionsRoot": b"\5" * 32, "votesHash": model.votes_hash(votes), "sketchDigest": b"\6" * 32,
            "wordsHash": words_hash, "model": bytes([round_]) * 32, "record": b"\7" * 32, "rewardTotal": POOL,
            **changes,
        }  # fmt: skip

    def settled(self, report: dict[str, Any], signers: int, trainer_words: int) -> tuple[Any, ...]:
        """What the RoundBook remembers of a post."""
        digest = model.report_digest(report, self.w3.eth.chain_id, self.rounds.address)
        return (digest, signers, report["model"], report["wordsHash"], trainer_words)

    def sign(self, report: dict[str, Any], seats: list[tuple[int, str]], count: int) -> tuple[int, bytes]:
        """Bitmap and signatures of the first `count` seats (one seat a node)."""
        typed = model.typed_report(report, self.w3.eth.chain_id, self.rounds.address)
        signable = encode_typed_data(full_message=typed)
        return (1 << count) - 1, b"".join(
            self.keys[node - 1].sign_message(signable).signature for node, _ in seats[:count]
        )
