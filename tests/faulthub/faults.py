"""Faults: changes to answers. Give them to `FaultHub.fault`; several that match one request add up.

A request that would change something in the hub changes nothing where a fault replaces its answer (`status`,
`rate_limited`, `redirect`, ...) or hangs up on it (`hang_up`); where a fault only spoils the delivery (`cut`, `delay`,
`lose_answer`, ...), it has happened.
"""

from __future__ import annotations

import random
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from faulthub.wire import Request, Response

Change = Callable[[Request, Response], "Response | None"]


@dataclass
class Fault:
    """A change to the answers of matching requests.

    `path` is a regular expression searched in the request's target and in what the answer is about
    (`datasets/org/data/big.bin`). `method` is "GET", "PUT", ..., `origin` "hub", "cdn" or "foreign"; None is any.
    `statuses` are those of the answer without the fault. The first `skip` matches pass, then `times` are changed (None: all), each with `probability`.
    """

    path: str
    change: Change
    method: str | None = None
    origin: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    statuses: tuple[int, ...] | None = None
    hits: int = 0
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def matches(self, request: Request, response: Response) -> bool:
        """Whether this request is to suffer; counts it."""
        if self.method not in (None, request.method) or self.origin not in (None, request.origin):
            return False
        if self.statuses is not None and response.status not in self.statuses:
            return False
        if not (re.search(self.path, request.target) or re.search(self.path, response.about)):
            return False
        with self._lock:
            self._seen += 1
            if self._seen <= self.skip or (self.times is not None and self.hits >= self.times):
                return False
            if self._random.random() >= self.probability:
                return False
            self.hits += 1
            return True


def _with(**values: object) -> Change:
    def change(_: Request, response: Response) -> None:
        for name, value in values.items():
            setattr(response, name, value)

    return change


def cut(after: int) -> Change:
    """The connection ends after so many body bytes of an answer."""
    return _with(cut=after)


def cut_every(size: int) -> Change:
    """The connection ends after so many body bytes, counted over its answers."""
    return _with(cut_connection=size)


def reset(after: int) -> Change:
    """An RST after so many body bytes."""
    return _with(cut=after, reset=True)


def reset_at_random(seed: int) -> Change:
    """An RST somewhere in the body."""
    dice, lock = random.Random(seed), threading.Lock()

    def change(_: Request, response: Response) -> None:
        with lock:
            response.cut = int(dice.random() * len(response.body))
        response.reset = True

    return change


def stall(after: int) -> Change:
    """Nothing more after so many body bytes; the connection stays open."""
    return _with(stall=after)


def drip(bytes_per_second: float) -> Change:
    """A slow body."""
    return _with(rate=bytes_per_second)


def delay(seconds: float) -> Change:
    """A late answer."""
    return _with(delay=seconds)


def first(action: Callable[[], object]) -> Change:
    """Something happens before the request is looked at. It may change repositories, but not ask the hub to."""

    def change(_: Request, __: Response) -> None:
        action()

    change.before = True  # type: ignore[attr-defined]
    return change


def lose_answer() -> Change:
    """An RST instead of the answer; what was asked for has happened."""
    return _with(lost=True)


def hang_up(after: int | None = None) -> Change:
    """An RST when so many bytes of the request's body have come (None: all of them); nothing has happened.

    The request is matched by its head alone: a fault with `statuses` never hangs up.
    """

    def change(_: Request, __: Response) -> None:
        return None  # the end comes before there is an answer

    change.body_limit = sys.maxsize if after is None else after  # type: ignore[attr-defined]
    return change


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Change:
    """Another answer altogether."""

    def change(_: Request, response: Response) -> Response:
        return Response(code, list((headers or {}).items()), body, response.about)

    return change


def rate_limited(wait: int, style: str = "ratelimit") -> Change:
    """429 with `RateLimit` ("ratelimit"), `Retry-After` in seconds ("seconds") or as a date ("date"), or bare ("none")."""

    def change(_: Request, response: Response) -> Response:
        headers = {
            "ratelimit": [("RateLimit", f'"resolvers";r=0;t={wait}')],
            "seconds": [("Retry-After", str(wait))],
            "date": [("Retry-After", format_datetime(datetime.now(UTC) + timedelta(seconds=wait), usegmt=True))],
            "none": [],
        }[style]
        return Response(429, [*headers, ("Content-Type", "application/json")], b'{"error":"Too many"}', response.about)

    return change


def flip(at: int = 0) -> Change:
    """One byte of the body is wrong; the length is right."""

    def change(_: Request, response: Response) -> None:
        if len(response.body) > 0:
            body = bytearray(response.body)
            body[at % len(body)] ^= 0x55
            response.body = bytes(body)

    return change


def replace(body: bytes) -> Change:
    """Another body."""
    return _with(body=body)


def short(missing: int = 1) -> Change:
    """The header promises the full length, the body ends early and in order (FIN)."""

    def change(_: Request, response: Response) -> None:
        response.length = len(response.body)
        response.body = response.body[: max(0, len(response.body) - missing)]

    return change


def shorter(missing: int = 1) -> Change:
    """A consistent answer that lacks the file's last bytes."""

    def change(_: Request, response: Response) -> None:
        response.body = response.body[: max(0, len(response.body) - missing)]

    return change


def no_length() -> Change:
    """No Content-Length; the end of the connection ends the body."""
    return _with(framing="close")


def chunked() -> Change:
    """No Content-Length, chunks."""
    return _with(framing="chunked")


def wrong_length(delta: int) -> Change:
    """A Content-Length that differs from the body's."""

    def change(_: Request, response: Response) -> None:
        response.length = max(0, len(response.body) + delta)

    return change


def header(name: str, value: str | None) -> Change:
    """One header changed or missing (None)."""

    def change(_: Request, response: Response) -> None:
        response.set(name, value)

    return change


def redirect(location: str, code: int = 307) -> Change:
    """A redirect; `{target}` stands for the request's target."""

    def change(request: Request, response: Response) -> Response:
        return Response(code, [("Location", location.replace("{target}", request.target))], b"", response.about)

    return change


def loop() -> Change:
    """A redirect to itself."""
    return redirect("{target}")


def refuse_head() -> Change:
    """405 for HEAD."""

    def change(request: Request, response: Response) -> Response | None:
        return Response(405, [("Allow", "GET")], b"", response.about) if request.method == "HEAD" else None

    return change


def login_page() -> Change:
    """200 and a page in HTML, as captive portals do."""
    page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
    return status(200, {"Content-Type": "text/html"}, page)


def ignore_range() -> Change:
    """The whole file for a range (200)."""

    def change(request: Request, _: Response) -> None:
        request.headers.pop("range", None)

    change.before = True  # type: ignore[attr-defined]
    return change


def wrong_range(shift: int) -> Change:
    """A 206 whose `Content-Range` and bytes lie elsewhere than asked: the header tells the truth."""

    def change(request: Request, _: Response) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if found:
            start = max(0, int(found[1]) + shift)
            request.headers["range"] = f"bytes={start}-{found[2]}"

    change.before = True  # type: ignore[attr-defined]
    return change


def forbid_range() -> Change:
    """416 for every range."""

    def change(request: Request, response: Response) -> Response | None:
        if "range" not in request.headers:
            return None
        total = (response.get("Content-Range") or "/0").rpartition("/")[2]
        return Response(416, [("Content-Range", f"bytes */{total}")], b"", response.about)

    return change
