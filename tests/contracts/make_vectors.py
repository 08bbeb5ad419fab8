"""Write the contracts' files of tests/vectors from the model: `python -m tests.contracts.make_vectors`."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import rlp

from tests.contracts import model
from tests.contracts.digests import make_digests

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
CHAIN_ID = 31_337
BOOK = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def word_hex(word: int) -> str:
    return f"0x{word:064x}"


def make_words(rng: random.Random) -> dict[str, Any]:
    """Columns, one row a case: edges first, then random lanes."""
    edges = [0, 1, 2, 3, 4, 63, 64, 65, 32_767, 32_768, 32_769, 65_534, 65_535]
    pairs = [(rep, score) for rep in edges for score in edges]
    cases = [pairs[start : start + 15] for start in range(0, len(pairs), 15)]
    cases += [[(rng.randrange(65_536), rng.randrange(65_536)) for _ in range(15)] for _ in range(24)]
    cases += [[(rng.randrange(65_536), rng.choice([0, 1, 2])) for _ in range(15)] for _ in range(8)]
    befores, scores, rounds, trainers, verifiers = [], [], [], [], []
    for index, case in enumerate(cases):
        round_ = [1, 4294, 7, 1000][index % 4]
        before = model.pack([rep for rep, _ in case], round_ - 1)
        score = model.pack([value for _, value in case])
        befores.append(word_hex(before))
        scores.append(word_hex(score))
        rounds.append(round_)
        trainers.append(word_hex(model.step_word(before, score, round_, trainer=True)))
        verifiers.append(word_hex(model.step_word(before, score, round_, trainer=False)))
    medians = []
    for size in (0, 1, 2, 3, 4, 5, 7, 16, 31):
        votes = [rng.choice([0, 1, 2, rng.randrange(65_536)]) for _ in range(size)]
        medians.append({"votes": votes, "median": model.lower_median(votes)})
    tied = [5, 9, 9, 5, 0, 5, 9]
    medians.append({"votes": tied, "median": model.lower_median(tied)})
    contributions = []
    for slots in (1, 7, 15, 16, 40):
        words = model.words([rng.choice([0, 1, rng.randrange(65_536)]) for _ in range(slots)])
        units = model.units(words)
        contributions.append(
            {
                "scores": [word_hex(word) for word in words],
                "units": sum(units),
                "words": [word_hex(word) for word in model.contribution_words(units)],
            }
        )
    return {
        "step": {
            "before": befores,
            "scores": scores,
            "round": rounds,
            "trainer": trainers,
            "verifier": verifiers,
        },
        "median": medians,
        "contribution": contributions,
    }


def make_tree(rng: random.Random) -> dict[str, Any]:
    cases = []
    for count in (1, 2, 3, 5, 8, 9, 17):
        words = [rng.getrandbits(256) for _ in range(count)]
        index = rng.randrange(count)
        cases.append(
            {
                "words": [word_hex(word) for word in words],
                "root": "0x" + model.tree_root(words).hex(),
                "index": index,
                "proof": ["0x" + node.hex() for node in model.tree_proof(words, index)],
            }
        )
    return {"cases": cases}


def make_sumtree(rng: random.Random) -> dict[str, Any]:
    cases = []
    for count, depth in ((0, 0), (1, 0), (1, 4), (5, 3), (16, 4), (40, 6)):
        amounts = [rng.getrandbits(rng.choice([1, 60, 88])) for _ in range(count)]
        index = rng.randrange(2**depth)
        root, total = model.sum_levels(amounts, depth)[-1][0]
        sums, siblings = model.sum_proof(amounts, depth, index)
        cases.append(
            {
                "amounts": [hex(amount) for amount in amounts],
                "depth": depth,
                "root": "0x" + root.hex(),
                "total": hex(total),
                "index": index,
                "amount": hex([*amounts, *[0] * (2**depth - count)][index]),
                "sums": [hex(value) for value in sums],
                "siblings": ["0x" + node.hex() for node in siblings],
            }
        )
    return {"cases": cases}


def make_report(rng: random.Random) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, kind in model.REPORT_FIELDS:
        report[name] = rng.randbytes(32) if kind == "bytes32" else rng.getrandbits(min(int(kind[4:]), 90))
    digest = model.report_digest(report, CHAIN_ID, BOOK)
    seats = [(node, "0x" + rng.randbytes(20).hex()) for node in (3, 1, 3, 70_000)]
    votes = [(node, rng.randbytes(32), rng.randbytes(32), rng.randbytes(32)) for node in (1, 3, 70_000)]
    trainer, verifier = [rng.getrandbits(240) for _ in range(2)], [rng.getrandbits(240)]
    # The ABI encoding of the report, for readers that decode it whole.
    encoded = model.encode([kind for _, kind in model.REPORT_FIELDS], [report[name] for name, _ in model.REPORT_FIELDS])
    encoded_votes = model.encode(["(uint32,bytes32,bytes32,bytes32)[]"], [votes])
    state = [*(rng.randbytes(32) for _ in range(4)), rng.getrandbits(250), rng.getrandbits(250), rng.randbytes(32)]
    settled = [digest, rng.getrandbits(31), report["model"], model.state_hash(state), 7]
    observation = {"task": 5, "round": 6, "seed": rng.randbytes(32), "node": 70_000, "commitment": rng.randbytes(32)}
    return {
        "settled": {
            "encoded": "0x" + model.encode(model.SETTLED, settled).hex(),
            "hash": "0x" + model.settled_hash(settled).hex(),
        },
        "state": {
            "encoded": "0x" + model.encode(model.ROOT_STATE, state).hex(),
            "hash": "0x" + model.state_hash(state).hex(),
        },
        "observation": {
            **{name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in observation.items()},
            "digest": "0x" + model.observation_digest(observation, CHAIN_ID, BOOK).hex(),
        },
        "chainId": CHAIN_ID,
        "book": BOOK,
        "report": {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in report.items()},
        "encoded": "0x" + encoded.hex(),
        "digest": "0x" + digest.hex(),
        "committee": {
            "nodes": [node for node, _ in seats],
            "signers": [signer for _, signer in seats],
            "packed": "0x" + model.pack_committee(seats).hex(),
            "hash": "0x" + model.committee_hash(seats).hex(),
        },
        "votes": {"encoded": "0x" + encoded_votes.hex(), "hash": "0x" + model.votes_hash(votes).hex()},
        "words": {
            "trainer": [word_hex(word) for word in trainer],
            "verifier": [word_hex(word) for word in verifier],
            "hash": "0x" + model.words_hash(trainer, verifier).hex(),
        },
    }


def make_header(rng: random.Random) -> dict[str, Any]:
    """Headers as long as mainnet's of several forks, each with its mixHash and the seed that follows."""
    cases = []
    for fields in (15, 16, 17, 20, 21):
        sizes = [32, 32, 20, 32, 32, 32, 256, 0, 4, 4, 3, 4, 7, 32, 8, 5, 32, 3, 0, 32, 32][:fields]
        header: bytes = rlp.encode([bytes([1]) + rng.randbytes(size - 1) if size else b"" for size in sizes])
        mix_hash = model.mix_hash(header)
        cases.append(
            {
                "header": "0x" + header.hex(),
                "hash": "0x" + model.keccak(header).hex(),
                "mixHash": "0x" + mix_hash.hex(),
                "seed": "0x" + model.seed_of(CHAIN_ID, BOOK, 5, 6, mix_hash).hex(),
            }
        )
    return {"chainId": CHAIN_ID, "book": BOOK, "task": 5, "round": 6, "cases": cases}


