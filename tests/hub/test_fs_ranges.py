"""Range reads: what they cost in requests, and what they survive."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from faulthub import FaultHub
from hfhub import HfFileSystem, HubServer, RemoteFile, open_range
from hfhub.errors import (
    HfHubHTTPError,
    HubConnectionError,
    IntegrityError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
)
from hfhub.fs import filesystem, live

pytestmark = pytest.mark.usefixtures("hf_env")

FILE = "datasets/org/small/large.bin"


@pytest.fixture
def large(hub_root: Path) -> bytes:
    """50 MB beside the small files."""
    data = random.Random(5).randbytes(50_000_000)
    (hub_root / "datasets" / "org" / "small" / "large.bin").write_bytes(data)
    return data


@pytest.fixture
def fs(large: bytes, hub: HubServer) -> HfFileSystem:
    """A filesystem whose listing is already known."""
    made = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    made.info(FILE)
    hub.clear_requests()
    return made


def count(hub: HubServer) -> tuple[int, int, int]:
    """(resolves, gets of bytes, other requests)."""
    log = hub.requests()
    resolves = sum("/resolve/" in path for _, path, _ in log)
    gets = sum("/lfs-cdn/" in path for _, path, _ in log)
    return resolves, gets, len(log) - resolves - gets


def pieces(file: Any, size: int) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


@pytest.mark.parametrize("size", [8 << 10, 1 << 20, 7_000_003])
def test_a_sequential_read_resolves_once(fs: HfFileSystem, hub: HubServer, large: bytes, size: int) -> None:
    with fs.open(FILE) as file:
        assert b"".join(pieces(file, size)) == large
    resolves, gets, others = count(hub)
    assert (resolves, others) == (1, 0)
    assert gets <= 4


def test_a_whole_read_comes_in_parts(fs: HfFileSystem, hub: HubServer, large: bytes) -> None:
    assert fs.open(FILE).read() == large
    assert count(hub) == (1, 3, 0)  # parts of 16 MiB
    hub.clear_requests()
    assert fs.cat_file(FILE) == large
    assert count(hub) == (0, 3, 0)  # the address is known


def test_ranges_of_one_file_come_together(fs: HfFileSystem, hub: HubServer, large: bytes) -> None:
    starts = [5_000_000, 5_100_000, 0, 40_000_000, 5_000_050, 7]
    found = fs.cat_ranges([FILE] * 6, starts, [s + 100 for s in starts], on_error="raise")
    assert found == [large[s : s + 100] for s in starts]
    assert count(hub) == (1, 3, 0)  # three places further apart than 256 KiB
    hub.clear_requests()
    assert fs.cat_ranges([FILE, FILE], [10, 49_999_990], [10, 60_000_000]) == [b"", large[-10:]]
    mixed = fs.cat_ranges([FILE, "datasets/org/small/none"], 0, 4)
    assert mixed[0] == large[:4]
    assert isinstance(mixed[1], FileNotFoundError)


def test_many_threads_resolve_once(fs: HfFileSystem, hub: HubServer, large: bytes) -> None:
    wrong: list[Any] = []
    ready = threading.Barrier(64)

    def work(seed: int) -> None:
        pick = random.Random(seed)
        ready.wait()
        file = fs.open(FILE)
        for _ in range(5):
            at = pick.randrange(len(large) - 4096)
            file.seek(at)
            if file.read(4096) != large[at : at + 4096] or fs.cat_file(FILE, at, at + 9) != large[at : at + 9]:
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    resolves, gets, others = count(hub)
    assert (resolves, others) == (1, 0)
    assert gets == 64 * 5 * 2 or gets < 64 * 5 * 2  # reads near the end share the tail


def test_an_address_that_runs_out_is_renewed_once(fs: HfFileSystem, hub: HubServer, large: bytes) -> None:
    file = fs.open(FILE)
    got = [file.read(1 << 20)]
    hub.clear_requests()
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", "action": "status", "status": 403, "times": 1}))
    got.extend(pieces(file, 1 << 20))
    assert b"".join(got) == large
    assert count(hub)[0] == 1


def test_an_address_that_runs_out_for_many_is_renewed_once_for_all(fault_hub: FaultHub) -> None:
    data = random.Random(6).randbytes(8_000_000)
    fault_hub.repo("dataset", "org/signed").commit({"x.bin": data})
    fs = HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    at = "datasets/org/signed/x.bin"
    file = fs.open(at)
    assert file.read(100_000) == data[:100_000]
    before = len(fault_hub.requests("/resolve/"))
    fault_hub._signed.clear()  # every address given out so far has run out
    starts = list(range(0, 8_000_000, 500_000))
    found = fs.cat_ranges([at] * len(starts), starts, [s + 10 for s in starts], on_error="raise")
    assert found == [data[s : s + 10] for s in starts]
    assert file.read() == data[100_000:]
    assert len(fault_hub.requests("/resolve/")) == before + 1


def test_an_address_that_never_works_is_an_error(fault_hub: FaultHub) -> None:
    fault_hub.repo("dataset", "org/signed").commit({"x.bin": b"x" * 100})
    fault_hub.signed_uses = 0
    fs = HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    with pytest.raises(HfHubHTTPError, match="403"):
        fs.cat_file("datasets/org/signed/x.bin")


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "cut", "after": 300_000, "times": 4},
        {"action": "status", "status": 503, "headers": {"retry-after": "0"}, "times": 2},
        {"action": "status", "status": 429, "headers": {"retry-after": "0"}, "times": 1},
    ],
)
def test_cuts_and_refusals_are_survived(
    fs: HfFileSystem, hub: HubServer, large: bytes, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", **fault}))
    assert fs.cat_file(FILE, 1_000_000, 3_000_000) == large[1_000_000:3_000_000]
    hub.clear_faults()
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", **fault}))
    with fs.open(FILE) as file:
        assert b"".join(pieces(file, 1 << 20)) == large


def test_a_line_that_stays_cut_is_an_error(hub: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    file = open_range("org/small", "large.bin", repo_type="dataset")
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", "action": "cut", "after": 0}))
    with pytest.raises(HubConnectionError):
        file.read(0, 10)


def test_a_file_that_changes_is_a_typed_error(hub: HubServer, hub_root: Path, large: bytes) -> None:
    file = open_range("org/small", "large.bin", repo_type="dataset")
    assert file.read(0, 4) == large[:4]
    (hub_root / "datasets" / "org" / "small" / "large.bin").write_bytes(b"short now")
    with pytest.raises((IntegrityError, FileNotFoundError)):
        file.read(1000, 2000)


def test_open_range(hub: HubServer, large: bytes) -> None:
    file = open_range("org/small", "large.bin", repo_type="dataset")
    assert (len(file), file.size) == (len(large), len(large))
    assert file.name.startswith("hf://datasets/org/small@")
    assert (len(file.commit or ""), len(file.etag or ""), file.accepts_ranges) == (40, 64, True)
    assert file.read(len(large) - 5, len(large) + 500) == large[-5:]
    assert file.read(len(large) + 1, len(large) + 2) == b""
    assert file.read(9, 3) == b""
    assert file.read_ranges([(3, 5), (0, 2), (4, 4)]) == [large[3:5], large[:2], b""]
    assert "Signature" not in repr(file)
    again = pickle.loads(pickle.dumps(file))
    hub.clear_requests()
    assert again.read(7, 11) == large[7:11]
    assert count(hub) == (1, 1, 0)  # the copy resolves for itself, and asks nothing else
    with pytest.raises(OverflowError):
        file.read(-1, 3)
    with pytest.raises(RemoteEntryNotFoundError):
        open_range("org/small", "none.bin", repo_type="dataset")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_read_for_themselves(fs: HfFileSystem, hub: HubServer, large: bytes) -> None:
    native = open_range("org/small", "large.bin", repo_type="dataset")
    file = fs.open(FILE)
    list(zip(range(4), pieces(file, 1 << 20), strict=False))  # a connection is open
    at = file.tell()
    children = []
    for seed in range(4):
        pid = os.fork()
        if pid == 0:
            ok = file.read(1000) == large[at : at + 1000]
            ok = ok and native.read(seed, seed + 5) == large[seed : seed + 5]
            ok = ok and fs.cat_file(FILE, 50, 60) == large[50:60] and fs.exists(FILE)
            os._exit(0 if ok else 1)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4
    assert file.read(1000) == large[at : at + 1000]


def test_listings_are_answered_offline_and_files_from_the_cache(
    fs: HfFileSystem, hub: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fs.get_file(FILE, str(tmp_path / "copy"))
    names = fs.find("datasets/org/small")
    hub.clear_requests()
    assert fs.open(FILE).read(5) == large[:5]
    assert hub.requests() == []  # the copy in the cache is read
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    offline = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    assert offline.find("datasets/org/small") == names
    assert offline.glob("datasets/org/small/**/*.jsonl") == ["datasets/org/small/data/train.jsonl"]
    assert offline.info(FILE)["size"] == len(large)
    assert not offline.exists("datasets/org/small/none")
    assert offline.cat_file(FILE, -7) == large[-7:]
    with pytest.raises(OfflineModeIsEnabled):
        offline.cat_file("datasets/org/small/data/big.bin")
    assert hub.requests() == []


def test_what_is_missing_is_asked_for_once(hub: HubServer, hub_root: Path) -> None:
    fs = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    for _ in range(3):
        assert not fs.exists("datasets/org/none/x")
        assert not fs.exists("datasets/org/small/none")
        assert not fs.isdir("datasets/org/small/none/deeper")
    log = [path for _, path, _ in hub.requests()]
    assert len([p for p in log if "/org/none" in p]) == 1
    assert len([p for p in log if "/org/small" in p]) == 2  # the commit and its listing
    (hub_root / "datasets" / "org" / "small" / "none").write_text("now")
    assert not fs.exists("datasets/org/small/none")
    assert fs.exists("datasets/org/small/none", refresh=True)
    (hub_root / "datasets" / "org" / "none").mkdir()
    (hub_root / "datasets" / "org" / "none" / "x").write_text("now")
    fs.invalidate_cache()
    assert fs.exists("datasets/org/none/x")


def test_large_listings_go_folder_by_folder(hub_root: Path) -> None:
    small = hub_root / "datasets" / "org" / "small"
    for index in range(30):
        (small / f"f{index % 3}").mkdir(exist_ok=True)
        (small / f"f{index % 3}" / f"{index}.txt").write_text("x")
    with HubServer(str(hub_root), page_size=10) as server:
        fs = HfFileSystem(endpoint=server.url, token=False, skip_instance_cache=True)
        assert fs.info("datasets/org/small/f1/1.txt")["size"] == 1
        for _ in range(3):
            assert not fs.exists("datasets/org/small/f9/1.txt")
            assert len(fs.ls("datasets/org/small/f1")) == 10
        trees = [path for _, path, _ in server.requests() if "/tree/" in path]
        assert len(trees) == 3  # the first page of all, the folder, the folder that is not there
        assert len(fs.find("datasets/org/small/f2")) == 10
        assert len(fs.find("datasets/org/small")) == 33
        server.clear_requests()
        assert fs.exists("datasets/org/small/f0/0.txt")
        assert len(fs.glob("datasets/org/small/*/*.txt")) == 30
        assert server.requests() == []


def test_very_large_listings_are_taken_in_parts_and_kept(fault_hub: FaultHub) -> None:
    fault_hub.tree_page = 10
    files = {f"d{d}/e{e}/{n:02}.txt": b"x" for d in range(3) for e in range(2) for n in range(15)}
    fault_hub.repo("dataset", "org/many").commit({**files, "README.md": b"# many"})
    ours = HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    theirs = huggingface_hub.HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    names = sorted(f"datasets/org/many/{name}" for name in [*files, "README.md"])
    assert ours.find("datasets/org/many") == theirs.find("datasets/org/many") == names
    asked = [line.target for line in fault_hub.requests("/tree/")]
    assert any("/d1" in target and "recursive=true" in target for target in asked)  # sub-folders by themselves
    before = len(fault_hub.requests())
    assert ours.find("datasets/org/many/d1") == [name for name in names if "/d1/" in name]
    assert len(ours.glob("datasets/org/many/*/e1/*.txt")) == 45
    again = HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    _forget_process_state()
    assert again.find("datasets/org/many") == names  # from the listing kept on disk
    assert len(fault_hub.requests()) == before + 1  # which commit


def _forget_process_state() -> None:
    """What a new process knows: nothing but the disk."""
    live._lives.clear()


def test_hostile_names_write_nothing_outside(fault_hub: FaultHub, tmp_path: Path) -> None:
    repo = fault_hub.repo("dataset", "org/evil")
    repo.commit({"fine.txt": b"fine", "../../evil.txt": b"evil", "a/../../../evil2.txt": b"evil"})
    root = "datasets/org/evil"
    fs = HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    for get in (
        lambda to: fs.get(root, str(to), recursive=True),
        lambda to: filesystem(f"hf://{root}", endpoint=fault_hub.url).get(f"hf://{root}", to),
        lambda to: fs.get_file(f"{root}/../../evil.txt", str(to / "x")),
    ):
        target = tmp_path / "in" / "ner" / "target"
        with pytest.raises(ValueError, match=r"\.\."):
            get(target)
        assert not [path for path in tmp_path.rglob("*evil*") if "home" not in path.parts]


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_ends_a_read_that_stalls(hub: HubServer) -> None:
    hub.add_fault(json.dumps({"path": "/lfs-cdn/", "action": "stall", "after": 10}))
    script = """
