"""A stream that is stopped at any row and resumed from its state gives exactly the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.iterable import IterableDataset

ROWS = 60


def gen(shards: list[int]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        for i in range(20):
            yield {"i": shard * 20 + i, "s": str(i)}


def twice(row: dict[str, Any]) -> dict[str, Any]:
    return {"d": row["i"] * 2}


def spread(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Another number of rows, and none for some batches."""
    return {"i": [i for i in batch["i"] if i % 4 for _ in range(i % 3)]}


async def slow(row: dict[str, Any]) -> dict[str, Any]:
    return {"d": row["i"] + 1}


def odd(row: dict[str, Any]) -> bool:
    return bool(row["i"] % 2)


def odds(batch: dict[str, list[int]]) -> list[bool]:
    return [bool(i % 2) for i in batch["i"]]


Chain = Callable[[IterableDataset], IterableDataset]
CHAINS: dict[str, Chain] = {
    "plain": lambda ds: ds,
    "map": lambda ds: ds.map(twice),
    "indices": lambda ds: ds.map(lambda row, k: {"k": k}, with_indices=True),
    "async": lambda ds: ds.map(slow),
    "batched": lambda ds: ds.map(spread, batched=True, batch_size=7, remove_columns=["s"]),
    "batched twice": lambda ds: ds.map(spread, batched=True, batch_size=7, remove_columns="s").map(
        lambda b: {"n": [len(b["i"])] * len(b["i"])}, batched=True, batch_size=5
    ),
    "drop last": lambda ds: ds.map(lambda b: {"i": b["i"]}, batched=True, batch_size=7, drop_last_batch=True),
    "filter": lambda ds: ds.filter(odd),
    "filter batched": lambda ds: ds.filter(odds, batched=True, batch_size=7),
    "batch": lambda ds: ds.batch(7),
    "batch rows": lambda ds: ds.filter(odd).batch(7, drop_last_batch=True),
    "group": lambda ds: ds.map(lambda row: {"g": row["i"] // 7}).batch(by_column="g"),
    "take": lambda ds: ds.take(31),
    "skip": lambda ds: ds.skip(17),
    "repeat": lambda ds: ds.take(9).repeat(3),
    "columns": lambda ds: ds.rename_column("s", "t").select_columns(["t", "i"]).remove_columns("t"),
    "add": lambda ds: ds.add_column("n", list(range(100))),
    "numpy": lambda ds: ds.with_format("numpy").map(lambda row: {"d": row["i"] + 1}),
    "tables": lambda ds: ds.with_format("arrow").map(lambda t: pa.concat_tables([t, t]), batched=True, batch_size=7),
    "tables filter": lambda ds: (
        ds.with_format("arrow")
        .filter(lambda t: pa.array([bool(i % 2) for i in t["i"].to_pylist()]), batched=True, batch_size=7)
        .with_format(None)
    ),
    "shuffle": lambda ds: ds.shuffle(3, buffer_size=10),
    "shuffle one": lambda ds: ds.shuffle(3, buffer_size=1),
    "shuffle odd": lambda ds: ds.shuffle(5, buffer_size=13, max_buffer_input_shards=2),
    "shuffle all": lambda ds: ds.shuffle(3, buffer_size=100),
    "shuffle plain order": lambda ds: ds.shuffle(3, buffer_size=9, max_buffer_input_shards=1),
    "shuffle mt": lambda ds: ds.shuffle(generator=np.random.Generator(np.random.MT19937(1)), buffer_size=9),
    "shuffle rows": lambda ds: ds.map(twice).shuffle(3, buffer_size=10),
    "shuffle twice": lambda ds: ds.shuffle(1, buffer_size=6).shuffle(2, buffer_size=10),
    "shuffle, batched": lambda ds: (
        ds.shuffle(1, buffer_size=12)
        .map(spread, batched=True, batch_size=7, remove_columns="s")
        .shuffle(2, buffer_size=5)
    ),
    "shuffle row groups": lambda ds: ds.shuffle(3, buffer_size=10, strategy="row_groups"),
    "shuffle, take": lambda ds: ds.shuffle(1, buffer_size=12).take(40).skip(3).batch(4),
    "shuffle, repeat": lambda ds: ds.shuffle(1, buffer_size=12).repeat(2),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("parquet")
    for part in range(3):
        table = pa.table({"i": list(range(part * 20, part * 20 + 20)), "s": [str(i) for i in range(20)]})
        pq.write_table(table, folder / f"{part}.parquet", row_group_size=6)
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("lines")
    for part in range(3):
        rows = [{"i": i, "s": str(i)} for i in range(part * 20, part * 20 + 20)]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return sorted(map(str, folder.iterdir()))


def plain(value: Any) -> Any:
    if isinstance(value, pa.Table):
        return value.to_pylist()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def make(source: str, files: list[str], lines: list[str]) -> IterableDataset:
    if source == "parquet":
        return IterableDataset.from_parquet(files)
    if source == "json":
        return IterableDataset.from_json(lines)
    if source == "memory":
        return IterableDataset.from_dict({"i": list(range(ROWS)), "s": [str(i) for i in range(ROWS)]}, num_shards=3)
    return IterableDataset.from_generator(gen, gen_kwargs={"shards": [0, 1, 2]})


@pytest.mark.parametrize("source", ["parquet", "json", "memory", "generator"])
@pytest.mark.parametrize("chain", CHAINS)
def test_any_row(source: str, chain: str, files: list[str], lines: list[str]) -> None:
    def fresh() -> IterableDataset:
        return CHAINS[chain](make(source, files, lines))

    stream = fresh()
    running = iter(stream)
    states = [json.dumps(stream.state_dict())]
    whole = []
    for row in running:
        whole.append(plain(row))
        states.append(json.dumps(stream.state_dict()))
    assert whole
    assert [plain(row) for row in stream] == whole
    # A state in the middle of an iteration that was itself resumed is exact, too: each one goes on for a few rows and
    # hands its state to the next.
    for stop in range(0, len(states), 1 if source == "parquet" else 7):
        resumed = fresh()
        resumed.load_state_dict(json.loads(states[stop]))
        if stop % 5:
            assert [plain(row) for row in resumed] == whole[stop:], stop
            continue
        rest = iter(resumed)
        head = [plain(row) for _, row in zip(range(3), rest, strict=False)]
        again = fresh()
        again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
        assert head + [plain(row) for row in again] == whole[stop:], stop


@pytest.mark.parametrize("chain", ["shuffle", "shuffle rows", "batched", "numpy"])
def test_batches_resume_too(chain: str, files: list[str], lines: list[str]) -> None:
    def fresh() -> IterableDataset:
        return CHAINS[chain](make("parquet", files, lines))

    stream = fresh()
    whole, states = [], []
    for batch in stream.iter(4):
        whole.append(plain(batch))
        states.append(stream.state_dict())
    for stop, state in enumerate(states):
        resumed = fresh()
        resumed.load_state_dict(state)
        assert [plain(batch) for batch in resumed.iter(4)] == whole[stop + 1 :]


def test_epochs_go_with_their_state(files: list[str], lines: list[str]) -> None:
    stream = make("parquet", files, lines).shuffle(1, buffer_size=8)
    orders = []
    for epoch in range(3):
        stream.set_epoch(epoch)
        orders.append([row["i"] for row in stream])
        assert sorted(orders[-1]) == list(range(ROWS))
    assert len({tuple(order) for order in orders}) == 3
    stream.set_epoch(1)
    running = iter(stream)
    for _ in range(7):
        next(running)
    state = stream.state_dict()
    resumed = make("parquet", files, lines).shuffle(1, buffer_size=8)
    resumed.load_state_dict(state)
    assert [row["i"] for row in resumed] == orders[0]  # another epoch: from its start
    resumed.set_epoch(1)
    assert [row["i"] for row in resumed] == orders[1][7:]


def test_states_of_other_streams_are_refused(files: list[str], lines: list[str]) -> None:
    stream = make("parquet", files, lines)
    with pytest.raises(ValueError, match="not a state"):
        stream.load_state_dict({"place": 1})
    shuffled = stream.shuffle(1)
    shuffled.load_state_dict(stream.state_dict())
    with pytest.raises(ValueError, match="does not fit"):
        next(iter(shuffled))


def test_a_state_is_small(files: list[str], lines: list[str]) -> None:
    stream = IterableDataset.from_dict({"i": list(range(20_000))}, num_shards=20).shuffle(1, buffer_size=1000)
    running = iter(stream)
    for _ in range(12_345):
        next(running)
    assert len(json.dumps(stream.state_dict())) < 24_000


def test_resuming_a_shuffle_reads_only_what_the_buffer_needs(tmp_path: Path) -> None:
    read: list[int] = []

    def noted(row: dict[str, Any]) -> dict[str, Any]:
        read.append(row["i"])
        return row

    def fresh() -> IterableDataset:
        made = IterableDataset.from_dict({"i": list(range(50_000))}, num_shards=10)
        return made.map(noted).shuffle(1, buffer_size=100)

    stream = fresh()
    running = iter(stream)
    for _ in range(40_000):
        next(running)
    state = stream.state_dict()
    read.clear()
    resumed = fresh()
    resumed.load_state_dict(state)
    assert next(iter(resumed)) == next(running)
    assert len(read) < 2_500


def test_skip_uses_the_row_counts_of_footers(tmp_path: Path) -> None:
    """The data of what is skipped may as well be broken."""
    for part in range(3):
        table = pa.table({"i": list(range(part * 1000, part * 1000 + 1000))})
        pq.write_table(
            table, tmp_path / f"{part}.parquet", row_group_size=100, compression="none", use_dictionary=False
        )
    broken = (tmp_path / "0.parquet").read_bytes()
    (tmp_path / "0.parquet").write_bytes(b"PAR1" + bytes([255]) * 3000 + broken[3004:])
    stream = ours.load_dataset("parquet", data_files=str(tmp_path / "*.parquet"), split="train", streaming=True)
    assert next(iter(stream.skip(1950)))["i"] == 1950
    assert [row["i"] for row in stream.skip(990).take(20)] == list(range(990, 1010))
    with pytest.raises(ValueError, match=r"0\.parquet"):
        next(iter(stream))
