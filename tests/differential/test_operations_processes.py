"""`map` and `filter` in processes, against the official library."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle_pair import ROWS, assert_same, pair


@pytest.fixture(scope="module")
def datasets() -> tuple[Any, Any]:
    return pair(ROWS)


# ------------------------------------------------------------------------------------------------------- processes


@pytest.mark.parametrize("processes", [1, 3, 50])
def test_processes(datasets: tuple[Any, Any], processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    a, b = datasets
    works: list[Any] = [
        lambda ds, n: ds.map(lambda r, i: {"x": r["i"] + i}, with_indices=True, num_proc=n),
        lambda ds, n: ds.map(lambda b: {"x": [k * 2 for k in b["i"]]}, batched=True, batch_size=2, num_proc=n),
        lambda ds, n: ds.map(lambda r: None, num_proc=n),
        lambda ds, n: ds.filter(lambda r, i: i % 2 == 0 and r["i"] == i, with_indices=True, num_proc=n),
        lambda ds, n: ds.shuffle(seed=1).map(lambda r: {"s": r["i"]}, num_proc=n, remove_columns=["f"]),
    ]
    for work in works:
        expected = work(b, None)  # processes must not change the result
        assert_same(work(a, processes), expected)
    assert list(tmp_path.glob("tmp-jobs-*")) == []


def test_ranks(datasets: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    a = datasets[0]
    assert a.map(lambda r, k: {"k": k}, with_rank=True, num_proc=3)["k"][:] == [0] * 4 + [1] * 4 + [2] * 3
    assert a.map(lambda r, k: {"k": k}, with_rank=True, num_proc=1)["k"][:] == [None] * 11


def test_types_of_processes(datasets: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    a = datasets[0]
    with pytest.raises(ValueError, match="can't be aligned"):
        a.map(lambda r: {"x": 1 if r["i"] < 6 else 1.5}, num_proc=2)
    some = a.map(lambda r: {"x": None if r["i"] < 6 else 2}, num_proc=2)
    assert some["x"][:] == [None] * 6 + [2] * 5
    with pytest.raises(ValueError, match="some processes"):
        a.map(lambda r: None if r["i"] < 6 else {"x": 2}, num_proc=2)


def test_errors_of_processes(datasets: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    a = datasets[0]
    with pytest.raises(ZeroDivisionError) as caught:
        a.map(lambda r: {"x": 1 // (r["i"] - 7)}, num_proc=2)
    assert "in <lambda>" in str(caught.value.__cause__)

    class Local(Exception):  # noqa: N818  # cannot be pickled: it is local
        pass

    def raises(row: Any) -> Any:
        msg = "mine"
        raise Local(msg)

    with pytest.raises(RuntimeError, match="Local: mine"):
        a.map(raises, num_proc=2)
    with pytest.raises(RuntimeError, match="abruptly died"):
        a.map(lambda r: os._exit(1), num_proc=2)
    assert multiprocessing.active_children() == []


def test_interrupt_ends_processes(tmp_path: Path) -> None:
    code = """
import os, signal, sys, threading, time, multiprocessing, pathlib
import crucible_datasets
folder = pathlib.Path(sys.argv[1])
parent = os.getpid()
def slow(row):
    (folder / str(os.getpid())).touch()
    if len(list(folder.glob("[0-9]*"))) == 2:
        os.kill(parent, signal.SIGINT)
    time.sleep(60)
ds = crucible_datasets.Dataset.from_dict({"a": [1, 2]})
try:
    ds.map(slow, num_proc=2)
except KeyboardInterrupt:
    print("interrupted", len(multiprocessing.active_children()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
    )
    assert done.stdout == "interrupted 0\n", done.stderr
    for pid in tmp_path.glob("[0-9]*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.name), 0)
