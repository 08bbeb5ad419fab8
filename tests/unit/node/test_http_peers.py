"""Peers over HTTP: what a node serves, what it pulls, and that no peer can stop it from hearing the others."""

import json
import logging
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from ledger.contract_errors import UnknownNode
from ledger.errors import BadArgument, ChainUnavailable
from node import http_peers
from node.errors import ConfigError, PeerError
from node.http_peers import MAX_ANSWER_BYTES, MAX_MESSAGES, HttpPeers, parse_listen
from node.message import MAX_MESSAGE_BYTES, Kind, Message
from node.metrics import Metrics
from tests.support.protocol import SCOPE, TASK, address, message

MEMBERS = 100


def signer_of(node: int) -> str:
    """As the chain answers: a node that nobody registered is an error of the contract, a huge id one of the encoder."""
    if node >= 2**32:
        raise BadArgument(f"{node} is no uint32")
    if node > MEMBERS:
        raise UnknownNode("UnknownNode", {"node": node})
    return address(node)


def until(condition: Callable[[], object], *, deadline_s: float = 15.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    pause, end = threading.Event(), time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        pause.wait(0.005)


class Node(HttpPeers):
    """A peer on loopback whose metrics and inbox a test can look at."""

    def __init__(self, **peers: str) -> None:
        self.metrics = Metrics()
        super().__init__(SCOPE, signer_of, task=TASK, listen="127.0.0.1:0", metrics=self.metrics)
        self.follow(*peers.values())

    def follow(self, *urls: str) -> None:
        self.endpoints = lambda: dict(enumerate(urls, 1))

    def heard(self) -> list[Message]:
        return self.messages(TASK, 2, Kind.CLAIM)

    def counted(self, name: str) -> int:
        text = self.metrics.prometheus()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"credence_{name}_total "))


class Rogue(socketserver.ThreadingTCPServer):
    """A peer that answers every request with whatever `answer` writes, and counts the requests."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        rogue = self
        self.asked = 0
        self.stop = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.recv(65_536)
                rogue.asked += 1
                answer(self.request)

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """The node may hang up on it at any time."""

    def close(self) -> None:
        self.stop.set()
        self.shutdown()
        self.server_close()


Opener = Callable[..., Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens nodes and rogues, fast ones, and closes them afterwards."""
    monkeypatch.setattr(http_peers, "PULL_EVERY_S", 0.01)
    monkeypatch.setattr(http_peers, "REQUEST_TIMEOUT_S", 0.5)
    slow = ThreadingHTTPServer.serve_forever
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda self: slow(self, 0.01))
    everything: list[Any] = []

    def build(kind: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        everything.append(kind(*args, **kwargs))
        return everything[-1]

    yield build
    for item in everything:
        item.close()


def get(url: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def http(body: bytes, *, status: str = "200 OK", length: int | None = None) -> bytes:
    return (
        b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body) if length is None else length) + body
    )


def answer(*items: object, following: object = 1) -> bytes:
    return http(json.dumps({"next": following, "messages": items}).encode())


# -- serving ---------------------------------------------------------------------------------------------


def test_a_node_serves_what_it_has_from_a_number_on(opened: Opener) -> None:
    node = opened(Node)
    for sender in (1, 2, 3):
        node.publish(message(sender))
    status, kind, body = get(f"{node.url}/v1/messages?task={TASK}")
    assert (status, kind) == (200, "application/json")
    whole = json.loads(body)
    assert whole["messages"] == [message(sender).to_json() for sender in (1, 2, 3)]
    rest = json.loads(get(f"{node.url}/v1/messages?task={TASK}&after={whole['next'] - 1}")[2])
    assert rest == {"next": whole["next"], "messages": [message(3).to_json()]}
    assert json.loads(get(f"{node.url}/v1/messages?task=99")[2])["messages"] == []


