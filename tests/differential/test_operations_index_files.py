"""`indices_cache_file_name` and `new_fingerprint`: files of row numbers that both libraries read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets as official
import numpy as np
import pyarrow as pa
import pytest

import crucible_datasets as ours

pytestmark = pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")
OPERATIONS: dict[str, Any] = {
    "select": lambda ds, **more: ds.select([5, 1, 1, 40], **more),
    "shuffle": lambda ds, **more: ds.shuffle(seed=3, **more),
    "shuffle by a generator": lambda ds, **more: ds.shuffle(generator=np.random.default_rng(4), **more),
    "sort": lambda ds, **more: ds.sort("n", reverse=True, **more),
    "shard": lambda ds, **more: ds.shard(3, 1, contiguous=False, **more),
}
LOADING = [name for name in OPERATIONS if name not in {"select", "shard"}]
COLUMNS = {"n": [(7 * i) % 50 for i in range(50)], "text": [f"row {i}" for i in range(50)]}


def both(tmp_path: Path) -> tuple[Any, Any]:
    """The same rows, mapped from one folder."""
    ours.Dataset.from_dict(COLUMNS).save_to_disk(str(tmp_path / "saved"))
    return ours.load_from_disk(str(tmp_path / "saved")), official.load_from_disk(str(tmp_path / "saved"))


def numbers(path: Path) -> list[int]:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
    assert table.schema.field("indices").type == pa.uint64()
    return table["indices"].to_pylist()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("before", ["whole", "slice", "shuffled"])
def test_files_say_what_the_official_ones_say(tmp_path: Path, name: str, before: str) -> None:
    prepare = {
        "whole": lambda ds: ds,
        "slice": lambda ds: ds.select(range(3, 48)),
        "shuffled": lambda ds: ds.shuffle(seed=9),
    }[before]
    mine, theirs = map(prepare, both(tmp_path))
    files = [tmp_path / "deep" / who / "indices.arrow" for who in ("mine", "theirs")]
    made = [OPERATIONS[name](ds, indices_cache_file_name=str(f)) for ds, f in zip((mine, theirs), files, strict=True)]
    assert made[0].to_list() == made[1].to_list()
    assert numbers(files[0]) == numbers(files[1])
    assert {file["filename"] for file in made[0].cache_files} >= {str(files[0])}


@pytest.mark.parametrize("name", LOADING)
@pytest.mark.parametrize("writer", [0, 1])
def test_a_file_of_either_library_is_used_by_both(tmp_path: Path, name: str, writer: int) -> None:
    pair = both(tmp_path)
    path = str(tmp_path / "indices.arrow")
    expected = OPERATIONS[name](pair[writer], indices_cache_file_name=path).to_list()
    stamp = Path(path).stat().st_mtime_ns
    for ds in pair:
        assert OPERATIONS[name](ds, indices_cache_file_name=path).to_list() == expected
    assert Path(path).stat().st_mtime_ns == stamp


def test_a_file_is_read_not_the_order_made_again(tmp_path: Path) -> None:
    path = str(tmp_path / "indices.arrow")
    for ds in both(tmp_path):
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, pa.schema({"indices": pa.uint64()})) as out:
            out.write_table(pa.table({"indices": pa.array([4, 4, 0], pa.uint64())}))
        assert ds.sort("n", indices_cache_file_name=path)["n"][:] == [COLUMNS["n"][i] for i in (4, 4, 0)]
        assert len(ds.sort("n", indices_cache_file_name=path, load_from_cache_file=False)) == 50


def test_a_file_of_another_order_is_made_again(tmp_path: Path) -> None:
    mine, _ = both(tmp_path)
    path = str(tmp_path / "indices.arrow")
    one = mine.shuffle(seed=1, indices_cache_file_name=path)
    two = mine.shuffle(seed=2, indices_cache_file_name=path)
    assert two.to_list() == mine.shuffle(seed=2).to_list() != one.to_list()
    other = mine.select(range(10)).shuffle(seed=2, indices_cache_file_name=path)
    assert other.to_list() == mine.select(range(10)).shuffle(seed=2).to_list()
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, pa.schema({"indices": pa.uint64()})) as out:
        out.write_table(pa.table({"indices": pa.array([400], pa.uint64())}))
    assert mine.sort("n", indices_cache_file_name=path)["n"][:] == sorted(COLUMNS["n"])
    Path(path).write_bytes(b"no Arrow at all")
    assert mine.sort("n", indices_cache_file_name=path)["n"][:] == sorted(COLUMNS["n"])


def test_neighbours_and_rows_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "indices.arrow"
    for library in (ours, official):
        ds = library.Dataset.from_dict(COLUMNS)
        for rows in (range(3, 9), [3, 4, 5], []):
            assert len(ds.select(rows, indices_cache_file_name=str(path))) == len(rows)
            assert not path.exists()
        first = ds.shuffle(seed=1, indices_cache_file_name=str(path))
        assert ds.shuffle(seed=2, indices_cache_file_name=str(path)).to_list() != first.to_list()
        for transform in ("shuffle", "select", "sort"):
            argument = {"select": ([2, 1],), "sort": ("n",)}.get(transform, ())
            with pytest.raises(ValueError, match="keep_in_memory"):
                getattr(ds, transform)(*argument, keep_in_memory=True, indices_cache_file_name=str(path))
        path.unlink()


@pytest.mark.parametrize("shuffle", [True, False])
def test_train_test_split(tmp_path: Path, shuffle: bool) -> None:
    found = []
    for who, ds in zip(("mine", "theirs"), both(tmp_path), strict=True):
        files = [tmp_path / f"{who}-{part}.arrow" for part in ("train", "test")]
        arguments: dict[str, Any] = {
            "test_size": 0.3,
            "seed": 5 if shuffle else None,
            "shuffle": shuffle,
            "train_indices_cache_file_name": str(files[0]),
            "test_indices_cache_file_name": str(files[1]),
            "train_new_fingerprint": "abcdef0123456789",
        }
        parts = ds.train_test_split(**arguments)
        again = ds.train_test_split(**arguments)
        assert parts["train"]._fingerprint == again["train"]._fingerprint == "abcdef0123456789"
        assert [file.exists() for file in files] == [shuffle, shuffle]
        found.append([parts[part].to_list() for part in parts] + [again[part].to_list() for part in again])
        found[-1] += [numbers(file) for file in files if shuffle]
    assert found[0] == found[1]


TRANSFORMS: dict[str, Any] = {
    **OPERATIONS,
    "select a range": lambda ds, **more: ds.select(range(3), **more),
    "select_columns": lambda ds, **more: ds.select_columns(["n"], **more),
    "remove_columns": lambda ds, **more: ds.remove_columns("n", **more),
    "rename_column": lambda ds, **more: ds.rename_column("n", "m", **more),
    "rename_columns": lambda ds, **more: ds.rename_columns({"n": "m"}, **more),
    "cast_column": lambda ds, **more: ds.cast_column("n", ds.features["n"], **more),
    "flatten": lambda ds, **more: ds.flatten(**more),
    "flatten_indices": lambda ds, **more: ds.flatten_indices(**more),
    "add_column": lambda ds, **more: ds.add_column("x", list(range(len(ds))), **more),
    "add_item": lambda ds, **more: ds.add_item({"n": 1, "text": ""}, **more),
    "map": lambda ds, **more: ds.map(lambda row: {"x": row["n"]}, **more),
    "filter": lambda ds, **more: ds.filter(lambda row: row["n"] > 3, **more),
    "batch": lambda ds, **more: ds.batch(4, **more),
}


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "shard"])
def test_new_fingerprint_is_that_of_the_result(name: str) -> None:
    # The official cast_column forgets it where only the type changes.
    for library in (ours,) if name == "cast_column" else (ours, official):
        ds = library.Dataset.from_dict(COLUMNS)
        before = ds._fingerprint
        assert TRANSFORMS[name](ds, new_fingerprint="0123456789abcdef")._fingerprint == "0123456789abcdef"
        assert ds._fingerprint == before
        with pytest.raises(ValueError, match="fingerprint"):
            TRANSFORMS[name](ds, new_fingerprint="no/name")


@pytest.mark.parametrize("name", OPERATIONS)
def test_equal_work_has_equal_fingerprints(name: str) -> None:
    ds, same = ours.Dataset.from_dict(COLUMNS), ours.Dataset.from_dict(COLUMNS)
    assert OPERATIONS[name](ds)._fingerprint == OPERATIONS[name](same)._fingerprint
    other = {ds._fingerprint, *(OPERATIONS[other](ds)._fingerprint for other in OPERATIONS if other != name)}
    assert OPERATIONS[name](ds)._fingerprint not in other


def test_splits_have_a_file_each(tmp_path: Path) -> None:
    files = {part: str(tmp_path / f"{part}.arrow") for part in ("train", "test")}
    both_parts = ours.DatasetDict({part: ours.Dataset.from_dict(COLUMNS) for part in files})
    made = both_parts.shuffle(seed=1, indices_cache_file_names=files)
    assert numbers(Path(files["test"])) == [COLUMNS["text"].index(text) for text in made["test"]["text"]]
    made = both_parts.sort("n", indices_cache_file_names={"train": files["train"]})
    assert numbers(Path(files["train"])) == list(np.argsort(COLUMNS["n"], kind="stable"))
