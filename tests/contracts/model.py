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


def tree_levels(leaves: Sequence[int], fill: int = 0) -> list[list[bytes]]:
    width = 1
    while width < len(leaves):
        width *= 2
    padded = list(leaves) + [fill] * (width - len(leaves))
    levels = [[keccak(b"\0" + leaf.to_bytes(32, "big")) for leaf in padded]]
    while len(levels[-1]) > 1:
        low = levels[-1]
        levels.append([keccak(b"\1" + low[i] + low[i + 1]) for i in range(0, len(low), 2)])
    return levels


def tree_root(leaves: Sequence[int]) -> bytes:
    return tree_levels(leaves)[-1][0]


def tree_proof(leaves: Sequence[int], index: int) -> list[bytes]:
    return [level[(index >> depth) ^ 1] for depth, level in enumerate(tree_levels(leaves)[:-1])]


def sum_levels(amounts: Sequence[int], depth: int) -> list[list[tuple[bytes, int]]]:
    """Hash and sum of every node of a pay tree, leaves first."""
    padded = [*amounts, *[0] * (2**depth - len(amounts))]
    levels = [[(keccak(b"\2" + amount.to_bytes(12, "big")), amount) for amount in padded]]
    while len(levels[-1]) > 1:
        low = levels[-1]
        row = []
        for left, right in zip(low[::2], low[1::2], strict=True):
            parts = [node[0] + node[1].to_bytes(12, "big") for node in (left, right)]
            row.append((keccak(b"\3" + parts[0] + parts[1]), left[1] + right[1]))
        levels.append(row)
    return levels


def sum_proof(amounts: Sequence[int], depth: int, index: int) -> tuple[list[int], list[bytes]]:
    """Sums and hashes of the siblings, lowest first."""
    siblings = [level[(index >> height) ^ 1] for height, level in enumerate(sum_levels(amounts, depth)[:-1])]
    return [node[1] for node in siblings], [node[0] for node in siblings]


def word_root(word: int, index: int, siblings: Sequence[int]) -> int:
    """What a word and siblings make of themselves at an index of a tree of words, whether they belong there or not."""
    node = keccak(b"\0" + word.to_bytes(32, "big"))
    for height, sibling in enumerate(siblings):
        pair = [node, sibling.to_bytes(32, "big")]
        node = keccak(b"\1" + b"".join(pair if (index >> height) & 1 == 0 else pair[::-1]))
    return int.from_bytes(node, "big")


def sum_root(amount: int, index: int, sums: Sequence[int], siblings: Sequence[int]) -> tuple[int, int]:
    """The same of a pay tree: hash and sum."""
    node, total = keccak(b"\2" + amount.to_bytes(12, "big")), amount
    for height, (sum_, sibling) in enumerate(zip(sums, siblings, strict=True)):
        pair = [node + total.to_bytes(12, "big"), sibling.to_bytes(32, "big") + sum_.to_bytes(12, "big")]
        node = keccak(b"\3" + b"".join(pair if (index >> height) & 1 == 0 else pair[::-1]))
        total += sum_
    return int.from_bytes(node, "big"), total


def both_roles(by_role: Sequence[Sequence[int]], levels: int, fill: int = 0) -> list[int]:
    """Leaves of a tree of words: trainers' half, then verifiers'."""
    return [word for words_ in by_role for word in [*words_, *[fill] * (2**levels - len(words_))]]


