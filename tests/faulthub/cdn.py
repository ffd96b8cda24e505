"""The other origin: signed addresses from which large files are read, and to which they are sent."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from faulthub.answers import content
from faulthub.repo import Blob, Repository
from faulthub.wire import Request, Response

if TYPE_CHECKING:
    from faulthub.server import FaultHub


@dataclass(kw_only=True)
class Lease:
    """How often and how long signed addresses are good."""

    made: float = field(default_factory=time.monotonic)
    uses: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, hub: FaultHub, number: int = 0) -> bool:
        """Counts a use of one address: whether it is still good."""
        with self._lock:
            self.uses[number] = self.uses.get(number, 0) + 1
            used = hub.signed_uses is not None and self.uses[number] > hub.signed_uses
            return not used and (hub.signed_seconds is None or time.monotonic() - self.made <= hub.signed_seconds)


@dataclass
class Signed(Lease):
    """A signed address: where a large file is read."""

    blob: Blob
    about: str


@dataclass
class Upload(Lease):
    """A large file that is to come: whole, or in parts of `part_size`."""

    repo: Repository
    sha256: str
    size: int
    part_size: int | None = None
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """`datasets/org/data/lfs/<sha256>`."""
        return f"{self.repo.key}/lfs/{self.sha256}"

    @property
    def count(self) -> int:
        """How many parts there are; a file without parts is one."""
        return 1 if self.part_size is None else max(1, -(-self.size // self.part_size))

    def size_of(self, number: int) -> int:
        """Bytes of a part; they count from 1."""
        return self.size if self.part_size is None else min(self.part_size, self.size - self.part_size * (number - 1))

    def store(self, data: bytes) -> None:
        """Keeps the whole content."""
        self.repo.store[self.sha256] = Blob.of(data, lfs=True)


def etag(data: bytes) -> str:
    """What the storage calls a piece of content, without quotes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def sign(hub: FaultHub, signed: Signed) -> str:
    """A new signed address of a large file."""
    signature = secrets.token_hex(16)
    hub._signed[signature] = signed
    blob = signed.blob
    name = quote(f'inline; filename="{signed.about.rpartition("/")[2]}"', safe="")
    query = f"response-content-disposition={name}&Expires=1790000000&Policy=x&Signature={signature}&Key-Pair-Id=K"
    return f"{hub.cdn_url}/xet-bridge-us/{blob.sha256[:24]}/{blob.sha256}?{query}"


def sign_upload(hub: FaultHub, upload: Upload) -> tuple[str, list[str]]:
    """The id of an upload and the addresses of its parts."""
    upload_id = secrets.token_hex(16)
    hub.uploads[upload_id] = upload
    base = f"{hub.cdn_url}/repos/{upload.sha256[:2]}/{upload.sha256}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    return upload_id, [f"{base}&Signature={upload_id}&partNumber={n + 1}" for n in range(upload.count)]


def answer(hub: FaultHub, request: Request) -> Response:
    """The answer of the CDN, and of the storage behind it."""
    signature = request.argument("Signature")
    known = hub.uploads.get(signature) if request.method == "PUT" else hub._signed.get(signature)
    about = known.about if known else ""
    if "authorization" in request.headers:
        return _refused(400, "InvalidArgument", about)
    if isinstance(known, Upload):
        made = _put(hub, request, known)
    elif known is not None and request.method in ("GET", "HEAD") and known.blob.sha256 in request.target:
        if not known.take(hub):
            return _refused(403, "AccessDenied", about, "Request has expired")
        made = content(request, known.blob.data, known.blob.sha256[:32], [], about)
    else:
        return _refused(403, "AccessDenied", about)
    made.delay += hub.latency
    return made


def _put(hub: FaultHub, request: Request, upload: Upload) -> Response:
    number = int(request.argument("partNumber") or 0)
    if not 1 <= number <= upload.count or upload.sha256 not in request.target:
        return _refused(403, "AccessDenied", upload.about)
    if not upload.take(hub, number):
        return _refused(403, "AccessDenied", upload.about, "Request has expired")
    if "transfer-encoding" in request.headers:
        return _refused(501, "NotImplemented", upload.about, "Transfer-Encoding")
    if "content-length" not in request.headers:
        return _refused(411, "MissingContentLength", upload.about)
    data = request.body
    if len(data) != upload.size_of(number):
        return _refused(400, "IncompleteBody", upload.about)
    if upload.part_size is None and hashlib.sha256(data).hexdigest() != upload.sha256:
        return _refused(400, "XAmzContentSHA256Mismatch", upload.about)
    made = Response(200, [("ETag", f'"{etag(data)}"')], b"", upload.about)
    if upload.part_size is None:
        made.effect = partial(upload.store, data)
    else:
        made.effect = partial(upload.parts.update, {number: data})
    return made


def _refused(code: int, name: str, about: str, message: str = "") -> Response:
    body = f"<Error><Code>{name}</Code><Message>{message}</Message></Error>".encode()
    return Response(code, [("Content-Type", "application/xml")], body, about)
