"""Files that open at once: what lies in their values is found when it is read, and never read itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

import crucible_datasets as ours
from crucible_datasets import errors

ROWS = 6000
NAME = "data-00000-of-00001.arrow"


def _saved(folder: Path) -> Path:
    texts = [f"text {k:06d} " + "x" * 700 for k in range(ROWS)]
    lists = [[k, k + 1] if k % 3 else [] for k in range(ROWS)]
    ours.Dataset.from_dict({"n": list(range(ROWS)), "s": texts, "l": lists}).save_to_disk(folder)
    return folder / NAME


def _bad_text(data: bytearray) -> None:
    data[data.index(b"text 005500")] = 0xFF


def _bad_offset(data: bytearray) -> None:
    """The offset of a list of the last batch becomes huge."""
    with pa.ipc.open_stream(bytes(data)) as stream:
        last = list(stream)[-1]
    offsets = last.column("l").buffers()[1].to_pybytes()
    at = data.rindex(offsets[: 4 * last.num_rows]) + 4 * (last.num_rows // 2)
    data[at : at + 4] = (2**31 - 5).to_bytes(4, "little")


READERS: dict[str, Callable[[Any, Path], Any]] = {
    "row": lambda ds, _: ds[ROWS - 2],
    "rows": lambda ds, _: ds[:],
    "list": lambda ds, _: ds.to_list(),
    "column": lambda ds, _: (ds["s"][:], ds["l"][:]),
    "iterate": lambda ds, _: list(ds),
    "numpy": lambda ds, _: ds.with_format("numpy")[:],
    "arrow": lambda ds, _: ds.with_format("arrow")[:],
    "pandas": lambda ds, _: ds.to_pandas(),
    "shuffled": lambda ds, _: ds.shuffle(seed=1)[:],
    "map": lambda ds, _: ds.map(lambda row: {"k": row["n"]}),
    "filter": lambda ds, _: ds.filter(lambda row: row["n"] % 2 == 0),
    "sort": lambda ds, _: ds.sort("s").sort("n")[:],
    "cast": lambda ds, _: ds.cast(ours.Features({**ds.features, "n": ours.Value("string")}))[:],
    "concatenate": lambda ds, _: ours.concatenate_datasets([ds, ds.select_columns(["s", "n", "l"])])[:],
    "add_column": lambda ds, _: ds.add_column("k", list(range(ROWS)))[:],
    "flatten": lambda ds, _: ds.rename_column("s", "t").flatten()[:],
    "pickle": lambda ds, _: pickle.loads(pickle.dumps(ds))[:],
    "pickled part": lambda ds, _: pickle.loads(pickle.dumps(ds.select_columns(["s", "l"]).select(range(10, ROWS))))[:],
    "save": lambda ds, folder: ds.save_to_disk(folder / "again"),
    "csv": lambda ds, folder: ds.to_csv(folder / "a.csv"),
    "parquet": lambda ds, folder: ds.to_parquet(folder / "a.parquet"),
    "memory": lambda ds, _: ds._table.to_ipc(),
}


@pytest.mark.parametrize("damage", [_bad_text, _bad_offset])
@pytest.mark.parametrize("reader", READERS)
def test_damage_is_found_when_it_is_read(tmp_path: Path, damage: Callable[[bytearray], None], reader: str) -> None:
    file = _saved(tmp_path / "d")
    data = bytearray(file.read_bytes())
    damage(data)
    file.write_bytes(data)
    for ds in (ours.load_from_disk(tmp_path / "d"), ours.Dataset.from_file(str(file))):
        assert len(ds) == ROWS
        assert (ds[0]["n"], ds[0]["l"], ds[1]["l"]) == (0, [], [1, 2])  # another batch than the broken one
        with pytest.raises(errors.DecodeError, match=NAME):
            READERS[reader](ds, tmp_path)
        assert ds["n"][:5] == [0, 1, 2, 3, 4]


def test_a_file_of_the_other_form(tmp_path: Path) -> None:
    """Arrow IPC files, which have an index, too."""
    ds = ours.load_from_disk(_saved(tmp_path / "d").parent)
    path = tmp_path / "f.arrow"
    with pa.ipc.new_file(path, pa.table(ds._table).schema) as out:
        out.write_table(pa.table(ds._table), max_chunksize=500)
    assert ours.Dataset.from_file(str(path))[:] == ds[:]
    data = bytearray(path.read_bytes())
    _bad_text(data)
    path.write_bytes(data)
    broken = ours.Dataset.from_file(str(path))
    assert broken[5499 - 500] == ds[5499 - 500]
    for view in (broken, pickle.loads(pickle.dumps(broken)), pickle.loads(pickle.dumps(broken.take(5700)))):
        with pytest.raises(errors.DecodeError, match=r"f\.arrow"):
            view[5500]
    with pytest.raises(errors.DecodeError):
        pa.table(broken._table)


def test_what_cannot_wait_is_checked_at_once(tmp_path: Path) -> None:
    """Dictionaries decide on their values when an array is made."""
    path = tmp_path / "d.arrow"
    words = pa.array(["needle", "b", "needle"]).dictionary_encode()
    with pa.ipc.new_stream(path, pa.schema({"w": words.type})) as out:
        out.write_table(pa.table({"w": words}))
    assert ours.Dataset.from_file(str(path))["w"][:] == ["needle", "b", "needle"]
    path.write_bytes(path.read_bytes().replace(b"needle", b"needl\xff"))
    with pytest.raises(errors.DecodeError, match=r"d\.arrow"):
        ours.Dataset.from_file(str(path))


def test_batches_of_datasets_are_read(tmp_path: Path) -> None:
    """Both read what the other wrote, in its own batches."""
    rows = {
        "n": list(range(2500)),
        "s": [f"é{k}" * 300 for k in range(2500)],
        "l": [[k] * (k % 3) for k in range(2500)],
    }
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "theirs", num_shards=2)
    ours.Dataset.from_dict(rows).save_to_disk(tmp_path / "ours", num_shards=2)
    for folder in ("theirs", "ours"):
        assert ours.load_from_disk(tmp_path / folder)[:] == rows
        assert datasets.load_from_disk(tmp_path / folder)[:] == rows


def test_bytes_are_those_of_the_rows(tmp_path: Path) -> None:
    """`nbytes` counts of shared buffers the part that is shown, as `datasets` does; so the number of files is right."""
    rows = [{"n": k, "m": [{"role": "user", "content": f"text {k}" * 50}] * 2} for k in range(3000)]
    path = tmp_path / "a.parquet"
    datasets.Dataset.from_list(rows).to_parquet(path, batch_size=1000)
    mine = ours.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "c"))
    theirs = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "c2"))
    assert mine._table.nbytes == pytest.approx(theirs.data.nbytes, rel=0.01)
    size = mine._table.nbytes * 2 // 5
    mine.save_to_disk(tmp_path / "mine", max_shard_size=size)
    theirs.save_to_disk(tmp_path / "theirs", max_shard_size=size)
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == sorted(
        p.name for p in (tmp_path / "theirs").iterdir()
    )
