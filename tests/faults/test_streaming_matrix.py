"""Fault by format, in the middle of a stream: exactly the rows that follow, or a typed error that names file and offset.

Each stream hands out its first row from a hub without faults; then the fault begins. No cell may give a wrong row or wait
for ever.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crucible_datasets import Features, Value, load_dataset
from crucible_datasets.errors import DecodeError
from faulthub import FaultHub, Repository, Request, Response, faults
from hfhub.errors import HfHubHTTPError, HubConnectionError, HubError, IntegrityError, RateLimitedError

ID = "org/stream"
BOUND = 20.0
"""Seconds that no cell may exceed."""


def rows_of(file: int) -> list[dict[str, Any]]:
    dice = random.Random(file)
    return [{"i": file * 600 + n, "t": dice.randbytes(750).hex()} for n in range(600)]


ROWS = [rows_of(0), rows_of(1)]
ALL = ROWS[0] + ROWS[1]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=200, compression="none", use_dictionary=False)
    return out.getvalue()


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["i", "t"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


FORMATS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], bytes]]] = {
    "parquet": ("parquet", parquet),
    "many": ("parquet", parquet),
    "jsonl": ("jsonl", jsonl),
    "gz": ("jsonl.gz", lambda rows: gzip.compress(jsonl(rows), 1)),
    "csv": ("csv", csv_of),
}
CONTENT: dict[str, Repository] = {}


def per_file(format: str) -> int:
    """Rows of a file: of many, several are opened at a time."""
    return 100 if format == "many" else 600


def paths(format: str) -> list[str]:
    return [f"{n:02}.{FORMATS[format][0]}" for n in range(len(ALL) // per_file(format))]


for name, (_suffix, make) in FORMATS.items():
    CONTENT[name] = Repository("dataset", ID)
    parts = [ALL[at : at + per_file(name)] for at in range(0, len(ALL), per_file(name))]
    # Behind a signed address, as large files are, but for the small ones of CSV.
    made = {path: make(rows) for path, rows in zip(paths(name), parts, strict=True)}
    CONTENT[name].commit(made, lfs=("*.parquet", "*.jsonl", "*.gz"))


def scaled(make: Callable[[int], faults.Change], part: float) -> faults.Change:
    """A fault at a part of the body."""

    def change(request: Request, response: Response) -> Response | None:
        return make(max(1, int(len(response.body) * part)))(request, response)

    return change


@dataclass
class Row:
    """A fault: what it does to a hub, and the environment that goes with it."""

    install: Callable[[FaultHub], Any]
    environment: dict[str, str] = field(default_factory=dict)


def body(
    change: faults.Change, times: int | None = None, environment: dict[str, str] | None = None, **more: Any
) -> Row:
    """On the answers that carry contents of files."""
    return Row(
        lambda hub: hub.fault(ID, change, times=times, statuses=(200, 206), method="GET", **more), environment or {}
    )


def answers(change: faults.Change, times: int | None = None, environment: dict[str, str] | None = None) -> Row:
    """On every answer about a file, redirects too."""
    return Row(lambda hub: hub.fault(rf"{ID}/(resolve/|\d\.)", change, times=times), environment or {})


def several(*rows: Row) -> Row:
    return Row(
        lambda hub: [row.install(hub) for row in rows], {k: v for row in rows for k, v in row.environment.items()}
    )


def expire(hub: FaultHub) -> None:
    hub.signed_uses = 1


def rewrite(hub: FaultHub) -> None:
    """The same commit and names, other bytes of the same length: a mirror that was filled anew."""
    repo = hub.repos["dataset", ID]
    other = Repository("dataset", ID, repo.access)
    for commit in repo.commits.values():
        changed = {path: type(blob).of(blob.data[:-9] + bytes(9), lfs=blob.lfs) for path, blob in commit.files.items()}
        made = other.commits[
            other.commit({path: blob.data for path, blob in changed.items()}, lfs=("*.parquet", "*.jsonl", "*.gz"))
        ]
        other.commits[commit.id] = replace(made, id=commit.id)
    hub.repos["dataset", ID] = other
    hub._signed.clear()  # old addresses lead nowhere


def vanish(hub: FaultHub) -> None:
    """The commit is gone, as after its history was squashed."""
    other = Repository("dataset", ID, hub.repos["dataset", ID].access)
    other.commit({"README.md": b"new"})
    hub.repos["dataset", ID] = other
    hub._signed.clear()


RETRY = {"Retry-After": "0"}
ONE = {"HFHUB_MAX_RETRIES": "1"}
CASES = {
    "none": Row(lambda hub: None),
    "503 thrice": answers(faults.status(503), 3),
    "503 with Retry-After": answers(faults.status(503, RETRY), 3),
    "503 longer than retries": answers(faults.status(503), 9),
    "503 always": answers(faults.status(503), environment=ONE),
    "429 thrice": answers(faults.rate_limited(0), 3),
    "429 bare": answers(faults.rate_limited(0, "none"), 2),
    "429 always": answers(faults.rate_limited(0), environment={"HFHUB_TOTAL_TIMEOUT": "1"}),
    "408 once": answers(faults.status(408), 1),
    "500 from the CDN": Row(lambda hub: hub.fault(".", faults.status(500), origin="cdn", times=4)),
    "500 from the CDN always": Row(lambda hub: hub.fault(".", faults.status(500), origin="cdn"), ONE),
    "cut once": body(scaled(faults.cut, 0.5), 1),
    "cut always": body(scaled(faults.cut, 0.5)),
    "cut at 0 always": body(faults.cut(0), environment=ONE),
    "reset twice": body(scaled(faults.reset, 0.3), 2),
    "reset before answer": answers(faults.reset(0), 2),
    "stall once": body(scaled(faults.stall, 0.5), 1),
    "stall always": body(faults.stall(10), environment=ONE),
    "ends early once": body(faults.short(7), 1),
    "ends early always": body(faults.short(7), environment=ONE),
    "lacks bytes once": body(faults.shorter(7), 1),
    "too much promised": body(faults.wrong_length(9), 1),
    "too little promised": body(faults.wrong_length(-9), 1),
    "empty bodies": body(faults.replace(b""), environment=ONE),
    "chunked": body(faults.chunked()),
    "no length, cut": several(body(scaled(faults.cut, 0.5), 1), body(faults.no_length())),
    "range ignored": body(faults.ignore_range()),
    "range shifted": body(faults.wrong_range(100)),
    "range mislabelled": body(faults.header("Content-Range", "bytes 0-1/2")),
    "range unlabelled": body(faults.header("Content-Range", None)),
    "416 for ranges": body(faults.forbid_range()),
    "other etag": body(faults.header("ETag", '"another"')),
    "other length": body(faults.header("Content-Range", "bytes 0-9/77")),
    "compressed": body(faults.header("Content-Encoding", "gzip")),
    "signed runs out": Row(expire),
    "signed refused": Row(lambda hub: hub.fault(".", faults.status(403), origin="cdn")),
    "signed not found once": Row(lambda hub: hub.fault(".", faults.status(404), origin="cdn", times=1)),
    "rewritten": Row(rewrite),
    "commit gone": Row(vanish),
    "login page": Row(lambda hub: hub.fault(".", faults.login_page())),
    "a byte flipped": body(scaled(faults.flip, 0.5), 1),
}

# `ok` the right rows, or an error class: http HfHubHTTPError (an answer that makes no sense, or an error of the server),
# conn HubConnectionError, integ IntegrityError, limit RateLimitedError, wrong DecodeError or IntegrityError at the end of the
# file; `-` where a fault cannot touch the format (small files have no signed address) or cannot be told (a flipped byte in
# the pages of Parquet; the etag of a file's only answer). The first unit of CSV is a whole file, and so is that of the many
# small files of Parquet: faults meet the next ones.
TABLE = """
                         parquet  many    jsonl   gz      csv
