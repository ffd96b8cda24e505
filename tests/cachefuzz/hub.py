"""A small quick hub with history: several commits, a tag, a branch with a slash, a pull request.

It knows what the fuzz asks for and nothing more: repo info, the tree, `paths-info`, refs, and resolve, which answers
307 to the same origin for small files and 302 to another origin for large ones, as the Hub does. Everything is in
memory and each answer is one write, since the fuzz makes some ten thousand requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote

NOTHING = b""


@dataclass(frozen=True)
class File:
    """One version of a file."""

    data: bytes
    lfs: bool = False

    @cached_property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


Commit = dict[str, File]


def commit_id(repo: str, files: Commit, label: str) -> str:
    return hashlib.sha1(f"{repo} {label} {sorted((p, f.etag) for p, f in files.items())}".encode()).hexdigest()


class History:
    """The commits of a repository and the names that point to them. `stage` is how far `main` has come."""

    def __init__(self, repo: str, mains: list[Commit], fixed: dict[str, Commit]) -> None:
        self.repo = repo
        self.mains = [commit_id(repo, files, f"main{i}") for i, files in enumerate(mains)]
        self.fixed = {name: commit_id(repo, files, name) for name, files in fixed.items()}
        self.commits = dict(zip(self.mains, mains, strict=True)) | dict(
            zip(self.fixed.values(), fixed.values(), strict=True)
        )
        self.tag = self.mains[0]
        self.stage = 0

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, tag, ref or commit."""
        if revision == "main":
            return self.mains[self.stage]
        if revision == "v1":
            return self.tag
        if revision in self.mains:
            return revision if self.mains.index(revision) <= self.stage else None
        return self.fixed.get(revision) or (revision if revision in self.fixed.values() else None)


def _text(n: int, word: str) -> bytes:
    return "".join(f"{word} {i}\n" for i in range(n)).encode()


def world() -> dict[str, History]:
    """What the fuzz downloads: one dataset with all kinds of paths, one small model."""
    shared = File(_text(40, "row"))
    first: Commit = {
        "README.md": File(b"# first\n"),
        "config.json": File(b"{}\n"),
        "data/train.csv": File(_text(30, "train")),
        "data/copy of train.csv": File(_text(30, "train")),
        "data/deep/er/large.bin": File(bytes(range(256)) * 8, lfs=True),
        "data/empty.txt": File(b""),
        "weights [1].bin": File(b"\x00w" * 700, lfs=True),
    }
    second = {**first, "README.md": File(b"# second\n"), "new/added.txt": shared}
    third = {k: v for k, v in second.items() if k != "config.json"} | {
        "data/train.csv": File(_text(31, "train")),
        "data/deep/er/large.bin": File(bytes(range(255, -1, -1)) * 8, lfs=True),
    }
    fourth = {**third, "config.json": first["config.json"], "README.md": first["README.md"]}
    dataset = History(
        "datasets/org/ds",
        [first, second, third, fourth],
        {"dev/x": {**first, "dev.txt": shared}, "refs/pr/1": {**second, "pr.txt": File(b"pr\n")}},
    )
    model = History(
        "models/org/m",
        [
            {"config.json": File(b'{"m": 1}\n'), "model.bin": File(b"m" * 3000, lfs=True)},
            {"config.json": File(b'{"m": 2}\n'), "model.bin": File(b"m" * 3000, lfs=True)},
        ],
        {"dev/x": {"config.json": File(b'{"m": 1}\n')}},
    )
    return {h.repo: h for h in (dataset, model)}


REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 307: "Temporary Redirect", 404: "Not Found"}


Answer = tuple[int, dict[str, Any], bytes]


class _Connection(asyncio.Protocol):
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < stop:
                return
            body, self.buffer = self.buffer[end + 4 : stop], self.buffer[stop:]
            status, out, content = self.hub.answer(target, headers, body)
            self.hub.log.append((method, target, status))
            head = "".join(f"{k}: {v}\r\n" for k, v in {"content-length": len(content), **out}.items())
            first = f"HTTP/1.1 {status} {REASONS[status]}\r\n{head}\r\n".encode("latin-1")
            self.transport.write(first + (NOTHING if method == "HEAD" else content))


