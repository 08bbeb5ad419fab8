"""A seed chain's values, each bound by the one before it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from eth_utils.crypto import keccak

from ledger import SeedChain, SeedTerms
from ledger.errors import BadArgument


def test_each_value_hashes_to_the_one_before() -> None:
    chain = SeedChain(b"\x07" * 32, length=5)
    values = [chain.tip, *(chain.value(ticket) for ticket in range(1, 6))]
    assert values[-1] == chain.secret
    assert all(keccak(later) == earlier for earlier, later in pairwise(values))
    for ticket in (0, 6):
        with pytest.raises(BadArgument, match="no ticket"):
            chain.value(ticket)


def test_what_the_contract_would_refuse_is_refused() -> None:
    for secret, length in ((b"short", 5), (b"\1" * 32, 0), (b"\1" * 32, 2**21)):
        with pytest.raises(BadArgument):
            SeedChain(secret, length)
    tip = b"\1" * 32
    for tips, length, delay, window in (
        ((), 5, 4, 4),
        ((tip,) * 17, 5, 4, 4),
        ((b"short",), 5, 4, 4),
        ((tip,), 0, 4, 4),
        ((tip,), 5, 0, 4),
        ((tip,), 5, 4, 257),
    ):
        with pytest.raises(BadArgument):
            SeedTerms(tips, length, delay, window)
