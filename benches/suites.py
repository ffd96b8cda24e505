"""The suites: tasks, and contestants that do each. Imports and set-up are outside the clock."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benches import operations_suite, tables_suite
from benches.data import first_load

Contestants = dict[str, Callable[[], None]]
PICKS = 5000


def data(name: str) -> str:
    return str(Path(os.environ["BENCH_DATA"], name))


def timed(work: Callable[[], Any]) -> None:
    from benches.harness import clock

    clock(work)


# ------------------------------------------------------------------------------------------------------ load


def load_ours(path: str) -> Callable[[], None]:
    def run() -> None:
        from crucible_datasets import load_dataset

        first_load(load_dataset)
        timed(lambda: load_dataset(path, split="train"))

    return run


def load_official(path: str) -> Callable[[], None]:
    def run() -> None:
        import datasets

        datasets.disable_progress_bars()
        first_load(datasets.load_dataset)
        timed(lambda: datasets.load_dataset(path, split="train"))

    return run


def loads(path: str) -> Contestants:
    return {"crucible": load_ours(path), "datasets": load_official(path)}


# ---------------------------------------------------------------------------------------------------- decode


def decode_ours(name: str, format: str) -> Callable[[], None]:
    def run() -> None:
        import_module("crucible_datasets")  # and the settings with it
        from _crucible._native import Table

        path = data(name)
        Path(path).read_bytes()
        timed(lambda: Table.read([path], format))

    return run


def parquet(name: str) -> Contestants:
    def pyarrow() -> None:
        import pyarrow.parquet as pq

        Path(data(name)).read_bytes()
        timed(lambda: pq.read_table(data(name)))

    def polars() -> None:
        import polars as pl

        Path(data(name)).read_bytes()
        timed(lambda: pl.read_parquet(data(name)))

    def official() -> None:
        import datasets

        datasets.disable_progress_bars()
        first_load(datasets.load_dataset)
        timed(lambda: datasets.load_dataset("parquet", data_files=data(name), split="train"))

    return {"crucible": decode_ours(name, "parquet"), "pyarrow": pyarrow, "polars": polars, "datasets": official}


def jsonl(name: str) -> Contestants:
    def pyarrow() -> None:
        import pyarrow.json as pj

        Path(data(name)).read_bytes()
        timed(lambda: pj.read_json(data(name), read_options=pj.ReadOptions(block_size=16 << 20)))

    def polars() -> None:
        import polars as pl

        Path(data(name)).read_bytes()
        timed(lambda: pl.read_ndjson(data(name)))

    def official() -> None:
        import datasets

        datasets.disable_progress_bars()
        first_load(datasets.load_dataset)
        timed(lambda: datasets.load_dataset("json", data_files=data(name), split="train"))

    return {"crucible": decode_ours(name, "json"), "pyarrow": pyarrow, "polars": polars, "datasets": official}


# ------------------------------------------------------------------------------------------------------ rows


def chat_ours() -> Any:
    from crucible_datasets import load_dataset

    return load_dataset("parquet", data_files=data("chat-zstd.parquet"), split="train")


def chat_official() -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset("parquet", data_files=data("chat-zstd.parquet"), split="train")


def random_rows(make: Callable[[], Any], shuffled: bool) -> Callable[[], None]:
    def run() -> None:
        ds = make()
        ds = ds.shuffle(seed=1) if shuffled else ds
        picks = random.Random(3).choices(range(len(ds)), k=PICKS)
        ds[0]

        def work() -> None:
            for index in picks:
                ds[index]

        timed(work)

    return run


def iterate(make: Callable[[], Any], rows: Callable[[Any], Any]) -> Callable[[], None]:
    def run() -> None:
        ds = make()

        def work() -> None:
            for _row in rows(ds):
                pass

        timed(work)

    return run


def chat_pyarrow() -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(data("chat-zstd.parquet"))


def chat_polars() -> Any:
    import polars as pl

    return pl.read_parquet(data("chat-zstd.parquet"))


SUITES = {
    "operations": operations_suite.SUITE,
    "tables": tables_suite.SUITE,
    "load": SimpleNamespace(
        TASKS={
            "cold load, hub, gsm8k": loads("bench/gsm8k"),
            "warm load, hub, gsm8k": loads("bench/gsm8k"),
            "cold load, hub, chats": loads("bench/chat"),
            "warm load, hub, chats": loads("bench/chat"),
        }
    ),
    "parquet": SimpleNamespace(
        TASKS={
            "parquet zstd to arrow": parquet("chat-zstd.parquet"),
            "parquet snappy to arrow": parquet("chat-snappy.parquet"),
        }
    ),
    "jsonl": SimpleNamespace(TASKS={"jsonl to arrow": jsonl("chat.jsonl")}),
    "rows": SimpleNamespace(
        TASKS={
            f"{PICKS} random rows": {
                "crucible": random_rows(chat_ours, False),
                "datasets": random_rows(chat_official, False),
            },
            f"{PICKS} random rows, shuffled": {
                "crucible": random_rows(chat_ours, True),
                "datasets": random_rows(chat_official, True),
            },
            "iterate all rows": {
                "crucible": iterate(chat_ours, lambda ds: ds),
                "datasets": iterate(chat_official, lambda ds: ds),
                "pyarrow": iterate(chat_pyarrow, lambda table: table.to_pylist()),
                "polars": iterate(chat_polars, lambda frame: frame.iter_rows(named=True)),
            },
        }
    ),
}
