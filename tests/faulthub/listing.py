"""Search over repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faulthub import info
from faulthub.wire import Request

if TYPE_CHECKING:
    from faulthub.server import FaultHub

SHORT = {
    "_id", "id", "modelId", "author", "sha", "lastModified", "createdAt", "private", "gated", "disabled", "downloads",
    "likes", "tags",
}  # fmt: skip


def search(hub: FaultHub, request: Request, kind: str) -> list[dict[str, Any]]:
    """The repositories that pass `search`, `author`, `filter`, `gated`, sorted and limited."""
    token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
    found = []
    for (other, _), repo in sorted(hub.repos.items()):
        commit = repo.resolve("main")
        if other != kind or commit is None or (repo.access.private and token not in repo.access.granted):
            continue
        value = info.facts(repo, commit)
        words = [w.lower() for w in request.arguments("search")]
        author, gated = request.argument("author"), request.argument("gated")
        if (
            all(w in repo.id.lower() for w in words)
            and (not author or author == value["author"])
            and all(f in repo.tags for f in request.arguments("filter"))
            and (not gated or (gated.lower() == "true") == bool(repo.access.gated))
        ):
            found.append(value)
    key = request.argument("sort", "trendingScore")
    found.sort(key=lambda v: v.get(key) or 0, reverse=True) if key in ("downloads", "likes") else None
    found.sort(key=lambda v: v[key], reverse=True) if key in ("lastModified", "createdAt") else None
    limit = request.argument("limit")
    if limit:
        found = found[: int(limit)]
    wanted = set(request.arguments("expand", "expand[]"))
    if wanted:
        return [{k: v for k, v in f.items() if k in wanted | {"_id", "id"}} for f in found]
    if request.argument("full").lower() in ("true", "1"):
        return found
    return [{k: v for k, v in f.items() if k in SHORT} for f in found]


def tags_by_type(hub: FaultHub, kind: str) -> dict[str, list[dict[str, str]]]:
    """The tags in use, by their prefix."""
    groups: dict[str, list[dict[str, str]]] = {}
    for tag in sorted({t for (k, _), repo in hub.repos.items() if k == kind for t in repo.tags}):
        prefix, colon, label = tag.partition(":")
        group = prefix if colon else "other"
        groups.setdefault(group, []).append({"id": tag, "label": label or tag, "type": group})
    return groups
