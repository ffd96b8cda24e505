"""Requests by hand, for what no client of good manners sends."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from faulthub.server import FaultHub

LFS = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GOOD = {"Authorization": "Bearer hf_good"}


class ByHand:
    """Asks a hub, a connection for each request."""

    def __init__(self, hub: FaultHub) -> None:
        self.hub = hub

    def __call__(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        """Status, headers and body (read, where it is JSON); `target` is below the endpoint, or a whole address."""
        where = urlsplit(target if target.startswith("http") else self.hub.url + target)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            connection.request(method, f"{where.path}?{where.query}", body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, answer.headers, json.loads(text) if is_json else text

    def batch(self, *contents: bytes, dataset: str = "org/data", **more: Any) -> list[dict[str, Any]]:
        """What the LFS batch says about contents."""
        objects = [{"oid": sha256(c), "size": len(c)} for c in contents]
        asked = {"operation": "upload", "transfers": ["basic", "multipart"], "objects": objects, "hash_algo": "sha256"}
        target = f"/datasets/{dataset}.git/info/lfs/objects/batch"
        status, _, value = self("POST", target, json.dumps({**asked, **more}), {**LFS, **GOOD})
        assert status == 200, value
        return list(value["objects"])


def lines(*operations: tuple[str, dict[str, Any]], **header: Any) -> bytes:
    """The body of a commit."""
    every = [("header", {"summary": "by hand", "description": "", **header}), *operations]
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in every)


def sha256(data: bytes) -> str:
    """How LFS names a content."""
    return hashlib.sha256(data).hexdigest()
