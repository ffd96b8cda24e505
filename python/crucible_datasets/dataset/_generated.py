"""Rows of generator functions and queries, kept by what made them: they are not made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from _crucible._native import Table
from _crucible._settings import settings
from crucible_datasets.dataset._align import union
from crucible_datasets.dataset._home import Home
from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.dataset._processes import run_jobs
from crucible_datasets.dataset._writer import BlockWriter
from crucible_datasets.features import Features
from crucible_datasets.fingerprint import fingerprint_of, is_caching_enabled
from crucible_datasets.store import clean_store, file_lock, remove_leftovers
from crucible_datasets.utils import Meter, progress
from crucible_datasets.utils.logging import get_logger

logger = get_logger(__name__)
_ROWS = 1000
_NOTHING = Table.from_columns({})
Made = tuple[Table, Features]


@dataclass
class _Count:
    """A number of rows that is known at the end."""

    rows: int = 0

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class Source:
    """What rows are made of, and where they are kept.

    Attributes:
        home: the folder of the results.
        kept: the file.
    """

    home: Home
    kept: KeptFile

    @classmethod
    def of(cls, what: str, arguments: Mapping[str, Any], cache_dir: str | Path | None) -> Source | None:
        """The place of some rows; None where they are not kept.

        Args:
            what: name of the constructor.
            arguments: all that the rows depend on.
            cache_dir: the cache; `HF_DATASETS_CACHE` when absent.
        """
        if not is_caching_enabled():
            return None
        key, known = fingerprint_of(what, arguments)
        cache = settings().datasets_cache if cache_dir is None else Path(cache_dir).expanduser()
        home = Home(cache, None, f"{what}-{key}")
        if not known or not home.usable():
            return None
        remove_leftovers(home.folder)
        return cls(home, KeptFile(home.folder / f"cache-{key}.arrow", key))

    def get(self, make: Callable[[KeptFile], Made | None]) -> Made | None:
        """The rows: kept ones, or those that `make` writes. One process at a time makes them.

        Args:
            make: gets the file; gives the rows if it did not write them there, None otherwise.
        """
        with file_lock(self.kept.path):
            found = self.kept.read_map(_NOTHING)
            if found is not None:
                logger.info("Found cached rows at %s", self.kept.path)
                return found
            made = make(self.kept)
            return self.kept.read_map(_NOTHING) if made is None else made

    def clean(self) -> None:
        """Keeps the cache within its bounds."""
        if settings().store_limit is not None:
            clean_store(cache_dir=str(self.home.cache), keep={self.kept.path})


@dataclass(frozen=True)
class GeneratorJob:
    """A call of a generator function: in a process of its own, or in this one."""

    generator: Callable[..., Iterable[Mapping[str, Any]]]
    kwargs: Mapping[str, Any]
    features: Features | None
    part: _Count = field(default_factory=_Count)

    def fill(self, writer: BlockWriter, meter: Meter) -> None:
        """Gives the rows to a writer."""
        for columns, rows in _blocks(iter(self.generator(**self.kwargs)), self.features, meter):
            writer.add(_NOTHING, columns, rows)
            self.part.rows += rows
            meter.reached(self.part.rows)

    def run(self, path: Path, meter: Meter) -> bool:
        """Writes the rows to a file; says whether there are any."""
        file = KeptFile(path, "")
        writer = BlockWriter(Features(), self.features, kept=file)
        self.fill(writer, meter)
        if self.part.rows:
            writer.write(file, _NOTHING)
        return bool(self.part.rows)

    def result(self, sent: bool, path: Path) -> Made | None:
        """The rows, mapped from the file."""
        return KeptFile(path, "").read_map(_NOTHING) if sent else None


def generated(jobs: list[GeneratorJob], kept: KeptFile | None, label: str) -> Made | None:
    """The rows of calls of a generator, in order.

    Args:
        jobs: the calls: several run in processes of their own.
        kept: the file for the rows; without one they stay in memory, above the memory budget in a temporary file.
        label: label of the progress bar.

    Returns:
        The rows, if they were not written to `kept`; None also if there are none.
    """
    first = jobs[0]
    writer = BlockWriter(Features(), first.features, kept=kept)
    if len(jobs) == 1:
        with progress(label, None) as meter:
            first.fill(writer, meter)
    else:
        parts = [part for part in run_jobs(jobs, "from_generator", f"{label} (num_proc={len(jobs)})") if part]
        if parts:
            features = union([features for _, features in parts]) if first.features is None else first.features
            text = features.to_text()
            writer = BlockWriter(Features(), features, kept=kept)
            for table, _ in parts:
                writer.add_table(table.with_features(text))
    if kept is None:
        return writer.finish()
    if writer.has_rows:
        writer.write(kept, _NOTHING)
    return None


def shards(kwargs: Mapping[str, Any], num_proc: int | None) -> list[dict[str, Any]]:
    """The arguments of each call: lists are divided among the processes, as in `datasets`.

    Raises:
        ValueError: `num_proc` below 1.
        RuntimeError: lists of several lengths.
    """
    if num_proc is not None and num_proc < 1:
        msg = f"num_proc must be at least 1, got {num_proc}"
        raise ValueError(msg)
    lists = {name: len(value) for name, value in kwargs.items() if isinstance(value, list)}
    if num_proc is None or num_proc == 1:
        return [dict(kwargs)]
    if len(set(lists.values())) > 1:
        msg = (
            f"Sharding is ambiguous for this dataset: gen_kwargs has lists of several lengths, {lists}. Lists are divided "
            "among the processes: give what is no list of shards as a tuple."
        )
        raise RuntimeError(msg)
    number = max(1, min(num_proc, *lists.values())) if lists else 1
    if number < num_proc:
        logger.warning(
            "Setting num_proc from %s back to %s: gen_kwargs has no more shards (lists) to divide", num_proc, number
        )
    made = []
    for rank in range(number):
        part = dict(kwargs)
        for name, length in lists.items():
            share, more = divmod(length, number)
            start = rank * share + min(rank, more)
            part[name] = kwargs[name][start : start + share + (rank < more)]
        made.append(part)
    return made


def _blocks(
    rows: Iterator[Mapping[str, Any]], features: Features | None, meter: Meter
) -> Iterator[tuple[dict[str, list[Any]], int]]:
    """Blocks of rows as columns: those of the first row of the block, or of the features."""
    while True:
        block: list[Mapping[str, Any]] = []
        meter.live = block
        block.extend(islice(rows, _ROWS))
        if not block:
            return
        for row in block:
            if not isinstance(row, Mapping):
                msg = f"the generator must yield dicts, got {type(row).__name__}"
                raise TypeError(msg)
        names = block[0] if features is None else features
        get = _have if features is None else _may_have
        yield {name: [get(row, name) for row in block] for name in names}, len(block)


def _have(row: Mapping[str, Any], name: str) -> Any:
    return row[name]


def _may_have(row: Mapping[str, Any], name: str) -> Any:
    return row.get(name)
