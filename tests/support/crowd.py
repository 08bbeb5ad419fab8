"""A crowd on anvil without its joins, which would take an hour: the book is told that it holds so many slots."""

from __future__ import annotations

from eth_utils.crypto import keccak

from ledger import Ledger
from ledger.chain import Chain

SLOTS_AT = (184, 208)  # HotWord.TRAINER_SLOTS, VERIFIER_SLOTS


def pretend_slots(chain: Chain, ledger: Ledger, task: int, trainers: int, verifiers: int) -> None:
    """Write into the RoundBook's storage on anvil that a task has so many slots; the few that joined stay the first."""
    book, live = ledger.book.address, ledger.live(task)
    fields = (live.trainer_slots, live.verifier_slots)
    records = [keccak(task.to_bytes(32, "big") + place.to_bytes(32, "big")) for place in range(8)]
    for slot in (int.from_bytes(record, "big") + offset for record in records for offset in range(16)):
        hot = int(chain.request("eth_getStorageAt", book, hex(slot), "latest"), 16)
        if tuple(hot >> at & 0xFFFFFF for at in SLOTS_AT) == fields:
            for at, slots in zip(SLOTS_AT, (trainers, verifiers), strict=True):
                hot = hot & ~(0xFFFFFF << at) | slots << at
            chain.request("anvil_setStorageAt", book, hex(slot), "0x" + hot.to_bytes(32, "big").hex())
            break
    live = ledger.live(task)
    assert (live.trainer_slots, live.verifier_slots) == (trainers, verifiers)
