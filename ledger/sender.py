"""What every write of `Ledger` shares: one transmitter a key, approvals, and many calls in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

from ledger.abi import Call, Contract
from ledger.accounts import Signer
from ledger.gas import TX_CAP, CallCost, batches, call_cost
from ledger.reads import Reads
from ledger.transmit import Transmitter
from ledger.types import Receipt


class SendOptions(TypedDict, total=False):
    """What every write takes besides its arguments: see `Transmitter.send`."""

    gas: int | None
    timeout_s: float
    still_needed: Callable[[], bool] | None


class Sender(Reads):
    """Reads, and sending calls. Thread-safe; keep one a process, since it counts nonces."""

    def transmitter(self, by: Signer) -> Transmitter:
        """The one Transmitter of a key."""
        with self._lock:
            known: dict[str, Transmitter] = self.__dict__.setdefault("_transmitters", {})
            return known.setdefault(by.address, Transmitter(self.chain, by))

    def _send(self, by: Signer, call: Call, options: SendOptions) -> Receipt:
        return self.transmitter(by).send(call, **options)

    def approve(self, by: Signer, spender: str, amount: int, **options: Unpack[SendOptions]) -> Receipt:
        """Let `spender` take up to `amount` wei of `by`'s tokens."""
        return self._send(by, self.token.call("approve", spender, amount), options)

    def _allow(self, by: Signer, spender: str, amount: int) -> None:
        """Approve exactly `amount` where less is allowed."""
        if self.allowance(by.address, spender) < amount:
            self.approve(by, spender, amount)

    def batch(
        self,
        by: Signer,
        calls: Sequence[Call],
        *,
        gas_cap: int = TX_CAP,
        cost_of: Callable[[Call], CallCost | None] = lambda call: call_cost(call.name, call.data),
        **options: Unpack[SendOptions],
    ) -> list[Receipt]:
        """Send calls in order in as few transactions as the cap allows; returns their receipts in order.

        Consecutive calls to one contract go out as one `multicall`, all of them or none; a call to a contract without
        `multicall`, or whose cost `cost_of` does not know, gets a transaction of its own. What was sent before a
        refusal stays sent.
        """
        receipts = []
        for group in self._groups(calls, gas_cap, cost_of):
            if len(group) == 1:
                receipts.append(self._send(by, group[0], options))
                continue
            contract = self._contract_at(group[0].address)
            assert contract is not None  # only ours are grouped
            receipts.append(self._send(by, contract.call("multicall", [call.data for call in group]), options))
        return receipts

    def _groups(
        self, calls: Sequence[Call], gas_cap: int, cost_of: Callable[[Call], CallCost | None]
    ) -> list[list[Call]]:
        groups: list[list[Call]] = []
        run: list[tuple[Call, CallCost]] = []

        def flush() -> None:
            parts = batches([cost for _, cost in run], gas_cap)
            groups.extend([run[position][0] for position in part] for part in parts)
            run.clear()

        for call in calls:
            contract, cost = self._contract_at(call.address), cost_of(call)
            together = contract is not None and "multicall" in contract.interface.functions
            if run and (cost is None or run[0][0].address != call.address):
                flush()
            if cost is None or not together:
                groups.append([call])
            else:
                run.append((call, cost))
        flush()
        return groups

    def _contract_at(self, address: str) -> Contract | None:
        ours = (self.book, self.rewards, self.reputation_book, self.disputes, self.vault, self.token)
        return next((contract for contract in ours if contract.address == address), None)
