"""States that are broken, of other data or of other readers: a typed error, never a hang, a panic or other rows."""

from __future__ import annotations

import copy
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets import load_dataset
from crucible_datasets.distributed import split_dataset_by_node
from crucible_datasets.iterable import IterableDataset

ROWS = 60
Path_ = tuple[Any, ...]


def gen(shards: list[int]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        for i in range(20):
            yield {"i": shard * 20 + i}


def archive(numbers: range) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i in numbers:
            content = json.dumps({"i": i}).encode()
            member = tarfile.TarInfo(f"{i:03}.json")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def lines(numbers: range) -> bytes:
    return "".join(json.dumps({"i": i}) + "\n" for i in numbers).encode()


MAKERS: dict[str, Callable[[range], bytes]] = {
    "jsonl": lines,
    "jsonl.gz": lambda numbers: gzip.compress(lines(numbers)),
    "json": lambda numbers: json.dumps([{"i": i} for i in numbers]).encode(),
    "csv": lambda numbers: b"i\n" + b"".join(b"%d\n" % i for i in numbers),
    "tar": archive,
}


def write(folder: Path, suffix: str, files: int = 3, rows: int = 20) -> str:
    """Files of numbered rows; a pattern for them."""
    for part in range(files):
        numbers = range(part * rows, part * rows + rows)
        table = pa.table({"i": list(numbers)})
        path = folder / f"{part}.{suffix}"
        if suffix == "parquet":
            pq.write_table(table, path, row_group_size=6)
        elif suffix == "arrow":
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                for batch in table.to_batches(max_chunksize=6):
                    writer.write_batch(batch)
        else:
            path.write_bytes(MAKERS[suffix](numbers))
    return str(folder / f"*.{suffix}")


KINDS = {"parquet": "parquet", "arrow": "arrow", "jsonl": "json", "jsonl.gz": "json", "json": "json", "csv": "csv", "tar": "webdataset"}  # fmt: skip
SOURCES = [*KINDS, "memory", "generator"]


def stream_of(source: str, files: str) -> Any:
    if source == "memory":
        return IterableDataset.from_dict({"i": list(range(ROWS))}, num_shards=3)
    if source == "generator":
        return IterableDataset.from_generator(gen, gen_kwargs={"shards": [0, 1, 2]})
    return load_dataset(KINDS[source], data_files=files, split="train", streaming=True)


def spread(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"n": [i for i in batch["i"] for _ in range(i % 3)]}


CHAINS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda ds: ds,
    "arrow": lambda ds: ds.with_format("arrow"),
    "map": lambda ds: ds.map(lambda row, k: {"k": k}, with_indices=True),
    "batched": lambda ds: ds.map(spread, batched=True, batch_size=7, remove_columns=ds.column_names),
    "take, skip": lambda ds: ds.take(50).skip(7),
    "repeat": lambda ds: ds.take(9).repeat(3),
    "shuffle": lambda ds: ds.shuffle(3, buffer_size=10),
    "interleave": lambda ds: ours.interleave_datasets([ds, ds.skip(30)]),
    "drawn": lambda ds: ours.interleave_datasets([ds, ds.skip(30)], probabilities=[0.5, 0.5], seed=1),
    "concatenate": lambda ds: ours.concatenate_datasets([ds, ds]),
    "node": lambda ds: split_dataset_by_node(ds, 1, 2),
}
CASES = [(source, "plain") for source in SOURCES] + [("parquet", chain) for chain in CHAINS if chain != "plain"]
GOOD = [("unit", None), ("count", 1 << 40)]
BROKEN = [-1, 1 << 40, 10**20, "x", 1.5, None, [], {}]


