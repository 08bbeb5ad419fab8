"""A daemon that lies, stalls or breaks: a real HTTP server on loopback with scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = Callable[["Exchange"], object]


@dataclass
class Double:
    """The server's address, its answers by RPC path (``cat``), and the calls that it received."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]


@dataclass
class Exchange:
    """One request being answered."""

    handler: BaseHTTPRequestHandler
    double: Double
    count: int

    def reply(self, body: bytes, *, status: int = 200, announce: int | None = None) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Length", str(len(body) if announce is None else announce))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def drip(self, *, pause_s: float, announce: int) -> None:
        """Send one byte at a time until the client hangs up."""
        self.reply(b"", announce=announce)
        with suppress(OSError):
            for _ in range(announce):
                self.handler.wfile.write(b"x")
                if self.double.stop.wait(pause_s):
                    break

    def flood(self, piece: bytes) -> None:
        """Send pieces until the client hangs up."""
        self.reply(b"", announce=1 << 40)
        try:
            while not self.double.stop.is_set():
                self.handler.wfile.write(piece)
        except OSError:
            self.double.stop.set()

    def hang(self) -> None:
        """Say nothing until the test ends."""
        self.double.stop.wait(30)

    def drop(self) -> None:
        """Close the connection without an answer."""
        self.handler.close_connection = True


def says(value: object, *, status: int = 200) -> Answer:
    """Answer with JSON."""
    return lambda exchange: exchange.reply(json.dumps(value).encode(), status=status)


def fails(message: str, *, status: int = 500) -> Answer:
    """Answer with an error as daemons word it."""
    return says({"Message": message, "Code": 0, "Type": "error"}, status=status)


def sends(body: bytes) -> Answer:
    """Answer with content."""
    return lambda exchange: exchange.reply(body)


@contextmanager
def daemon_double(**answers: Answer) -> Iterator[Double]:
    """Serve ``answers`` (``pin_rm`` for ``pin/rm``) on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            path = url.path.removeprefix("/api/v0/")
            self._read_body()
            double.calls.append((path, parse_qs(url.query)))
            double.answers[path](Exchange(self, double, double.paths().count(path)))

        def _read_body(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double = Double(f"http://127.0.0.1:{server.server_port}")
    double.answers.update({name.replace("_", "/"): answer for name, answer in answers.items()})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        double.stop.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
