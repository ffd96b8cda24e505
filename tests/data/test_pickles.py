"""Pickles of mapped datasets name files and rows: small, whatever the size of the data."""

from __future__ import annotations

import base64
import json
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crucible_datasets as ours
from crucible_datasets import errors

ROWS = 20_000


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[ours.Dataset, ours.Dataset]:
    """Two datasets over Arrow files: of one file, and of a folder of four."""
    folder = tmp_path_factory.mktemp("mapped")
    rows = [
        {"i": k, "s": f"text {k}" * 5, "n": None if k % 3 else k, "l": list(range(k % 5)), "o": {"p": k, "q": str(k)}, "b": k % 2 == 0}
        for k in range(ROWS)
    ]  # fmt: skip
    ours.Dataset.from_list(rows).save_to_disk(folder / "one")
    ours.Dataset.from_list(rows).save_to_disk(folder / "four", num_shards=4)
    return ours.load_from_disk(folder / "one"), ours.load_from_disk(folder / "four")


VIEWS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda ds: ds,
    "range": lambda ds: ds.select(range(7, 15_001)),
    "one row": lambda ds: ds.select([5]),
    "take and skip": lambda ds: ds.take(12_000).skip(3),
    "columns": lambda ds: ds.select_columns(["o", "i"]),
    "renamed": lambda ds: ds.rename_column("i", "j").remove_columns("s"),
    "flattened": lambda ds: ds.flatten(),
    "shard": lambda ds: ds.shard(3, 1),
    "format": lambda ds: ds.with_format("numpy", columns=["i", "l"]),
    "twice": lambda ds: ours.concatenate_datasets([ds, ds.select(range(9))]),
    "side by side": lambda ds: ours.concatenate_datasets(
        [ds.select_columns("i"), ds.select_columns("s").rename_column("s", "t")], axis=1
    ),
    "repeated": lambda ds: ds.repeat(2),
}


@pytest.mark.parametrize("which", [0, 1], ids=["one file", "four files"])
@pytest.mark.parametrize("name", VIEWS)
def test_small(mapped: tuple[Any, Any], name: str, which: int) -> None:
    ds = VIEWS[name](mapped[which])
    sent = pickle.dumps(ds)
    assert len(sent) < 4096
    back = pickle.loads(sent)
    assert len(back) == len(ds)
    assert back.features == ds.features
    assert back.format == ds.format
    for place in (0, len(ds) // 2, len(ds) - 1):
        assert str(back[place]) == str(ds[place])
    assert back.with_format(None)[:50] == ds.with_format(None)[:50]
    assert back._fingerprint == ds._fingerprint


@pytest.mark.parametrize("which", [0, 1], ids=["one file", "four files"])
def test_row_numbers_travel(mapped: tuple[Any, Any], which: int) -> None:
    ds = mapped[which].shuffle(seed=1)
    sent = pickle.dumps(ds)
    assert len(sent) < 4096 + 2 * ROWS  # 20,000 rows: two bytes each
    assert pickle.loads(sent)["i"][:] == ds["i"][:]
    few = ds.select(np.arange(0, ROWS, 500)).select_columns(["i", "l"])
    sent = pickle.dumps(few)
    assert len(sent) < 4096
    assert pickle.loads(sent)[:] == few[:]


def test_in_another_process(mapped: tuple[Any, Any]) -> None:
    ds = ours.concatenate_datasets([mapped[1].filter(lambda row: row["i"] % 1000 == 3), mapped[0].select([1, 0])])
    code = "import base64, json, pickle, sys; print(json.dumps(pickle.loads(base64.b64decode(sys.argv[1])).to_list()))"
    text = base64.b64encode(pickle.dumps(ds)).decode()
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == ds.to_list(), done.stderr


def test_rows_in_memory_travel_themselves(mapped: tuple[Any, Any]) -> None:
    """What is not in a file is in the pickle, and only the rows that are there."""
    both = mapped[0].add_column("new", list(range(ROWS)))
    assert pickle.loads(pickle.dumps(both))[123] == both[123]
    ds = ours.Dataset.from_dict({"a": list(range(100_000))}).select([5, 3])
    sent = pickle.dumps(ds)
    assert len(sent) < 4096
    assert pickle.loads(sent)["a"][:] == [5, 3]


def test_cast_columns(mapped: tuple[Any, Any]) -> None:
    ds = mapped[0].cast_column("i", ours.Value("int32")).cast_column("b", ours.Value("string")).select(range(100, 200))
    assert pickle.loads(pickle.dumps(ds))[:] == ds[:]


def test_empty(mapped: tuple[Any, Any]) -> None:
    ds = mapped[0].select([])
    back = pickle.loads(pickle.dumps(ds))
    assert (len(back), back.column_names) == (0, ds.column_names)


def test_a_file_that_changed_is_told(tmp_path: Path) -> None:
    ours.Dataset.from_dict({"a": list(range(50)), "b": ["x"] * 50}).save_to_disk(tmp_path / "d")
    ds = ours.load_from_disk(tmp_path / "d").select_columns("a")
    sent = pickle.dumps(ds)
    file = tmp_path / "d" / "data-00000-of-00001.arrow"
    other = ours.Dataset.from_dict({"a": list(range(60)), "b": ["x"] * 60})
    file.unlink()
    with pytest.raises(FileNotFoundError, match="data-00000"):
        pickle.loads(sent)
    other.save_to_disk(tmp_path / "e")
    (tmp_path / "e" / file.name).rename(file)
    with pytest.raises(OSError, match="not what it was"):
        pickle.loads(sent)
    # The mapped rows are still there; a new pickle carries them.
    assert pickle.loads(pickle.dumps(ds))["a"][:] == list(range(50))


def test_a_broken_pickle_is_an_error() -> None:
    table = type(ours.Dataset.from_dict({"a": [1]})._table)
    good = ours.Dataset.from_dict({"a": [1]})._table.to_ipc()
    for text in ("", "[]", '{"files": [], "columns": [[[3, [0], 0, 9]]]}'):
        with pytest.raises(ValueError, match=r"pickled|reference"):
            table._referred(text, good, (0, 1))
    with pytest.raises((ValueError, IndexError)):
        table._referred('{"files": [], "columns": []}', b"nonsense", (0, 1))


def test_a_file_that_was_broken_later_is_told(tmp_path: Path) -> None:
    """What was checked once is checked again when the file is another one."""
    ds = ours.Dataset.from_dict({"s": [f"text {k}" for k in range(3000)], "n": list(range(3000))})
    ds.save_to_disk(tmp_path / "d")
    file = tmp_path / "d" / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    for _ in range(2):
        loaded = ours.load_from_disk(tmp_path / "d")
        sent = [pickle.dumps(view) for view in (loaded, loaded.select(range(5)), loaded.shuffle(seed=1))]
        assert [pickle.loads(one)["n"][:3] for one in sent[:2]] == [[0, 1, 2]] * 2
        place = whole.index(b"text 1500")
        file.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])  # no UTF-8, as long as before
        with pytest.raises(errors.DecodeError, match="data-00000"):
            ours.load_from_disk(tmp_path / "d")[1500]
        for one in sent:
            with pytest.raises((errors.DecodeError, OSError), match="data-00000"):
                pickle.loads(one)[:]
        file.write_bytes(whole)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_open_what_was_sent(mapped: tuple[Any, Any], method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        for ds in (mapped[0], mapped[1].shuffle(seed=2).take(50)):
            assert pool.apply(_total, (ds,)) == sum(ds["i"])


def _total(ds: ours.Dataset) -> int:
    return sum(ds["i"])
