"""The suite `operations`: what is done with a loaded dataset, beside `datasets` and beside a bare loop in Python.

Three tables: `flat` (five columns of numbers and short strings), `chats` (nested messages), both of ``--rows`` rows.
The bare loop calls the same function on dicts that are there already, and does nothing else: what the function itself
costs. With "merged", each result is put over its row as well, as `map` has to.
"""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from benches.data import chats as chat_rows

PICKS = 5000
BATCH = 1000


def timed(work: Callable[[], Any]) -> None:
    from benches.harness import clock

    clock(work)


def library(name: str) -> ModuleType:
    """`crucible_datasets` or `datasets`, quiet and without reusing results."""
    if name == "crucible":
        import crucible_datasets as module
    else:
        import datasets as module  # type: ignore[no-redef]
    module.disable_progress_bars()
    module.disable_caching()
    return module


def flat_columns(rows: int) -> dict[str, list[Any]]:
    """Five flat columns, the same for every seed-keeping caller."""
    rng = random.Random(1)
    return {
        "id": list(range(rows)),
        "score": [rng.random() for _ in range(rows)],
        "label": [rng.randrange(10) for _ in range(rows)],
        "name": [f"row {i} of a table" for i in range(rows)],
        "kept": [i % 3 == 0 for i in range(rows)],
    }


def rows_of_the_run() -> int:
    """Rows of the data folder, whose name says it."""
    return int(Path(os.environ["BENCH_DATA"]).name)


