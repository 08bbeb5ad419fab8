"""Endpoints that hang, drip, lie or break: every call ends in time with one typed error."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger import RpcChain, Signer
from ledger.chain import RevertedCall
from ledger.errors import AlreadyKnown, BadArgument, ChainUnavailable, TransactionFailed
from ledger.rpc import RpcError
from ledger.transport import DeadlineProvider, HttpTransport, IpcTransport

Reply = Callable[[str, list[Any]], Any]
GENESIS = {
    "number": "0x0",
    "hash": "0x" + "11" * 32,
    "parentHash": "0x" + "00" * 32,
    "timestamp": "0x10",
    "transactions": [],
}


class Refuse(Exception):
    """A reply that is a JSON-RPC error."""


class Break(Exception):
    """The server closes without an answer."""


class Handler(BaseHTTPRequestHandler):
    """Answers with what the test's `reply` gives: a result, raw bytes, a status, or an exception."""

    protocol_version = "HTTP/1.1"
    reply: Reply

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = type(self).reply(asked["method"], asked["params"])
        except Refuse as refusal:
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": refusal.args[0]}).encode()
        except Break:
            self.close_connection = True
            return
        else:
            if isinstance(answer, int) and not isinstance(answer, bool):
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = (
                answer
                if isinstance(answer, bytes)
                else json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}).encode()
            )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    """A JSON-RPC server; `eth_chainId` and block 0 are answered for `reply`."""

    def full(method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return "0x7"
        if method == "eth_getBlockByNumber" and params[0] == "0x0":
            return GENESIS
        return reply(method, params)

    handler = type("Replying", (Handler,), {"reply": staticmethod(full)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def listening(handle: Callable[[socket.socket], None], path: Path | None = None) -> Iterator[str]:
    """A raw socket server, TCP or (with `path`) Unix; `handle` gets each connection."""
    server = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
    server.bind(str(path) if path else ("127.0.0.1", 0))
    server.listen()
    server.settimeout(0.05)
    over = threading.Event()
    open_ones: list[socket.socket] = []

    def run() -> None:
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            open_ones.append(connection)
            threading.Thread(target=_quietly, args=(handle, connection), daemon=True).start()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield str(path) if path else f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        over.set()
        thread.join(5)
        for connection in open_ones:
            connection.close()
        server.close()


def _quietly(handle: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):  # the client went away, as it should
        handle(connection)


def _ask(transport: HttpTransport | IpcTransport, timeout_s: float = 0.3) -> Any:
    started = time.monotonic()
    try:
        return DeadlineProvider(transport, timeout_s).make_request("eth_x", [])  # type: ignore[arg-type]
    finally:
        assert time.monotonic() - started < timeout_s + 2
        transport.close()


def _hang(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.recv(1)


def _pace() -> None:
    """A slow server's time between bytes: what is tested, and no waiting for anything."""
    time.sleep(0.02)


def _drip(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" " * 8)
        _pace()


def _drip_headers(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        _pace()


def _drip_ipc(connection: socket.socket) -> None:
    connection.recv(65_536)
    while True:
        connection.sendall(b" ")
        _pace()


@pytest.mark.parametrize("handle", [_hang, _drip, _drip_headers, lambda connection: connection.close()])
def test_a_half_dead_http_endpoint_costs_one_deadline(handle: Callable[[socket.socket], None]) -> None:
    with listening(handle) as url, pytest.raises(ChainUnavailable, match="failed within"):
        _ask(HttpTransport(url))


@pytest.mark.parametrize("handle", [_hang, _drip_ipc, lambda connection: connection.close()])
def test_a_half_dead_socket_costs_one_deadline(handle: Callable[[socket.socket], None], tmp_path: Path) -> None:
    with listening(handle, tmp_path / "ipc") as path, pytest.raises(ChainUnavailable, match="failed within"):
        _ask(IpcTransport(path))


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(ChainUnavailable):
        _ask(IpcTransport(str(tmp_path / "none")))
    with pytest.raises(ChainUnavailable):
        RpcChain("http://127.0.0.1:9", timeout_s=0.5)


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b"", 500, 429, 401])
def test_what_is_no_json_rpc_is_named(answer: Any) -> None:
    with serving(lambda _method, _params: answer) as url, pytest.raises(ChainUnavailable):
        _ask(HttpTransport(url), 5)


def test_answers_in_pieces_arrive_whole(tmp_path: Path) -> None:
    body = json.dumps({"result": ["}" * 50_000, {"a": "x" * 100_000}]}).encode()

    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        for start in range(0, len(body), 30_001):
            connection.sendall(body[start : start + 30_001])

    with listening(handle, tmp_path / "ipc") as path:
        assert _ask(IpcTransport(path), 5) == json.loads(body)


def test_an_answer_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.transport.MAX_ANSWER_BYTES", 1_000)

    def flood(connection: socket.socket) -> None:
        connection.recv(65_536)
        while True:
            connection.sendall(b" " * 10_000)

    with listening(flood, tmp_path / "ipc") as path, pytest.raises(ChainUnavailable, match="1000 bytes"):
        _ask(IpcTransport(path), 5)
    with serving(lambda _method, _params: "x" * 2_000) as url, pytest.raises(ChainUnavailable, match="1000 bytes"):
        _ask(HttpTransport(url), 5)


def test_a_busy_socket_does_not_block_for_ever(tmp_path: Path) -> None:
    with listening(_hang, tmp_path / "ipc") as path:
        transport = IpcTransport(path)
        transport._lock.acquire()
        with pytest.raises(ChainUnavailable, match="another call"):
            DeadlineProvider(transport, 0.1).make_request("eth_x", [])  # type: ignore[arg-type]
        transport._lock.release()
        transport.close()


def test_a_url_without_host_is_refused() -> None:
    with pytest.raises(BadArgument, match="no host"):
        HttpTransport("http:///path")


def test_connections_are_kept_and_a_closed_one_is_replaced() -> None:
    ports: list[int] = []

    class Counting(Handler):
        def do_POST(self) -> None:
            ports.append(self.client_address[1])
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"result": "0x1"}'
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            if len(ports) == 4:
                self.send_header("Connection", "close")
            self.end_headers()
            for piece in (body[:5], body[5:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            if len(ports) == 2:
                self.close_connection = True  # without telling the client

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    transport = HttpTransport(f"http://user:word@127.0.0.1:{server.server_address[1]}/x?y=1")
    provider = DeadlineProvider(transport, 5.0)
    try:
        for expected in range(1, 6):
            if expected == 3:
                assert select.select([transport._idle[0]._socket], [], [], 5)[0]  # the server has hung up
            assert provider.make_request("eth_x", []) == {"result": "0x1"}  # type: ignore[arg-type]
        first, second, third, fourth, fifth = ports
        assert first == second != third == fourth != fifth
    finally:
        transport.close()
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_access_keys_in_urls_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        RpcChain("http://user:hunter2@127.0.0.1:9/v3/SECRETKEY?token=SECRET", timeout_s=0.5)
    assert "http://127.0.0.1:9" in str(caught.value)
    for secret in ("hunter2", "SECRETKEY", "token"):
        assert secret not in str(caught.value) + caplog.text


def test_reads_are_tried_again_and_writes_are_not_multiplied() -> None:
    calls: dict[str, int] = {}

    def flaky(method: str, _params: list[Any]) -> Any:
        calls[method] = calls.get(method, 0) + 1
        if method == "eth_blockNumber" and calls[method] < 3:
            raise Break
        if method == "eth_sendRawTransaction":
            raise Break
        return "0x5"

    with serving(flaky) as url, RpcChain(url, timeout_s=5) as chain:
        assert chain.block_number() == 5
        assert calls["eth_blockNumber"] == 3
        with pytest.raises(ChainUnavailable):
            chain.send_raw(b"\x02")
        assert calls["eth_sendRawTransaction"] == 2  # the same bytes, once more


def test_a_lost_answer_is_not_a_lost_transaction() -> None:
    sends: list[str] = []

    def reply(method: str, params: list[Any]) -> Any:
        if method == "eth_sendRawTransaction":
            sends.append(params[0])
            if len(sends) == 1:
                raise Break  # it got through, its answer did not
            raise Refuse({"code": -32_000, "message": "already known"})
        return None

    with serving(reply) as url, RpcChain(url, timeout_s=5) as chain:
        assert len(chain.send_raw(b"\x02\x03")) == 32
        assert sends == ["0x0203"] * 2
        with pytest.raises(AlreadyKnown):
            chain.send_raw(b"\x02\x03")


def test_refusals_of_a_node() -> None:
    def reply(method: str, _params: list[Any]) -> Any:
        if method == "eth_sendRawTransaction":
            raise Refuse({"code": -32_000, "message": "nonce too low"})
        if method == "eth_getTransactionByHash":
            return None
        if method == "eth_call":
            raise Refuse(errors.pop(0))
        if method == "eth_blockNumber":
            raise Refuse("just text")
        return None

    errors: list[Any] = [
        {"code": 3, "message": "execution reverted", "data": "0x0102"},
        {"code": -32_015, "message": "VM error", "data": {"data": "0x03"}},
        {"code": -32_000, "message": "execution reverted"},
        {"code": -32_000, "message": "header not found"},
    ]
    with serving(reply) as url, RpcChain(url, timeout_s=5) as chain:
        with pytest.raises(TransactionFailed, match="nonce too low"):
            chain.send_raw(b"\x02")
        for data in (b"\1\2", b"\3", b""):
            with pytest.raises(RevertedCall) as caught:
                chain.call(to=Signer.from_seed(b"x", "y").address, data=b"")
            assert caught.value.data == data
        with pytest.raises(RpcError, match="header not found"):
            chain.call(to=None, data=b"")
        with pytest.raises(RpcError, match="just text"):
            chain.block_number()
        with pytest.raises(ChainUnavailable, match="no latest block"):
            chain.now()


def test_a_header_that_does_not_hash_is_refused() -> None:
    fields = ("sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom")
    header = {
        **GENESIS,
        **dict.fromkeys(fields, "0x11"),
        **dict.fromkeys(("difficulty", "gasLimit", "gasUsed"), "0x1"),
        **dict.fromkeys(("extraData", "mixHash", "nonce"), "0x11"),
    }
    with (
        serving(lambda _method, _params: header) as url,
        RpcChain(url, timeout_s=5) as chain,
        pytest.raises(ChainUnavailable, match="does not hash"),
    ):
        chain.header_rlp(3)


def test_log_ranges_are_halved_until_the_node_is_content() -> None:
    asked: list[tuple[int, int]] = []
    limit = 700

    def reply(method: str, params: list[Any]) -> Any:
        if method == "eth_blockNumber":
            return hex(5_000)
        start, end = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        if end - start + 1 > limit:
            raise Refuse({"code": -32_005, "message": "query returned more than 10000 results"})
        asked.append((start, end))
        return []

    with serving(reply) as url, RpcChain(url, timeout_s=5) as chain:
        assert chain.get_logs(topics=[None, b"\1" * 32]) == []
        assert asked[0][0] == 0
        assert asked[-1][1] == 5_000
        assert all(end + 1 == start for (_, end), (start, _) in pairwise(asked))
        limit = 0
        with pytest.raises(ChainUnavailable, match="no logs of block 9"):
            chain.get_logs(from_block=9, to_block=10)


def test_fees_are_kept_for_a_moment_and_survive_an_old_node() -> None:
    calls: list[str] = []

    def reply(method: str, _params: list[Any]) -> Any:
        calls.append(method)
        if method == "eth_maxPriorityFeePerGas":
            raise Refuse({"code": -32_601, "message": "method not found"})
        return {**GENESIS, "baseFeePerGas": "0x64"}

    with serving(reply) as url, RpcChain(url, timeout_s=5) as chain:
        fees = chain.fees()
        assert fees == {"maxFeePerGas": 200 + 10**9, "maxPriorityFeePerGas": 10**9}
        assert chain.fees() == fees
        assert len(calls) == 2
