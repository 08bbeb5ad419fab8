"""What the contracts compute, written again in plain Python from the interfaces alone.

The golden vectors in tests/vectors come from here; forge holds Solidity against them, pytest the rest of the project.
Nothing here imports the product, and nothing in the product imports this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

LANES = 15
UNITS = 1_000_000
ACCEPTED = 32_768

REPORT_FIELDS = [
    ("mode", "uint8"),
    ("task", "uint64"),
    ("round", "uint32"),
    ("seed", "bytes32"),
    ("committeeHash", "bytes32"),
    ("attempt", "uint32"),
    ("parent", "bytes32"),
    ("submissionsRoot", "bytes32"),
    ("votesHash", "bytes32"),
    ("sketchDigest", "bytes32"),
    ("wordsHash", "bytes32"),
    ("model", "bytes32"),
    ("record", "bytes32"),
    ("rewardTotal", "uint256"),
]


def pack(lanes: Sequence[int], top: int = 0) -> int:
    """15 lanes or fewer as one word; `top` goes to bits 240."""
    word = top << 240
    for index, lane in enumerate(lanes):
        word |= lane << (16 * index)
    return word


def unpack(word: int) -> list[int]:
    return [(word >> (16 * index)) & 0xFFFF for index in range(LANES)]


def words(lanes: Sequence[int]) -> list[int]:
    """Scores of slots in order as score words."""
    return [pack(lanes[start : start + LANES]) for start in range(0, len(lanes), LANES)]


def step_lane(rep: int, score: int, *, trainer: bool) -> int:
    if score == 0:
        return rep - rep // 64 if trainer else rep
    if score == 1:
        return rep - -(-rep // 4)
    if score > rep:
        return rep + (score - rep) // 16
    return rep - (rep - score) // 4


def step_word(word: int, scores: int, round_: int, *, trainer: bool) -> int:
    pairs = zip(unpack(word), unpack(scores), strict=True)
    return pack([step_lane(rep, score, trainer=trainer) for rep, score in pairs], round_)


def units(score_words: Sequence[int]) -> list[int]:
    """Contribution units of every lane of one round."""
    parts = [max(0, lane - ACCEPTED) for word in score_words for lane in unpack(word)]
    total = sum(parts)
    return [part * UNITS // total if total else 0 for part in parts]


def contribution_words(amounts: Sequence[int]) -> list[int]:
    """Units of slots in order, eight to a word."""
    return [
        sum(amount << (32 * lane) for lane, amount in enumerate(amounts[start : start + 8]))
        for start in range(0, len(amounts), 8)
    ]


def lower_median(votes: Sequence[int]) -> int:
    """Votes, one for each seat; zero abstains."""
    cast = sorted(vote for vote in votes if vote)
    return cast[(len(cast) - 1) // 2] if cast else 0


def tree_levels(leaves: Sequence[int]) -> list[list[bytes]]:
    width = 1
    while width < len(leaves):
        width *= 2
    padded = list(leaves) + [0] * (width - len(leaves))
    levels = [[keccak(b"\0" + leaf.to_bytes(32, "big")) for leaf in padded]]
    while len(levels[-1]) > 1:
        low = levels[-1]
        levels.append([keccak(b"\1" + low[i] + low[i + 1]) for i in range(0, len(low), 2)])
    return levels


def tree_root(leaves: Sequence[int]) -> bytes:
    return tree_levels(leaves)[-1][0]


def tree_proof(leaves: Sequence[int], index: int) -> list[bytes]:
    return [level[(index >> depth) ^ 1] for depth, level in enumerate(tree_levels(leaves)[:-1])]


def draw(seed: bytes, size: int, count: int) -> list[int]:
    """The first `count` positions of a Fisher-Yates shuffle of 0..size-1."""
    places = list(range(size))
    for i in range(count):
        j = i + int.from_bytes(keccak(seed + i.to_bytes(32, "big")), "big") % (size - i)
        places[i], places[j] = places[j], places[i]
    return places[:count]


def seed_of(chain_id: int, book: str, task: int, round_: int, mix_hash: bytes) -> bytes:
    types = ["uint256", "address", "uint64", "uint32", "bytes32"]
    return keccak(encode(types, [chain_id, book, task, round_, mix_hash]))


def mix_hash(header: bytes) -> bytes:
    fields: list[bytes] = rlp.decode(header)
    return fields[13]


def committee_hash(seats: Sequence[tuple[int, str]]) -> bytes:
    return keccak(b"".join(node.to_bytes(4, "big") + bytes.fromhex(signer[2:]) for node, signer in seats))


def votes_hash(votes: Sequence[tuple[int, bytes, bytes, bytes]]) -> bytes:
    return keccak(encode(["(uint32,bytes32,bytes32,bytes32)[]"], [list(votes)]))


def words_hash(trainer: Sequence[int], verifier: Sequence[int]) -> bytes:
    return keccak(b"".join(word.to_bytes(32, "big") for word in [*trainer, *verifier]))


def typed_report(report: dict[str, Any], chain_id: int, book: str) -> dict[str, Any]:
    """A report as EIP-712 typed data, for a wallet to sign."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Report": [{"name": name, "type": kind} for name, kind in REPORT_FIELDS],
        },
        "primaryType": "Report",
        "domain": {"name": "Credence", "version": "1", "chainId": chain_id, "verifyingContract": book},
        "message": report,
    }


def report_digest(report: dict[str, Any], chain_id: int, book: str) -> bytes:
    signable = encode_typed_data(full_message=typed_report(report, chain_id, book))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def typed_possession(owner: str, signer: str, chain_id: int, vault: str) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Possession": [{"name": "owner", "type": "address"}, {"name": "signer", "type": "address"}],
        },
        "primaryType": "Possession",
        "domain": {"name": "Credence StakeVault", "version": "1", "chainId": chain_id, "verifyingContract": vault},
        "message": {"owner": owner, "signer": signer},
    }