def flat(who: str) -> Any:
    """The flat table, from a Parquet file as a user has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(os.environ["BENCH_DATA"], "operations-flat.parquet")
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        pq.write_table(pa.table(flat_columns(rows_of_the_run())), made, row_group_size=50_000)
        made.replace(path)
    return library(who).load_dataset("parquet", data_files=str(path), split="train")


def chats(who: str) -> Any:
    """The chats, from a Parquet file."""
    path = str(Path(os.environ["BENCH_DATA"], "chat-zstd.parquet"))
    return library(who).load_dataset("parquet", data_files=path, split="train")


Make = Callable[[str], Any]
Work = Callable[[Any, str], Any]
FEW = 40


def few(make: Make, who: str) -> Any:
    """A few rows like those of `make`, in a table of their own."""
    module = library(who)
    if make is flat:
        return module.Dataset.from_dict(flat_columns(FEW))
    return module.Dataset.from_list(chat_rows(FEW))


def both(make: Make, work: Work, prepare: Work | None = None) -> dict[str, Callable[[], None]]:
    """Ours and the official library, on the same work. `prepare` is outside the clock.

    The work is done on a few rows before: what a library imports or starts with its first use is not timed.
    """

    def contestant(who: str) -> Callable[[], None]:
        def prepared(ds: Any) -> Any:
            return ds if prepare is None else prepare(ds, who)

        def run() -> None:
            work(prepared(few(make, who)), who)
            shutil.rmtree(folder())
            ds = prepared(make(who))
            timed(lambda: work(ds, who))

        return run

    return {who: contestant(who) for who in ("crucible", "datasets")}


def bare(make: Make, **work: Callable[[list[Any]], Any]) -> dict[str, Callable[[], None]]:
    """Loops without any library, over rows that are Python objects already."""

    def contestant(loop: Callable[[list[Any]], Any]) -> Callable[[], None]:
        def run() -> None:
            loop(list(few(make, "crucible")))
            rows = list(make("crucible"))
            timed(lambda: loop(rows))

        return run

    return {f"bare {name}": contestant(loop) for name, loop in work.items()}


def longer(row: dict[str, Any]) -> dict[str, Any]:
    return {"twice": row["score"] * 2}


def longer_batch(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"twice": [s * 2 for s in batch["score"]]}


def question(row: dict[str, Any]) -> dict[str, Any]:
    return {"question": row["messages"][0]["content"]}


def is_kept(row: dict[str, Any]) -> bool:
    return bool(row["label"] > 4)


def each(rows: Any) -> None:
    for _row in rows:
        pass


def picks(ds: Any) -> list[int]:
    return random.Random(3).choices(range(len(ds)), k=PICKS)


def random_lookups(ds: Any, _who: str) -> None:
    for index in picks(ds):
        ds[index]


def lists_of_indices(ds: Any, _who: str) -> None:
    places = picks(ds)
    for start in range(0, len(places), 50):
        ds[places[start : start + 50]]


def slices(ds: Any, _who: str) -> None:
    for start in range(0, len(ds), BATCH):
        ds[start : start + BATCH]


def formatted(kind: str) -> Work:
    return lambda ds, _who: ds.with_format(kind)


def batches(ds: Any, _who: str) -> None:
    each(ds.iter(batch_size=BATCH))


def folder() -> str:
    path = Path(os.environ["HF_HOME"], "saved")
    path.mkdir(parents=True, exist_ok=True)
    return str(path)


def saved(ds: Any, who: str) -> Any:
    ds.save_to_disk(folder())
    return SimpleNamespace(module=library(who))


def halves(ds: Any, who: str) -> Any:
    half = len(ds) // 2
    return SimpleNamespace(
        module=library(who), parts=[ds.select(range(half)), ds.select(range(half, len(ds))).shuffle(seed=2)]
    )


def no_columns(ds: Any, _who: str) -> Any:
    return ds.select_columns(["id", "score", "label", "kept"])


def shuffled(ds: Any, _who: str) -> Any:
    return ds.shuffle(seed=1)


def shuffled_numpy(ds: Any, _who: str) -> Any:
    return no_columns(ds, _who).shuffle(seed=1).with_format("numpy")


SUITE = SimpleNamespace(
    TASKS={
        f"{PICKS} random rows, flat": both(flat, random_lookups),
        f"{PICKS} random rows, chats": both(chats, random_lookups),
        f"{PICKS} random rows, shuffled chats": both(chats, random_lookups, shuffled),
        "lists of 50 indices, chats": both(chats, lists_of_indices),
        "slices of 1000, flat": both(flat, slices),
        "iterate, flat": both(flat, lambda ds, _w: each(ds)),
        "iterate, chats": both(chats, lambda ds, _w: each(ds)),
        "iterate, numpy rows": both(
            flat, lambda ds, _w: each(ds), lambda ds, w: no_columns(ds, w).with_format("numpy")
        ),
        "batches, numpy": both(flat, batches, lambda ds, w: no_columns(ds, w).with_format("numpy")),
        "batches, numpy, shuffled": both(flat, batches, shuffled_numpy),
        "batches, arrow": both(chats, batches, formatted("arrow")),
        "map, a number, per row": {
            **both(flat, lambda ds, _w: ds.map(longer)),
            **bare(
                flat,
                loop=lambda rows: [longer(r) for r in rows],
                merged=lambda rows: [{**r, **longer(r)} for r in rows],
            ),
        },
        "map, a number, batched": both(flat, lambda ds, _w: ds.map(longer_batch, batched=True)),
        "map, a string, chats": {
            **both(chats, lambda ds, _w: ds.map(question)),
            **bare(
                chats,
                loop=lambda rows: [question(r) for r in rows],
                merged=lambda rows: [{**r, **question(r)} for r in rows],
            ),
        },
        "filter, per row": {
            **both(flat, lambda ds, _w: ds.filter(is_kept)),
            **bare(flat, loop=lambda rows: [is_kept(r) for r in rows]),
        },
        "sort by a number": both(flat, lambda ds, _w: ds.sort("score")),
        "shuffle": both(flat, lambda ds, _w: ds.shuffle(seed=1)),
        "shuffle, then iterate, chats": both(chats, lambda ds, _w: each(ds.shuffle(seed=1))),
        "select 1 in 10": both(flat, lambda ds, _w: ds.select(range(0, len(ds), 10))),
        "train_test_split": both(flat, lambda ds, _w: ds.train_test_split(0.1, seed=1)),
        "concatenate": both(flat, lambda d, _w: d.module.concatenate_datasets(d.parts), halves),
        "interleave": both(
            flat, lambda d, _w: d.module.interleave_datasets(d.parts, probabilities=[0.3, 0.7], seed=1), halves
        ),
        "save_to_disk, chats": both(chats, lambda ds, _w: ds.save_to_disk(folder())),
        "load_from_disk, chats": both(chats, lambda d, _w: d.module.load_from_disk(folder()), saved),
        "pickle and back, chats": both(chats, lambda ds, _w: pickle.loads(pickle.dumps(ds))),
        "unique of a string": both(flat, lambda ds, _w: ds.unique("name")),
        "to_pandas, flat": both(flat, lambda ds, _w: ds.to_pandas()),
    }
)
