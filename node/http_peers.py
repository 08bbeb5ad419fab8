"""Peers over HTTP: each node serves what it has heard and pulls from everyone whose endpoint the chain names.

Pull only: nobody can push bytes into a node. Answers are size-bounded, every message is checked on its own, and every
request has a deadline. GET /v1/messages?task=T&after=N, GET /metrics (Prometheus text), GET /health.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ledger import LedgerError
from ledger.errors import ChainUnavailable
from node.errors import ConfigError, PeerError
from node.message import MAX_MESSAGE_BYTES, Kind, Message, Scope, parse_message
from node.metrics import Metrics
from node.peers import Board, Peers, SignerOf
from storage import StorageError, parse_json

log = logging.getLogger("credence.peers")

PULL_EVERY_S = 0.3
REQUEST_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 8 * MAX_MESSAGE_BYTES
MAX_MESSAGES = 256
MAX_PULLS = 32


class HttpPeers(Peers):
    """A node's exchange with the others. `endpoints` gives the current peers' base URLs by node."""

    def __init__(
        self,
        scope: Scope,
        signer_of: SignerOf,
        *,
        task: int,
        listen: str,
        metrics: Metrics,
        endpoints: Callable[[], dict[int, str]] = dict,
    ) -> None:
        self._board = Board(scope, signer_of)
        self._task = task
        self.endpoints = endpoints
        self._metrics = metrics
        self._seen: dict[str, int] = {}
        self._flying: set[str] = set()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(MAX_PULLS, thread_name_prefix="peers-pull")
        host, port = parse_listen(listen)
        self._server = _serve(host, port, self)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, name="peers-serve", daemon=True),
            threading.Thread(target=self._pull_forever, name="peers-pull", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """Where this node listens (the real port, also when 0 was asked for)."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def publish(self, message: Message) -> None:
        """Keep the message where every peer will pull it from."""
        self._board.publish(message)
        self._metrics.count("messages_published")

    def contradictions(self, task: int, round_: int, kind: Kind) -> list[tuple[Message, Message]]:
        return self._board.contradictions(task, round_, kind)

    def messages(self, task: int, round_: int, kind: Kind) -> list[Message]:
        return self._board.messages(task, round_, kind)

    def answer(self, task: int, after: int) -> bytes:
        """The messages kept from number `after` on, as served to peers."""
        size = fitting = 0
        for message in self._board.since(task, after, limit=MAX_MESSAGES)[1]:
            size += len(json.dumps(message.to_json())) + 2
            if fitting and size > MAX_ANSWER_BYTES // 2:
                break
            fitting += 1
        following, fresh = self._board.since(task, after, limit=max(1, fitting))
        return json.dumps({"next": following, "messages": [m.to_json() for m in fresh]}).encode()

    def metrics_text(self) -> bytes:
        """Prometheus text."""
        return self._metrics.prometheus().encode()

    def close(self) -> None:
        """Stop listening and pulling."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(timeout=2 * REQUEST_TIMEOUT_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- pulling -----------------------------------------------------------------------------------------------------

    def _pull_forever(self) -> None:
        while not self._stop.wait(PULL_EVERY_S):
            others = [(node, endpoint) for node, endpoint in self._peers() if endpoint != self.url]
            for node, endpoint in others:
                # At most one request in flight for each peer: a slow one costs the others nothing but a thread.
                if endpoint not in self._flying:
                    self._flying.add(endpoint)
                    self._pool.submit(self._pull_safely, node, endpoint)

    def _peers(self) -> list[tuple[int, str]]:
        try:
            return sorted(self.endpoints().items())
        except (LedgerError, OSError, ValueError) as error:  # the chain is briefly away: the main loop reports it
            log.warning("peers unknown for now: %s", error)
            return []

    def _pull_safely(self, node: int, endpoint: str) -> None:
        try:
            self._pull(node, endpoint)
        except Exception:
            # The end of a worker's thread: nobody asks for its result, so what is not shown here would be lost. The
            # peer is pulled again next time.
            self._metrics.count("pull_failures")
            log.exception("pull: peer=%d", node)
        finally:
            self._flying.discard(endpoint)

    def _pull(self, node: int, endpoint: str) -> None:
        try:
            body = _get(f"{endpoint}/v1/messages?task={self._task}&after={self._seen.get(endpoint, 0)}")
            answer = parse_json(body, max_bytes=MAX_ANSWER_BYTES)
            items, following = answer["messages"], int(answer["next"])
            if not isinstance(items, list) or len(items) > MAX_MESSAGES:
                raise PeerError("more than one answer's worth of messages")
        except (OSError, ValueError, LookupError, TypeError, OverflowError, http.client.HTTPException) as error:
            self._metrics.count("pull_failures")
            log.info("pull: peer=%d reason=%s", node, error)
            return
        for item in items:
            try:
                self._receive(item)
            except ChainUnavailable as error:
                log.warning("pull: peer=%d reason=%s", node, error)
                return  # its signature could not be checked: ask for it again
            except (PeerError, LedgerError, StorageError) as error:
                self._metrics.count("messages_dropped")
                log.warning("dropped: peer=%d reason=%s", node, error)
        self._seen[endpoint] = following

    def _receive(self, item: object) -> None:
        message = parse_message(item)
        if message.task != self._task:
            raise PeerError(f"a message of task {message.task} among those of task {self._task}")
        self._board.publish(message)
        self._metrics.count("messages_received")


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises ConfigError for anything else; port 0 means any free one."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"--listen {text!r} is not HOST:PORT", hint="for example 127.0.0.1:0")
    return host, int(port)


def _get(url: str) -> bytes:
    """The body of one answer, all of it within REQUEST_TIMEOUT_S, however slowly bytes drip in."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PeerError(f"peer endpoint {url!r} is not an http address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.connect()
        cutter = threading.Timer(REQUEST_TIMEOUT_S, _cut, [connection.sock])
        cutter.start()
        try:
            connection.request("GET", f"{parts.path}?{parts.query}", headers={"Connection": "close"})
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        finally:
            cutter.cancel()
    finally:
        connection.close()
    if response.status != 200:
        raise PeerError(f"{url} answered {response.status}")
    if len(data) > MAX_ANSWER_BYTES:
        raise PeerError(f"answer of {url} exceeds {MAX_ANSWER_BYTES} bytes")
    return data


def _cut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by now
        connected.shutdown(socket.SHUT_RDWR)


def _serve(host: str, port: int, peers: HttpPeers) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if parts.path == "/v1/messages":
                try:
                    task, after = int(query["task"][0]), int(query.get("after", ["0"])[0])
                except (KeyError, ValueError):
                    self._send(400, b"task and after must be integers", "text/plain")
                    return
                self._send(200, peers.answer(task, after), "application/json")
            elif parts.path == "/metrics":
                self._send(200, peers.metrics_text(), "text/plain; version=0.0.4")
            elif parts.path == "/health":
                self._send(200, b"ok\n", "text/plain")
            else:
                self._send(404, b"unknown path\n", "text/plain")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug(format, *args)

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another --listen"
        ) from error
    server.daemon_threads = True
    return server