none                     ok       ok      ok      ok      ok
503 thrice               ok       ok      ok      ok      ok
503 with Retry-After     ok       ok      ok      ok      ok
503 longer than retries  ok       ok      ok      ok      ok
503 always               http     http    http    http    http
429 thrice               ok       ok      ok      ok      ok
429 bare                 ok       ok      ok      ok      ok
429 always               limit    limit   limit   limit   limit
408 once                 ok       ok      ok      ok      ok
500 from the CDN         ok       ok      ok      ok      -
500 from the CDN always  http     http    http    http    -
cut once                 ok       ok      ok      ok      ok
cut always               ok       ok      ok      ok      ok
cut at 0 always          conn     conn    conn    conn    conn
reset twice              ok       ok      ok      ok      ok
reset before answer      ok       ok      ok      ok      ok
stall once               ok       ok      ok      ok      ok
stall always             conn     conn    conn    -       -
ends early once          ok       ok      ok      ok      ok
ends early always        conn     conn    conn    conn    conn
lacks bytes once         ok       ok      ok      ok      ok
too much promised        ok       ok      ok      ok      ok
too little promised      ok       ok      ok      ok      ok
empty bodies             conn     conn    conn    conn    conn
chunked                  ok       ok      ok      ok      ok
no length, cut           ok       ok      ok      ok      ok
range ignored            ok       ok      ok      ok      ok
range shifted            http     http    http    http    http
range mislabelled        http     http    http    http    integ
range unlabelled         http     http    http    http    http
416 for ranges           ok       ok      ok      ok      ok
other etag               integ    ok      integ   integ   -
other length             http     http    http    http    integ
compressed               http     http    http    http    http
signed runs out          ok       ok      ok      ok      -
signed refused           http     http    http    http    -
signed not found once    ok       ok      ok      ok      -
rewritten                integ    integ   integ   integ   integ
commit gone              http     http    http    http    http
login page               integ    http    integ   integ   http
a byte flipped           -        -       wrong   wrong   wrong
"""  # fmt: skip
ENDS: dict[str, type[Exception] | tuple[type[Exception], ...]] = {
    "http": HfHubHTTPError,
    "conn": HubConnectionError,
    "integ": IntegrityError,
    "limit": RateLimitedError,
    "wrong": (DecodeError, IntegrityError),
}


def cells() -> list[Any]:
    head, *lines = TABLE.strip("\n").splitlines()
    return [
        pytest.param(line[:25].strip(), format, end, id=f"{line[:25].strip()}-{format}")
        for line in lines
        for format, end in zip(head.split(), line[25:].split(), strict=True)
        if end != "-"
    ]


def test_the_table_is_whole() -> None:
    assert {c.values[0] for c in cells()} == set(CASES)
    assert {c.values[1] for c in cells()} == set(FORMATS)


def make_of(format: str, path: str | None) -> bytes:
    commit = next(iter(CONTENT[format].commits.values()))
    return bytes(commit.files[str(path)].data)


def stream_of(hub: FaultHub, format: str) -> Any:
    access = hub.repo("dataset", ID).access
    CONTENT[format].access = access
    hub.repos["dataset", ID] = CONTENT[format]
    features = Features({"i": Value("int64"), "t": Value("string")}) if FORMATS[format][0] != "parquet" else None
    return load_dataset(ID, split="train", streaming=True, features=features)


@pytest.mark.parametrize(("fault", "format", "end"), cells())
def test_cell(
    fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch, fault: str, format: str, end: str
) -> None:
    case = CASES[fault]
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "4")
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    rows = iter(stream_of(fault_hub, format))
    found = [next(rows)]
    case.install(fault_hub)
    began = time.monotonic()
    error: BaseException | None = None
    try:
        found.extend(rows)
    except Exception as caught:  # noqa: BLE001  # told below
        error = caught
    assert time.monotonic() - began < BOUND
    if end != "wrong":  # what was handed out before the hash was known cannot be taken back
        assert found == ALL[: len(found)], "wrong rows"
    if end == "ok":
        assert error is None, repr(error)
        assert len(found) == len(ALL)
        return
    assert isinstance(error, ENDS[end]), f"{error!r} after {len(found)} rows"
    assert any(path in str(error) for path in paths(format)), str(error)
    if isinstance(error, HubError):
        if error.offset is None:  # no byte of the next file was asked for yet
            assert len(found) % per_file(format) == 0
        else:
            assert error.path in paths(format)
            assert 0 <= error.offset < len(make_of(format, error.path))
    assert not fault_hub.tokens_on("cdn")