def plain(row: Any) -> Any:
    return row.to_pylist() if isinstance(row, pa.Table) else {k: v for k, v in row.items() if k != "__url__"}


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Each member of a state, and each of theirs."""
    if path:
        yield path
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[name], (*path, name))


def broken_states(state: dict[str, Any]) -> Iterator[tuple[Path_, Any, dict[str, Any]]]:
    for path in places(state):
        if path == ("epoch",):
            continue  # the state of another epoch waits for it
        for value in [*BROKEN, KeyError]:
            if (path[-1], value) in GOOD or ("rng" in path and type(value) is int) or path[-2:-1] == ("spans",):
                continue  # another place is none that is broken: the start of a file, another index, another buffer
            made = copy.deepcopy(state)
            inner = made
            for name in path[:-1]:
                inner = inner[name]
            if value is KeyError:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
            yield path, value, made


@pytest.mark.parametrize(("source", "chain"), CASES)
def test_broken_states(tmp_path: Path, source: str, chain: str) -> None:
    files = "" if source in ("memory", "generator") else write(tmp_path, source)
    stream = CHAINS[chain](stream_of(source, files))
    whole, states = [], []
    for row in stream:
        whole.append(plain(row))
        states.append(stream.state_dict())
    place = len(states) // 2
    refused = 0
    for path, value, state in broken_states(json.loads(json.dumps(states[place]))):
        stream.load_state_dict(states[0])  # forgets what was loaded before
        try:
            stream.load_state_dict(state)
            rows = [plain(row) for row in stream]
        except ValueError:
            refused += 1
            continue
        # What is left out is taken as it was before there was such a member, or is another good place.
        assert rows == whole[len(whole) - len(rows) :], (path, value)
    assert refused > 20
    resumed = CHAINS[chain](stream_of(source, files))
    resumed.load_state_dict(states[place])
    assert [plain(row) for row in resumed] == whole[place + 1 :]


def rest(stream: Any, state: dict[str, Any]) -> list[Any]:
    stream.load_state_dict(json.loads(json.dumps(state)))
    return [plain(row) for row in stream]


def state_at(stream: Any, rows: int) -> dict[str, Any]:
    running = iter(stream)
    for _ in range(rows):
        next(running)
    return dict(stream.state_dict())


@pytest.mark.parametrize("source", list(KINDS))
def test_states_of_other_files(tmp_path: Path, source: str) -> None:
    folders = [tmp_path / name for name in ("first", "more", "moved")]
    for folder in folders:
        folder.mkdir()
    first, more, moved = (write(folder, source, files) for folder, files in zip(folders, (3, 4, 3), strict=True))
    state = state_at(stream_of(source, first), 27)
    expected = [{"i": i} if source != "tar" else {"json": {"i": i}, "__key__": f"{i:03}"} for i in range(27, ROWS)]
    assert [{k: row[k] for k in expected[0]} for row in rest(stream_of(source, moved), state)] == expected
    with pytest.raises(ValueError, match="number of shards"):
        rest(stream_of(source, more), state)
    # The file that was being read is another one now.
    write(folders[2], source, 3, rows=30)
    with pytest.raises(ValueError, match="other data"):
        rest(stream_of(source, moved), state)


def test_states_of_other_chains(tmp_path: Path) -> None:
    stream = stream_of("parquet", write(tmp_path, "parquet"))
    for one, other in (
        (
            stream.map(spread, batched=True, batch_size=7, remove_columns="i"),
            stream.map(spread, batched=True, batch_size=8, remove_columns="i"),
        ),
        (stream.shuffle(1, buffer_size=10), stream.shuffle(1, buffer_size=11)),
        (stream.shuffle(1, buffer_size=10), stream.shuffle(2, buffer_size=10)),
        (stream.skip(4), stream.skip(5)),
    ):
        state = state_at(one, 20)
        assert rest(one, state)
        with pytest.raises(ValueError, match="does not fit"):
            rest(other, state)


def test_more_is_taken_where_less_was(tmp_path: Path) -> None:
    stream = stream_of("parquet", write(tmp_path, "parquet"))
    whole = list(stream.take(41))
    for stop in (0, 20, 40):
        assert rest(stream.take(41), state_at(stream.take(40), stop)) == whole[stop:]
    with pytest.raises(ValueError, match="does not fit"):
        rest(stream.take(19), state_at(stream.take(40), 20))


def test_states_of_other_ranks(tmp_path: Path) -> None:
    for folder, files in (("even", 4), ("odd", 3)):
        (tmp_path / folder).mkdir()
        stream = stream_of("parquet", write(tmp_path / folder, "parquet", files))
        mine = split_dataset_by_node(stream, 0, 2)
        rows = list(mine)
        state = state_at(mine, 9)
        assert rest(split_dataset_by_node(stream, 0, 2), state) == rows[9:]
        for other, name in (
            (split_dataset_by_node(stream, 1, 2), "rank 1 of 2"),
            (split_dataset_by_node(stream, 0, 4), "rank 0 of 4"),
            (stream, "a single reader"),
        ):
            with pytest.raises(ValueError, match=f"rank 0 of 2, this is {name}"):
                rest(other, state)


WORKERS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import fake_torch
fake_torch.install()
from crucible_datasets import load_dataset
stream = load_dataset("parquet", data_files=sys.argv[2], split="train", streaming=True)
fake_torch.become(0, 2)
rows = [row["i"] for row in stream]
running = iter(stream)
for _ in range(5):
    next(running)
state = stream.state_dict()
out = {}
for name, worker in {"same": (0, 2), "other": (1, 2), "more": (0, 3), "none": (None,)}.items():
    fake_torch.become(*worker)
    stream.load_state_dict(state)
    try:
        out[name] = [row["i"] for row in stream] == rows[5:]
    except ValueError as error:
        out[name] = str(error)
stream = load_dataset("parquet", data_files=sys.argv[2], split="train", streaming=True)
alone = {}
for name, workers in {"none": (None,), "one": (0, 1)}.items():
    fake_torch.become(*workers)
    rows = [row["i"] for row in stream]
    running = iter(stream)
    for _ in range(5):
        next(running)
    alone[name] = stream.state_dict()
for (saved, state), worker in zip(alone.items(), [(0, 1), (None,)]):
    fake_torch.become(*worker)
    stream.load_state_dict(state)
    out[f"{saved} alone"] = [row["i"] for row in stream] == rows[5:]
print(json.dumps(out))
"""


def test_states_of_other_workers(python: Callable[..., Any], tmp_path: Path) -> None:
    for files in (1, 3):
        out = python(WORKERS, str(Path(__file__).parent), write(tmp_path, "parquet", files))
        assert out["same"] is True
        assert "worker 0 of 2, this is worker 1 of 2" in out["other"]
        assert "worker 0 of 2, this is worker 0 of 3" in out["more"]
        assert "worker 0 of 2, this is a single reader" in out["none"]
        assert out["none alone"] is out["one alone"] is True  # a single worker reads what a single reader does