def make_draw(rng: random.Random) -> dict[str, Any]:
    cases = []
    for size, count in ((1, 1), (7, 5), (7, 7), (31, 21), (1000, 31), (100_000, 128)):
        seed = rng.randbytes(32)
        cases.append(
            {"seed": "0x" + seed.hex(), "size": size, "count": count, "positions": model.draw(seed, size, count)}
        )
    return {"cases": cases}


@cache
def make_vectors() -> dict[str, str]:
    """Text of each file, by name."""
    makers = {
        "words": make_words,
        "tree": make_tree,
        "sumtree": make_sumtree,
        "report": make_report,
        "header": make_header,
        "draw": make_draw,
    }
    texts = {}
    for name, maker in makers.items():
        value = {"generator": "tests/contracts/make_vectors.py", **maker(random.Random(f"credence {name}"))}
        if "cases" in value:
            value["count"] = len(value["cases"])
        texts[name] = json.dumps(value, indent=1, sort_keys=True) + "\n"
    digests = {"generator": "tests/contracts/make_vectors.py", **make_digests()}
    texts["digests"] = json.dumps(digests, indent=1, sort_keys=True) + "\n"
    return texts


if __name__ == "__main__":
    for stem, text in make_vectors().items():
        (VECTORS / f"{stem}.json").write_text(text, encoding="utf-8")
