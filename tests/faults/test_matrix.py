"""Fault by operation: each cell ends in the right bytes or in the declared error, in time, and leaves a clean cache.

The table says what each cell ends in; `-` where a fault cannot touch the operation. No cell may do anything else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from faulthub import FaultHub, Repository, Request, Response, faults
from faulthub.clean import faults_of
from faulthub.server import closed_port
from hfhub import HfApi, download_stream, errors, hf_hub_download, open_range, snapshot_download
from hfhub._client import client
from hfhub.errors import HfHubHTTPError, HubConnectionError, IntegrityError, LocalEntryNotFoundError, RateLimitedError

ID = "org/data"
SMALL = b"".join(b"line %d\n" % i for i in range(300))
LARGE = os.urandom(1 << 16) * 48
FILES = {"small.txt": SMALL, "data/large.bin": LARGE, "a/b/c.txt": b"c" * 1000, "empty.txt": b""}
INFO = rf"/api/datasets/{ID}(/revision/[^/]*)?(\?|$)"
BOUND = 20.0
"""Seconds that no cell may exceed: the declared waits of its fault are far below."""


def content() -> Repository:
    repo = Repository("dataset", ID)
    repo.commit(FILES)
    return repo


CONTENT = content()
COMMIT = CONTENT.commits[CONTENT.refs["refs/heads/main"]]
BLOB = COMMIT.files["data/large.bin"]


# -------------------------------------------------------------------------------------------------------- operations


def small(hub: FaultHub, cache: Path) -> bool:
    return Path(hf_hub_download(ID, "small.txt", repo_type="dataset", cache_dir=cache)).read_bytes() == SMALL


def large(hub: FaultHub, cache: Path) -> bool:
    return Path(hf_hub_download(ID, "data/large.bin", repo_type="dataset", cache_dir=cache)).read_bytes() == LARGE


def snapshot(hub: FaultHub, cache: Path) -> bool:
    folder = Path(snapshot_download(ID, repo_type="dataset", cache_dir=cache))
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return found == FILES


def tree(hub: FaultHub, cache: Path) -> bool:
    found = {e.path: getattr(e, "size", None) for e in HfApi().list_repo_tree(ID, repo_type="dataset", recursive=True)}
    folders = {"a": None, "a/b": None, "data": None}
    return found == {**folders, **{p: len(d) for p, d in FILES.items()}}


def info(hub: FaultHub, cache: Path) -> bool:
    return HfApi().dataset_info(ID).sha == CONTENT.refs["refs/heads/main"]


def meta(hub: FaultHub, cache: Path) -> bool:
    got = json.loads(client().file_metadata("dataset", ID, "data/large.bin"))
    return bool((got["etag"], got["size"]) == (BLOB.etag, len(LARGE)) and got["commit"] == COMMIT.id)


def paths(hub: FaultHub, cache: Path) -> bool:
    got = HfApi().get_paths_info(ID, ["data", "small.txt", "absent"], repo_type="dataset")
    return [(e.path, getattr(e, "size", None)) for e in got] == [("data", None), ("small.txt", len(SMALL))]


def stream(hub: FaultHub, cache: Path) -> bool:
    with download_stream(ID, "data/large.bin", repo_type="dataset", chunk_size=1 << 18) as chunks:
        return b"".join(chunks) == LARGE


def ranged(hub: FaultHub, cache: Path) -> bool:
    file = open_range(ID, "data/large.bin", repo_type="dataset")
    return file.read(1_000_000, 1_100_000) == LARGE[1_000_000:1_100_000] and file.read(0, 1 << 30) == LARGE


OPERATIONS: dict[str, Callable[[FaultHub, Path], bool]] = {
    "small": small,
    "large": large,
    "snapshot": snapshot,
    "tree": tree,
    "info": info,
    "meta": meta,
    "paths": paths,
    "stream": stream,
    "ranged": ranged,
}

# ------------------------------------------------------------------------------------------------------------ faults


def scaled(make: Callable[[int], faults.Change], part: float) -> faults.Change:
    """A fault at a part of the body."""

    def change(request: Request, response: Response) -> Response | None:
        return make(max(1, int(len(response.body) * part)))(request, response)

    return change


@dataclass
class Row:
    """A fault: what it does to a hub, and the environment that goes with it."""

    install: Callable[[FaultHub], Any] = lambda hub: None
    environment: dict[str, str] = field(default_factory=dict)


def content_fault(change: faults.Change, times: int | None = None, **more: Any) -> Row:
    """On every answer that carries content (files, listings, info), `times` for each path."""

    def install(hub: FaultHub) -> None:
        for path in (r"small\.txt", r"large\.bin", r"c\.txt", r"empty\.txt", INFO, "/tree/", "/paths-info/"):
            hub.fault(path, change, times=times, statuses=(200, 206), **more)

    return Row(install)


def any_fault(change: faults.Change, times: int | None = None, **more: Any) -> Row:
    """On every answer of the hub's origin, `times` for each path."""

    def install(hub: FaultHub) -> None:
        for path in (r"/resolve/.*small\.txt", r"/resolve/.*large\.bin", INFO, "/tree/", "/paths-info/"):
            hub.fault(path, change, times=times, origin="hub", **more)

    return Row(install)


