"""Questions and reads leave a cache that the official scan finds whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faulthub import FaultHub
from faulthub.clean import faults_of
from hfhub import HfApi, HfFileSystem, download_stream, open_range

ID = "org/data"
CALLS: dict[str, Callable[[str], object]] = {
    "info": lambda _: HfApi().dataset_info(ID),
    "tree": lambda commit: list(HfApi().list_repo_tree(ID, repo_type="dataset", revision=commit, recursive=True)),
    "paths": lambda _: HfApi().get_paths_info(ID, ["a.txt"], repo_type="dataset"),
    "ls": lambda _: HfFileSystem(skip_instance_cache=True).ls(f"datasets/{ID}"),
    "find": lambda _: HfFileSystem(skip_instance_cache=True).find(f"datasets/{ID}"),
    "cat": lambda _: HfFileSystem(skip_instance_cache=True).cat_file(f"datasets/{ID}/a.txt"),
    "range": lambda _: open_range(ID, "d/b.bin", repo_type="dataset").read(5, 50),
    "stream": lambda _: b"".join(download_stream(ID, "d/b.bin", repo_type="dataset")),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_cache_is_whole_after(fault_hub: FaultHub, fault_env: Path, name: str) -> None:
    commit = fault_hub.repo("dataset", ID).commit({"a.txt": b"a", "d/b.bin": b"b" * 1000})
    assert CALLS[name](commit)
    assert faults_of(fault_env / "hub") == []
