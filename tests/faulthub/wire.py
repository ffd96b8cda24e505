"""HTTP/1.1 by hand, so that it can go wrong anywhere."""

from __future__ import annotations

import contextlib
import fcntl
import json
import select
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

PIECE = 1 << 16
MAX_HEAD = 1 << 16


@dataclass
class Request:
    """A request as it came."""

    origin: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    broken: bool = False
    """The hub hung up while the body came: this is what it had read."""

    @property
    def token(self) -> str:
        """The token that came with it, or nothing."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def raw_path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def segments(self) -> list[str]:
        """The path's segments, each decoded: `%2F` stays inside one."""
        return [unquote(s) for s in self.raw_path.strip("/").split("/")]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object; nothing counts as an empty one."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")
        return value

    def argument(self, name: str, default: str = "") -> str:
        """The last value of a query argument."""
        return dict(self.query).get(name, default)

    def arguments(self, *names: str) -> list[str]:
        """All values of a query argument."""
        return [v for k, v in self.query if k in names]


@dataclass
class Response:
    """An answer, and how it is delivered."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | memoryview = b""
    about: str = ""
    """What file or thing the answer is about: `datasets/org/data/big.bin`."""
    delay: float = 0.0
    """Seconds before the first byte."""
    cut: int | None = None
    """Body bytes after which the connection ends."""
    cut_connection: int | None = None
    """The same, counted over all answers of the connection."""
    reset: bool = False
    """The end is an RST, not a FIN."""
    stall: int | None = None
    """Body bytes after which nothing more is sent, on an open connection."""
    rate: float | None = None
    """Body bytes a second."""
    framing: str = "length"
    """`length`, `chunked`, `close` (no length: the end of the connection ends the body)."""
    length: int | None = None
    """A Content-Length that is not the body's."""
    lost: bool = False
    """The client gets an RST instead of this answer."""
    effect: Callable[[], object] | None = None
    """What the request changes in the hub. An answer that replaces this one has none: then nothing happened."""

    def get(self, name: str) -> str | None:
        """A header."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def set(self, name: str, value: str | None) -> None:
        """Sets a header, or removes it (None)."""
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))


@dataclass
class Logged:
    """A line of the log; `body_sent` grows while the body goes out."""

    origin: str
    method: str
    target: str
    headers: dict[str, str]
    connection: int
    number: int
    time: float
    """`time.monotonic()` at arrival."""
    body: bytes = b""
    status: int = 0
    about: str = ""
    body_sent: int = 0
    finished: bool = False

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def token(self) -> str | None:
        """The token that came with it."""
        value = self.headers.get("authorization")
        return None if value is None else value.removeprefix("Bearer ")


class Broken(Exception):  # noqa: N818
    """The connection is of no more use."""


class Connection:
    """One connection of a client."""

    def __init__(self, sock: socket.socket, origin: str, number: int, stopping: threading.Event) -> None:
        self.sock, self.origin, self.number, self.stopping = sock, origin, number, stopping
        self.buffer = bytearray()
        self.body_bytes = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_request(self, hang_up: Callable[[Request], int | None]) -> Request | None:
        """The next request; None when the client went away.

        Args:
            hang_up: asked with the request's head: how much of the body to read before the end (None: all, no end).
        """
        while b"\r\n\r\n" not in self.buffer:
            if self.buffer[:1] == b"\x16":  # a TLS greeting: this is not a TLS server
                self.reset()
                return None
            if len(self.buffer) > MAX_HEAD or not self._fill():
                return None
        head = self._take(self.buffer.index(b"\r\n\r\n") + 4)[:-4]
        line, *rest = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        for text in rest:
            name, _, value = text.partition(":")
            headers[name.strip().lower()] = value.strip()
        if target.startswith("http"):
            target = "/" + target.split("/", 3)[3]
        request = Request(self.origin, method, target, headers, b"", self.number)
        limit = hang_up(request)
        request.broken = limit is not None
        request.body = self._body(headers, limit)
        return request

    def _body(self, headers: dict[str, str], limit: int | None) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", ""):
            body = bytearray()
            while limit is None or len(body) < limit:
                size = int(self._line().split(b";")[0], 16)
                body += self._exactly(size)
                self._line()
                if size == 0:
                    break
            return bytes(body[:limit])
        size = int(headers.get("content-length", "0"))
        return self._exactly(size if limit is None else min(size, limit))

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            if not self._fill():
                raise Broken
        return self._take(self.buffer.index(b"\r\n") + 2)[:-2]

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        start = min(size, len(self.buffer))
        data[:start] = self._take(start)
        with memoryview(data) as rest:
            while start < size:
                read = self.sock.recv_into(rest[start:])
                if read == 0:
                    raise Broken
                start += read
        return bytes(data)

    def _fill(self) -> bool:
        data = self.sock.recv(PIECE)
        self.buffer += data
        return bool(data)

    def send(self, request: Request, response: Response, sent: Callable[[int], None]) -> bool:
        """Delivers an answer as it says. Returns whether the connection lives on."""
        if response.delay and self.stopping.wait(response.delay):
            return False
        if response.lost:
            self.reset()
            return False
        body = memoryview(response.body)
        no_body = request.method == "HEAD" or response.status in (204, 304)
        close = response.framing == "close" or request.headers.get("connection", "").lower() == "close"
        self.sock.sendall(self._head(response, len(body), close=close))
        if no_body:
            body = body[:0]
            if response.cut is None and response.stall != 0:
                return not close
        limits = [n for n in (response.cut, self._allowance(response)) if n is not None]
        ends = bool(limits) and min(limits) < max(len(body), 1)
        if ends:
            body = body[: min(limits)]
        stalls = response.stall is not None and response.stall < max(len(body), 1)
        if stalls:
            body = body[: response.stall]
        self._send_body(body, response, sent)
        if stalls:
            self._wait_for_the_end()
            return False
        if ends:
            self.reset() if response.reset else None
            return False
        if response.framing == "chunked" and not no_body:
            self.sock.sendall(b"0\r\n\r\n")
        short = response.length is not None and response.length != len(body)
        return not (close or short)

    def _allowance(self, response: Response) -> int | None:
        if response.cut_connection is None:
            return None
        return max(0, response.cut_connection - self.body_bytes)

    def _head(self, response: Response, size: int, *, close: bool) -> bytes:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{k}: {v}" for k, v in response.headers)]
        if response.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif response.framing == "length" and response.status not in (204, 304):
            lines.append(f"Content-Length: {size if response.length is None else response.length}")
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")

    def _send_body(self, body: memoryview, response: Response, sent: Callable[[int], None]) -> None:
        piece = PIECE if response.rate is None else max(1, min(PIECE, int(response.rate / 20)))
        for start in range(0, len(body), piece):
            part = body[start : start + piece]
            if response.framing == "chunked":
                self.sock.sendall(f"{len(part):x}\r\n".encode())
            self.sock.sendall(part)
            if response.framing == "chunked":
                self.sock.sendall(b"\r\n")
            self.body_bytes += len(part)
            sent(len(part))
            if response.rate is not None and self.stopping.wait(len(part) / response.rate):
                raise Broken

    def _wait_for_the_end(self) -> None:
        """Until the client gives up or the hub stops."""
        while not self.stopping.is_set():
            readable, _, _ = select.select([self.sock], [], [], 0.05)
            if readable and not self._fill():
                return

    def reset(self) -> None:
        """An RST, after what was sent has reached the client."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            waiting = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
            if waiting == 0:
                break
            self.stopping.wait(0.002)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """An orderly end."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()
