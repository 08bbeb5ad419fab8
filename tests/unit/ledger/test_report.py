"""Hashes, EIP-712 and the draw against the shared vectors, and against eth_account's own EIP-712."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields, replace
from itertools import pairwise
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    Bundle,
    Report,
    Seat,
    Settled,
    Signer,
    Vote,
    encode_data,
    new_root_state,
    recover,
    staged_order,
)
from ledger.abi import to_snake
from ledger.errors import BadArgument
from ledger.report import (
    REPORT_TYPE,
    assemble_signatures,
    committee_hash,
    draw_order,
    draw_steps,
    expected_draw,
    observation_commitment,
    observation_digest,
    pack_committee,
    report_digest,
    seed_of,
    settled_hash,
    settled_of,
    state_hash,
    state_of,
    state_words,
    unpack_committee,
    update_commitment,
    votes_hash,
    words_hash,
)
from tests.contracts import model
from tests.unit.ledger.vectors import load, number, raw

BOOK = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def _report(entry: dict[str, str | int]) -> Report:
    values = {to_snake(key): value for key, value in entry.items()}
    return Report(
        **{
            field.name: number(values[field.name]) if field.type == "int" else raw(str(values[field.name]))
            for field in fields(Report)
        }
    )  # type: ignore[arg-type]


def test_hashes_equal_the_shared_vectors() -> None:
    vector = load("report")
    report = _report(vector["report"])
    assert report_digest(report, chain_id=vector["chainId"], book=vector["book"]) == raw(vector["digest"])
    committee = vector["committee"]
    seats = [Seat(node, signer) for node, signer in zip(committee["nodes"], committee["signers"], strict=True)]
    assert committee_hash(seats) == raw(committee["hash"])
    words = vector["words"]
    assert words_hash(list(map(number, words["trainer"])), list(map(number, words["verifier"]))) == raw(words["hash"])
    assert keccak(raw(vector["votes"]["encoded"])) == raw(vector["votes"]["hash"])


def test_what_the_book_remembers_equals_the_shared_vectors() -> None:
    vector = load("report")
    seats = unpack_committee(raw(vector["committee"]["packed"]))
    assert [seat.node for seat in seats] == vector["committee"]["nodes"]
    assert [seat.signer.lower() for seat in seats] == vector["committee"]["signers"]
    assert pack_committee(seats) == raw(vector["committee"]["packed"])
    stored = raw(vector["settled"]["encoded"])
    words = [int.from_bytes(stored[at : at + 32], "big") for at in range(0, 160, 32)]
    digests = [word.to_bytes(32, "big") for word in words]
    settled = Settled(digests[0], words[1], digests[2], digests[3], words[4])
    assert settled_hash(settled) == raw(vector["settled"]["hash"])
    encoded = raw(vector["state"]["encoded"])
    state = state_of([int.from_bytes(encoded[at : at + 32], "big") for at in range(0, 224, 32)])
    assert state_hash(state) == raw(vector["state"]["hash"]) == settled.state
    assert b"".join(word.to_bytes(32, "big") for word in state_words(state)) == encoded
    report = _report(vector["report"])
    own = settled_of(report, settled.signers, 7, chain_id=vector["chainId"], book=vector["book"])
    assert own == replace(settled, state=report.words_hash)


def test_an_observation_s_digest_equals_the_shared_vector_and_binds_every_field() -> None:
    vector = load("report")
    entry = vector["observation"]
    fields_ = {name: raw(entry[name]) if name in {"seed", "commitment"} else entry[name] for name in entry}
    digest = fields_.pop("digest")
    base = {"chain_id": vector["chainId"], "book": vector["book"], **fields_}
    assert observation_digest(**base) == raw(digest)
    changes = {"chain_id": 1, "book": "0x" + "11" * 20, "task": 6, "round": 7, "node": 1}
    changes |= {"seed": b"\1" * 32, "commitment": b"\1" * 32}
    assert len({observation_digest(**{**base, name: value}) for name, value in changes.items()}) == len(base)


def test_a_committee_of_broken_seats_is_refused() -> None:
    assert unpack_committee(b"") == []
    for length in (1, 23, 25, 49):
        with pytest.raises(BadArgument, match=f"{length} bytes"):
            unpack_committee(b"\1" * length)


def test_votes_hash_is_of_the_abi_encoding() -> None:
    from eth_abi.abi import decode

    vector = load("report")["votes"]
    (rows,) = decode(["(uint32,bytes32,bytes32,bytes32)[]"], raw(vector["encoded"]))
    assert votes_hash([Vote(*row) for row in rows]) == raw(vector["hash"])


def test_seeds_equal_the_shared_vectors() -> None:
    vector = load("header")
    for case in vector["cases"]:
        mix_hash = raw(case["mixHash"]).rjust(32, b"\0")
        assert keccak(raw(case["header"])) == raw(case["hash"]).rjust(32, b"\0")
        seed = seed_of(vector["chainId"], vector["book"], vector["task"], vector["round"], mix_hash)
        assert seed == raw(case["seed"]).rjust(32, b"\0")


def test_draws_equal_the_shared_vectors() -> None:
    for case in load("draw")["cases"]:
        seed = raw(case["seed"]).rjust(32, b"\0")
        assert draw_order(seed, case["size"], case["count"]) == case["positions"]


def test_the_digest_is_what_wallets_sign() -> None:
    vector = load("report")
    report = _report(vector["report"])
    inside = REPORT_TYPE[len("Report(") : -1].split(",")
    members = [dict(zip(("type", "name"), part.split(" "), strict=True)) for part in inside]
    message = {entry["name"]: value for entry, value in zip(members, asdict(report).values(), strict=True)}
    encoded = encode_typed_data(
        domain_data={
            "name": "Credence", "version": "1", "chainId": 31_337, "verifyingContract": BOOK,
        },
        message_types={"Report": members},
        message_data=message,
    )  # fmt: skip
    assert report_digest(report, chain_id=31_337, book=BOOK) == bytes(_hash_eip191_message(encoded))


def test_commitments_bind_every_argument() -> None:
    base = {
        "chain_id": 1, "book": BOOK, "task": 1, "round": 1, "node": 1, "manifest": b"\1" * 32, "salt": b"\2" * 32,
    }  # fmt: skip
    changes = {
        "chain_id": 2, "book": "0x" + "11" * 20, "task": 2, "round": 2, "node": 2,
        "manifest": b"\3" * 32, "salt": b"\3" * 32,
    }  # fmt: skip
    seen = {update_commitment(**{**base, **{key: value}}) for key, value in changes.items()}  # type: ignore[arg-type]
    assert len(seen | {update_commitment(**base)}) == len(changes) + 1  # type: ignore[arg-type]
    observed = {
        "chain_id": 1, "book": BOOK, "task": 1, "round": 1, "seed": b"\1" * 32, "node": 1,
        "root": b"\1" * 32, "record": b"\1" * 32, "salt": b"\2" * 32,
    }  # fmt: skip
    changes = {
        "chain_id": 2, "book": "0x" + "11" * 20, "task": 2, "round": 2, "seed": b"\3" * 32, "node": 2,
        "root": b"\3" * 32, "record": b"\3" * 32, "salt": b"\3" * 32,
    }  # fmt: skip
    seen = {observation_commitment(**{**observed, **{key: value}}) for key, value in changes.items()}  # type: ignore[arg-type]
    assert len(seen | {observation_commitment(**observed)}) == len(changes) + 1  # type: ignore[arg-type]
    with pytest.raises(BadArgument):
        update_commitment(**{**base, "salt": b"short"})  # type: ignore[arg-type]


def test_signatures_are_assembled_by_first_seat() -> None:
    signers = {node: Signer.from_seed(b"t", str(node)) for node in (1, 2, 3)}
    committee = [Seat(node, signers[node].address) for node in (3, 1, 3, 2, 1)]
    signatures = {node: signers[node].sign_digest(b"\5" * 32) for node in (1, 3)}
    bitmap, joined = assemble_signatures(committee, signatures)
    assert bitmap == 0b10111
    assert joined == signatures[3] + signatures[1]
    assert recover(b"\5" * 32, joined[:65]) == signers[3].address
    with pytest.raises(BadArgument, match=r"\[9\]"):
        assemble_signatures(committee, {9: signatures[1]})
    with pytest.raises(BadArgument, match="64 bytes"):
        assemble_signatures(committee, {1: signatures[1][:64]})


@given(st.binary(min_size=32, max_size=32), st.integers(1, 200), st.data())
def test_a_draw_is_a_permutation_that_passes_by_locked_seats(seed: bytes, size: int, data: st.DataObject) -> None:
    assert sorted(draw_order(seed, size, size)) == list(range(size))
    locked = data.draw(st.sets(st.integers(0, size - 1)))
    k = data.draw(st.integers(1, size))
    seats = [(index + 1, BOOK, index in locked) for index in range(size)]
    seen = draw_order(seed, size, draw_steps(size, k))
    free = [position + 1 for position in seen if position not in locked]
    if len(free) < k:
        with pytest.raises(BadArgument, match=f"{k} seats wanted"):
            expected_draw(seed, seats, k)
    else:
        assert [seat.node for seat in expected_draw(seed, seats, k)] == free[:k]


def test_proposers_take_turns_in_a_seeded_order() -> None:
    orders = [staged_order([5, 3, 9, 3], bytes([n]) * 32) for n in range(20)]
    assert all(sorted(order) == [3, 5, 9] for order in orders)
    assert any(a != b for a, b in pairwise(orders))
    assert orders[0] == staged_order([9, 5, 3], b"\0" * 32)


def test_commitments_signer_and_order_equal_the_frozen_vectors() -> None:
    vector = load("ledger_commitments")
    for name, order, make in (
        ("update", ("chain_id", "book", "task", "round", "node", "manifest", "salt"), update_commitment),
        (
            "observation",
            ("chain_id", "book", "task", "round", "seed", "node", "root", "record", "salt"),
            observation_commitment,
        ),
    ):
        entry = vector[name]
        # abi.encode of static values is one 32-byte word each: written out here, without the coder under test.
        words = b"".join(
            (value.to_bytes(32, "big") if isinstance(value := entry[key], int) else raw(value).rjust(32, b"\0"))
            for key in order
        )
        arguments = {
            key: raw(entry[key]) if isinstance(entry[key], str) and key != "book" else entry[key] for key in order
        }
        assert make(**arguments) == keccak(words) == raw(entry["commitment"])  # type: ignore[operator]
    entry = vector["signer"]
    signer = Signer.from_seed(entry["seed"].encode(), entry["label"])
    assert signer.address == entry["address"]
    assert signer.sign_digest(raw(entry["digest"])) == raw(entry["signature"])
    entry = vector["staged"]
    assert staged_order(entry["nodes"], raw(entry["seed"])) == entry["order"]


def test_bundles_and_states_equal_the_frozen_vectors() -> None:
    """Their bytes are signed or logged by digest: another encoding would be another protocol."""
    vector = load("ledger_commitments")
    entry = vector["bundle"]
    bundle = Bundle(tuple(map(raw, entry["leaves"])))
    # Written out here: a head with the count, then each leaf behind its length.
    by_hand = b"credence leaves\x01" + len(bundle.leaves).to_bytes(4, "big")
    by_hand += b"".join(len(leaf).to_bytes(4, "big") + leaf for leaf in bundle.leaves)
    assert bundle.encoded == raw(entry["encoded"]) == by_hand
    assert (bundle.root, bundle.data) == (raw(entry["root"]), raw(entry["data"]))
    entry = vector["root_state"]
    state = new_root_state(entry["levels"])
    model_state: dict[str, Any] = {"words": [[], []], "wei": [[], []]}
    for round_ in entry["rounds"]:
        state = state.step(round_["scores"], round=round_["round"], pools=entry["pools"])
        model_state = model.root_round(model_state, round_["scores"], round_["round"], entry["pools"], entry["levels"])
    assert encode_data(state) == raw(entry["encoded"])
    root = state.root_state()
    assert root.data == raw(entry["data"]) == hashlib.sha256(raw(entry["encoded"])).digest()
    assert state_hash(root) == raw(entry["hash"])
    # The independent model of the contracts' tests comes to the same roots.
    assert state_words(root)[:6] == [
        n if isinstance(n, int) else int.from_bytes(n, "big") for n in model_state["root"][:6]
    ]