@pytest.mark.parametrize(
    "query",
    ["", "?after=1", "?task=", "?task=x", "?task=1&after=y", "?task=1.5", "?task=1&after=" + "9" * 5_000],
)
def test_a_query_that_is_no_number_is_a_bad_request(opened: Opener, query: str) -> None:
    assert get(f"{opened(Node).url}/v1/messages{query}")[0] == 400


def test_health_metrics_and_unknown_paths(opened: Opener) -> None:
    node = opened(Node)
    node.publish(message(1))
    assert get(f"{node.url}/health") == (200, "text/plain", b"ok\n")
    status, kind, body = get(f"{node.url}/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4")
    assert b"\ncredence_messages_published_total 1\n" in body
    for path in ("", "/", "/v1", "/v2/messages", "/etc/passwd", "/v1/messages/../../health"):
        assert get(node.url + path)[0] == 404


def test_nobody_can_push(opened: Opener) -> None:
    node = opened(Node)
    request = urllib.request.Request(f"{node.url}/v1/messages?task=1", data=answer(message(1).to_json()))
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(request, timeout=10)
    assert node.heard() == []


def test_a_message_that_is_not_its_sender_s_is_not_published(opened: Opener) -> None:
    node = opened(Node)
    with pytest.raises(PeerError):
        node.publish(message(1, key=2))
    assert node.counted("messages_published") == 0


def test_after_close_nobody_answers() -> None:
    node = Node()
    node.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{node.url}/health", timeout=5)


# -- exchanging ------------------------------------------------------------------------------------------


def test_two_nodes_exchange_messages(opened: Opener) -> None:
    left, right = opened(Node), opened(Node)
    left.follow(right.url)
    right.follow(left.url)
    left.publish(message(1))
    right.publish(message(2))
    until(lambda: left.heard() == right.heard() == [message(1), message(2)])
    right.publish(message(3))
    until(lambda: len(left.heard()) == 3)
    assert left.counted("messages_dropped") == right.counted("messages_dropped") == 0


def test_a_message_reaches_those_who_do_not_know_its_sender(opened: Opener) -> None:
    first, relay, last = opened(Node), opened(Node), opened(Node)
    relay.follow(first.url)
    last.follow(relay.url)
    first.publish(message(1))
    until(lambda: last.heard() == [message(1)])


def test_a_node_does_not_pull_from_itself(opened: Opener) -> None:
    node, rogue = opened(Node), opened(Rogue, lambda s: s.sendall(answer()))
    node.follow(node.url, rogue.url)
    until(lambda: rogue.asked > 3)
    assert node.counted("pull_failures") == 0


def test_a_node_asks_only_for_what_is_new(opened: Opener) -> None:
    asked: list[bytes] = []

    def keep(sock: socket.socket) -> None:
        asked.append(b"")
        sock.sendall(answer(message(1).to_json(), following=41 + len(asked)))

    node, rogue = opened(Node), opened(Rogue, keep)
    queries: list[str] = []
    inner = http_peers._get

    def spy(url: str) -> bytes:
        queries.append(url)
        return inner(url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_peers, "_get", spy)
        node.follow(rogue.url)
        until(lambda: len(queries) >= 3)
    assert [query.rpartition("=")[2] for query in queries[:3]] == ["0", "42", "43"]


def test_more_than_one_answer_holds_arrives_in_parts(opened: Opener) -> None:
    left, right = opened(Node), opened(Node)
    for attempt in range(3):
        for sender in range(1, MEMBERS + 1):
            left.publish(message(sender, attempt=attempt))
    assert len(json.loads(left.answer(TASK, 0))["messages"]) == MAX_MESSAGES
    right.follow(left.url)
    until(lambda: len(right.heard()) == 3 * MEMBERS)


def test_large_honest_messages_arrive(opened: Opener) -> None:
    """Nine of the largest size exceed what a peer accepts as one answer."""
    left, right = opened(Node), opened(Node)
    for sender in range(1, 10):
        left.publish(message(sender, text="x" * (MAX_MESSAGE_BYTES - 200)))
    right.follow(left.url)
    until(lambda: len(right.heard()) == 9)


