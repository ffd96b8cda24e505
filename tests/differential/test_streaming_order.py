"""The order of a stream is that of `datasets`: shuffles, epochs, shards, chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import datasets as theirs
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node as their_split

import crucible_datasets as ours
from crucible_datasets.distributed import split_dataset_by_node as our_split

ROWS = 100


def gen(shards: list[int]) -> Iterator[dict[str, int]]:
    for shard in shards:
        for i in range(25):
            yield {"i": shard * 25 + i}


def pair(shards: int) -> tuple[Any, Any]:
    columns = {"i": list(range(ROWS))}
    their = theirs.Dataset.from_dict(columns).to_iterable_dataset(num_shards=shards)
    return ours.IterableDataset.from_dict(columns, num_shards=shards), their


def same(change: Callable[[Any], Any], shards: int, epoch: int = 0) -> None:
    found = []
    for stream in pair(shards):
        changed = change(stream)
        changed.set_epoch(epoch)
        found.append([row["i"] for row in changed])
    assert found[0] == found[1]


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("buffer", [0, 1, 7, 60, 150])
@pytest.mark.parametrize("shards", [1, 4, 12])
def test_shuffle(shards: int, buffer: int, epoch: int) -> None:
    for seed, inputs in ((0, 10), (42, 1), (7, 3)):
        same(
            lambda ds, seed=seed, inputs=inputs: ds.shuffle(
                seed=seed, buffer_size=buffer, max_buffer_input_shards=inputs
            ),
            shards,
            epoch,
        )


CHAINS: dict[str, Callable[[Any], Any]] = {
    "generator": lambda ds: ds.shuffle(generator=np.random.Generator(np.random.MT19937(3)), buffer_size=20),
    "map": lambda ds: ds.map(lambda row: {"j": row["i"]}).shuffle(3, buffer_size=30),
    "batched map": lambda ds: ds.shuffle(3, buffer_size=30).map(
        lambda batch: {"i": batch["i"][::2]}, batched=True, batch_size=7
    ),
    "rename": lambda ds: ds.rename_column("i", "k").rename_column("k", "i").shuffle(3, buffer_size=30),
    "filter": lambda ds: ds.filter(lambda row: row["i"] % 3).shuffle(3, buffer_size=30),
    "select": lambda ds: ds.select_columns("i").shuffle(3, buffer_size=30),
    "shuffle twice": lambda ds: ds.shuffle(1, buffer_size=10).shuffle(2, buffer_size=10),
    "take": lambda ds: ds.take(50).shuffle(2, buffer_size=10),
    "skip": lambda ds: ds.skip(50).shuffle(2, buffer_size=10),
    "then take": lambda ds: ds.shuffle(2, buffer_size=20).take(30).skip(4),
    "repeat": lambda ds: ds.shuffle(2, buffer_size=20).repeat(2),
    "arrow map": lambda ds: (
        ds.with_format("arrow")
        .map(lambda table: table, batched=True, batch_size=7)
        .shuffle(5, buffer_size=40)
        .with_format(None)
    ),
    "cast": lambda ds: ds.cast(ds.features).shuffle(5, buffer_size=40),
    "shard": lambda ds: ds.shuffle(5, buffer_size=40).shard(3, 1),
    "strided shard": lambda ds: ds.shard(3, 1, contiguous=False).shuffle(5, buffer_size=40),
    "remove": lambda ds: ds.map(lambda row: {"j": 1}).remove_columns("j").shuffle(5, buffer_size=40),
    "unknown features": lambda ds: ds.map(lambda row: {"j": 1}).with_format(None).shuffle(5, buffer_size=40),
    "add": lambda ds: ds.add_column("n", list(range(ROWS))).shuffle(5, buffer_size=40),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("shards", [3, 7])
def test_chains(chain: str, shards: int) -> None:
    for epoch in (0, 2):
        same(CHAINS[chain], shards, epoch)


@pytest.mark.parametrize("epoch", [0, 3])
def test_generators(epoch: int) -> None:
    found = []
    for library in (ours, theirs):
        stream = library.IterableDataset.from_generator(gen, gen_kwargs={"shards": [0, 1, 2, 3]})
        stream = stream.shuffle(seed=42, buffer_size=10, max_buffer_input_shards=3)
        stream.set_epoch(epoch)
        found.append([row["i"] for row in stream])
    assert found[0] == found[1]


@pytest.mark.parametrize("strategy", ["auto", "shards", "examples"])
@pytest.mark.parametrize("world", [2, 3])
def test_nodes(world: int, strategy: str) -> None:
    for rank in range(world):
        mine, their = pair(6)
        for epoch in (0, 1):
            found = []
            for stream, split in ((mine, our_split), (their, their_split)):
                part = split(stream.shuffle(4, buffer_size=20), rank, world, strategy)
                part.set_epoch(epoch)
                found.append(([row["i"] for row in part], part.num_shards))
            assert found[0] == found[1]
        twice = [
            [row["i"] for row in split(split(stream, rank, world), 1, 2).take(9)]
            for stream, split in ((mine, our_split), (their, their_split))
        ]
        assert twice[0] == twice[1]


def test_vectors_of_version_5() -> None:
    """Orders that `datasets` 5.2 gave, kept here so that a later one cannot change them unseen."""

    def order(shards: int, seed: int, buffer: int, epoch: int = 0, **options: Any) -> list[int]:
        stream = ours.IterableDataset.from_dict({"i": list(range(ROWS))}, num_shards=shards)
        stream = stream.shuffle(seed, buffer_size=buffer, **options)
        stream.set_epoch(epoch)
        return [row["i"] for row in stream]

    assert order(1, 0, 10)[:12] == [4, 6, 2, 7, 3, 0, 14, 8, 11, 5, 15, 9]
    assert order(4, 42, 10)[:12] == [51, 26, 75, 1, 0, 77, 53, 52, 2, 27, 28, 4]
    assert order(4, 42, 10, 1)[-2:] == [47, 24]
    assert order(7, 42, 100)[:5] == [81, 87, 78, 38, 61]
    assert order(4, 42, 10, max_buffer_input_shards=1)[:6] == [80, 81, 75, 82, 78, 87]
    assert order(4, 42, 1)[:5] == [75, 50, 25, 0, 76]