def pay_leaves(wei: Sequence[int], levels: int) -> list[int]:
    """Leaves of a role's pay tree from wei by slot: 15 of every 16."""
    leaves = [0] * (16 << levels)
    for slot, amount in enumerate(wei):
        leaves[slot // LANES * 16 + slot % LANES] = amount
    return leaves


def root_round(
    before: dict[str, Any], scores: Sequence[Sequence[int]], round_: int, pools: Sequence[int], levels: int
) -> dict[str, Any]:
    """Root mode's state after a round: scores by role and slot in, words, wei and the seven signed words out."""
    state: dict[str, Any] = {"scores": [], "words": [], "wei": []}
    points, totals = [], []
    for role, pool in enumerate(pools):
        score_words = words(scores[role])
        old = [*before["words"][role], *[0] * (len(score_words) - len(before["words"][role]))]
        new = [step_word(w, s, round_, trainer=role == 0) for w, s in zip(old, score_words, strict=True)]
        parts = [max(0, score - ACCEPTED) for score in scores[role]]
        wei = [*before["wei"][role], *[0] * (len(parts) - len(before["wei"][role]))]
        wei = [was + (pool * part // sum(parts) if sum(parts) else 0) for was, part in zip(wei, parts, strict=True)]
        for name, value in (("scores", score_words), ("words", new), ("wei", wei)):
            state[name].append(value)
        points.append(sum(parts))
        totals.append(sum(wei))
    pay = [sum_levels(pay_leaves(wei, levels), levels + 4)[-1][0][0] for wei in state["wei"]]
    state["root"] = [
        tree_root(both_roles(state["scores"], levels)),
        tree_levels(both_roles(state["words"], levels, fill=round_ << 240))[-1][0],
        *pay,
        totals[0] | totals[1] << 128,
        points[0] | points[1] << 128,
        keccak(repr(state).encode()),
    ]
    return state


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


def pack_committee(seats: Sequence[tuple[int, str]]) -> bytes:
    return b"".join(node.to_bytes(4, "big") + bytes.fromhex(signer[2:]) for node, signer in seats)


def committee_hash(seats: Sequence[tuple[int, str]]) -> bytes:
    return keccak(pack_committee(seats))


def votes_hash(votes: Sequence[tuple[int, bytes, bytes, bytes]]) -> bytes:
    return keccak(encode(["(uint32,bytes32,bytes32,bytes32)[]"], [list(votes)]))


def words_hash(trainer: Sequence[int], verifier: Sequence[int]) -> bytes:
    return keccak(b"".join(word.to_bytes(32, "big") for word in [*trainer, *verifier]))


SETTLED = ["bytes32", "uint256", "bytes32", "bytes32", "uint32"]
ROOT_STATE = ["bytes32", "bytes32", "bytes32", "bytes32", "uint256", "uint256", "bytes32"]


def settled_hash(settled: Sequence[Any]) -> bytes:
    """Digest, signers, model, state, trainer words."""
    return keccak(encode(SETTLED, settled))


def state_hash(state: Sequence[Any]) -> bytes:
    """Scores, reputation, pay of trainers and verifiers, totals, points, data."""
    return keccak(encode(ROOT_STATE, state))


def typed_book(kind: str, fields: Sequence[tuple[str, str]], message: dict[str, Any], chain_id: int, book: str) -> Any:
    """A message of the RoundBook's domain as EIP-712 typed data, for a wallet to sign."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            kind: [{"name": name, "type": type_} for name, type_ in fields],
        },
        "primaryType": kind,
        "domain": {"name": "Credence", "version": "1", "chainId": chain_id, "verifyingContract": book},
        "message": message,
    }


def typed_report(report: dict[str, Any], chain_id: int, book: str) -> dict[str, Any]:
    """A report as EIP-712 typed data."""
    return typed_book("Report", REPORT_FIELDS, report, chain_id, book)  # type: ignore[no-any-return]


def typed_digest(typed: dict[str, Any]) -> bytes:
    """What a wallet signs of typed data."""
    signable = encode_typed_data(full_message=typed)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def report_digest(report: dict[str, Any], chain_id: int, book: str) -> bytes:
    return typed_digest(typed_report(report, chain_id, book))


OBSERVATION_FIELDS = [
    ("task", "uint64"),
    ("round", "uint32"),
    ("seed", "bytes32"),
    ("node", "uint32"),
    ("commitment", "bytes32"),
]


def observation_digest(observation: dict[str, Any], chain_id: int, book: str) -> bytes:
    return typed_digest(typed_book("Observation", OBSERVATION_FIELDS, observation, chain_id, book))


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
