"""Bars of map, filter, loading and saving: what they count and say, and when there are none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as cd
from crucible_datasets import Dataset
from crucible_datasets.utils import _bars, progress


class Bar:
    """Takes down what a bar of tqdm is told."""

    made: list[Bar]

    def __init__(self, **look: Any) -> None:
        self.look, self.n, self.closed = look, 0, False
        self.total = look["total"]
        Bar.made.append(self)

    def update(self, by: int) -> None:
        assert by > 0
        self.n += by

    def set_description(self, desc: str) -> None:
        self.look["desc"] = desc

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Bar]:
    """Bars that appear at once."""
    monkeypatch.delenv("HF_DATASETS_DISABLE_PROGRESS_BARS", raising=False)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_bars, "_AFTER", 0)
    monkeypatch.setattr(_bars, "tqdm_class", lambda module: Bar)
    Bar.made = []
    return Bar.made


def shown(bars: list[Bar]) -> list[tuple[Any, ...]]:
    found = [(bar.look["desc"], bar.n, bar.total, bar.look["unit"].strip(), bar.closed) for bar in bars]
    bars.clear()
    return found


def test_operations(bars: list[Bar], tmp_path: Path) -> None:
    ds = Dataset.from_dict({"n": list(range(2500))})
    ds.map(lambda r: {"x": 1})
    assert shown(bars) == [("Map", 2500, 2500, "examples", True)]
    ds.map(lambda b: {"x": b["n"]}, batched=True, batch_size=7, desc="Tokenizing")
    assert shown(bars) == [("Tokenizing", 2500, 2500, "examples", True)]
    ds.filter(lambda r: r["n"] > 3)
    assert shown(bars) == [("Filter", 2500, 2500, "examples", True)]
    ds.map(lambda r: {"x": 1}, num_proc=2)
    assert shown(bars) == [("Map (num_proc=2)", 2500, 2500, "examples", True)]
    ds.filter(lambda r: True, num_proc=3, desc="Keeping")
    assert shown(bars) == [("Keeping (num_proc=3)", 2500, 2500, "examples", True)]
    ds.save_to_disk(tmp_path / "folder", num_shards=5)
    assert shown(bars) == [("Saving the dataset (5/5 shards)", 2500, 2500, "examples", True)]
    pq.write_table(pa.table({"a": range(30)}), tmp_path / "t.parquet")
    cd.load_dataset("parquet", data_files=str(tmp_path / "t.parquet"), split="train")
    assert shown(bars) == [("Generating train split", 30, 30, "examples", True)]


def test_writers(bars: list[Bar], tmp_path: Path) -> None:
    """Names, units and totals of `datasets`."""
    table = {"n": list(range(2500)), "s": ["text"] * 2500}
    ds = Dataset.from_dict(table)
    theirs = _official_bars(table, tmp_path)
    for name, arguments in _WRITERS:
        getattr(ds, name)(str(tmp_path / name), **arguments)
    found = list(shown(bars))
    assert [(desc, unit, total) for desc, _, total, unit, _ in found] == theirs
    assert all(done == total and closed for _, done, total, _, closed in found)
    cd.disable_progress_bars()
    try:
        for name, arguments in _WRITERS:
            getattr(ds, name)(str(tmp_path / name), **arguments)
        assert shown(bars) == []
    finally:
        cd.enable_progress_bars()


_WRITERS: list[tuple[str, dict[str, Any]]] = [
    ("to_csv", {}),
    ("to_csv", {"batch_size": 7, "float_format": "%s"}),
    ("to_json", {"batch_size": 100}),
    ("to_json", {"batch_size": 100, "indent": 1}),
    ("to_parquet", {"batch_size": 400}),
    ("save_to_disk", {"num_shards": 3}),
]


def _official_bars(table: dict[str, Any], folder: Path) -> list[tuple[str, str, int]]:
    """What bars of `datasets` say, from the lines that tqdm writes."""
    import datasets
    from tqdm.auto import tqdm

    seen: list[tuple[str, str, int]] = []

    class Told(tqdm):  # type: ignore[type-arg]
        def close(self) -> None:
            if not self.disable:
                seen.append((self.desc.removesuffix(": "), self.unit.strip(), int(self.total)))
                self.disable = True

    patched = pytest.MonkeyPatch()
    try:
        for module in ("csv", "json", "parquet"):
            patched.setattr(f"datasets.io.{module}.hf_tqdm", Told)
        patched.setattr("datasets.arrow_dataset.hf_tqdm", Told)
        ds = datasets.Dataset.from_dict(table)
        for name, arguments in _WRITERS:
            getattr(ds, name)(str(folder / f"theirs-{name}"), **arguments)
    finally:
        patched.undo()
    return seen


def test_a_failure_ends_the_bar(bars: list[Bar]) -> None:
    ds = Dataset.from_dict({"n": list(range(1000))})
    with pytest.raises(ZeroDivisionError):
        ds.map(lambda r: {"x": 1 // (r["n"] - 300)})
    ((_, done, total, _, closed),) = shown(bars)
    assert (done, total, closed) == (300, 1000, True)


def test_kept_results_have_no_bar(bars: list[Bar], tmp_path: Path) -> None:
    ds = Dataset.from_dict({"n": list(range(10))})
    for expected in (1, 0):
        ds.map(lambda r: {"x": 1}, cache_file_name=str(tmp_path / "x.arrow"))
        assert len(shown(bars)) == expected


def test_none(bars: list[Bar], monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_dict({"n": [1]})
    cd.disable_progress_bars()
    try:
        ds.map(lambda r: {"x": 1})
        assert shown(bars) == []
    finally:
        cd.enable_progress_bars()
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    ds.map(lambda r: {"x": 1})
    assert shown(bars) == []
    monkeypatch.delenv("HF_DATASETS_DISABLE_PROGRESS_BARS")
    monkeypatch.setattr(_bars, "_AFTER", 3600)
    ds.map(lambda r: {"x": 1})  # short work
    assert shown(bars) == []
    monkeypatch.setattr(_bars, "tqdm_class", lambda module: None)  # tqdm is not installed
    with progress("x", 1) as meter:
        meter.reached(1)


def test_it_moves_while_the_function_runs(bars: list[Bar]) -> None:
    """The bar looks at rows of a block that is not done."""
    import threading

    moved = threading.Event()

    class Telling(Bar):
        def update(self, by: int) -> None:
            super().update(by)
            moved.set()

    waited = []

    def slow(row: Any) -> Any:
        if row["n"] == 5:
            waited.append(moved.wait(20))
        return {"x": 1}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bars, "tqdm_class", lambda module: Telling)
        Dataset.from_dict({"n": list(range(10))}).map(slow)
    assert waited == [True]


def test_bars_of_tqdm(tmp_path: Path) -> None:
    code = """
import crucible_datasets as cd
from crucible_datasets.utils import _bars
_bars._AFTER = 0
cd.Dataset.from_dict({"n": list(range(1234))}).map(lambda r: {"x": 1}, desc="Working")
"""
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path)}
    environment.pop("HF_DATASETS_DISABLE_PROGRESS_BARS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert re.search(r"Working: 100%.*1234/1234 .* examples/s\]", done.stderr), done.stderr
    environment["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""


def test_short_work_imports_nothing(tmp_path: Path) -> None:
    """tqdm takes ten times as long to import as a warm load."""
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    code = f"""
import sys
from crucible_datasets import load_dataset
from crucible_datasets.utils import _bars
_bars._AFTER = 1000
for _ in range(2):
    load_dataset("json", data_files={str(tmp_path / "a.jsonl")!r}, split="train", cache_dir={str(tmp_path)!r})
print("tqdm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
