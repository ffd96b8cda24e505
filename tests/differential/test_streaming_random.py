"""Random chains of stream operations: rows and order of `datasets`, and exact states at any row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets as theirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node as their_split
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import crucible_datasets as ours
from crucible_datasets.distributed import split_dataset_by_node as our_split

Step = tuple[str, Callable[[Any], Any]]
MOST = 200
"""Rows looked at: `repeat` and `concatenate` make many."""


def library(stream: Any) -> Any:
    return ours if isinstance(stream, ours.IterableDataset) else theirs


def rows_of(shard: int, count: int) -> list[dict[str, Any]]:
    return [{"i": 100 * shard + k, "s": f"{k}", "l": [k, shard], "g": k // 3} for k in range(count)]


def gen(shards: list[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for shard, count in shards:
        yield from rows_of(shard, count)


async def later(row: dict[str, Any]) -> dict[str, Any]:
    """Here only: the official library leaves its event loops open."""
    return {"a": number(row) + 1}


def number(row: dict[str, Any]) -> int:
    return row["i"] if isinstance(row.get("i"), int) else 0


def length(batch: dict[str, list[Any]]) -> int:
    return len(next(iter(batch.values())))


def mask(batch: dict[str, list[Any]], rows: list[int]) -> list[bool]:
    return [row % 4 != 1 for row in rows]


FIXED: list[Step] = [
    ("map", lambda ds: ds.map(lambda r: {"x": number(r) * 2})),
    ("map over", lambda ds: ds.map(lambda r: {"i": number(r) + 1})),
    ("map in place", lambda ds: ds.map(lambda r: (r.update(z=number(r)), r)[1])),
    ("map indices", lambda ds: ds.map(lambda r, k: {"at": k}, with_indices=True)),
    ("map removes", lambda ds: ds.map(lambda r: {"k": number(r)}, remove_columns=["l"])),
    ("map async", lambda ds: ds.map(later if library(ds) is ours else lambda r: {"a": number(r) + 1})),
    ("map all", lambda ds: ds.map(lambda b: {"n": [length(b)] * length(b)}, batched=True, batch_size=None)),
    ("filter", lambda ds: ds.filter(lambda r: number(r) % 3 != 1)),
    ("filter all", lambda ds: ds.filter(mask, batched=True, batch_size=-1, with_indices=True)),
    ("group", lambda ds: ds.batch(by_column="g")),
    ("select", lambda ds: ds.select_columns(["g", "i"])),
    ("rename", lambda ds: ds.rename_column("s", "t")),
    ("remove", lambda ds: ds.remove_columns("s")),
    ("add", lambda ds: ds.add_column("c", list(range(1000)))),
    ("reshard", lambda ds: ds.reshard()),
    ("side", lambda ds: library(ds).concatenate_datasets([ds, ds.map(lambda r: {"j": number(r)}, remove_columns=list(ds.column_names or ["i", "s", "l", "g"]))], axis=1)),
]  # fmt: skip


def with_numbers(numbers: tuple[int, int, int]) -> st.SearchStrategy[Step]:
    n, size, seed = numbers
    strategy = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"][seed % 3]
    weave = {"stopping_strategy": strategy}
    table = lambda t: pa.concat_tables([t, t.slice(0, 1)])  # noqa: E731
    choices: list[Step] = [
        (f"take {size + n}", lambda ds: ds.take(size + n)),
        (f"skip {n}", lambda ds: ds.skip(n)),
        (f"repeat {n % 3}", lambda ds: ds.repeat(n % 3)),
        (f"batch {size}", lambda ds: ds.batch(size, drop_last_batch=bool(n % 2))),
        (f"map batches {size}", lambda ds: ds.map(lambda b: {"w": [length(b)] * length(b)}, batched=True, batch_size=size, drop_last_batch=bool(n % 2))),
        (f"map tables {size}", lambda ds: ds.with_format("arrow").map(table, batched=True, batch_size=size).with_format(None)),
        (f"filter batches {size}", lambda ds: ds.filter(mask, batched=True, batch_size=size, with_indices=True)),
        (f"shuffle {seed} {size} {n}", lambda ds: ds.shuffle(seed, buffer_size=size, max_buffer_input_shards=n + 1)),
        (f"shard {n}", lambda ds: ds.shard(ds.num_shards, n % ds.num_shards)),
        (f"node {n} {seed % 3}", lambda ds: (our_split if library(ds) is ours else their_split)(ds, n % (1 + seed % 3), 1 + seed % 3)),
        (f"join {seed} {size}", lambda ds: library(ds).concatenate_datasets([ds.shuffle(seed, buffer_size=size), ds.skip(n)])),
        (f"weave {strategy}", lambda ds: library(ds).interleave_datasets([ds, ds.shuffle(seed, buffer_size=size), ds.take(4)], **weave)),
        (f"draw {strategy} {seed}", lambda ds: library(ds).interleave_datasets([ds, ds.skip(1)], probabilities=[0.3, 0.7], seed=seed, **weave)),
    ]  # fmt: skip
    return st.sampled_from(choices)


numbers = st.tuples(st.integers(0, 5), st.sampled_from([1, 2, 3, 4, 7, 10, 50]), st.integers(0, 99))


def is_fair(program: list[Step]) -> bool:
    """Whether it is small (threads of the official library multiply), and no features come back that were not selected."""
    names = [name.split()[0] for name, _ in program]
    grouped = min((names.index(name) for name in ("group", "batch") if name in names), default=len(names))
    return sum(name in ("side", "join", "weave", "draw", "repeat") for name in names) <= 2 and (
        "select" not in names[grouped:]
    )


programs = st.lists(st.sampled_from(FIXED) | numbers.flatmap(with_numbers), min_size=1, max_size=4).filter(is_fair)
kinds = st.sampled_from(["parquet", "json", "memory", "generator"])
sizes = st.lists(st.sampled_from([1, 2, 3, 8, 13]), min_size=1, max_size=4)


@pytest.fixture(scope="module", autouse=True)
def awake() -> Iterator[None]:
    """The official library sleeps whenever threads of it end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streams")


