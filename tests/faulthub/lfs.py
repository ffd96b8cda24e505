"""Large files on their way in: the batch that hands out addresses, completion, verification."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from faulthub import cdn
from faulthub.answers import error, json_answer
from faulthub.cdn import Upload, etag
from faulthub.repo import PLURAL, Repository
from faulthub.wire import Request, Response

if TYPE_CHECKING:
    from faulthub.server import FaultHub

MEDIA = "application/vnd.git-lfs+json"
OBJECT_REFUSED = 422


def prefix(kind: str) -> str:
    """What stands before an id in the addresses of pages and files."""
    return "" if kind == "model" else f"{PLURAL[kind]}/"


def batch(hub: FaultHub, request: Request, repo: Repository) -> Response:
    """`POST /{prefix}{id}.git/info/lfs/objects/batch`."""
    if any(not request.headers.get(name, "").startswith(MEDIA) for name in ("accept", "content-type")):
        return error(406, f"Accept and Content-Type must be {MEDIA}")
    asked = request.json()
    if asked.get("operation") != "upload" or asked.get("hash_algo", "sha256") != "sha256":
        return error(400, "only uploads, named by sha256")
    name = asked.get("ref", {}).get("name")
    if name is not None and repo.resolve(name) is None:
        return error(404, f"Invalid rev id: {name}", "RevisionNotFound")
    in_parts = "multipart" in asked.get("transfers", ["basic"])
    objects = [_instruction(hub, request, repo, o, in_parts=in_parts) for o in asked["objects"]]
    several = any("chunk_size" in o.get("actions", {}).get("upload", {}).get("header", {}) for o in objects)
    made = json_answer({"transfer": "multipart" if several else "basic", "objects": objects})
    made.set("Content-Type", MEDIA)
    return made


def _instruction(
    hub: FaultHub, request: Request, repo: Repository, wanted: dict[str, Any], *, in_parts: bool
) -> dict[str, Any]:
    sha256, size = str(wanted["oid"]), int(wanted["size"])
    named: dict[str, Any] = {"oid": sha256, "size": size}
    message = hub.lfs_errors.get(sha256)
    if message is None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        message = "Invalid oid"
    if message is not None:
        return {**named, "error": {"code": OBJECT_REFUSED, "message": message}}
    if sha256 in repo.store:
        return named
    base = f"{hub.base(request)}{hub.prefix}"
    upload = Upload(repo, sha256, size, hub.lfs_part if in_parts and size > hub.lfs_part else None)
    upload_id, addresses = cdn.sign_upload(hub, upload)
    if upload.part_size is None:
        sending: dict[str, Any] = {"href": addresses[0]}
    else:
        header = {f"{n + 1:05}": address for n, address in enumerate(addresses)}
        sending = {
            "href": f"{base}/api/complete_multipart?uploadId={upload_id}",
            "header": {"chunk_size": str(upload.part_size), **header},
        }
    verify = {"href": f"{base}/{prefix(repo.kind)}{repo.id}.git/info/lfs/objects/verify"}
    return {**named, "authenticated": True, "actions": {"upload": sending, "verify": verify}}


def complete(hub: FaultHub, request: Request) -> Response:
    """`POST /api/complete_multipart?uploadId=`: the id is the permission, a token is not asked for."""
    upload = hub.uploads.get(request.argument("uploadId"))
    if upload is None or upload.part_size is None:
        return error(404, "The specified upload does not exist.")
    asked = request.json()
    made = _completed(upload, asked)
    made.about = upload.about
    return made


def _completed(upload: Upload, asked: dict[str, Any]) -> Response:
    if asked.get("oid") != upload.sha256:
        return error(400, "The body needs the oid of the upload.")
    parts = asked.get("parts", [])
    named = {int(p["partNumber"]): str(p["etag"]).strip('"') for p in parts}
    wanted = list(range(1, upload.count + 1))
    if [p["partNumber"] for p in parts] != wanted or sorted(upload.parts) != wanted:
        return error(400, "InvalidPart: all parts, each once, in their order.")
    if any(etag(upload.parts[n]) != value for n, value in named.items()):
        return error(400, "InvalidPart: an etag is not that of the part.")
    whole = b"".join(upload.parts[n] for n in sorted(named))
    if hashlib.sha256(whole).hexdigest() != upload.sha256:
        return error(400, "The content is not that of the oid.")
    made = json_answer({"success": True})
    made.effect = partial(upload.store, whole)
    return made


def verify(request: Request, repo: Repository) -> Response:
    """`POST /{prefix}{id}.git/info/lfs/objects/verify`."""
    asked = request.json()
    blob = repo.store.get(str(asked.get("oid")))
    if blob is None:
        return error(404, "Object does not exist")
    if len(blob.data) != asked.get("size"):
        return error(400, "Object has another size")
    return json_answer({"success": True})