def several(*rows: Row) -> Row:
    def install(hub: FaultHub) -> None:
        for row in rows:
            row.install(hub)

    return Row(install, {name: value for row in rows for name, value in row.environment.items()})


def expiring(hub: FaultHub) -> None:
    hub.signed_uses = 1
    hub.fault("large", scaled(faults.cut, 0.4), origin="cdn", times=3, statuses=(200, 206))


def lagging(hub: FaultHub) -> None:
    hub.latency = 0.05


def to_foreign(hub: FaultHub) -> None:
    hub.fault(".", faults.redirect(hub.foreign_url + "{target}"), origin="hub")


def foreign_link(hub: FaultHub) -> None:
    hub.fault("/tree/", faults.header("Link", f'<{hub.foreign_url}/api/datasets/{ID}/tree/main>; rel="next"'))


CUT_ONCE = content_fault(scaled(faults.cut, 0.5), times=1)

ROWS = {
    "none": Row(),
    "latency": Row(lagging),
    "cut once": CUT_ONCE,
    "cut always": content_fault(scaled(faults.cut, 0.5)),
    "cut at 0 once": content_fault(faults.cut(0), times=1),
    "reset once": content_fault(scaled(faults.reset, 0.3), times=1),
    "reset before answer": any_fault(faults.reset(0), times=2),
    "stall once": content_fault(scaled(faults.stall, 0.5), times=1),
    "stall always": content_fault(faults.stall(0)),
    "late answer once": any_fault(faults.delay(1.5), times=1, method="HEAD"),
    "slow": content_fault(faults.drip(4_000_000)),
    "503 thrice": any_fault(faults.status(503), times=3),
    "503 always": any_fault(faults.status(503)),
    "504 once": content_fault(faults.status(504), times=1),
    "500 on bodies always": content_fault(faults.status(500), method="GET"),
    "408 once": any_fault(faults.status(408), times=1),
    "429 ratelimit": any_fault(faults.rate_limited(1), times=1),
    "429 seconds": any_fault(faults.rate_limited(1, "seconds"), times=1),
    "429 date": any_fault(faults.rate_limited(1, "date"), times=1),
    "429 bare": any_fault(faults.rate_limited(1, "none"), times=1),
    "429 always": several(any_fault(faults.rate_limited(0)), Row(environment={"HFHUB_TOTAL_TIMEOUT": "2"})),
    "flipped once": content_fault(scaled(faults.flip, 0.5), times=1),
    "flipped always": content_fault(scaled(faults.flip, 0.5)),
    "ends early once": content_fault(faults.short(7), times=1),
    "ends early always": content_fault(faults.short(7)),
    "lacks bytes once": content_fault(faults.shorter(7), times=1, method="GET"),
    "lacks bytes always": content_fault(faults.shorter(7), method="GET"),
    "too much promised once": content_fault(faults.wrong_length(9), times=1, method="GET"),
    "too little promised": content_fault(faults.wrong_length(-9), times=1, method="GET"),
    "empty body": content_fault(faults.replace(b""), method="GET"),
    "no length": content_fault(faults.no_length()),
    "chunked": content_fault(faults.chunked()),
    "no length, cut": several(CUT_ONCE, content_fault(faults.no_length())),
    "range ignored": several(CUT_ONCE, content_fault(faults.ignore_range())),
    "range shifted": several(CUT_ONCE, content_fault(faults.wrong_range(100), times=1, skip=1)),
    "range mislabelled": several(CUT_ONCE, content_fault(faults.header("Content-Range", "bytes 0-1/2"), times=1, skip=1)),
    "416 for ranges": several(CUT_ONCE, content_fault(faults.forbid_range())),
    "signed runs out": Row(expiring),
    "signed refused": Row(lambda hub: hub.fault("large", faults.status(403), origin="cdn")),
    "signed not found once": Row(lambda hub: hub.fault("large", faults.status(404), origin="cdn", times=1)),
    "HEAD refused": any_fault(faults.refuse_head()),
    "redirect loop": any_fault(faults.loop()),
    "to a foreign host": Row(to_foreign),
    "redirect to nowhere": any_fault(faults.redirect("ftp://127.0.0.1/x", 302)),
    "foreign Link": Row(foreign_link),
    "no etag": several(any_fault(faults.header("X-Linked-ETag", None)), content_fault(faults.header("ETag", None))),
    "opaque etag": several(
        any_fault(faults.header("X-Linked-ETag", '"opaque-1"')), content_fault(faults.header("ETag", '"opaque-2"'))
    ),
    "evil etag": several(
        any_fault(faults.header("X-Linked-ETag", '"../../evil"')), content_fault(faults.header("ETag", '"../../evil"'))
    ),
    "another's etag": several(
        any_fault(faults.header("X-Linked-ETag", f'"{"0" * 64}"')), content_fault(faults.header("ETag", f'"{"0" * 40}"'))
    ),
    "no commit": several(any_fault(faults.header("X-Repo-Commit", None)), content_fault(faults.header("X-Repo-Commit", None))),
    "login page": Row(lambda hub: hub.fault(".", faults.login_page())),
    "login page for bodies": content_fault(faults.login_page(), method="GET"),
    "not HTTP": any_fault(faults.header("Bad Header\r\n\x00", "x")),
    "refused": Row(environment={"HF_ENDPOINT": "refused"}),
    "unknown host": Row(environment={"HF_ENDPOINT": "http://hub.invalid"}),
    "TLS reset": Row(environment={"HF_ENDPOINT": "tls"}),
}  # fmt: skip

