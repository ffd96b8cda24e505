"""Faults of a file that comes in parts over several connections: the right bytes or the declared error, few bytes twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faulthub import FaultHub, Repository, Request, Response, faults
from faulthub.clean import faults_of
from hfhub import hf_hub_download
from hfhub.errors import HfHubHTTPError, IntegrityError

ID = "org/data"
MB = 1_000_000
SIZE = 40 * MB
DATA = random.Random(7).randbytes(SIZE)
BOUND = 30.0
"""Seconds; a cell that takes longer hangs."""


@pytest.fixture(scope="module")
def made() -> Repository:
    repo = Repository("dataset", ID)
    repo.commit({"huge.bin": DATA})
    return repo


def half(make: Callable[[int], faults.Change]) -> faults.Change:
    """A fault in the middle of each answer."""

    def change(request: Request, response: Response) -> Response | None:
        return make(max(1, len(response.body) // 2))(request, response)

    return change


def on_bodies(change: faults.Change, times: int | None = None, skip: int = 0) -> Callable[[FaultHub], object]:
    return lambda hub: hub.fault(
        "huge", change, origin="cdn", method="GET", statuses=(200, 206), times=times, skip=skip
    )


def short_lived(hub: FaultHub) -> None:
    hub.signed_uses = 2


def nothing(hub: FaultHub) -> None:
    pass


# Fault, how it ends (None: the right bytes), and the bytes that may be served, as a multiple of the file's.
CELLS = {
    "none": (nothing, None, 1.0),
    "cut once": (on_bodies(half(faults.cut), 1), None, 1.05),
    "each cut in the middle": (on_bodies(half(faults.cut), 30), None, 1.05),
    "cut at once": (on_bodies(faults.cut(0), 3), None, 1.05),
    "each connection cut at 3 MB": (on_bodies(faults.cut_every(3 * MB)), None, 1.05),
    "reset": (on_bodies(half(faults.reset), 8), None, 1.1),
    "stall": (on_bodies(half(faults.stall), 2), None, 1.1),
    "503": (on_bodies(faults.status(503), 3), None, 1.05),
    "429": (on_bodies(faults.rate_limited(0, "seconds"), 2), None, 1.05),
    "flipped once": (on_bodies(half(faults.flip), 1, skip=1), None, 2.1),
    "flipped always": (on_bodies(half(faults.flip)), IntegrityError, 2.1),
    "ends early": (on_bodies(faults.short(1000), 3), None, 1.05),
    "range ignored": (on_bodies(faults.ignore_range()), None, 2.1),
    "range shifted": (on_bodies(faults.wrong_range(100), 1, skip=1), None, 2.1),
    "range mislabelled": (on_bodies(faults.header("Content-Range", "bytes 0-9/10"), 1, skip=1), None, 2.1),
    "no Content-Range": (on_bodies(faults.header("Content-Range", None), 1, skip=1), None, 2.1),
    "416 for ranges": (on_bodies(faults.forbid_range()), None, 2.1),
    "no length": (on_bodies(faults.no_length()), None, 1.05),
    "chunked": (on_bodies(faults.chunked()), None, 1.05),
    "addresses run out": (short_lived, None, 1.05),
    "refused for good": (on_bodies(faults.status(403)), HfHubHTTPError, 1.05),
    "a login page": (on_bodies(faults.login_page()), IntegrityError, 1.05),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_parts(fault_hub: FaultHub, fault_env: Path, made: Repository, name: str) -> None:
    install, error, factor = CELLS[name]
    made.access = fault_hub.repo("dataset", ID).access
    fault_hub.repos["dataset", ID] = made
    install(fault_hub)
    began = time.monotonic()
    if error is None:
        assert Path(hf_hub_download(ID, "huge.bin", repo_type="dataset")).read_bytes() == DATA
    else:
        with pytest.raises(error):
            hf_hub_download(ID, "huge.bin", repo_type="dataset")
        assert not [p for p in (fault_env / "hub").glob("*/snapshots/**/*") if not p.is_dir()]
    assert time.monotonic() - began < BOUND
    assert fault_hub.served("huge") <= factor * SIZE
    assert faults_of(fault_env / "hub") == []