class Hub:
    """A hub on two loopback ports: the second is the content network, another origin.

    Use as a context manager. `advance` pushes the next commit to `main`, `rewind` goes back to the first.
    """

    def __init__(self, repos: dict[str, History] | None = None) -> None:
        self.repos = repos or world()
        self.log: list[tuple[str, str, int]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Hub:
        self._thread.start()
        serve = [asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(30) for _ in range(2)]
        self._servers = serve
        self.url, self.cdn = (f"http://127.0.0.1:{s.sockets[0].getsockname()[1]}" for s in serve)
        return self

    async def _serve(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def rewind(self) -> None:
        for history in self.repos.values():
            history.stage = 0

    def advance(self, repo: str) -> None:
        history = self.repos[repo]
        history.stage = min(history.stage + 1, len(history.mains) - 1)

    def answer(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        path, _, query = target.partition("?")
        parts = [unquote(p) for p in path.strip("/").split("/")]
        if parts[0] == "cdn":
            return self._content(self._blob(parts[1]), headers)
        if parts[:2] == ["api", "resolve-cache"]:
            return self._small("/".join(parts[2:5]), parts[5], "/".join(parts[6:]), headers)
        if parts[0] == "api":
            return self._api("/".join(parts[1:4]), parts[4:], query, body)
        if parts[0] not in ("datasets", "spaces"):
            parts = ["models", *parts]
        return self._resolve("/".join(parts[:3]), parts[4], "/".join(parts[5:]))

    def _blob(self, etag: str) -> File:
        files = (f for h in self.repos.values() for c in h.commits.values() for f in c.values())
        return next(f for f in files if f.etag == etag)

    def _content(self, file: File, headers: dict[str, str], extra: dict[str, str] | None = None) -> Answer:
        out = {"etag": f'"{file.etag}"', "accept-ranges": "bytes", **(extra or {})}
        wanted = headers.get("range", "")
        if wanted.startswith("bytes="):
            start, _, last = wanted[6:].partition("-")
            data = file.data[int(start) : int(last) + 1 if last else None]
            out["content-range"] = f"bytes {start}-{int(start) + len(data) - 1}/{len(file.data)}"
            return 206, out, data
        return 200, out, file.data

    @staticmethod
    def _refusal(code: str, message: str, extra: dict[str, str] | None = None) -> Answer:
        out = {"x-error-code": code, "x-error-message": message, "content-type": "application/json", **(extra or {})}
        return 404, out, json.dumps({"error": message}).encode()

    def _small(self, repo: str, commit: str, path: str, headers: dict[str, str]) -> Answer:
        return self._content(self.repos[repo].commits[commit][path], headers, {"x-repo-commit": commit})

    def _find(self, repo: str, revision: str) -> tuple[str, Commit] | Answer:
        history = self.repos.get(repo)
        if history is None:
            return self._refusal("RepoNotFound", "Repository not found")
        commit = history.resolve(revision)
        if commit is None:
            return self._refusal("RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, history.commits[commit]

    def _resolve(self, repo: str, revision: str, path: str) -> Answer:
        found = self._find(repo, revision)
        if len(found) == 3:
            return found
        commit, files = found
        headers = {"x-repo-commit": commit}
        file = files.get(path)
        if file is None:
            return self._refusal("EntryNotFound", "Entry not found", headers)
        if file.lfs:
            headers |= {"x-linked-size": str(len(file.data)), "x-linked-etag": f'"{file.sha256}"'}
            return 302, {**headers, "location": f"{self.cdn}/cdn/{file.sha256}"}, b"Found. Redirecting"
        return 307, {**headers, "location": f"/api/resolve-cache/{repo}/{commit}/{quote(path)}"}, b"Temporary Redirect"

    def _api(self, repo: str, rest: list[str], query: str, body: bytes) -> Answer:
        found = self._find(repo, rest[1] if len(rest) > 1 else "main")
        if len(found) == 3:
            return found
        commit, files = found
        answer: Any
        match rest:
            case [] | ["revision", _]:
                siblings = [{"rfilename": p} for p in sorted(files)]
                answer = {"id": repo.partition("/")[2], "sha": commit, "siblings": siblings, "private": False}
                answer |= {"_id": "1", "tags": [], "downloads": 0, "likes": 0}
            case ["refs"]:
                answer = {"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}]}
                answer |= {"tags": [], "converts": []}
            case ["tree", _, *_]:
                answer = self._tree(files, recursive="recursive=true" in query.lower())
            case ["paths-info", _]:
                asked = parse_qs(body.decode()).get("paths", [])
                answer = [e for e in self._tree(files, recursive=True) if e["path"] in asked]
            case _:
                return self._refusal("", "Not found")
        return 200, {"content-type": "application/json"}, json.dumps(answer).encode()

    @staticmethod
    def _tree(files: Commit, *, recursive: bool) -> list[dict[str, Any]]:
        entries: dict[str, dict[str, Any]] = {}
        for path, file in files.items():
            parents = path.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                folder = "/".join(parents[:depth])
                entries[folder] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": folder}
            entries[path] = {"type": "file", "oid": file.oid, "size": len(file.data), "path": path}
            if file.lfs:
                entries[path]["lfs"] = {"oid": file.sha256, "size": len(file.data), "pointerSize": 130}
        return [entries[p] for p in sorted(entries) if recursive or "/" not in p]