# The ends: `ok` the right bytes, or an error class (isinstance): conn HubConnectionError, local LocalEntryNotFoundError
# with the network's error as cause, http HfHubHTTPError, integ IntegrityError, limit RateLimitedError.
# A stream cannot take back what it handed out, so it ends in an error where a download would start again; a range has
# no hash of its own to be checked against.
TABLE = """
                        small  large  snapshot  tree   info   meta   paths  stream  ranged
none                    ok     ok     ok        ok     ok     ok     ok     ok      ok
latency                 ok     ok     ok        ok     ok     ok     ok     ok      ok
cut once                ok     ok     ok        ok     ok     -      ok     ok      ok
cut always              ok     ok     local     conn   conn   -      conn   ok      ok
cut at 0 once           ok     ok     ok        ok     ok     -      ok     ok      ok
reset once              ok     ok     ok        ok     ok     -      ok     ok      ok
reset before answer     ok     ok     ok        ok     ok     ok     ok     ok      ok
stall once              ok     ok     ok        ok     ok     -      ok     ok      ok
stall always            conn   conn   -         conn   -      -      -      conn    -
late answer once        ok     ok     -         -      -      ok     -      ok      ok
slow                    ok     ok     ok        ok     ok     -      ok     ok      ok
503 thrice              ok     ok     ok        ok     ok     ok     ok     ok      ok
503 always              local  local  local     http   http   http   http   http    http
504 once                ok     ok     ok        ok     ok     -      ok     ok      ok
500 on bodies always    http   http   local     http   http   -      -      http    http
408 once                ok     ok     ok        ok     ok     ok     ok     ok      ok
429 ratelimit           ok     ok     ok        ok     ok     ok     ok     -       ok
429 seconds             ok     ok     -         -      ok     -      -      -       ok
429 date                ok     ok     -         -      ok     -      ok     ok      ok
429 bare                ok     ok     ok        ok     ok     ok     ok     ok      ok
429 always              local  local  local     limit  limit  limit  limit  limit   limit
flipped once            ok     ok     -         -      -      -      -      integ   -
flipped always          integ  integ  -         -      -      -      -      integ   -
ends early once         ok     ok     ok        ok     ok     -      ok     ok      ok
ends early always       conn   conn   local     conn   conn   -      conn   conn    conn
lacks bytes once        ok     ok     -         -      -      -      -      ok      ok
lacks bytes always      integ  integ  -         -      -      -      -      integ   conn
too much promised once  ok     ok     ok        ok     ok     -      ok     ok      ok
too little promised     ok     ok     -         -      -      -      -      ok      ok
empty body              integ  integ  http      http   http   -      -      integ   conn
no length               ok     ok     ok        ok     ok     -      ok     ok      ok
chunked                 ok     ok     ok        ok     ok     -      ok     ok      ok
no length, cut          ok     ok     -         -      -      -      -      ok      ok
range ignored           ok     ok     ok        ok     ok     -      ok     ok      ok
range shifted           ok     ok     -         -      -      -      -      http    http
range mislabelled       ok     ok     -         -      -      -      -      http    http
416 for ranges          ok     ok     ok        ok     ok     -      ok     ok      ok
signed runs out         -      ok     ok        -      -      -      -      ok      ok
signed refused          -      http   http      -      -      -      -      http    http
signed not found once   -      ok     ok        -      -      -      -      ok      ok
HEAD refused            http   http   ok        ok     ok     http   ok     http    http
redirect loop           http   http   http      http   http   http   http   http    http
to a foreign host       http   http   ok        ok     ok     http   ok     http    http
redirect to nowhere     http   http   http      http   http   http   http   http    http
foreign Link            ok     ok     http      http   ok     ok     ok     ok      ok
no etag                 http   http   ok        ok     ok     http   ok     http    http
opaque etag             ok     ok     ok        ok     ok     -      ok     ok      ok
evil etag               http   http   ok        ok     ok     http   ok     http    http
another's etag          integ  integ  ok        ok     ok     -      ok     integ   ok
no commit               ok     ok     ok        ok     ok     ok     ok     ok      ok
login page              http   http   http      http   http   http   http   http    http
login page for bodies   integ  integ  http      http   http   -      -      integ   integ
not HTTP                local  local  local     conn   conn   conn   conn   conn    conn
refused                 local  local  local     conn   conn   conn   conn   conn    conn
unknown host            local  local  local     conn   conn   conn   conn   conn    conn
TLS reset               local  local  local     conn   conn   conn   conn   conn    conn
"""  # fmt: skip

