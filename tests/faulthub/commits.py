"""Commits as clients send them: lines of JSON."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from faulthub.answers import error, json_answer
from faulthub.lfs import prefix
from faulthub.repo import Blob, Commit, Repository
from faulthub.routes import Refused, at
from faulthub.wire import Request, Response

if TYPE_CHECKING:
    from faulthub.server import FaultHub

LINES = "application/x-ndjson"
MAX_REGULAR = 10 * 1024 * 1024


def committed(hub: FaultHub, request: Request, repo: Repository, revision: str) -> Response:
    """`POST /api/{plural}/{id}/commit/{revision}`."""
    create_pr = request.argument("create_pr").lower() in ("1", "true")
    ref = next((r for r in (f"refs/heads/{revision}", revision) if r in repo.refs), None)
    if ref is None or ref.startswith("refs/tags/"):
        raise Refused(error(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
    # What is no ndjson is read as no operations at all: the hub makes an empty commit of it and is content.
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()] if _has_lines(request) else []
    header: dict[str, Any] = next((line["value"] for line in lines if line["key"] == "header"), {})
    if _has_lines(request) and not header.get("summary"):
        return error(400, '"summary" is not allowed to be empty')
    start = _parent(repo, repo.commits[repo.refs[ref]], header.get("parentCommit"), create_pr=create_pr)
    content = dict(start.files)
    for line in lines:
        if line["key"] != "header":
            _apply(repo, content, line["key"], line["value"])
    message = "\n\n".join(t for t in (header.get("summary", ""), header.get("description", "")) if t)
    made = repo.next_commit(content, start.id, message)
    address = f"{hub.base(request)}{hub.prefix}/{prefix(repo.kind)}{repo.id}"
    value = {"success": True, "commitUrl": f"{address}/commit/{made.id}", "commitOid": made.id, "hookOutput": ""}
    if create_pr:
        number = 1 + max((int(r.rpartition("/")[2]) for r in repo.refs if r.startswith("refs/pr/")), default=0)
        ref = f"refs/pr/{number}"
        value["pullRequestUrl"] = f"{address}/discussions/{number}"
    answer = json_answer(value)
    answer.effect = partial(repo.add, made, ref)
    return answer


def _has_lines(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == LINES


def _parent(repo: Repository, head: Commit, named: str | None, *, create_pr: bool) -> Commit:
    """The commit to build on: the head, which must be the one named; a pull request starts anywhere."""
    if named is None or head.id.startswith(named):
        return head
    if create_pr:
        return at(repo, named)
    raise Refused(error(412, "A commit has happened since. Please refresh and try again."))


def _apply(repo: Repository, content: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    """One operation on the files."""
    path = str(value["path"])
    if key == "deletedFolder":
        below = [p for p in content if p.startswith(f"{path.rstrip('/')}/")]
        if not below:
            raise Refused(error(404, "A folder with this name doesn't exist", "EntryNotFound"))
        for name in below:
            del content[name]
        return
    if any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise Refused(error(400, f"Invalid path: {path}"))
    if key == "deletedFile":
        if content.pop(path, None) is None:
            raise Refused(error(404, "A file with this name doesn't exist", "EntryNotFound"))
        return
    parts = path.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts))]
    if any(folder in content for folder in above) or any(p.startswith(f"{path}/") for p in content):
        raise Refused(error(400, f"A file and a folder would have the same name: {path}"))
    if key == "file":
        content[path] = _regular(path, value)
    elif key == "lfsFile":
        content[path] = _large(repo, path, value)
    else:
        raise Refused(error(400, f"Unknown operation: {key}"))


def _regular(path: str, value: dict[str, Any]) -> Blob:
    plain = value.get("encoding", "utf-8") == "utf-8"
    data = value["content"].encode() if plain else base64.b64decode(value["content"], validate=True)
    if len(data) > MAX_REGULAR:
        raise Refused(error(400, f"Files larger than 10 MiB need LFS: {path}"))
    return Blob.of(data, lfs=False)


def _large(repo: Repository, path: str, value: dict[str, Any]) -> Blob:
    blob = repo.store.get(str(value["oid"]))
    if value.get("algo") != "sha256":
        raise Refused(error(400, '"algo" must be sha256'))
    if blob is None:
        raise Refused(error(400, f"An LFS pointer points to a file that does not exist: {path}"))
    if value.get("size", len(blob.data)) != len(blob.data):
        raise Refused(error(400, f"The size is not that of the LFS file: {path}"))
    return blob
