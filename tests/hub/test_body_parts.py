"""Large files in parts: what is asked, over how many connections, and what happens when the network is bad."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from faulthub import FaultHub, faults
from faulthub.clean import faults_of
from hfhub import hf_hub_download
from hfhub._client import client
from hfhub.errors import HubConnectionError, IntegrityError

ID = "org/data"
MIB = 1 << 20
DATA = random.Random(7).randbytes(40_000_000)


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path) -> FaultHub:
    fault_hub.repo("dataset", ID).commit({"large.bin": DATA, "notes.txt": b"some text\n" * 500})
    return fault_hub


def get(name: str = "large.bin") -> bytes:
    return Path(hf_hub_download(ID, name, repo_type="dataset")).read_bytes()


def clean() -> list[str]:
    cache = Path(os.environ["HF_HOME"]) / "hub"
    left = [str(p) for p in cache.rglob("*") if p.name.endswith((".incomplete", ".hfhub"))]
    return faults_of(cache) + left


def ranges(hub: FaultHub) -> list[tuple[int, int]]:
    """First and last byte of what the CDN was asked for; every request must say both."""
    asked = [line.headers["range"] for line in hub.requests("large", origin="cdn", method="GET")]
    found = [re.fullmatch(r"bytes=(\d+)-(\d+)", text) for text in asked]
    return [(int(m[1]), int(m[2])) for m in found if m is not None or pytest.fail(f"{asked}")]


def test_parts_cover_the_file_once_and_the_address_is_asked_for_once(hub: FaultHub) -> None:
    assert get() == DATA
    asked = sorted(ranges(hub))
    assert len(asked) > 3
    assert [b[0] for b in asked] == [0, *(a[1] + 1 for a in asked[:-1])]
    assert asked[-1][1] == len(DATA) - 1
    assert hub.served("large") == len(DATA)
    assert len(hub.requests("large", origin="hub")) == 1
    assert clean() == []


def test_connections_are_shared_by_the_files_of_a_snapshot(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("dataset", "org/two").commit({"a.bin": DATA[: 34 * MIB], "b.bin": DATA[MIB : 35 * MIB]})
    monkeypatch.setenv("HFHUB_CONNECTIONS", "2")
    hub.fault("bin", faults.drip(30_000_000), origin="cdn")  # slow enough that all would be opened
    samples: list[int] = []

    def sample(*_: object) -> None:
        samples.append(len([line for line in hub.requests("bin", origin="cdn") if not line.finished]))

    folder = Path(client().download_snapshot("dataset", "org/two", None, max_workers=2, progress=sample))
    assert (folder / "b.bin").read_bytes() == DATA[MIB : 35 * MIB]
    assert max(samples) >= 2
    # The hub may see the next request before it has noted the end of the last.
    assert len([n for n in samples if n > 3]) <= len(samples) // 5
    assert clean() == []


@pytest.mark.parametrize("skip", [0, 3])
def test_a_server_that_ignores_ranges(hub: FaultHub, skip: int) -> None:
    """From the first on, or only later: then what came is of no use."""
    hub.fault("large", faults.ignore_range(), origin="cdn", skip=skip)
    assert get() == DATA
    if skip == 0:
        assert hub.served("large") == len(DATA)
        assert len(hub.requests("large", origin="cdn")) == 1
    assert clean() == []


def test_a_server_that_forbids_ranges(hub: FaultHub) -> None:
    hub.fault("large", faults.forbid_range(), origin="cdn")
    assert get() == DATA
    assert hub.served("large") == len(DATA)
    assert clean() == []


def test_parts_from_elsewhere_are_not_taken(hub: FaultHub) -> None:
    hub.fault("large", faults.wrong_range(100), origin="cdn", skip=1, times=1)
    assert get() == DATA
    assert clean() == []


def test_an_address_that_runs_out_is_renewed_once_for_all(hub: FaultHub) -> None:
    hub.signed_uses = 6
    assert get() == DATA
    parts = [line for line in hub.requests("large", origin="cdn") if line.status == 206]
    renewed = hub.requests("large", origin="hub", method="GET")
    assert len(parts) > 6
    assert 1 <= len(renewed) <= len(parts) // 6 + 1
    assert hub.served("large") == len(DATA)
    assert clean() == []


def test_failures_in_the_middle_cost_only_what_is_missing(hub: FaultHub) -> None:
    hub.fault("large", faults.status(503), origin="cdn", skip=1, times=2)
    hub.fault("large", faults.status(429, {"Retry-After": "0"}), origin="cdn", skip=3, times=2)
    resets = hub.fault("large", faults.reset_at_random(3), origin="cdn", probability=0.4, seed=4, statuses=(200, 206))
    assert get() == DATA
    assert resets.hits > 2
    assert hub.served("large") <= 1.1 * len(DATA)
    assert clean() == []


def test_one_slow_and_one_silent_connection_are_given_up(hub: FaultHub) -> None:
    slow = hub.fault("large", faults.drip(300), origin="cdn", skip=1, times=1)
    silent = hub.fault("large", faults.stall(MIB), origin="cdn", skip=2, times=1)
    assert get() == DATA
    assert (slow.hits, silent.hits) == (1, 1)
    assert hub.served("large") <= 1.05 * len(DATA)
    assert clean() == []


@pytest.mark.parametrize("name", ["large.bin", "notes.txt"])
def test_a_byte_for_each_request_is_given_up(hub: FaultHub, name: str) -> None:
    hub.fault(name, faults.cut(1), method="GET", statuses=(200, 206))
    with pytest.raises(HubConnectionError, match="tried"):
        get(name)
    # Six tries for each of eight parts at the most.
    assert len([line for line in hub.requests(name, method="GET") if line.status in (200, 206)]) <= 48
    assert clean() == []


def test_a_wrong_length_is_refused_before_the_body(hub: FaultHub) -> None:
    hub.fault("large", faults.replace(DATA[:-9]), origin="cdn")
    with pytest.raises(IntegrityError, match="40000000 were promised"):
        get()
    assert hub.served("large") < len(DATA) // 2  # what was on its way when two connections were closed
    assert clean() == []


def test_encoded_bodies(hub: FaultHub) -> None:
    """Stored bytes that carry the header are right if their hash is. Others are refused."""
    hub.fault("large", faults.header("Content-Encoding", "gzip"), origin="cdn")
    assert get() == DATA
    hub.fault("notes", faults.header("Content-Encoding", "br"), method="GET")
    hub.fault("notes", faults.chunked(), method="GET")
    with pytest.raises(IntegrityError, match=r"encoded \(br\)"):
        get("notes.txt")


def test_a_name_that_is_no_hash_comes_in_parts_too(hub: FaultHub) -> None:
    hub.fault("large", faults.header("X-Linked-Etag", '"opaque-1"'), origin="hub")
    assert get() == DATA
    assert len(ranges(hub)) > 3
    assert hub.served("large") == len(DATA)


def test_wrong_bytes_are_fetched_from_another_connection_and_address(hub: FaultHub) -> None:
    hub.fault("large", faults.flip(5), origin="cdn", skip=1, times=1)
    assert get() == DATA
    lines = hub.requests("large", origin="cdn", method="GET")
    assert lines[-1].connection not in {line.connection for line in lines[:-1]}
    assert lines[-1].target not in {line.target for line in lines[:-1]}
    assert hub.served("large") <= 2 * len(DATA)
    assert clean() == []


def test_progress_grows_to_the_size_and_no_further(hub: FaultHub) -> None:
    hub.fault("large", faults.flip(5), origin="cdn", skip=1, times=1)
    hub.fault("large", faults.reset(3 * MIB), origin="cdn", skip=2, times=2)
    seen: list[int] = []
    totals: set[int | None] = set()

    def note(done: int, total: int | None, *_: object) -> None:
        seen.append(done)
        totals.add(total)

    client().download_file("dataset", ID, "large.bin", None, progress=note)
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)
    assert totals <= {None, len(DATA)}
