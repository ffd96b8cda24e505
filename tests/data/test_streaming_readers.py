"""Ranks and workers: each row is read once, whatever the number of files, and nobody is idle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 23
HERE = str(Path(__file__).parent)

SETUP = """
import json, pickle, sys
sys.path.insert(0, sys.argv[1])
import fake_torch
fake_torch.install()
import crucible_datasets as ours
from crucible_datasets.distributed import split_dataset_by_node
from crucible_datasets.iterable import IterableDataset

def read(stream, workers, worlds=1):
    found = []
    for rank in range(worlds):
        part = split_dataset_by_node(stream, rank, worlds) if worlds > 1 else stream
        for worker in range(workers):
            fake_torch.become(worker, workers)
            found.append([row["i"] for row in pickle.loads(pickle.dumps(part))])
        fake_torch.become(None)
    return found
"""

FILES = (
    SETUP
    + """
folder, kind = sys.argv[2], sys.argv[3]
problems = []
for files in range(1, 8):
    paths = [f"{folder}/{n}.{kind}" for n in range(files)]
    make = IterableDataset.from_parquet if kind == "parquet" else IterableDataset.from_json
    stream = make(paths)
    rows = sorted(row["i"] for row in stream)
    chains = {
        "plain": stream,
        "shuffle": stream.shuffle(3, buffer_size=7).map(ours.iterable._transforms._unchanged),
        "take": stream.take(9),
    }
    chains["shuffle"].set_epoch(1)
    for name, chain in chains.items():
        expected = sorted(row["i"] for row in chain)
        for readers in range(1, 9):
            found = read(chain, readers)
            whole = sorted(i for part in found for i in part)
            idle = sum(not part for part in found)
            if (whole != expected and not (name == "take" and len(whole) == 9)) or len(set(whole)) != len(whole):
                problems.append([name, files, readers, found])
            if name == "plain" and idle:
                problems.append([name, "idle", files, readers, found])
    for worlds in range(2, 4):
        for workers in range(1, 5):
            whole = sorted(i for part in read(stream, workers, worlds) for i in part)
            if whole != rows:
                problems.append(["ranks", files, worlds, workers, whole])
print(json.dumps(problems[:5]))
"""
)

MEMORY = (
    SETUP
    + """
def gen(shards):
    for shard in shards:
        yield from ({"i": 10 * shard + i} for i in range(10))

stream = IterableDataset.from_dict({"i": list(range(20))}, num_shards=4)
one = IterableDataset.from_dict({"i": list(range(20))})
generated = IterableDataset.from_generator(gen, gen_kwargs={"shards": [0, 1]})
stride = split_dataset_by_node(stream, 0, 3)
out = {
    "base": isinstance(stream, fake_torch.IterableDataset),
    "strided": read(stream, 2),
    "take": read(stream.take(7), 2),
    "stride": read(stride, 2),
    "shuffled": read(stream.shuffle(42, buffer_size=5), 2),
    "one": read(one, 3),
    "one shuffled": read(one.shuffle(1, buffer_size=4), 3),
    "repeat": read(one.repeat(2), 3),
    "skip": read(one.skip(15), 3),
    "generator": read(generated, 3),
}
print(json.dumps(out))
"""
)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_one_to_eight_readers_of_one_to_seven_files(python: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    for part in range(7):
        rows = list(range(part * ROWS, part * ROWS + ROWS))
        if kind == "parquet":
            pq.write_table(pa.table({"i": rows}), tmp_path / f"{part}.parquet", row_group_size=9 if part % 2 else ROWS)
        else:
            (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps({"i": i}) + "\n" for i in rows))
    assert python(FILES, HERE, str(tmp_path), kind) == []


def test_the_official_order_where_shards_suffice(python: Callable[..., Any]) -> None:
    found = python(MEMORY, HERE)
    assert found["base"]

    def turns(parts: list[list[int]]) -> list[int]:
        """Rows as a `DataLoader` without batches gives them."""
        out, longest = [], max(map(len, parts))
        for place in range(longest):
            out += [part[place] for part in parts if place < len(part)]
        return out

    assert found["strided"] == [[0, 1, 2, 3, 4, 10, 11, 12, 13, 14], [5, 6, 7, 8, 9, 15, 16, 17, 18, 19]]
    assert turns(found["take"]) == [0, 5, 1, 6, 2, 7, 3]
    assert turns(found["stride"]) == [0, 5, 3, 8, 11, 16, 14, 19]
    assert turns(found["shuffled"]) == [5, 12, 6, 1, 16, 11, 7, 0, 8, 3, 17, 10, 19, 13, 18, 4, 9, 2, 15, 14]
    # Fewer shards than workers: rows are divided.
    assert found["one"] == [list(range(7)), list(range(7, 14)), list(range(14, 20))]
    for name, rows in (
        ("one shuffled", list(range(20))),
        ("repeat", sorted([*range(20)] * 2)),
        ("skip", list(range(15, 20))),
    ):
        assert sorted(i for part in found[name] for i in part) == rows
        assert all(found[name])
    # A generator is not run by workers that it has no shard for.
    assert found["generator"] == [list(range(10)), list(range(10, 20)), []]
