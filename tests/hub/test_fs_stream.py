"""`download_stream`: chunks in constant memory, continued after cuts, verified at the end."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfhub import HubServer, download_stream
from hfhub.errors import IntegrityError, OfflineModeIsEnabled, RemoteEntryNotFoundError, RepositoryNotFoundError

pytestmark = pytest.mark.usefixtures("hf_env")

BIG = bytes(range(256)) * 2000


def stream(name: str = "data/big.bin", **options: Any) -> Any:
    return download_stream("org/small", name, repo_type="dataset", **options)


@pytest.mark.parametrize("chunk_size", [1, 1000, 1 << 20])
def test_chunks_are_of_the_size_asked_for(hub: HubServer, chunk_size: int) -> None:
    chunks = list(stream(chunk_size=chunk_size, end=5000))
    assert b"".join(chunks) == BIG[:5000]
    assert {len(chunk) for chunk in chunks[:-1]} <= {chunk_size}
    assert all(chunks)


def test_ranges_and_small_files(hub: HubServer, hub_root: Path) -> None:
    assert b"".join(stream(start=100, end=300)) == BIG[100:300]
    assert b"".join(stream(start=511_990)) == BIG[511_990:]
    assert list(stream(start=600_000)) == []
    assert b"".join(stream("README.md")) == b"# small\n"
    (hub_root / "datasets" / "org" / "small" / "empty.txt").write_text("")
    assert list(stream("empty.txt")) == []
    assert b"".join(stream("big.bin", subfolder="data")) == BIG


def test_a_whole_file_costs_one_head_and_one_get(hub: HubServer) -> None:
    assert b"".join(stream(chunk_size=10_000)) == BIG
    assert [(method, path.split("/")[1]) for method, path, _ in hub.requests()] == [
        ("HEAD", "datasets"),
        ("GET", "lfs-cdn"),
    ]


def test_it_goes_on_after_cuts_without_losing_a_byte(hub: HubServer) -> None:
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", "method": "GET", "action": "cut", "after": 100_000, "times": 4}))
    assert b"".join(stream(chunk_size=30_000)) == BIG
    assert len([r for r in hub.requests() if r[0] == "GET"]) >= 5


@pytest.mark.parametrize(("name", "place"), [("data/big.bin", "/lfs-cdn/"), ("README.md", "/resolve-cache/")])
def test_the_last_chunk_comes_only_if_the_hash_is_right(hub: HubServer, name: str, place: str) -> None:
    hub.add_fault(json.dumps({"path": place, "method": "GET", "action": "corrupt"}))
    for chunk_size in (200_000, 8):  # 8 divides both: no short chunk shows the end
        got: list[bytes] = []
        with pytest.raises(IntegrityError, match="hash"):
            got.extend(stream(name, chunk_size=chunk_size))
        chunks = stream(name, chunk_size=chunk_size)
        with pytest.raises(IntegrityError, match="hash") as caught:
            deque(chunks, maxlen=0)
        assert (caught.value.path, caught.value.repo_id) == (name, "org/small")
        assert caught.value.expected in str(caught.value)
        assert caught.value.actual in str(caught.value)
        assert caught.value.expected != caught.value.actual
        assert next(chunks, None) is None


def test_it_closes(hub: HubServer) -> None:
    with stream(chunk_size=1000) as chunks:
        assert next(chunks) == BIG[:1000]
    with pytest.raises(RuntimeError, match="closed"):
        next(chunks)


def test_errors_come_with_the_call(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteEntryNotFoundError):
        stream("none.bin")
    with pytest.raises(RepositoryNotFoundError):
        download_stream("org/none", "x", repo_type="dataset")
    for wrong in ({"start": -1}, {"end": -1}, {"chunk_size": 0}):
        with pytest.raises(ValueError, match="negative"):
            stream(**wrong)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineModeIsEnabled):
        stream()


def test_memory_stays_constant(hub: HubServer, hub_root: Path, python: Callable[..., Any]) -> None:
    big = hub_root / "datasets" / "org" / "small" / "huge.bin"
    with big.open("wb") as file:
        file.truncate(200_000_000)  # sparse
    script = """
import json, re, pathlib, hfhub
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text()).group(1))
hfhub.download_stream("org/small", "README.md", repo_type="dataset")
before = peak()
size = sum(len(c) for c in hfhub.download_stream("org/small", "huge.bin", repo_type="dataset"))
print(json.dumps([size, peak() - before]))
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    size, grown = python(script)
    assert size == 200_000_000
    assert grown < 60_000  # KiB; the file has 195,000
