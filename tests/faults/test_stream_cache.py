"""`load_dataset(..., streaming=True, cache=True)`: what was read once is read from this machine."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crucible_datasets import Features, Value, load_dataset
from faulthub import FaultHub, Request, Response, faults
from faulthub.clean import faults_of
from hfhub import cache_stats, prune, scan_cache_dir, try_to_load_from_cache
from hfhub.errors import IntegrityError

ID = "org/kept"
ROWS = 1200
FEATURES = Features({"i": Value("int64"), "t": Value("string")})


def rows_of(first: int) -> list[dict[str, Any]]:
    return [{"i": i, "t": os.urandom(1000).hex()} for i in range(first, first + ROWS)]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=100, compression="none", use_dictionary=False)
    return out.getvalue()


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


MAKERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "parquet": parquet,
    "jsonl": jsonl,
    "jsonl.gz": lambda rows: gzip.compress(jsonl(rows), 1),
}


@pytest.fixture(params=sorted(MAKERS))
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: Path) -> str:
    """A dataset of two files of this format, some megabytes each."""
    files = {f"{n}.{request.param}": MAKERS[request.param](rows_of(n * ROWS)) for n in range(2)}
    fault_hub.repo("dataset", ID).commit(files, lfs=("*",))
    return str(request.param)


def stream_of(kind: str, cache: bool | int = True, **more: Any) -> Any:
    features = None if kind == "parquet" else FEATURES
    return load_dataset(ID, split="train", streaming=True, features=features, cache=cache, **more)


def numbers(rows: Any) -> list[int]:
    return [row["i"] for row in rows]


def kept(home: Path) -> int:
    """Bytes of the blocks that streams keep."""
    return sum(path.stat().st_size for path in home.glob("hub/*/streams/*/*"))


def test_the_second_epoch_asks_for_no_data(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    stream = stream_of(kind)
    first = list(stream)
    assert [row["i"] for row in first] == list(range(2 * ROWS))
    fault_hub.forget()
    assert list(stream) == first
    assert list(stream_of(kind)) == first
    assert list(pickle.loads(pickle.dumps(stream))) == first
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert faults_of(fault_env / "hub") == []


def test_it_goes_without_a_network(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(stream_of(kind))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert list(stream_of(kind)) == first


def test_a_file_that_was_read_whole_is_a_downloaded_one(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    list(stream_of(kind))
    commit = fault_hub.repos["dataset", ID].resolve("main")
    assert commit is not None
    for path, blob in commit.files.items():
        found = try_to_load_from_cache(ID, path, repo_type="dataset")
        assert isinstance(found, str), path
        assert Path(found).read_bytes() == blob.data
    assert kept(fault_env) == 0
    assert not list(fault_env.glob("hub/*/streams"))
    fault_hub.forget()
    assert len(load_dataset(ID, split="train")) == 2 * ROWS
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert scan_cache_dir().warnings == []


def test_what_was_downloaded_is_not_streamed(kind: str, fault_hub: FaultHub) -> None:
    load_dataset(ID, split="train")
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0


def test_a_stream_that_is_broken_off_keeps_what_it_had(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(130)) == list(range(130))
    del rows
    had = fault_hub.served(r"0\.")
    assert kept(fault_env) > 0
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    size = sum(len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values())  # type: ignore[union-attr]
    assert fault_hub.served(r"\d\.") <= size - had + (1 << 19)


SCRIPT = """
import sys
from crucible_datasets import Features, Value, load_dataset
features = None if sys.argv[1] == "parquet" else Features({"i": Value("int64"), "t": Value("string")})
rows = iter(load_dataset("org/kept", split="train", streaming=True, features=features, cache=True))
for number, row in enumerate(rows):
    if number == 300:
        print("there", flush=True)
"""


@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_a_killed_process_leaves_no_wrong_bytes(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    fault_hub.fault(r"0\.", faults.drip(3_000_000), statuses=(200, 206))
    with subprocess.Popen([sys.executable, "-c", SCRIPT, kind], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
    fault_hub.clear()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))


@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_several_processes_keep_the_same_files(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    script = SCRIPT + "\nassert number == 2399\n"
    ranks = [subprocess.Popen([sys.executable, "-c", script, kind], stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [rank.wait(60) for rank in ranks] == [0, 0, 0]
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert faults_of(fault_env / "hub") == []


def test_a_damaged_block_is_fetched_again(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(130)) == list(range(130))
    del rows
    segments = list(fault_env.glob("hub/*/streams/*/*"))
    assert segments
    for path in segments:
        content = bytearray(path.read_bytes())
        for at in range(4096 + 1000, len(content), 1 << 18):
            content[at] ^= 1
        path.write_bytes(content)
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))


def test_the_limit_holds(kind: str, fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values()]  # type: ignore[union-attr]
    limit = max(sizes) + 300_000  # one of the two, which then becomes a file of the cache: blocks of the other follow
    monkeypatch.setenv("CRUCIBLE_STREAM_CACHE_LIMIT", str(limit))
    for _ in range(2):
        rows = iter(stream_of(kind))
        for number in range(2 * ROWS):
            assert next(rows)["i"] == number
            if number % 100 == 0:
                assert kept(fault_env) <= limit
    assert numbers(stream_of(kind, cache=1000)) == list(range(2 * ROWS))
    fault_hub.forget()
    assert kept(fault_env) <= limit


def test_no_room_keeps_nothing(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    assert numbers(stream_of(kind, cache=1000)) == list(range(2 * ROWS))
    assert numbers(stream_of(kind, cache=0)) == list(range(2 * ROWS))
    assert kept(fault_env) == 0


def test_the_cache_tools_know_it(kind: str, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(130)) == list(range(130))
    segments = sorted(fault_env.glob("hub/*/streams/*/*"))
    (fault_env / "hub" / "datasets--org--kept" / "snapshots").mkdir(exist_ok=True)
    assert 0 < cache_stats().streams_size <= kept(fault_env)
    assert prune().streams == []
    assert prune(streams=True, dry_run=True).streams == segments
    report = prune(streams=True)
    assert report.streams == segments
    assert report.freed > 0
    assert cache_stats().streams_size == 0
    assert not list(fault_env.glob("hub/*/streams"))
    assert numbers(rows) == list(range(130, 2 * ROWS))


def another_letter(_: Request, response: Response) -> None:
    """One digit of a text is wrong, and the line is as good as before."""
    response.body = bytes(response.body).replace(b"a", b"b", 1)


def test_wrong_bytes_are_not_kept(fault_hub: FaultHub, fault_env: Path) -> None:
    fault_hub.repo("dataset", ID).commit({"0.jsonl": jsonl(rows_of(0))}, lfs=("*",))
    wrong = fault_hub.fault(r"0\.", another_letter, method="GET", times=1, statuses=(200, 206))
    with pytest.raises(IntegrityError, match=r"0\.jsonl"):
        list(stream_of("jsonl"))
    assert wrong.hits == 1
    assert kept(fault_env) == 0
    assert numbers(stream_of("jsonl")) == list(range(ROWS))


def test_arguments(kind: str) -> None:
    with pytest.raises(ValueError, match="streaming"):
        load_dataset(ID, split="train", cache=True)
    with pytest.raises(ValueError, match="-1"):
        stream_of(kind, cache=-1)
