"""What the hub says about repositories, revisions and entries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from faulthub.answers import error, json_answer
from faulthub.repo import Commit, Repository
from faulthub.wire import Request, Response

EXPAND = {
    "author", "cardData", "citation", "createdAt", "description", "disabled", "downloads", "downloadsAllTime",
    "gated", "lastModified", "likes", "mainSize", "paperswithcode_id", "private", "resourceGroup", "sha", "siblings",
    "tags", "trendingScore", "usedStorage", "pipeline_tag", "library_name", "config", "safetensors", "sdk",
}  # fmt: skip


def stamp(date: datetime) -> str:
    """A time as the hub writes it."""
    return date.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def facts(repo: Repository, commit: Commit, *, blobs: bool = False) -> dict[str, Any]:
    """Everything about a repository at a commit."""
    first = repo.history(commit)[-1]
    value = {
        "_id": commit.folders[""][:24],
        "id": repo.id,
        "author": repo.id.partition("/")[0],
        "sha": commit.id,
        "lastModified": stamp(commit.date),
        "createdAt": stamp(first.date),
        "private": repo.access.private,
        "gated": repo.access.gated,
        "disabled": repo.access.disabled,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "tags": repo.tags,
        "cardData": repo.card,
        "siblings": siblings(commit, blobs=blobs),
        "usedStorage": sum(len(b.data) for b in commit.files.values()),
    }
    if repo.kind == "model":
        value["modelId"] = repo.id
    if repo.kind == "space":
        value["sdk"] = "static"
    return value


def siblings(commit: Commit, *, blobs: bool) -> list[dict[str, Any]]:
    """The files of a commit as repo info lists them."""
    listed = []
    for path, blob in sorted(commit.files.items()):
        item: dict[str, Any] = {"rfilename": path}
        if blobs:
            item |= {"blobId": blob.oid, "size": len(blob.data)}
            if blob.lfs:
                item["lfs"] = {"sha256": blob.sha256, "size": len(blob.data), "pointerSize": len(blob.pointer)}
        listed.append(item)
    return listed


def repo_info(request: Request, repo: Repository, commit: Commit) -> Response:
    """`GET /api/{t}/{id}[/revision/{rev}]`."""
    value = facts(repo, commit, blobs=request.argument("blobs").lower() in ("true", "1"))
    wanted = request.arguments("expand", "expand[]")
    if wanted:
        if set(wanted) - EXPAND:
            return error(400, f'"expand" must be one of {sorted(EXPAND)}')
        value = {k: v for k, v in value.items() if k in {*wanted, "_id", "id", "modelId"}}
    return json_answer(value, [("X-Repo-Commit", commit.id)])


def refs(repo: Repository, *, pull_requests: bool) -> dict[str, Any]:
    """`GET /api/{t}/{id}/refs`."""

    def of(prefix: str, cut: str) -> list[dict[str, str]]:
        found = sorted((ref, commit) for ref, commit in repo.refs.items() if ref.startswith(prefix))
        return [{"name": ref.removeprefix(cut), "ref": ref, "targetCommit": commit} for ref, commit in found]

    value = {
        "branches": of("refs/heads/", "refs/heads/"),
        "converts": of("refs/convert/", "refs/convert/"),
        "tags": of("refs/tags/", "refs/tags/"),
    }
    if pull_requests:
        value["pullRequests"] = of("refs/pr/", "refs/pr/")
    return value


def commit_entry(commit: Commit, request: Request) -> dict[str, Any]:
    """One commit of a history."""
    title, _, message = commit.message.partition("\n")
    value: dict[str, Any] = {
        "id": commit.id,
        "authors": [{"user": "tester", "avatar": "/avatars/tester.svg"}],
        "date": stamp(commit.date),
        "title": title,
        "message": message.strip(),
    }
    if "formatted" in request.arguments("expand[]", "expand"):
        value["formatted"] = {"title": title, "message": f"<p>{message.strip()}</p>"}
    return value


def entry(repo: Repository, commit: Commit, path: str, *, expand: bool, xet: bool) -> dict[str, Any] | None:
    """One file or folder, as tree and paths-info give it."""
    if path in commit.files:
        blob = commit.files[path]
        value: dict[str, Any] = {"type": "file", "oid": blob.oid, "size": len(blob.data), "path": path}
        if blob.lfs:
            value["lfs"] = {"oid": blob.sha256, "size": len(blob.data), "pointerSize": len(blob.pointer)}
            if xet:
                value["xetHash"] = blob.xet_hash
    elif path and path in commit.folders:
        value = {"type": "directory", "oid": commit.folders[path], "size": 0, "path": path}
    else:
        return None
    if expand:
        changed = repo.last_change(commit, path)
        title = changed.message.partition("\n")[0]
        value["lastCommit"] = {"id": changed.id, "title": title, "date": stamp(changed.date)}
        if value["type"] == "file":
            safe = {"status": "safe"}
            scans = {"avScan": {**safe, "virusFound": False}, "pickleImportScan": None}
            value["securityFileStatus"] = {**safe, **scans}
    return value


def entries(
    repo: Repository, commit: Commit, folder: str, *, recursive: bool, expand: bool, xet: bool
) -> list[dict[str, Any]]:
    """The entries below a folder, in git's order."""
    start = f"{folder}/" if folder else ""
    paths = [p for p in (*commit.files, *commit.folders) if p and p.startswith(start)]
    if not recursive:
        paths = [p for p in paths if "/" not in p[len(start) :]]
    found = [entry(repo, commit, p, expand=expand, xet=xet) for p in sorted(paths)]
    return [f for f in found if f is not None]
