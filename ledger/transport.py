"""JSON-RPC over HTTP or an IPC socket, with one deadline over the whole of each call.

web3.py's own providers bound each socket read, or spin on a closed socket; a half-dead endpoint then hangs a
node for ever. These bound the call and the size of its answer.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import select
import socket
import ssl
import threading
import time
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ledger.errors import BadArgument, ChainUnavailable

MAX_ANSWER_BYTES = 1 << 28
_CHUNK = 1 << 20


class _DeadlineReader(io.RawIOBase):
    """A socket as a stream of which every read ends by one deadline, however slowly bytes drip in."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes read; raises `TimeoutError` after the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


class _Shim:
    """What http.client needs of a socket; `deadline` is set before each call."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.deadline = 0.0

    def sendall(self, data: bytes) -> None:
        """Send all by the deadline."""
        self._socket.settimeout(max(0.001, self.deadline - time.monotonic()))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A reader of one answer; closing it leaves the socket open."""
        return io.BufferedReader(_DeadlineReader(self._socket, self.deadline))

    def close(self) -> None:
        """Nothing: `_Connection` closes the socket itself."""


class _Connection:
    """One kept-alive HTTP connection whose answers end by a deadline."""

    def __init__(self, secure: bool, host: str, port: int, deadline: float) -> None:
        timeout_s = max(0.001, deadline - time.monotonic())
        self._http = (
            http.client.HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
            if secure
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        self._http.connect()
        self._socket: socket.socket = self._http.sock
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # http.client reads through makefile(): this one's readers have the deadline.
        self._shim = self._http.sock = _Shim(self._socket)

    def is_usable(self) -> bool:
        """Whether the other side has neither closed the connection nor sent anything unasked."""
        return not select.select([self._socket], [], [], 0)[0]

    def post(self, target: str, headers: dict[str, str], request: bytes, deadline: float) -> tuple[bytes, bool]:
        """The answer's body, and whether the connection can be used again."""
        self._shim.deadline = deadline
        self._http.request("POST", target, body=request, headers=headers)
        response = self._http.getresponse()
        if response.status != 200:
            raise ConnectionError(f"HTTP status {response.status}")
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise ConnectionError(f"the answer is above {MAX_ANSWER_BYTES} bytes")
        if response.length:
            raise ConnectionError(f"the answer ended {response.length} bytes early")
        response.close()  # read1 leaves it open, and the next request would be refused
        return bytes(body), not response.will_close

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        self._http.close()


class HttpTransport:
    """Kept-alive connections to one URL, usable from several threads. Proxies and redirects are not followed."""

    def __init__(self, url: str) -> None:
        self.name = _without_secrets(url)
        parts = urlsplit(url)
        if not parts.hostname:
            raise BadArgument(f"{self.name!r} has no host", hint="pass http://HOST:PORT")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._secure else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json"}
        if parts.username:
            token = base64.b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode())
            self._headers["Authorization"] = f"Basic {token.decode()}"
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def exchange(self, request: bytes, deadline: float) -> bytes:
        """The answer's body. Raises `OSError` kinds or `HTTPException`; `deadline` is of `time.monotonic`."""
        connection = self._take() or _Connection(self._secure, self._host, self._port, deadline)
        try:
            body, keep = connection.post(self._target, self._headers, request, deadline)
        except BaseException:
            connection.close()  # mid-answer: it cannot be used again
            raise
        if not keep:
            connection.close()
            return body
        with self._lock:
            self._idle.append(connection)
        return body

    def _take(self) -> _Connection | None:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        return None

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()


class IpcTransport:
    """One Unix socket, one call at a time."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = path
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def exchange(self, request: bytes, deadline: float) -> bytes:
        """The answer's bytes. Raises `OSError` kinds; the socket is reopened after any failure."""
        if not self._lock.acquire(timeout=max(0.001, deadline - time.monotonic())):
            raise TimeoutError("another call holds the socket")
        try:
            return self._exchange(request, deadline)
        except BaseException:
            self._drop()
            raise
        finally:
            self._lock.release()

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self._socket.connect(self._path)
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        self._socket.sendall(request + b"\n")
        body = bytearray()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer did not end in time")
            self._socket.settimeout(left)
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionError("the node closed the socket")
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise ConnectionError(f"the answer is above {MAX_ANSWER_BYTES} bytes")
            # There is no framing: the answer ends where it parses. A cheap look first, so that long answers,
            # which come in many chunks, are rarely parsed twice.
            if body.rstrip().endswith(b"}"):
                try:
                    json.loads(body)
                except ValueError:
                    continue
                return bytes(body)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            self._drop()


class DeadlineProvider(JSONBaseProvider):
    """A web3.py provider over one of the transports."""

    def __init__(self, transport: HttpTransport | IpcTransport, timeout_s: float) -> None:
        super().__init__()
        self.transport = transport
        self.timeout_s = timeout_s

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One call, sent once. Raises `ChainUnavailable` where no JSON-RPC answer comes in time."""
        request = self.encode_rpc_request(method, params)
        try:
            body = self.transport.exchange(request, time.monotonic() + self.timeout_s)
        except (OSError, http.client.HTTPException) as failure:
            raise ChainUnavailable(
                f"{method} to {self.transport.name} failed within {self.timeout_s:g} s: "
                f"{type(failure).__name__}: {_without_secrets(str(failure))}"
            ) from failure
        try:
            answer = json.loads(body)
        except ValueError as failure:
            raise ChainUnavailable(f"{method} to {self.transport.name} did not answer in JSON") from failure
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise ChainUnavailable(f"{method} to {self.transport.name} did not answer in JSON-RPC")
        return cast(RPCResponse, answer)


def _without_secrets(url: str) -> str:
    """A URL without user info, path and query: hosted endpoints carry the access key there."""
    if "://" not in url:
        return url
    scheme, rest = url.split("://", 1)
    host = rest.split("/", 1)[0].split("?", 1)[0].rsplit("@", 1)[-1]
    return f"{scheme}://{host}"
