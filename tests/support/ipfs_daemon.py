"""A real IPFS daemon for tests: js-ipfs on loopback, free ports, an empty repository, no peers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / "ipfs"
CLI = HOME / "node_modules" / "ipfs" / "src" / "cli.js"
_ANY_PORT = "/ip4/127.0.0.1/tcp/0"


class DaemonMissing(AssertionError):
    """The daemon is not installed. A failure, not a skip: a suite that skips proves nothing."""


@dataclass(frozen=True, slots=True)
class IpfsDaemon:
    """A running daemon: RPC address in both spellings, its process, and the file that it logs to."""

    url: str
    multiaddr: str
    pid: int
    log: Path


@contextmanager
def ipfs_daemon(*, deadline_s: float = 60.0) -> Iterator[IpfsDaemon]:
    """Start a daemon, wait until it says that it is ready, and kill it on leaving.

    Raises:
        DaemonMissing: Node.js or the packages are not installed.
        AssertionError: the daemon ended, or was not ready in time; its log is in the message.
    """
    node = shutil.which("node")
    if node is None or not CLI.is_file():
        raise DaemonMissing(f"the IPFS daemon is not installed under {HOME}; run `make setup-test` once")
    with tempfile.TemporaryDirectory(prefix="ipfs-daemon-") as folder:
        repo = Path(folder) / "repo"
        log = Path(folder) / "log"
        environment = {**os.environ, "IPFS_PATH": str(repo)}
        command = [node, "--require", str(HOME / "polyfill.cjs")]
        subprocess.run(
            [*command, str(CLI), "init", "--empty-repo", "--profile", "test"],
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=deadline_s,
        )
        _keep_local(repo / "config")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--require", str(HOME / "exit_with_parent.cjs"), str(CLI), "daemon"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            multiaddr = _wait_ready(process, log, deadline_s=deadline_s)
            port = multiaddr.split("/")[4]
            yield IpfsDaemon(f"http://127.0.0.1:{port}", multiaddr, process.pid, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def _keep_local(config: Path) -> None:
    settings = json.loads(config.read_text())
    addresses = {"Swarm": [_ANY_PORT], "API": _ANY_PORT, "Gateway": _ANY_PORT, "RPC": _ANY_PORT}
    settings["Addresses"] = {"Announce": [], "NoAnnounce": [], "Delegates": [], **addresses}
    settings["Bootstrap"] = []
    settings["Discovery"]["MDNS"]["Enabled"] = False
    config.write_text(json.dumps(settings))


def _wait_ready(process: subprocess.Popen[bytes], log: Path, *, deadline_s: float) -> str:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end and process.poll() is None:
        said = log.read_text(errors="replace")
        api = re.search(r"HTTP API listening on (/ip4/127\.0\.0\.1/tcp/\d+)", said)
        if api is not None and "Daemon is ready" in said:
            return api[1]
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)  # looked at again at once where it has ended
    state = "was not ready in time" if process.poll() is None else f"ended with {process.returncode}"
    raise AssertionError(f"the IPFS daemon {state}; its log:\n{log.read_text(errors='replace')}")
