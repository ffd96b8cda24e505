"""Requests that change something: repositories, branches and tags, what comes before a commit.

Each answer is made before its effect: `Response.effect` carries that out once no fault has replaced the answer.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from fnmatch import fnmatch
from functools import partial
from typing import TYPE_CHECKING, Any

from faulthub import lfs
from faulthub.access import Access
from faulthub.answers import error, json_answer
from faulthub.commits import MAX_REGULAR, committed
from faulthub.repo import LARGE, Blob, Commit, Repository
from faulthub.routes import SINGULAR, Refused, at, check_token, check_writer, find
from faulthub.wire import Request, Response

if TYPE_CHECKING:
    from faulthub.server import FaultHub

MAX_FILES = 256
ROUTES = {"settings", "branch", "tag", "super-squash", "preupload", "commit"}
MAIN = "refs/heads/main"
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE).encode()


def answer(hub: FaultHub, request: Request) -> Response | None:
    """The answer to a request that changes something; None for others."""
    if request.method in ("GET", "HEAD") or not request.raw_path.startswith(f"{hub.prefix}/"):
        return None
    parts = request.segments[len([p for p in hub.prefix.split("/") if p]) :]
    try:
        check_token(hub, request)
        if parts[0] == "api":
            return _api(hub, request, parts[1:])
        return _large_files(hub, request, parts)
    except Refused as refused:
        return refused.response
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        return error(400, f"The body is not as it must be: {wrong!r}")


def _api(hub: FaultHub, request: Request, parts: list[str]) -> Response | None:
    match [request.method, *parts]:
        case ["POST", "complete_multipart"]:
            return lfs.complete(hub, request)
        case ["POST", "validate-yaml"]:
            found = {"errors": [{"message": e} for e in hub.yaml_errors], "warnings": []}
            return json_answer(found, code=400 if hub.yaml_errors else 200)
        case ["POST", "repos", "create"]:
            return _create(hub, request)
        case ["DELETE", "repos", "delete"]:
            return _delete(hub, request)
        case ["POST", "repos", "move"]:
            return _move(hub, request)
        case [_, plural, *rest] if plural in SINGULAR:
            for size in (2, 1):
                if len(rest) > size and rest[size] in ROUTES:
                    repo = _writable(hub, request, SINGULAR[plural], "/".join(rest[:size]))
                    made = _repo_route(hub, request, repo, rest[size:])
                    made.about = made.about or repo.key
                    return made
    return None


def _writable(hub: FaultHub, request: Request, kind: str, repo_id: str) -> Repository:
    if not request.token:
        raise Refused(error(401, "Invalid username or password."))
    repo = find(hub, request, kind, repo_id)
    check_writer(hub, request)
    return repo


def _large_files(hub: FaultHub, request: Request, parts: list[str]) -> Response | None:
    match parts:
        case ["datasets" | "spaces" as plural, *names, "info", "lfs", "objects", verb] if names:
            kind = SINGULAR[plural]
        case [*names, "info", "lfs", "objects", verb] if names:
            kind = "model"
        case _:
            return None
    repo = _writable(hub, request, kind, "/".join(names).removesuffix(".git"))
    made = lfs.batch(hub, request, repo) if verb == "batch" else lfs.verify(request, repo)
    made.about = repo.key
    return made


# --------------------------------------------------------------------------------------------------- repositories


def _named(hub: FaultHub, asked: dict[str, Any], request: Request) -> tuple[str, str]:
    """Type and id of the repository that a body names."""
    name, owner = str(asked["name"]), asked.get("organization")
    if owner is None and "/" not in name:
        owner = hub.tokens[request.token]
    return asked.get("type") or "model", f"{owner}/{name}" if owner else name


def _private(asked: dict[str, Any], *, otherwise: bool) -> bool:
    if "visibility" in asked:
        return bool(asked["visibility"] != "public")
    return bool(asked.get("private", otherwise))


def _create(hub: FaultHub, request: Request) -> Response:
    check_writer(hub, request)
    asked = request.json()
    kind, repo_id = _named(hub, asked, request)
    if kind not in SINGULAR.values() or not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", repo_id):
        return error(400, f"Invalid repository: {kind} {repo_id}")
    address = f"{hub.base(request)}{hub.prefix}/{lfs.prefix(kind)}{repo_id}"
    described = {"url": address, "name": repo_id, "id": repo_id, "private": _private(asked, otherwise=False)}
    if (kind, repo_id) in hub.repos:
        text = f"You already created this {kind} repo"
        return json_answer({"error": text, **described}, [("X-Error-Message", text)], 409)

    def create() -> None:
        own = {t for t, user in hub.tokens.items() if user == hub.tokens[request.token]}
        made = Repository(kind, repo_id, Access(_private(asked, otherwise=False), granted=own))
        made.add(made.next_commit({".gitattributes": Blob.of(ATTRIBUTES, lfs=False)}, None, "initial commit"), MAIN)
        hub.renames.pop((kind, repo_id), None)
        hub.repos[kind, repo_id] = made

    answered = json_answer(described, about=f"{kind}s/{repo_id}")
    answered.effect = create
    return answered


def _delete(hub: FaultHub, request: Request) -> Response:
    kind, repo_id = _named(hub, request.json(), request) if request.token else ("model", "")
    repo = _writable(hub, request, kind, repo_id)
    return _done(repo, partial(hub.repos.pop, (kind, repo_id)))


def _move(hub: FaultHub, request: Request) -> Response:
    asked = request.json()
    kind, old, new = asked.get("type") or "model", str(asked["fromRepo"]), str(asked["toRepo"])
    repo = _writable(hub, request, kind, old)
    if (kind, new) in hub.repos:
        return error(409, f"A {kind} repo with this name exists: {new}")
    return _done(repo, partial(hub.rename, kind, old, new))


# ----------------------------------------------------------------------------------------- inside of a repository


def _done(repo: Repository, effect: Callable[[], object]) -> Response:
    made = Response(200, [("Content-Type", "text/plain")], b"OK", repo.key)
    made.effect = effect
    return made


def _repo_route(hub: FaultHub, request: Request, repo: Repository, route: list[str]) -> Response:
    match [request.method, *route]:
        case ["PUT", "settings"]:
            return _settings(request, repo)
        case ["POST", "branch", name]:
            return _branch(request, repo, name)
        case ["DELETE", "branch", name]:
            if name == "main":
                return error(403, "The main branch cannot be deleted.")
            return _without(repo, f"refs/heads/{name}")
        case ["POST", "tag", revision]:
            asked = request.json()
            start = at(repo, revision)
            return _with(repo, f"refs/tags/{asked['tag']}", start)
        case ["DELETE", "tag", name]:
            return _without(repo, f"refs/tags/{name}")
        case ["POST", "super-squash", name]:
            head = repo.refs.get(f"refs/heads/{name}")
            if head is None:
                return error(404, f"Invalid rev id: {name}", "RevisionNotFound")
            message = str(request.json().get("message") or "Super-squash")
            alone = repo.next_commit(repo.commits[head].files, None, message)
            return _done(repo, partial(repo.add, alone, f"refs/heads/{name}"))
        case ["POST", "preupload", revision]:
            return _preupload(request, at(repo, revision))
        case ["POST", "commit", revision]:
            return committed(hub, request, repo, revision)
        case _:
            return error(405, f"not with {request.method}")


def _settings(request: Request, repo: Repository) -> Response:
    asked = request.json()
    gated = asked.get("gated", repo.access.gated)
    if gated not in ("auto", "manual", False):
        return error(400, '"gated" must be one of ["auto", "manual", false]')
    private = _private(asked, otherwise=repo.access.private)

    def change() -> None:
        repo.access.gated, repo.access.private = gated, private
        repo.access.granted.add(request.token)

    made = json_answer({"gated": gated, "private": private})
    made.effect = change
    return made


def _branch(request: Request, repo: Repository, name: str) -> Response:
    if name.startswith("refs/") or not re.fullmatch(r"[\w./-]+", name):
        return error(400, f"Invalid reference for a branch: {name}")
    return _with(repo, f"refs/heads/{name}", at(repo, str(request.json().get("startingPoint") or "main")))


def _with(repo: Repository, ref: str, commit: Commit) -> Response:
    if ref in repo.refs:
        return error(409, f"Reference already exists: {ref}")
    return _done(repo, partial(repo.refs.update, {ref: commit.id}))


def _without(repo: Repository, ref: str) -> Response:
    if ref not in repo.refs:
        return error(404, f"Invalid rev id: {ref}", "RevisionNotFound")
    return _done(repo, partial(repo.refs.pop, ref))


def _preupload(request: Request, commit: Commit) -> Response:
    asked = request.json()
    files = asked["files"]
    if len(files) > MAX_FILES:
        return error(413, "too many files")
    present = commit.files.get(".gitignore")
    ignored = asked.get("gitIgnore", present.data.decode() if present else "")
    listed = []
    for file in files:
        path, size, sample = str(file["path"]), int(file["size"]), base64.b64decode(file["sample"], validate=True)
        large = size > MAX_REGULAR or b"\0" in sample or any(fnmatch(path, p) for p in LARGE)
        value: dict[str, Any] = {
            "path": path,
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": _is_ignored(path, ignored),
        }
        if path in commit.files:
            value["oid"] = commit.files[path].etag
        listed.append(value)
    return json_answer({"files": listed, "commitOid": commit.id})


def _is_ignored(path: str, patterns: str) -> bool:
    """The usual part of gitignore: names, folders, paths from the root, exceptions with `!`."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    verdict = False
    for line in patterns.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        unless = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        candidates = above[:-1] if pattern.endswith("/") else above
        pattern = pattern.rstrip("/")
        rooted = "/" in pattern
        names = candidates if rooted else [c.rpartition("/")[2] for c in candidates]
        if any(fnmatch(name, pattern.removeprefix("/")) for name in names):
            verdict = not unless
    return verdict
