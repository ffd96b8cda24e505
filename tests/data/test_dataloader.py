"""torch's DataLoader over tables and streams: what `datasets` gives in the same loader, each row once, and no hang."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets as theirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node as official_split

import crucible_datasets as ours
from crucible_datasets.distributed import split_dataset_by_node

torch = pytest.importorskip("torch", reason="torch is not installed")
DataLoader = torch.utils.data.DataLoader

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-?threaded.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*multithreaded.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),
]
FILES, ROWS, SECONDS = 4, 30, 60
"""Rows of each file; after so many seconds a worker counts as hanging."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of numbers, lists of one length and text, in row groups that are not the files' size."""
    folder = tmp_path_factory.mktemp("loader")
    for number in range(FILES):
        rows = range(number * ROWS, number * ROWS + ROWS)
        columns = {"i": list(rows), "x": [[j, j + 0.5] for j in rows], "s": [f"row {j}" for j in rows]}
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=13)
    return [str(folder / f"{number}.parquet") for number in range(FILES)]


def stream(library: Any, files: list[str]) -> Any:
    return library.load_dataset("parquet", data_files=files, split="train", streaming=True)


def table(library: Any, count: int = 60) -> Any:
    columns = {
        "i": list(range(count)),
        "x": [[j, j + 0.5] for j in range(count)],
        "s": [f"row {j}" for j in range(count)],
    }
    return library.Dataset.from_dict(columns)


def loaded(dataset: Any, workers: int, context: str = "fork", **options: Any) -> Any:
    if workers:
        options |= {"multiprocessing_context": context, "timeout": SECONDS}
    return DataLoader(dataset, **{"batch_size": 4, "num_workers": workers, "pin_memory": False, **options})


def plain(value: Any) -> Any:
    """A collated batch with its types, as values that compare."""
    if isinstance(value, torch.Tensor):
        return ["tensor", str(value.dtype), value.tolist()]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def numbers(loader: Any) -> list[int]:
    return [int(i) for batch in loader for i in batch["i"]]


# ----------------------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("kind", [None, "torch", "numpy"])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_batches_of_a_table(workers: int, kind: str | None) -> None:
    found, expected = (
        [plain(batch) for batch in loaded(table(library).with_format(kind), workers)] for library in (ours, theirs)
    )
    assert found == expected


@pytest.mark.parametrize("kind", [None, "torch", "numpy"])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_batches_of_a_stream(files: list[str], workers: int, kind: str | None) -> None:
    found, expected = (
        [plain(batch) for batch in loaded(stream(library, files).with_format(kind), workers)]
        for library in (ours, theirs)
    )
    assert found == expected


def test_a_shuffled_stream(files: list[str]) -> None:
    """The orders of files and the seeds of buffers in workers are the official ones, in an epoch, too."""

    def read(library: Any) -> list[Any]:
        made = stream(library, files).shuffle(5, buffer_size=11)
        made.set_epoch(3)
        return [plain(batch) for batch in loaded(made, 2)]

    assert read(ours) == read(theirs)


def test_batches_by_sampler() -> None:
    def sampled(library: Any) -> list[Any]:
        given = torch.Generator()
        given.manual_seed(3)
        return [plain(batch) for batch in loaded(table(library).with_format("torch"), 2, shuffle=True, generator=given)]

    assert sampled(ours) == sampled(theirs)


def doubled(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "i": row["i"] * 2}


def test_spawned_workers(files: list[str]) -> None:
    """A stream with a function is pickled for new processes."""
    mapped = stream(ours, files).map(doubled).with_format("torch")
    assert sorted(numbers(loaded(mapped, 2, "spawn"))) == [2 * i for i in range(FILES * ROWS)]


def test_streams_of_a_hub_in_forked_workers(hub: Any, hf_env: Path) -> None:
    """The parent has read from the hub: its connections and threads are not the workers'."""
    streamed = ours.load_dataset("org/small", data_files="data/train.jsonl", split="train", streaming=True)
    assert next(iter(streamed))["a"] == 0
    for workers in (1, 2, 3):
        assert sorted(int(a) for batch in loaded(streamed, workers) for a in batch["a"]) == list(range(50))