# -- hostile peers ---------------------------------------------------------------------------------------


def outlives(opened: Opener, bad: str, asked: Callable[[Any], bool], *, deadline_s: float = 15.0) -> Any:
    """A node that follows `bad` first still hears a good peer that speaks after `bad` has done its worst."""
    good, node = opened(Node), opened(Node)
    node.follow(bad, good.url)
    until(lambda: asked(node), deadline_s=deadline_s)
    good.publish(message(1))
    until(lambda: message(1) in node.heard(), deadline_s=deadline_s)
    return node


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage without a protocol\r\n\r\n",
        b"HTTP/1.0 abc\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.0 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        http(b"", status="500 Oops"),
        http(b"", status="302 Found\r\nLocation: file:///etc/passwd"),
        http(b"\xff\xfe\x00"),
        http(b"{"),
        http(b"null"),
        http(b"[]"),
        http(b"{}", length=99),
        http(b'{"messages": []}'),
        http(b'{"messages": [], "next": null}'),
        http(b'{"messages": [], "next": NaN}'),
        http(b'{"messages": [], "next": 1e999}'),
        http(b'{"messages": [], "next": ' + b"9" * 5_000 + b"}"),
        http(b'{"messages": {"0": 1}, "next": 1}'),
        http(b'{"messages": ' + b"[" * 2_000 + b"]" * 2_000 + b', "next": 1}'),
        answer(*[1] * (MAX_MESSAGES + 1)),
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_an_answer_that_is_none_does_no_harm(opened: Opener, raw: bytes) -> None:
    rogue = opened(Rogue, lambda s: s.sendall(raw))
    node = outlives(opened, rogue.url, lambda _: rogue.asked > 1)
    assert node.heard() == [message(1)]


def test_an_answer_that_is_none_is_counted_and_logged(opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    node, rogue = opened(Node), opened(Rogue, lambda s: s.sendall(http(b"{")))
    with caplog.at_level(logging.INFO, logger="credence.peers"):
        node.follow(rogue.url)
        until(lambda: node.counted("pull_failures") > 1)
    assert "pull: peer=1 reason=" in caplog.text


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        "text",
        {},
        {**message(2).to_json(), "kind": "gossip"},
        {**message(2).to_json(), "kind": ["claim"]},
        {**message(2).to_json(), "node": -1},
        {**message(2).to_json(), "round": 1e300},
        {**message(2).to_json(), "signature": "é" * 130},
        {**message(2).to_json(), "body": {"x": 0.5}},
        {**message(2).to_json(), "body": {"x": None}},
        message(2, key=3).to_json(),
        message(2, task=TASK + 1).to_json(),
        {**message(2).to_json(), "node": 3},
        {**message(2).to_json(), "node": MEMBERS + 1},
        {**message(2).to_json(), "node": 2**64 - 1},
    ],
    ids=str,
)
def test_a_bad_message_is_dropped_and_the_good_one_beside_it_counts(opened: Opener, item: object) -> None:
    rogue = opened(Rogue, lambda s: s.sendall(answer(item, message(5).to_json())))
    node = outlives(opened, rogue.url, lambda _: rogue.asked > 1)
    assert node.heard() == [message(1), message(5)]
    assert node.counted("messages_dropped") > 0


def test_a_chain_that_is_away_while_a_signature_is_checked_costs_no_message(opened: Opener) -> None:
    """The message must be asked for again, not lost, and the thread must live."""
    good, node = opened(Node), opened(Node)
    away = threading.Event()
    away.set()
    failed = threading.Event()

    def unsteady(sender: int) -> str:
        if away.is_set():
            failed.set()
            raise ChainUnavailable("no answer")
        return address(sender)

    node._board._signer_of = unsteady
    good.publish(message(1))
    node.follow(good.url)
    until(failed.is_set)
    away.clear()
    until(lambda: node.heard() == [message(1)])


