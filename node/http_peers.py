"""Peers over HTTP: each node serves what it has heard and pulls from everyone whose endpoint the chain names.

Pull only: nobody can push bytes into a node. Answers are size-bounded, every message is checked on its own, and every
request has a deadline. GET /v1/messages?task=T&after=N, GET /metrics (Prometheus text), GET /health.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from node.errors import ConfigError, PeerError
from node.message import MAX_MESSAGE_BYTES, Kind, Message, Scope, parse_message
from node.metrics import Metrics
from node.peers import Board, Peers, SignerOf

log = logging.getLogger("credence.peers")

PULL_EVERY_S = 0.3
REQUEST_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 8 * MAX_MESSAGE_BYTES
MAX_MESSAGES = 256


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
        self._stop = threading.Event()
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

    def messages(self, task: int, round_: int, kind: Kind) -> list[Message]:
        return self._board.messages(task, round_, kind)

    def answer(self, task: int, after: int) -> bytes:
        """The messages kept from number `after` on, as served to peers."""
        fresh = self._board.since(task, after, limit=MAX_MESSAGES)
        return json.dumps({"next": fresh[0], "messages": [m.to_json() for m in fresh[1]]}).encode()

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

    # -- pulling -----------------------------------------------------------------------------------------------------

    def _pull_forever(self) -> None:
        while not self._stop.wait(PULL_EVERY_S):
            for node, endpoint in self._peers():
                if endpoint != self.url and not self._stop.is_set():
                    self._pull(node, endpoint)

    def _peers(self) -> list[tuple[int, str]]:
        try:
            return sorted(self.endpoints().items())
        except (OSError, ValueError) as error:  # the chain is briefly away: the main loop reports it
            log.warning("peers unknown for now: %s", error)
            return []

    def _pull(self, node: int, endpoint: str) -> None:
        url = f"{endpoint}/v1/messages?task={self._task}&after={self._seen.get(endpoint, 0)}"
        try:
            body = _get(url)
            answer = json.loads(body)
            items, following = answer["messages"], int(answer["next"])
            if not isinstance(items, list) or len(items) > MAX_MESSAGES:
                raise PeerError("too many messages in one answer")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._metrics.count("pull_failures")
            log.info("pull: peer=%d reason=%s", node, error)
            return
        for item in items:
            try:
                self._board.publish(parse_message(item))
                self._metrics.count("messages_received")
            except (PeerError, LookupError) as error:
                self._metrics.count("messages_dropped")
                log.warning("dropped: peer=%d reason=%s", node, error)
        self._seen[endpoint] = following


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises ConfigError for anything else; port 0 means any free one."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"--listen {text!r} is not HOST:PORT", hint="for example 127.0.0.1:0")
    return host, int(port)


def _get(url: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise PeerError(f"peer endpoint {url!r} is not an http address")
    with urllib.request.urlopen(url, timeout=REQUEST_TIMEOUT_S) as response:
        data: bytes = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise PeerError(f"answer of {url} exceeds {MAX_ANSWER_BYTES} bytes")
    return data


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
