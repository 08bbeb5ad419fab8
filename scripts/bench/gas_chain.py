"""The chain of the gas benchmark: anvil by today's mainnet rules, and the benchmark's own contracts.

Calldata floor (EIP-7623) and transaction cap (EIP-7825) are on; blocks are a second apart whatever the machine does,
since an equal timestamp would turn some writes into cheaper ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from ledger import Signer
from ledger.abi import Call, Interface
from ledger.gas import TX_CAP
from ledger.rpc import RpcChain
from ledger.transmit import Transmitter
from scripts import compile as build
from tests.support.anvil import advance_to, anvil, fund, mine

HARDFORK = "osaka"  # what mainnet runs; later forks of anvil (BPO) change blobs alone
SOURCES = ("SingleScore", "ArrayScores", "DragScores")


class BenchChain(RpcChain):
    """anvil, of which this process moves the clock."""

    can_move_clock: ClassVar[bool] = True

    def mine(self, blocks: int, *, timeout_s: float = 60.0) -> None:
        """Seal empty blocks."""
        mine(self, blocks)

    def advance_to(self, timestamp: int) -> None:
        """Seal an empty block at `timestamp`, unless it has passed."""
        advance_to(self, timestamp)

    def suggest_gas(self, *, to: str | None, data: bytes, sender: str) -> int:
        """The cap: an estimate would cost a second run."""
        return TX_CAP

    def new_slots(self, tx_hash: bytes) -> int:
        """How many storage slots a transaction filled that were empty before it."""
        tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
        diff = self.request("debug_traceTransaction", "0x" + tx_hash.hex(), tracer)
        found = 0
        for address, account in diff["post"].items():
            before = diff["pre"].get(address, {}).get("storage", {})
            for slot, value in account.get("storage", {}).items():
                found += int(value, 16) != 0 and int(before.get(slot, "0x0"), 16) == 0
        return found


@contextmanager
def open_bench_chain() -> Iterator[BenchChain]:
    """A fresh anvil behind its IPC socket."""
    with anvil("--enable-tx-gas-limit", ipc=True, hardfork=HARDFORK) as running:
        chain = BenchChain(running.spec, timeout_s=120.0)
        try:
            chain.request("anvil_setBlockTimestampInterval", 1)
            yield chain
        finally:
            chain.close()


def rules_of(chain: BenchChain) -> str:
    """Client and fork, for the output."""
    info = chain.request("anvil_nodeInfo")
    return f"{chain.request('web3_clientVersion').split('-')[0]}, fork {info['hardFork']}, transaction cap on"


def require_increasing_time(chain: BenchChain) -> None:
    """Raises where two blocks had one timestamp: then what was measured is not what it says."""
    times = [chain.block(number).timestamp for number in range(1, chain.block_number() + 1)]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise RuntimeError("two blocks have one timestamp")


def payer(chain: RpcChain, label: str) -> Signer:
    """A funded key."""
    signer = Signer.from_seed(b"gas benchmark", label)
    fund(chain, signer.address, wei=10**26)
    return signer


def compile_peers() -> dict[str, dict[str, Any]]:
    """ABI and bytecode of contracts/bench, by the product's compiler and settings."""
    import solcx

    if build.VERSION not in {str(version) for version in solcx.get_installed_solc_versions()}:
        os.environ["SOLCX_BINARY_PATH"] = str(build.SHIM)
    units: dict[str, dict[str, str]] = {}
    todo = [f"contracts/bench/{name}.sol" for name in SOURCES]
    while todo:
        unit = todo.pop()
        if unit not in units:
            text = ((build.PACKAGES if unit.startswith("@") else build.ROOT) / unit).read_text(encoding="utf-8")
            units[unit] = {"content": text}
            folder = os.path.dirname(unit)
            for target in build.IMPORT.findall(text):
                todo.append(os.path.normpath(os.path.join(folder, target)) if target.startswith(".") else target)
    select = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    settings = {**build.SETTINGS, "outputSelection": select}
    request = {"language": "Solidity", "sources": dict(sorted(units.items())), "settings": settings}
    made = solcx.compile_standard(request, solc_version=build.VERSION)["contracts"]
    return {name: made[f"contracts/bench/{name}.sol"][name] for name in SOURCES}


@dataclass
class Deployed:
    """A peer on the chain; every call is a transaction of its own."""

    transmitter: Transmitter
    address: str
    interface: Interface

    @classmethod
    def create(cls, chain: RpcChain, by: Signer, name: str, compiled: dict[str, Any]) -> Deployed:
        """Deploy one of `compile_peers`."""
        transmitter = Transmitter(chain, by)
        receipt = transmitter.create(name, bytes.fromhex(compiled["evm"]["bytecode"]["object"]))
        assert receipt.contract_address is not None
        return cls(transmitter, receipt.contract_address, Interface(compiled["abi"]))

    def send(self, function: str, *arguments: Any) -> int:
        """Gas of one transaction under the cap."""
        call = Call(self.address, self.interface.functions[function], arguments)
        return self.transmitter.send(call, gas=TX_CAP).gas_used

    def read(self, function: str, *arguments: Any) -> Any:
        """The result of a view."""
        call = Call(self.address, self.interface.functions[function], arguments)
        return call.decode(self.transmitter.chain.call(to=self.address, data=call.data))


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Consecutive parts of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]