# ---------------------------------------------------------------------------------------------------------- sharding


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_each_row_once(files: list[str], count: int) -> None:
    """1 to 4 files x 0 to 3 workers, as they are and shuffled."""
    read = stream(ours, files[:count])
    for workers in range(4):
        for made in (read, read.shuffle(1, buffer_size=7)):
            assert sorted(numbers(loaded(made.with_format("torch"), workers))) == list(range(count * ROWS))


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_and_workers(files: list[str], count: int, world: int) -> None:
    """Each row is read by one worker of one rank; a table of as many rows, too."""
    for workers in (0, 2):
        ranks = [split_dataset_by_node(stream(ours, files[:count]), rank, world) for rank in range(world)]
        read = [numbers(loaded(rank, workers)) for rank in ranks]
        assert sorted(i for rank in read for i in rank) == list(range(count * ROWS))
        assert all(read)
    tables = [split_dataset_by_node(table(ours), rank, world) for rank in range(world)]
    assert sorted(i for rank in tables for i in numbers(loaded(rank, 2))) == list(range(60))


def test_ranks_are_the_official_ones(files: list[str]) -> None:
    for world in (2, 3):
        for rank in range(world):
            found = split_dataset_by_node(stream(ours, files), rank, world)
            expected = official_split(stream(theirs, files), rank, world)
            assert numbers(loaded(found, 2)) == numbers(loaded(expected, 2))


# ------------------------------------------------------------------------------------------------------------ epochs


@pytest.mark.parametrize("persistent", [True, False])
def test_epochs_reshuffle(files: list[str], persistent: bool) -> None:
    """`set_epoch` reaches workers that live on, too."""
    made = stream(ours, files).shuffle(9, buffer_size=20)
    loader = loaded(made, 2, persistent_workers=persistent)
    read = []
    for epoch in (0, 1, 0):
        made.set_epoch(epoch)
        read.append(numbers(loader))
    first, second, again = read
    assert first == again
    assert first != second
    assert sorted(first) == sorted(second) == list(range(FILES * ROWS))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_stateful_loader(files: list[str], workers: int) -> None:
    """A loader that is broken off at any batch goes on with the next one, in new workers."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def make() -> Any:
        made = stream(ours, files).shuffle(2, buffer_size=10).with_format("torch")
        options = {"multiprocessing_context": "fork", "timeout": SECONDS} if workers else {}
        return stateful.StatefulDataLoader(made, batch_size=4, num_workers=workers, **options)

    whole = [batch["i"].tolist() for batch in make()]
    for stop in (1, 7, len(whole) - 1):
        loader = make()
        running = iter(loader)
        assert [batch["i"].tolist() for batch in islice(running, stop)] == whole[:stop]
        state = loader.state_dict()
        del running
        again = make()
        again.load_state_dict(state)
        assert [batch["i"].tolist() for batch in again] == whole[stop:]


# ------------------------------------------------------------------------------------------------------------ faults


def failing(row: dict[str, Any]) -> dict[str, Any]:
    if row["i"] == 17:
        msg = "seventeen"
        raise ValueError(msg)
    return row


def dying(row: dict[str, Any]) -> dict[str, Any]:
    if row["i"] == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return row


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture
def no_child_is_left() -> Iterator[None]:
    gc.collect()  # loaders whose loops ended with an error
    before = children()
    yield
    gc.collect()
    assert children() == before


def test_errors_of_a_worker(files: list[str]) -> None:
    with pytest.raises(ValueError, match="seventeen"):
        numbers(loaded(stream(ours, files).map(failing), 1))


@pytest.mark.usefixtures("no_child_is_left")
def test_a_worker_that_dies(files: list[str]) -> None:
    """The loader tells it, and the same stream can be read again."""
    made = stream(ours, files)
    with pytest.raises(RuntimeError, match="worker"):
        numbers(loaded(made.map(dying), 2))
    assert sorted(numbers(loaded(made, 2))) == list(range(FILES * ROWS))


@pytest.mark.usefixtures("no_child_is_left")
@pytest.mark.parametrize("persistent", [True, False])
def test_a_loop_that_is_left(files: list[str], persistent: bool) -> None:
    """In mid-epoch: the next epoch is whole, and the workers end with the loader."""
    loader = loaded(stream(ours, files), 2, persistent_workers=persistent, prefetch_factor=4)
    for batch in loader:
        assert len(batch["i"]) == 4
        break
    assert sorted(numbers(loader)) == list(range(FILES * ROWS))
    running = iter(loader)
    next(running)
    del running, loader
