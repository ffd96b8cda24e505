"""A hub for tests that misbehaves on demand, down to the byte. Independent of `hfhub serve`; standard library only.

    with FaultHub() as hub:
        repo = hub.repo("dataset", "org/data")
        commit = repo.commit({"README.md": b"# hi", "big.bin": b"x" * 5_000_000})
        hub.fault("big.bin", faults.cut(1_000_000), origin="cdn", times=2)
        ...                                     # clients use endpoint=hub.url
        assert hub.served("big.bin") <= 5_100_000
        assert not hub.tokens_on("cdn")

Clients may write, too: repositories, branches, tags, commits, large files by LFS, whole or in parts of `hub.lfs_part`.

        hub.fault("/commit/", faults.lose_answer(), times=1)
        ...                                     # the commit is made, the client sees a reset
        assert hub.bodies("/commit/", method="POST")
        assert "big.bin" in repo.resolve("main").files

A request that changes something needs one of `hub.tokens` that is not in `hub.read_only_tokens`. Where a fault replaces
its answer nothing has happened; where a fault only spoils the delivery it has (see `faults`).

The shapes of requests and answers follow the public protocol: a small file is a 307 to `/api/resolve-cache`, a large
one a 302 to another origin (`hub.cdn_url`) with its size and etag in `X-Linked-*` headers. `tests/faults/test_hub.py`
and `test_hub_writes.py` run the official client against it; `faulthub.by_hand` sends what that would not. Xet is not
spoken: set `HF_HUB_DISABLE_XET=1` for uploads.
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
