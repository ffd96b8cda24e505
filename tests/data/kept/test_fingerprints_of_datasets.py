"""Fingerprints of datasets: of chains of operations, and of folders."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import crucible_datasets as cd
from crucible_datasets import Dataset, concatenate_datasets, load_from_disk
from kept_results import Calls, results


def test_fingerprints() -> None:
    def make() -> Any:
        return Dataset.from_dict({"a": [3, 1, 2, 5, 4, 0], "b": ["x", "y", "z", "u", "v", "w"]})

    chains: list[Callable[[Any], Any]] = [
        lambda ds: ds,
        lambda ds: ds.select([0, 2]),
        lambda ds: ds.shuffle(seed=1),
        lambda ds: ds.sort("a"),
        lambda ds: ds.rename_column("a", "c"),
        lambda ds: ds.remove_columns("a"),
        lambda ds: ds.cast_column("a", cd.Value("int32")),
        lambda ds: ds.map(lambda r: {"c": r["a"]}),
        lambda ds: ds.map(lambda r: {"c": -r["a"]}),
        lambda ds: ds.filter(lambda r: r["a"] > 1),
        lambda ds: ds.with_format("numpy"),
        lambda ds: ds.with_format("numpy", dtype=np.float32),
        lambda ds: concatenate_datasets([ds, ds]),
        lambda ds: ds.train_test_split(0.5, seed=1)["test"],
    ]
    first = [chain(make())._fingerprint for chain in chains]
    assert [chain(make())._fingerprint for chain in chains] == first
    assert len(set(first)) == len(first)
    ds = make()
    ds.set_format("numpy")
    assert ds._fingerprint != first[0]
    ds.reset_format()
    assert ds._fingerprint == first[0]
    ds._fingerprint = "given"
    assert ds._fingerprint == "given"
    assert pickle.loads(pickle.dumps(make()))._fingerprint == first[0]


def test_folders(tmp_path: Path, cache: Path, calls: Calls) -> None:
    ds = Dataset.from_dict({"n": list(range(20))})
    ds.save_to_disk(tmp_path / "folder", num_shards=3)
    assert json.loads((tmp_path / "folder" / "state.json").read_text())["_fingerprint"] == ds._fingerprint
    for count in (20, 0):
        made = load_from_disk(tmp_path / "folder").map(lambda r: (calls(), {"x": r["n"]})[1])
        assert calls.take() == count
    assert len(made.cache_files) == 4  # three of the folder, one of the result
    assert len(results(cache)) == 1
    (path,) = (tmp_path / "folder").glob("data-00001*")
    copy = path.read_bytes()
    path.unlink()
    path.write_bytes(copy)
    load_from_disk(tmp_path / "folder").map(lambda r: (calls(), {"x": r["n"]})[1])
    assert calls.take() == 20  # written again: who knows
    single = Dataset.from_file(path)
    assert single.cache_files == [{"filename": str(path)}]
