"""The operators' side of `HashChainSeed`: chains of values, committed to by their tips and shown one by one.

value(i − 1) = keccak256(value(i)), so a tip, value(0), binds all of its chain. Whoever holds the secret knows every
value; the numbers also depend on the other operators' and on blocks that do not exist yet. Use a secret for one
deployment only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ledger.errors import BadArgument
from ledger.hashing import keccak

MAX_LENGTH = 2**20
MAX_OPERATORS = 16
MAX_BLOCKS = 256


@dataclass(frozen=True)
class SeedChain:
    """One operator's `length` values, from a 32-byte secret."""

    secret: bytes
    length: int

    def __post_init__(self) -> None:
        """Raises `BadArgument` on a secret of another size, or no or too long a chain."""
        if len(self.secret) != 32 or not 0 < self.length <= MAX_LENGTH:
            raise BadArgument(
                f"a secret of {len(self.secret)} bytes for {self.length} values",
                hint=f"32 bytes and 1 to {MAX_LENGTH} values are possible",
            )

    @cached_property
    def _values(self) -> list[bytes]:
        """By ticket; 0 is the tip."""
        values = [self.secret]
        for _ in range(self.length):
            values.append(keccak(values[-1]))
        return values[::-1]

    @property
    def tip(self) -> bytes:
        """What the operator commits to at deployment."""
        return self._values[0]

    def value(self, ticket: int) -> bytes:
        """What `Ledger.reveal_seed` shows once the ticket's block is past. Raises `BadArgument` outside
        1..length."""
        if not 1 <= ticket <= self.length:
            raise BadArgument(f"there is no ticket {ticket}", hint=f"the chain has {self.length} values")
        return self._values[ticket]


@dataclass(frozen=True, slots=True)
class SeedTerms:
    """What a `HashChainSeed` is deployed with: the operators' tips, and the values each chain has. A ticket's block
    is `delay` blocks ahead; its values must be revealed and used within `window` blocks after it."""

    tips: tuple[bytes, ...]
    length: int
    delay: int = 4
    window: int = 200

    def __post_init__(self) -> None:
        """Raises `BadArgument` on what the contract would refuse."""
        blocks = (self.delay, self.window)
        if not 0 < len(self.tips) <= MAX_OPERATORS or any(len(tip) != 32 for tip in self.tips):
            raise BadArgument(f"{len(self.tips)} tips", hint=f"1 to {MAX_OPERATORS} of 32 bytes are possible")
        if not 0 < self.length < 2**32 or not 0 < min(blocks) <= max(blocks) <= MAX_BLOCKS:
            raise BadArgument(f"{self.length} values, delay and window {blocks}", hint=f"1 to {MAX_BLOCKS} blocks each")


def number_of(values: Sequence[bytes], block_hash: bytes) -> bytes:
    """The number of a ticket: keccak256(value of each operator ‖ hash of its block)."""
    return keccak(b"".join(values) + block_hash)