def test_an_answer_that_is_too_long_is_cut_off(opened: Opener) -> None:
    def flood(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(MAX_ANSWER_BYTES // 65_536 + 100):
            sock.sendall(b" " * 65_536)

    rogue = opened(Rogue, flood)
    node = outlives(opened, rogue.url, lambda node: node.counted("pull_failures") > 0)
    assert node.heard() == [message(1)]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_a_peer_that_drips_does_not_hold_the_others_up(opened: Opener, head: bytes) -> None:
    """Every byte comes in time, the answer never does: the request as a whole needs a deadline."""

    def drip(sock: socket.socket) -> None:
        sock.sendall(head)
        while not rogue.stop.wait(0.05):
            sock.sendall(b"x")

    rogue = opened(Rogue, drip)
    outlives(opened, rogue.url, lambda _: rogue.asked > 0, deadline_s=10)


def test_a_peer_that_never_answers_does_not_hold_the_others_up(opened: Opener) -> None:
    rogue = opened(Rogue, lambda s: rogue.stop.wait(30))
    outlives(opened, rogue.url, lambda _: rogue.asked > 1)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "nowhere",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:1",
        "http://127.0.0.1 /",
        "http://127.0.0.1/\r\nX: y",
        "http://é.invalid" + "x" * 70,
        "http://" + "a" * 300,
        "http://\x00",
    ],
)
def test_an_endpoint_that_is_none_does_no_harm(opened: Opener, endpoint: str) -> None:
    outlives(opened, endpoint, lambda node: node.counted("pull_failures") > 1)


@pytest.mark.parametrize(
    "failure",
    [OSError("down"), ValueError("odd"), ChainUnavailable("away"), UnknownNode("UnknownNode", {"node": 1})],
)
def test_endpoints_that_cannot_be_read_now_are_read_later(opened: Opener, failure: Exception) -> None:
    good, node = opened(Node), opened(Node)
    tried = threading.Event()

    def fail() -> dict[int, str]:
        tried.set()
        raise failure

    node.endpoints = fail
    until(tried.is_set)
    node.follow(good.url)
    good.publish(message(1))
    until(lambda: node.heard() == [message(1)])


def test_deep_nesting_does_not_kill_the_process() -> None:
    """In a process of its own: a library raises the recursion limit so far that the C stack overflows first."""
    code = """
import threading
from node import http_peers
from node.message import Scope
from node.metrics import Metrics

asked, again = [], threading.Event()

def deep(url):
    asked.append(url)
    if len(asked) > 1:
        again.set()
    return b"[" * 1_000_000

http_peers._get, http_peers.PULL_EVERY_S = deep, 0.01
peers = http_peers.HttpPeers(Scope(1, "0x" + "ab" * 20), str, task=1, listen="127.0.0.1:0", metrics=Metrics())
peers.endpoints = lambda: {1: "http://127.0.0.1:1"}
print("alive" if again.wait(30) else "deaf")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "alive" in ran.stdout, f"exit status {ran.returncode}: {ran.stderr[-300:]}"


# -- addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("localhost:65535", ("localhost", 65_535)), ("::1:80", ("::1", 80))],
)
def test_listen_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["", "localhost", ":80", "host:", "host:http", "host:-1", "host:65536", "host:1.5"])
def test_other_addresses_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match="is not HOST:PORT") as caught:
        parse_listen(text)
    assert caught.value.hint


def test_a_port_that_is_taken_is_a_config_error(opened: Opener) -> None:
    taken = opened(Node).url.removeprefix("http://")
    with pytest.raises(ConfigError, match=f"cannot listen on {taken}"):
        HttpPeers(SCOPE, signer_of, task=TASK, listen=taken, metrics=Metrics())
