"""Datasets that tests of streams read, and what they ask of a hub's log."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crucible_datasets import Features, Value, load_dataset
from faulthub import FaultHub
from hfhub import HubServer

FEATURES = Features({"i": Value("int64"), "t": Value("string")})
Rows = list[dict[str, Any]]


def rows_of(first: int, count: int, size: int) -> Rows:
    """Numbered rows with a text of so many random bytes, as hexadecimal digits."""
    return [{"i": i, "t": os.urandom(size).hex()} for i in range(first, first + count)]


def parquet(rows: Rows) -> bytes:
    """Row groups of 100 rows, as large as the rows are."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=100, compression="none", use_dictionary=False)
    return out.getvalue()


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


MAKERS: dict[str, Callable[[Rows], bytes]] = {
    "parquet": parquet,
    "jsonl": jsonl,
    "jsonl.gz": lambda rows: gzip.compress(jsonl(rows), 1),
}
"""Formats by the endings of their names."""


def stream_of(name: str, kind: str, **more: Any) -> Any:
    """A stream of a dataset of such files: of lines, the types are given, so that no head is read for them."""
    features = None if kind == "parquet" else FEATURES
    return load_dataset(name, split="train", streaming=True, features=features, **more)


def numbers(rows: Iterable[dict[str, Any]]) -> list[int]:
    """The numbers of rows."""
    return [row["i"] for row in rows]


def ranges(hub: HubServer, name: str) -> list[tuple[int, int]]:
    """Start and length of each part that was sent of the files with this in their path."""
    return [(start, length) for _, path, status, start, length in hub.answers() if status == 206 and name in path]


def kept(home: Path) -> int:
    """Bytes of the blocks that streams keep."""
    return sum(path.stat().st_size for path in home.glob("hub/*/streams/*/*.blocks"))


def all_answered(hub: FaultHub) -> bool:
    """Waits until nothing that was asked of the hub is on its way."""
    return hub.wait_until(lambda: all(line.finished or line.status for line in hub.log))


def asks_no_more(hub: FaultHub, name: str) -> bool:
    """Whether nothing more is asked for a dataset once all that was on its way is answered."""
    if not all_answered(hub):
        return False
    count = len(hub.requests(name))
    return all_answered(hub) and len(hub.requests(name)) == count


def in_child(work: Callable[[], Any]) -> None:
    """Runs work in a forked child under an alarm; fails if it fails or hangs."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  # a child must not run pytest's own exit
            os.write(2, traceback.format_exc().encode())
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