import sys, hfhub
file = hfhub.open_file("hf://datasets/org/small/data/big.bin")
print("reading", flush=True)
try:
    file.read()
except KeyboardInterrupt:
    sys.exit(42)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "reading\n"
        while not any("/lfs-cdn/" in path for _, path, _ in hub.requests()):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 42


def test_threads_see_the_commits_of_the_main_thread(hub: HubServer) -> None:
    HfFileSystem.clear_instance_cache()
    main = HfFileSystem(endpoint=hub.url, token=False)
    main.ls("datasets/org/small")
    hub.clear_requests()
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(HfFileSystem(endpoint=hub.url, token=False).ls("datasets/org/small"))
    )
    thread.start()
    thread.join(30)
    assert found == [main.ls("datasets/org/small")]
    assert hub.requests() == []
    HfFileSystem.clear_instance_cache()


def test_wrong_bytes_of_a_whole_file_are_an_error(hub: HubServer) -> None:
    fs = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    for name, place in (("data/big.bin", "/lfs-cdn/"), ("README.md", "/resolve-cache/")):
        hub.add_fault(json.dumps({"path": place, "action": "corrupt"}))
        with pytest.raises(IntegrityError, match="hash"):
            fs.cat_file(f"datasets/org/small/{name}")
        with fs.open(f"datasets/org/small/{name}") as file, pytest.raises(IntegrityError, match="hash"):
            file.read()
        hub.clear_faults()


def test_a_dead_hub_is_not_a_missing_file(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    fs = HfFileSystem(endpoint="http://127.0.0.1:9", token=False, skip_instance_cache=True)
    with pytest.raises((ConnectionError, FileNotFoundError)) as caught:
        fs.exists("datasets/org/small/README.md")
    assert "127.0.0.1:9" in str(caught.value) or "cache" in str(caught.value)


def test_native_files_are_of_this_class(hub: HubServer) -> None:
    assert isinstance(open_range("org/small", "README.md", repo_type="dataset"), RemoteFile)