def source(kind: str, counts: list[int], folder: Path) -> Callable[[Any], Any]:
    """What makes the stream of a library."""
    shards = list(enumerate(counts))
    if kind == "memory":
        rows = [row for shard, count in shards for row in rows_of(shard, count)]
        return lambda lib: lib.Dataset.from_list(rows).to_iterable_dataset(num_shards=min(len(counts), len(rows)))
    if kind == "generator":
        return lambda lib: lib.IterableDataset.from_generator(gen, gen_kwargs={"shards": shards})
    paths = []
    for shard, count in shards:
        path = folder / f"{shard}-{count}.{kind}"
        paths.append(str(path))
        if path.exists():
            continue
        if kind == "json":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(shard, count)))
        else:
            pq.write_table(pa.Table.from_pylist(rows_of(shard, count)), path, row_group_size=3)

    def load(lib: Any) -> Any:
        more = {} if lib is ours else {"cache_dir": str(folder / "cache")}
        return lib.load_dataset(kind, data_files={"train": paths}, split="train", streaming=True, **more)

    return load


def started(make: Callable[[], Any], epoch: int, size: int) -> tuple[Any, Iterator[Any]]:
    stream = make()
    stream.set_epoch(epoch)
    return stream, iter(stream) if size == 0 else stream.iter(size)


def taken(rows: Iterator[Any], most: int = MOST) -> list[Any]:
    return [row for _, row in zip(range(most), rows, strict=False)]


@pytest.mark.usefixtures("hf_env")
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(kinds, sizes, programs, st.integers(0, 2), st.sampled_from([0, 0, 3]), st.lists(st.integers(0, 40), max_size=3))
def test_chains(
    folder: Path, kind: str, counts: list[int], program: list[Step], epoch: int, size: int, stops: list[int]
) -> None:
    theirs.disable_progress_bars()
    load = source(kind, counts, folder)

    def made(lib: Any) -> Any:
        stream = load(lib)
        for _, step in program:
            stream = step(stream)
        return stream

    try:
        stream, rows = started(lambda: made(theirs), epoch, size)
        expected, shards = taken(rows), stream.num_shards
    except Exception:  # noqa: BLE001  # what it cannot do is compared elsewhere
        return
    stream, rows = started(lambda: made(ours), epoch, size)
    whole = taken(rows)
    assert whole == expected
    assert stream.num_shards == shards
    count = stream.num_rows
    assert count is None or size or count == len(whole) or len(whole) == MOST
    for stop in stops:
        stream, rows = started(lambda: made(ours), epoch, size)
        head = taken(rows, stop)
        state = json.loads(json.dumps(stream.state_dict()))
        again = made(ours)
        again.set_epoch(epoch)
        again.load_state_dict(state)
        assert head + taken(iter(again) if size == 0 else again.iter(size), MOST - len(head)) == whole
        if size == 0 and epoch == 0 and stop < len(whole):
            assert made(ours).peek(stop) == whole[stop]
