"""A hub for tests that misbehaves on demand, down to the byte. Independent of `hfhub serve`; standard library only.

    with FaultHub() as hub:
        repo = hub.repo("dataset", "org/data")
        commit = repo.commit({"README.md": b"# hi", "big.bin": b"x" * 5_000_000})
        hub.fault("big.bin", faults.cut(1_000_000), origin="cdn", times=2)
        ...                                     # clients use endpoint=hub.url
        assert hub.served("big.bin") <= 5_100_000
        assert not hub.tokens_on("cdn")

The shapes of requests and answers follow the public protocol: a small file is a 307 to `/api/resolve-cache`, a large
one a 302 to another origin (`hub.cdn_url`) with its size and etag in `X-Linked-*` headers. `tests/faults/test_hub.py`
runs the official client against it.
"""

from __future__ import annotations

from faulthub import faults
from faulthub.access import Access, RateLimit
from faulthub.faults import Fault
from faulthub.repo import Blob, Commit, Repository
from faulthub.server import FaultHub
from faulthub.wire import Logged, Request, Response

__all__ = [
    "Access",
    "Blob",
    "Commit",
    "Fault",
    "FaultHub",
    "Logged",
    "RateLimit",
    "Repository",
    "Request",
    "Response",
    "faults",
]
