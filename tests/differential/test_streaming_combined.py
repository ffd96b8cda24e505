"""Streams one after the other, side by side, in turns and drawn, against `datasets`; and their states."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import datasets as theirs
import pytest

import crucible_datasets as ours

LENGTHS = (7, 12, 3)
STRATEGIES = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]


def streams(library: Any, kind: str, lengths: tuple[int, ...] = LENGTHS) -> list[Any]:
    made = []
    for number, rows in enumerate(lengths):
        values = [100 * number + i for i in range(rows)]
        if kind == "rows" or (kind == "mixed" and number):
            stream = library.IterableDataset.from_generator(
                lambda shards: ({"i": i} for part in shards for i in part),
                gen_kwargs={"shards": [values[:2], values[2:]]},
            )
        elif library is ours:
            stream = ours.IterableDataset.from_dict({"i": values}, num_shards=2)
        else:
            stream = theirs.Dataset.from_dict({"i": values}).to_iterable_dataset(num_shards=2)
        made.append(stream)
    return made


Change = Callable[[Any, list[Any]], Any]
CHANGES: dict[str, Change] = {
    "concatenate": lambda lib, ds: lib.concatenate_datasets(ds),
    "concatenate, shuffle": lambda lib, ds: lib.concatenate_datasets(ds).shuffle(3, buffer_size=6),
    "concatenate shuffled": lambda lib, ds: lib.concatenate_datasets([d.shuffle(1, buffer_size=3) for d in ds]),
    "concatenate, shard": lambda lib, ds: lib.concatenate_datasets(ds).shard(3, 1),
    "interleave": lambda lib, ds: lib.interleave_datasets(ds),
    "interleave all": lambda lib, ds: lib.interleave_datasets(ds, stopping_strategy="all_exhausted"),
    "interleave once": lambda lib, ds: lib.interleave_datasets(
        ds, stopping_strategy="all_exhausted_without_replacement"
    ),
    "interleave, shuffle": lambda lib, ds: lib.interleave_datasets(ds).shuffle(3, buffer_size=6),
    "interleave drawn, shuffle": lambda lib, ds: lib.interleave_datasets(
        ds, probabilities=[0.5, 0.3, 0.2], seed=1
    ).shuffle(3, buffer_size=6),
    "interleave shuffled": lambda lib, ds: lib.interleave_datasets([d.shuffle(1, buffer_size=3) for d in ds]),
    "interleave of concatenated": lambda lib, ds: lib.interleave_datasets(
        [lib.concatenate_datasets(ds[:2]), ds[2]], stopping_strategy="all_exhausted"
    ),
    "interleave, map": lambda lib, ds: lib.interleave_datasets(ds).map(lambda row: {"j": row["i"] + 1}),
    **{
        f"drawn {strategy} {seed}": lambda lib, ds, strategy=strategy, seed=seed: lib.interleave_datasets(
            ds, probabilities=[0.5, 0.3, 0.2], seed=seed, stopping_strategy=strategy
        )
        for strategy in STRATEGIES
        for seed in (0, 42)
    },
}


@pytest.mark.parametrize("kind", ["tables", "rows", "mixed"])
@pytest.mark.parametrize("change", CHANGES)
def test_orders(change: str, kind: str) -> None:
    for epoch in (0, 1):
        found = []
        for library in (ours, theirs):
            stream = CHANGES[change](library, streams(library, kind))
            stream.set_epoch(epoch)
            found.append(list(stream))
        assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["tables", "rows", "mixed"])
@pytest.mark.parametrize("change", CHANGES)
def test_states(change: str, kind: str) -> None:
    stream = CHANGES[change](ours, streams(ours, kind))
    whole, states = [], [json.dumps(stream.state_dict())]
    for row in stream:
        whole.append(row)
        states.append(json.dumps(stream.state_dict()))
    for stop, state in enumerate(states):
        resumed = CHANGES[change](ours, streams(ours, kind))
        resumed.load_state_dict(json.loads(state))
        rest = iter(resumed)
        head = [row for _, row in zip(range(2), rest, strict=False)]
        again = CHANGES[change](ours, streams(ours, kind))
        again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
        assert head + list(again) == whole[stop:], stop


def test_more_draws_than_a_block() -> None:
    found = []
    for library in (ours, theirs):
        made = streams(library, "tables", (1500, 900, 2000))
        drawn = library.interleave_datasets(
            made, probabilities=[0.2, 0.5, 0.3], seed=5, stopping_strategy="all_exhausted"
        )
        found.append([row["i"] for row in drawn])
    assert found[0] == found[1]
    whole = found[0]
    make = lambda: ours.interleave_datasets(  # noqa: E731
        streams(ours, "tables", (1500, 900, 2000)),
        probabilities=[0.2, 0.5, 0.3],
        seed=5,
        stopping_strategy="all_exhausted",
    )
    for stop in (1, 999, 1000, 1001, 2000, 3500):
        stream = make()
        running = iter(stream)
        for _ in range(stop):
            next(running)
        resumed = make()
        resumed.load_state_dict(json.loads(json.dumps(stream.state_dict())))
        assert [row["i"] for row in resumed] == whole[stop:]


def test_columns() -> None:
    """Missing columns are None; side by side they are put together."""
    found = []
    for library in (ours, theirs):
        make = (
            library.IterableDataset.from_dict
            if library is ours
            else lambda columns: theirs.Dataset.from_dict(columns).to_iterable_dataset()
        )
        a, b = make({"a": [1, 2], "b": ["x", "y"]}), make({"a": [3], "c": [0.5]})
        c, d = make({"a": [1, 2, 3]}), make({"b": [4, 5, 6]})
        found.append(
            [
                list(library.concatenate_datasets([a, b])),
                list(library.interleave_datasets([a, b])),
                list(library.concatenate_datasets([c, d], axis=1)),
                list(library.concatenate_datasets([c, d], axis=1).take(2).batch(2)),
                library.concatenate_datasets([a, b]).column_names,
                library.concatenate_datasets([a, b]).num_shards,
                library.interleave_datasets([a, b]).num_shards,
                library.concatenate_datasets([c, d], axis=1).num_shards,
            ]
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("library", [ours, theirs])
def test_errors(library: Any) -> None:
    a, b = streams(library, "tables", (3, 3))
    other = b.map(lambda row: {"i": str(row["i"])})
    with pytest.raises(ValueError, match="align"):
        list(library.concatenate_datasets([a, other]))
    with pytest.raises(ValueError, match="stopping_strategy"):
        library.interleave_datasets([a, b], stopping_strategy="never")
    with pytest.raises(ValueError, match="duplicated"):
        list(library.concatenate_datasets([a, b], axis=1))
    with pytest.raises(ValueError, match="empty list"):
        library.concatenate_datasets([])
    with pytest.raises(ValueError, match="at position 1"):
        library.concatenate_datasets([a, library.Dataset.from_dict({"i": [1]})])


def test_a_function_after_streams_one_after_the_other_may_be_broken_off() -> None:
    """Whoever begins anew, as `skip` does, goes back over the border of two streams: no row of the second is lost."""
    found = []
    for library in (ours, theirs):
        joined = library.concatenate_datasets(streams(library, "tables", (3, 20, 2)))
        chain = joined.map(lambda row: {"j": row["i"]})
        found.append([list(chain.skip(n)) for n in range(6)])
        found[-1].append(list(library.interleave_datasets([chain.skip(5), chain])))
    assert found[0] == found[1]
    chain = ours.concatenate_datasets(streams(ours, "tables", (3, 20, 2)))
    assert [chain.map(lambda row: row).skip(2).peek(n)["i"] for n in (0, 1, 2, 21)] == [2, 100, 101, 200]


def test_groups_are_shuffled_as_tables() -> None:
    columns = {"g": [k // 3 for k in range(60)], "i": list(range(60))}
    for shards, buffer in ((1, 5), (3, 10), (4, 40)):
        found = []
        for library in (ours, theirs):
            grouped = library.Dataset.from_dict(columns).to_iterable_dataset(num_shards=shards).batch(by_column="g")
            shuffled = grouped.shuffle(3, buffer_size=buffer, max_buffer_input_shards=3)
            found.append([row["i"] for row in shuffled])
        assert found[0] == found[1]
