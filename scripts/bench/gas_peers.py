"""What other contracts pay for scores: one transaction each, plain arrays, and the published batching contract.

Every figure is gas per node, or per record of two scores for `DragScores`; "first" writes go to empty slots, "steady"
ones change what is there. Values always change, so that no write is a free one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from eth_utils.address import to_checksum_address

from ledger import Signer
from ledger.hashing import keccak
from ledger.rpc import RpcChain
from scripts.bench.gas_chain import Deployed, chunks, compile_peers, payer

# (records in a batch, gas a record): as measured on the published contract itself with its own compiler settings
# (solc 0.8.24, paris), steady, strings as short as in its own test.
DRAG_MEASURED = {1: 55_238, 8: 32_253, 20: 30_294, 64: 29_412, 256: 29_196}
DRAG_SIZES = (1, 2, 8, 20, 64, 256)
DRAG_BATCH = 256  # the most that is sent as one of its batches here
ARRAY_BATCH = 512  # new slots: some 26k gas each
MESSAGE, INFO = "feedback for query 1", "round info"


def score_of(node: int, round_: int) -> int:
    """A score that differs from round to round and node to node, 32769..65535."""
    return 32_769 + int.from_bytes(hashlib.sha256(b"%d %d" % (node, round_)).digest()[:4], "big") % 32_767


def address_of(node: int) -> str:
    """The address under which a peer knows a node."""
    return str(to_checksum_address(keccak(b"node %d" % node)[12:]))


def measure_single(peer: Deployed) -> dict[str, int]:
    """Gas of one score in its own transaction, first and steady; the same whatever N."""
    first = peer.send("score", address_of(1), score_of(1, 1))
    steady = [peer.send("score", address_of(1), score_of(1, round_)) for round_ in (2, 3, 4)]
    return {"first": first, "steady": round(sum(steady) / len(steady))}


def measure_arrays(peer: Deployed, sizes: list[int]) -> dict[int, dict[str, Any]]:
    """Total gas and transactions of N scores in arrays, first and steady, by N. Each size has nodes of its own."""
    found = {}
    base = 10**6
    for size in sizes:
        nodes = list(range(base, base + size))
        base += size
        gas = []
        for round_ in (1, 2):
            parts = chunks(nodes, ARRAY_BATCH)
            gas.append(
                sum(
                    peer.send("score", [address_of(node) for node in part], [score_of(node, round_) for node in part])
                    for part in parts
                )
            )
        found[size] = {"first": gas[0], "steady": gas[1], "transactions": len(parts)}
    return found


class DragRig:
    """Sources with keys and records, and batches of one query each."""

    def __init__(self, peer: Deployed) -> None:
        self.peer = peer
        self.sources = [Signer.from_seed(b"gas benchmark", f"source {i}") for i in range(DRAG_BATCH)]
        self.sent = 0

    def ids(self, name: str, count: int) -> list[str]:
        """Keys of a fresh set of records, created with scores of 0."""
        ids = [f"{name}{i}" for i in range(count)]
        for id_, source in zip(ids, self.sources, strict=False):
            self.peer.send("create", id_, source.address, 0, 0)
        return ids

    def update(self, ids: list[str], message: str, info: str) -> int:
        """Gas of one batch with scores that all differ from those before."""
        self.sent += 1
        signed = keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message.encode())
        signatures = [source.sign_digest(signed) for source in self.sources[: len(ids)]]
        reliability = [score_of(i, self.sent) for i in range(len(ids))]
        usefulness = [score_of(i, 10**6 + self.sent) for i in range(len(ids))]
        gas = self.peer.send("update", message, signatures, ids, reliability, usefulness, info)
        kept = self.peer.read("recordOf", ids[-1])
        if (kept["reliability"], kept["usefulness"]) != (reliability[-1], usefulness[-1]):
            raise RuntimeError(f"record {ids[-1]} was not updated")
        return gas


def realistic(ids: list[str]) -> tuple[str, str]:
    """A message and an info as an LLM service writes them: JSON of the query and of each source's scores."""
    query = "who was the first person to walk on the south pole and in which year did it happen"
    message = json.dumps({"query": query, "selected_sources": {id_: [10_000, 10_000] for id_ in ids}})
    info = json.dumps(
        {"query": query, "answer": "Roald Amundsen, 1911", "model": "llama-3.2-3b", "timestamp": 1_750_000_000}
    )
    return message, info


def measure_drag(peer: Deployed, sizes: tuple[int, ...]) -> dict[str, dict[int, int]]:
    """Total gas of one batch by its size: first and steady with short strings, steady with real ones."""
    rig = DragRig(peer)
    found: dict[str, dict[int, int]] = {"first": {}, "steady": {}, "realistic": {}}
    for size in sizes:
        ids = rig.ids(f"s{size}_", size)
        found["first"][size] = rig.update(ids, MESSAGE, INFO)
        found["steady"][size] = rig.update(ids, MESSAGE, INFO)
        if size <= 64:
            found["realistic"][size] = rig.update(ids, *realistic(ids))
    return found


def measure_peers(chain: RpcChain, sizes: list[int], *, drag_sizes: tuple[int, ...] = DRAG_SIZES) -> dict[str, Any]:
    """All three, on a chain that is theirs alone."""
    compiled = compile_peers()
    by = payer(chain, "peers")
    deployed = {name: Deployed.create(chain, by, name, contract) for name, contract in compiled.items()}
    return {
        "single": measure_single(deployed["SingleScore"]),
        "arrays": measure_arrays(deployed["ArrayScores"], sizes),
        "drag": measure_drag(deployed["DragScores"], drag_sizes),
    }
