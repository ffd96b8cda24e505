"""The suite `tables`: files of every kind to Arrow, by everybody; and what `load_dataset` makes of them, cold."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benches.data import chats, first_load, make_data
from benches.limit import unpack_all

FLAT_ROWS = 32
"""Rows of the flat numeric table for each chat: about as many bytes."""


def make_tables(rows: int) -> Path:
    """The chats of `benches.data`, and beside them flat numbers, gzipped JSON lines and CSV; made if not there."""
    folder = make_data(rows)
    if (folder / "tables-done").exists():
        return folder
    rng = np.random.default_rng(5)
    count = rows * FLAT_ROWS
    flat: dict[str, Any] = {f"i{k}": rng.integers(0, 10 ** (2 + 2 * k), count) for k in range(4)}
    flat |= {f"f{k}": rng.normal(size=count).round(3 + 3 * k) for k in range(4)}
    flat |= {f"small{k}": rng.integers(0, 50, count).astype(np.int32) for k in range(2)}
    flat |= {f"single{k}": rng.normal(size=count).astype(np.float32) for k in range(2)}
    pq.write_table(pa.table(flat), folder / "flat.parquet", compression="zstd", row_group_size=500_000)
    with (folder / "chat.jsonl").open("rb") as lines, gzip.open(folder / "chat.jsonl.gz", "wb", compresslevel=1) as out:
        while block := lines.read(16 << 20):
            out.write(block)
    with (folder / "chat.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["id", "source", "score", "turns", "question", "answer", "again", "then"])
        for row in chats(rows):
            said: Any = row["messages"]
            writer.writerow([row["id"], row["source"], row["score"], row["turns"], *(m["content"] for m in said)])
    (folder / "tables-done").touch()
    return folder


def _file(name: str) -> str:
    return str(Path(os.environ["BENCH_DATA"], name))


def _cached(name: str) -> str:
    path = Path(_file(name))
    with path.open("rb") as file:
        while file.read(16 << 20):
            pass  # into the page cache: decoding is measured, not the disk
    return str(path)


def _timed(name: str, work: Callable[[str], Any]) -> None:
    from benches.harness import clock

    path = _cached(name)
    clock(lambda: work(path))


def _ours(name: str, format: str, options: dict[str, Any] | None = None) -> Callable[[], None]:
    def run() -> None:
        import_module("crucible_datasets")  # and the settings with it
        from _crucible._native import Table

        _timed(name, lambda path: Table.read([path], format, **(options or {})))

    return run


def _load(name: str, format: str) -> Callable[[], None]:
    def run() -> None:
        from crucible_datasets import load_dataset

        first_load(load_dataset)
        _timed(name, lambda path: load_dataset(format, data_files=path, split="train"))

    return run


def _official(name: str, format: str) -> Callable[[], None]:
    def run() -> None:
        import datasets

        datasets.disable_progress_bars()
        first_load(datasets.load_dataset)
        _timed(name, lambda path: datasets.load_dataset(format, data_files=path, split="train"))

    return run


def _duckdb(name: str, function: str) -> Callable[[], None]:
    def run() -> None:
        import duckdb

        _timed(name, lambda path: duckdb.sql(f"select * from {function}('{path}')").to_arrow_table())

    return run


def _pyarrow(name: str, kind: str) -> Callable[[], None]:
    def run() -> None:
        import pyarrow.csv as pc
        import pyarrow.json as pj

        options = pj.ReadOptions(block_size=16 << 20)

        def read(path: str) -> Any:
            if kind == "parquet":
                return pq.read_table(path)
            return pc.read_csv(path) if kind == "csv" else pj.read_json(path, read_options=options)

        _timed(name, read)

    return run


def _polars(name: str, kind: str) -> Callable[[], None]:
    def run() -> None:
        import polars as pl

        readers: dict[str, Callable[[str], Any]] = {
            "parquet": pl.read_parquet,
            "json": pl.read_ndjson,
            "csv": pl.read_csv,
        }
        _timed(name, readers[kind])

    return run


def _limit(name: str, codec: str) -> Callable[[], None]:
    def run() -> None:
        from benches.harness import clock

        clock(unpack_all(_cached(name), codec))

    return run


def _task(name: str, kind: str, duck: str) -> dict[str, Callable[[], None]]:
    return {
        "crucible": _ours(name, kind),
        "pyarrow": _pyarrow(name, kind),
        "polars": _polars(name, kind),
        "duckdb": _duckdb(name, duck),
        "crucible, load": _load(name, kind),
        "datasets, load": _official(name, kind),
    }


SUITE = SimpleNamespace(
    MAKE=make_tables,
    TASKS={
        "parquet zstd, chats": {
            **_task("chat-zstd.parquet", "parquet", "read_parquet"),
            "limit: unpacking": _limit("chat-zstd.parquet", "zstd"),
        },
        "parquet snappy, chats": {
            **_task("chat-snappy.parquet", "parquet", "read_parquet"),
            "limit: unpacking": _limit("chat-snappy.parquet", "snappy"),
        },
        "parquet, flat numbers": _task("flat.parquet", "parquet", "read_parquet"),
        "jsonl, chats": _task("chat.jsonl", "json", "read_json"),
        "jsonl.gz, chats": _task("chat.jsonl.gz", "json", "read_json"),
        "csv, chats": _task("chat.csv", "csv", "read_csv"),
    },
)
