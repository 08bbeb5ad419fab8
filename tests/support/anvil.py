"""Starts anvil for tests: a free port or an IPC path, a fixed genesis time, gone at the end of the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import ChainUnavailable
from ledger.rpc import RpcChain

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
START_TIME = 1_750_000_000
START_S = 60.0
PORTS_TRIED = 5


@dataclass(frozen=True)
class Anvil:
    """A running anvil. `spec` is what `open_chain` takes."""

    url: str
    ipc: str | None
    process: subprocess.Popen[bytes]

    @property
    def spec(self) -> str:
        """IPC path where there is one, else the URL."""
        return self.ipc or self.url


def binary() -> Path:
    """The anvil binary; fails the test where it is missing, since a skipped test proves nothing."""
    path = Path(os.environ.get("CREDENCE_ANVIL", BINARY))
    if not path.is_file():
        raise AssertionError(f"anvil is not at {path}: run `make setup-test`")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil(
    *extra: str,
    ipc: bool = False,
    block_time_s: int | None = None,
    start_time: int | None = START_TIME,
    hardfork: str = "prague",
) -> Iterator[Anvil]:
    """Run anvil with a large block, by default by Prague rules; it mines on transactions, or each `block_time_s`."""
    options = ["--hardfork", hardfork, "--gas-limit", str(2**30), "--accounts", "20", "--silent", *extra]
    options += ["--timestamp", str(start_time)] if start_time is not None else []
    options += ["--block-time", str(block_time_s)] if block_time_s else []
    with tempfile.TemporaryDirectory(prefix="anvil") as folder:
        running = _start(options, Path(folder), ipc)
        try:
            yield running
        finally:
            running.process.send_signal(signal.SIGTERM)
            try:
                running.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait(timeout=10)


def _start(options: list[str], folder: Path, ipc: bool) -> Anvil:
    """A process that answers. A port that was free may be taken by the time anvil binds it: then another is tried."""
    log, path = folder / "log", str(folder / "anvil.ipc")
    for _ in range(PORTS_TRIED):
        port = _free_port()
        command = [str(binary()), "--host", "127.0.0.1", "--port", str(port), *options]
        command += ["--ipc", path] if ipc else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=folder, env={**os.environ, "HOME": str(folder)}
            )
        running = Anvil(f"http://127.0.0.1:{port}", path if ipc else None, process)
        if _is_ready(running, log):
            return running
        if "in use" not in log.read_text():
            break
    raise AssertionError(f"anvil ended at once: {log.read_text()[-2000:]}")


def _is_ready(running: Anvil, log: Path) -> bool:
    """Wait until it answers; False where its process ends instead."""
    deadline = time.monotonic() + START_S
    while running.process.poll() is None:
        try:
            RpcChain(running.spec, timeout_s=2.0).close()
        except ChainUnavailable:
            if time.monotonic() > deadline:
                running.process.kill()
                said = log.read_text()[-2000:]
                raise AssertionError(f"anvil did not answer in {START_S} s: {said}") from None
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(0.02)  # asked again at once where it has ended
        else:
            return True
    return False


def fund(chain: RpcChain, address: str, *, wei: int = 10**24) -> None:
    """Give `address` coins, by anvil's development method."""
    chain.request("anvil_setBalance", address, hex(wei))


def mine(chain: RpcChain, blocks: int) -> None:
    """Mine empty blocks, a second apart."""
    chain.request("anvil_mine", hex(blocks), hex(1))


def advance_to(chain: RpcChain, timestamp: int) -> None:
    """Mine one empty block at `timestamp`, as `TesterChain.advance_to` does."""
    if timestamp > chain.now():
        chain.request("evm_setNextBlockTimestamp", timestamp)
        chain.request("evm_mine")
