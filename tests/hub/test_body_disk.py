"""A full disk: told with numbers, before the first byte where that is possible, and nothing is left."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faulthub import FaultHub
from hfhub import hf_hub_download
from hfhub.errors import DiskFullError

ID = "org/data"
MIB = 1 << 20
FILES = {"small.bin": random.Random(9).randbytes(3 * MIB), "large.bin": random.Random(10).randbytes(36 * MIB)}

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
import hfhub
try:
    hfhub.hf_hub_download("org/data", sys.argv[1], repo_type="dataset")
except hfhub.errors.DiskFullError as error:
    assert isinstance(error, OSError)
    print("full")
"""


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path) -> FaultHub:
    fault_hub.repo("dataset", ID).commit(FILES)
    return fault_hub


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 10 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not made or made.returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def left(cache: Path) -> list[Path]:
    return [p for p in cache.rglob("*") if p.name.endswith((".incomplete", ".hfhub"))]


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(hub: FaultHub, small_disk: Path) -> None:
    with pytest.raises(DiskFullError, match=rf"{36 * MIB} bytes are needed, \d+ are free"):
        hf_hub_download(ID, "large.bin", repo_type="dataset", cache_dir=small_disk)
    assert hub.served("large") == 0
    assert left(small_disk) == []
    path = hf_hub_download(ID, "small.bin", repo_type="dataset", cache_dir=small_disk)
    assert Path(path).read_bytes() == FILES["small.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", FILES)
def test_a_write_that_finds_no_room(hub: FaultHub, fault_env: Path, name: str) -> None:
    """A limit of the process's file size stands in for the disk: free space says nothing of it."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, name],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "full\n", done.stderr
    assert left(fault_env / "hub") == []
    assert Path(hf_hub_download(ID, name, repo_type="dataset")).read_bytes() == FILES[name]
