"""The hub: three origins (hub, cdn, foreign), threads, the log."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType

from faulthub import cdn, routes, writes
from faulthub.access import Access, RateLimit
from faulthub.answers import error
from faulthub.cdn import Signed, Upload
from faulthub.faults import Change, Fault
from faulthub.repo import Blob, Repository
from faulthub.wire import Broken, Connection, Logged, Request, Response

ORIGINS = ("hub", "cdn", "foreign")


class FaultHub:
    """A hub on loopback. Set attributes before or while it runs.

    Args:
        prefix: path of the endpoint below its origin (`/mirror`), as some mirrors have.
        host: name or address under which it is reached.
    """

    def __init__(self, *, prefix: str = "", host: str = "127.0.0.1") -> None:
        self.prefix, self.host = prefix, host
        self.repos: dict[tuple[str, str], Repository] = {}
        self.renames: dict[tuple[str, str], str] = {}
        self.tokens: dict[str, str] = {"hf_good": "alice", "hf_other": "bob"}
        self.read_only_tokens: set[str] = set()
        """Those of `tokens` that may change nothing."""
        self.lfs_part = 5 << 30
        """Size above which a large file is uploaded in parts of this size."""
        self.lfs_errors: dict[str, str] = {}
        """sha256 to message: objects that the LFS batch refuses."""
        self.yaml_errors: list[str] = []
        """What is wrong with the metadata of any README.md."""
        self.rate: RateLimit | None = None
        self.xet = False
        self.tree_page, self.tree_page_expanded, self.commit_page, self.list_page = 1000, 50, 50, 100
        self.signed_uses: int | None = None
        """Uses after which a signed address (of a file, or of a part to upload) is refused."""
        self.signed_seconds: float | None = None
        """Age at which a signed address is refused."""
        self.latency = 0.0
        """Seconds added to each answer."""
        self.log: list[Logged] = []
        self._faults: list[Fault] = []
        self._signed: dict[str, Signed] = {}
        """What is behind signed addresses, by signature."""
        self.uploads: dict[str, Upload] = {}
        """Large files that are to come, by the id of the upload."""
        self._writing = threading.Lock()  # what changes something goes one by one, from the look to the effect
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._listeners: dict[str, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._open: set[Connection] = set()
        self._count = 0

    # ------------------------------------------------------------------------------------------------- content

    def repo(
        self,
        kind: str,
        repo_id: str,
        *,
        private: bool = False,
        gated: str | bool = False,
        disabled: bool = False,
        granted: tuple[str, ...] = ("hf_good",),
        tags: tuple[str, ...] = (),
    ) -> Repository:
        """Makes an empty repository; `granted` tokens may see it where it is private or gated."""
        access = Access(private, gated, disabled, set(granted))
        self.repos[kind, repo_id] = made = Repository(kind, repo_id, access, tags=list(tags))
        return made

    def rename(self, kind: str, old: str, new: str) -> None:
        """Moves a repository; the old name redirects."""
        self.repos[kind, new] = moved = self.repos.pop((kind, old))
        moved.id = new
        self.renames.pop((kind, new), None)
        self.renames[kind, old] = new

    # -------------------------------------------------------------------------------------------------- faults

    def fault(
        self,
        path: str,
        change: Change,
        *,
        method: str | None = None,
        origin: str | None = None,
        times: int | None = None,
        skip: int = 0,
        probability: float = 1.0,
        seed: int = 0,
        statuses: tuple[int, ...] | None = None,
    ) -> Fault:
        """Adds a fault; see `Fault`."""
        made = Fault(path, change, method, origin, times, skip, probability, seed, statuses)
        self._faults.append(made)
        return made

    def clear(self) -> None:
        """Removes all faults; the log stays."""
        self._faults.clear()

    # ----------------------------------------------------------------------------------------------------- log

    def requests(self, about: str = "", *, origin: str | None = None, method: str | None = None) -> list[Logged]:
        """Lines of the log whose target or file matches a regular expression."""
        with self._changed:
            return [
                line
                for line in self.log
                if (re.search(about, line.target) or re.search(about, line.about))
                and origin in (None, line.origin)
                and method in (None, line.method)
            ]

    def served(self, about: str = "", *, origin: str | None = None) -> int:
        """Body bytes of contents (200 and 206 for GET) that were sent for matching files."""
        lines = self.requests(about, origin=origin, method="GET")
        return sum(line.body_sent for line in lines if line.status in (200, 206))

    def bodies(self, about: str = "", *, origin: str | None = None, method: str | None = None) -> list[bytes]:
        """The bodies of matching requests, in the order of their arrival."""
        return [line.body for line in self.requests(about, origin=origin, method=method)]

    def tokens_on(self, origin: str) -> set[str]:
        """The tokens that an origin saw."""
        with self._changed:
            return {line.token for line in self.log if line.origin == origin and line.token is not None}

    def forget(self) -> None:
        """Empties the log."""
        with self._changed:
            self.log.clear()

    def wait_until(self, condition: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Waits for something that the log shows: woken with each request and each piece of a body."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return condition()
        return True

    # ------------------------------------------------------------------------------------------------- running

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self.origin_url('hub')}{self.prefix}"

    @property
    def cdn_url(self) -> str:
        """Where large files are."""
        return self.origin_url("cdn")

    @property
    def foreign_url(self) -> str:
        """A stranger's host that answers as the hub does, to whoever comes."""
        return self.origin_url("foreign")

    def origin_url(self, origin: str) -> str:
        """Scheme, host and port of an origin."""
        return f"http://{self.host}:{self._listeners[origin].getsockname()[1]}"

    def base(self, request: Request) -> str:
        """The origin under which a request came, for absolute addresses."""
        return self.origin_url(request.origin)

    def sign(self, blob: Blob, about: str) -> str:
        """A new signed address of a large file."""
        return cdn.sign(self, Signed(blob, about))

    def start(self) -> FaultHub:
        """Opens the ports."""
        for origin in ORIGINS:
            listener = socket.create_server(("127.0.0.1", 0), backlog=256)
            self._listeners[origin] = listener
            self._run(self._accept, listener, origin)
        return self

    def stop(self) -> None:
        """Ends all connections and threads."""
        self._stopping.set()
        for listener in self._listeners.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(timeout=5)

    def __enter__(self) -> FaultHub:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._changed:
            self._threads = [t for t in self._threads if t.is_alive() or t.ident is None]
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, origin: str) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._count += 1
                connection = Connection(sock, origin, self._count, self._stopping)
                self._open.add(connection)
            self._run(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            while not self._stopping.is_set():
                request = connection.read_request(self._hang_up)
                if request is None or not self._exchange(connection, request):
                    break
        except (OSError, Broken, ValueError):
            pass  # the client went away, or the hub stopped
        finally:
            with self._changed:
                self._open.discard(connection)
            with contextlib.suppress(OSError):
                connection.close()

    def _exchange(self, connection: Connection, request: Request) -> bool:
        headers = dict(request.headers)
        with self._changed:
            line = Logged(
                request.origin,
                request.method,
                request.target,
                headers,
                connection.number,
                len(self.log),
                time.monotonic(),
                request.body,
            )
            self.log.append(line)
            self._changed.notify_all()
        if request.broken:
            connection.reset()
            with self._changed:
                line.finished = True
                self._changed.notify_all()
            return False
        alone = request.origin != "cdn" and request.method not in ("GET", "HEAD")
        with self._writing if alone else contextlib.nullcontext():
            response = self._with_faults(request, self._answer(request))
            if response.effect is not None:
                response.effect()
        response.set("X-Request-Id", f"Root=1-{line.number:08x}")
        line.about = response.about
        line.status = response.status

        def sent(size: int) -> None:
            with self._changed:
                line.body_sent += size
                self._changed.notify_all()

        try:
            return connection.send(request, response, sent)
        finally:
            with self._changed:
                line.finished = True
                self._changed.notify_all()

    def _answer(self, request: Request) -> Response:
        if request.origin == "cdn":
            return cdn.answer(self, request)
        if request.origin == "foreign":
            # A stranger gives what was asked, whatever the token.
            request = replace(request, headers={k: v for k, v in request.headers.items() if k != "authorization"})
        limit = self.rate if not request.raw_path.startswith(f"{self.prefix}/api/resolve-cache/") else None
        if limit is None:
            made = self._of_hub(request)
        else:
            allowed, left, wait = limit.take()
            made = self._of_hub(request) if allowed else error(429, "We had to rate limit you.")
            made.headers += limit.headers(left, wait)
        made.delay += self.latency
        return made

    def _of_hub(self, request: Request) -> Response:
        return writes.answer(self, request) or routes.answer(self, request)

    def _hang_up(self, request: Request) -> int | None:
        nothing = Response(0)
        limits = [(f, getattr(f.change, "body_limit", None)) for f in list(self._faults)]
        return next((n for f, n in limits if n is not None and f.matches(request, nothing)), None)

    def _with_faults(self, request: Request, response: Response) -> Response:
        for fault in list(self._faults):
            if hasattr(fault.change, "body_limit") or not fault.matches(request, response):
                continue
            if getattr(fault.change, "before", False):
                fault.change(request, response)
                response = cdn.answer(self, request) if request.origin == "cdn" else self._of_hub(request)
            else:
                response = fault.change(request, response) or response
        return response


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of loopback where nobody listens, kept from others while in use."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