ENDS: dict[str, type[Exception]] = {
    "conn": HubConnectionError,
    "local": LocalEntryNotFoundError,
    "http": HfHubHTTPError,
    "integ": IntegrityError,
    "limit": RateLimitedError,
}


def cells() -> list[Any]:
    head, *lines = TABLE.strip("\n").splitlines()
    made = []
    for line in lines:
        name, ends = line[:24].strip(), line[24:].split()
        made += [
            pytest.param(name, operation, end, id=f"{name}-{operation}")
            for operation, end in zip(head.split(), ends, strict=True)
            if end != "-"
        ]
    return made


def test_the_table_is_whole() -> None:
    assert {c.values[0] for c in cells()} == set(ROWS)
    assert {c.values[1] for c in cells()} == set(OPERATIONS)


@pytest.mark.parametrize(("fault", "operation", "end"), cells())
def test_cell(
    fault_hub: FaultHub,
    fault_env: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    operation: str,
    end: str,
) -> None:
    hub, row = fault_hub, ROWS[fault]
    access = hub.repo("dataset", ID).access
    hub.repos["dataset", ID] = CONTENT
    CONTENT.access = access
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    row.install(hub)
    cache = fault_env / "hub"
    with closed_port() as port:
        places = {"refused": f"http://127.0.0.1:{port}", "tls": hub.url.replace("http:", "https:")}
        for name, value in row.environment.items():
            monkeypatch.setenv(name, places.get(value, value))
        began = time.monotonic()
        if end == "ok":
            assert OPERATIONS[operation](hub, cache), "wrong bytes"
        else:
            with pytest.raises(ENDS[end]) as caught:
                OPERATIONS[operation](hub, cache)
            if end == "local":
                assert isinstance(caught.value.__cause__, HfHubHTTPError)
            assert "hf_good" not in f"{caught.value!r} {caught.value.__dict__}"
            assert isinstance(caught.value, errors.HubError)
        took = time.monotonic() - began
    assert took < BOUND
    assert not hub.tokens_on("cdn")
    assert not hub.tokens_on("foreign")
    opaque = frozenset({"opaque-1", "opaque-2"})
    assert faults_of(cache, opaque=opaque) == []
