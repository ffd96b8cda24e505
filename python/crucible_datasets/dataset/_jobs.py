"""`map` and `filter` of some rows: in this process, or in one of their own; the results, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _crucible._native import Table
from crucible_datasets.dataset._align import union
from crucible_datasets.dataset._call import Call
from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.dataset._processes import run_jobs
from crucible_datasets.dataset._writer import BlockWriter
from crucible_datasets.features import Features
from crucible_datasets.store import file_lock
from crucible_datasets.utils import Meter, progress
from crucible_datasets.utils.logging import get_logger

if TYPE_CHECKING:
    from crucible_datasets.dataset._map import MapMixin

SUFFIX = "_{rank:05d}_of_{num_proc:05d}"
logger = get_logger(__name__)


def map_result(job: MapJob, processes: int, template: str, label: str, *, load: bool) -> tuple[Table, Features] | None:
    """The result of `map`, kept or made; None if the function returned None for every row.

    Args:
        job: the work.
        processes: number of processes.
        template: names of the processes' files.
        label: label of the progress bar.
        load: whether kept results are used.
    """
    kept = job.kept
    if kept is None:
        return job.alone(label) if processes == 1 else _of_parts(job, processes, template, label, load=False)
    with file_lock(kept.path):
        found = kept.read_map(job.part._table) if load else None
        if found is not None:
            logger.info("Loading cached processed dataset at %s", kept.path)
            return found
        parts = _number_of_parts(kept, template, processes, len(job.part)) if load else processes
        return job.alone(label) if parts == 1 else _of_parts(job, parts, template, label, load=load)


def filter_result(job: FilterJob, processes: int, template: str, label: str, *, load: bool) -> np.ndarray[Any, Any]:
    """The row numbers that `filter` keeps; arguments as `map_result`."""
    kept = job.kept
    if kept is None:
        return job.alone(label) if processes == 1 else _rows_of_parts(job, processes, template, label, load=False)
    with file_lock(kept.path):
        found = kept.read_rows() if load else None
        if found is not None:
            logger.info("Loading cached processed dataset at %s", kept.path)
            return found
        parts = _number_of_parts(kept, template, processes, len(job.part)) if load else processes
        return job.alone(label) if parts == 1 else _rows_of_parts(job, parts, template, label, load=load)


def _number_of_parts(kept: KeptFile, template: str, processes: int, rows: int) -> int:
    """In how many parts a result is made: as many as a kept one has, if there is one, else one a process.

    As in `datasets` the number of processes is no part of a result's fingerprint. Of several kept results the most
    complete one is taken, then the one of the nearest number.
    """
    found = {parts: ranks for parts, ranks in kept.parts(template).items() if 1 < parts <= rows and ranks}
    if not found:
        return processes
    return min(found, key=lambda parts: (1 - len(found[parts]) / parts, abs(parts - processes)))


def _of_parts(whole: MapJob, processes: int, template: str, label: str, *, load: bool) -> tuple[Table, Features] | None:
    jobs = [
        whole.of_part(part, rank, start, template, processes)
        for rank, (part, start) in enumerate(whole.part._parts(processes))
    ]
    results = _kept_or_made(jobs, "map", f"{label} (num_proc={processes})", load=load)
    done = [result for result in results if result is not None]
    if not done:
        return None
    if len(done) < len(results):
        msg = "The function returned None for the rows of some processes and results for others"
        raise ValueError(msg)
    filled = [result for result in done if result[0].num_rows] or done[:1]
    features = union([features for _, features in filled])
    text = features.to_text()
    return Table.concat([table.with_features(text) for table, _ in filled]), features


def _rows_of_parts(whole: FilterJob, processes: int, template: str, label: str, *, load: bool) -> np.ndarray[Any, Any]:
    jobs = [
        whole.of_part(part, rank, start, template, processes)
        for rank, (part, start) in enumerate(whole.part._parts(processes))
    ]
    results = _kept_or_made(jobs, "filter", f"{label} (num_proc={processes})", load=load)
    return np.concatenate([rows.astype(np.int64) + job.call.offset for rows, job in zip(results, jobs, strict=True)])


def _kept_or_made(jobs: list[Any], what: str, label: str, *, load: bool) -> list[Any]:
    """The results of jobs: kept ones are used, the others are made in processes."""
    results = [job.kept_result() if load else None for job in jobs]
    missing = [rank for rank, result in enumerate(results) if result is None]
    if len(missing) < len(jobs):
        logger.info("Loading %s of %s cached parts of the processed dataset", len(jobs) - len(missing), len(jobs))
    if missing:
        made = run_jobs([jobs[rank] for rank in missing], what, label)
        for rank, result in zip(missing, made, strict=True):
            results[rank] = result
    return results


@dataclass(frozen=True)
class MapJob:
    """`map` of one part, in a process of its own or in this one."""

    part: MapMixin
    call: Call
    writer: BlockWriter
    remove: list[str]
    writer_rows: int | None
    kept: KeptFile | None = None

    def of_part(self, part: Any, rank: int, start: int, template: str, parts: int) -> MapJob:
        """The same for the rows of a process."""
        kept = None if self.kept is None else self.kept.of_part(template, rank, parts)
        writer = self.writer.for_file(kept)
        call = replace(self.call, rank=rank, offset=start)
        return replace(self, part=part, call=call, writer=writer, kept=kept)

    def kept_result(self) -> tuple[Table, Features] | None:
        """The result that is kept."""
        return None if self.kept is None else self.kept.read_map(self.part._table)

    def alone(self, label: str) -> tuple[Table, Features] | None:
        """The result, made here."""
        with progress(label, len(self.part)) as meter:
            if not self.part._filled(replace(self.call, meter=meter), self.writer, self.remove, self.writer_rows):
                return None
        if self.kept is None:
            return self.writer.finish() or (self.part._table.slice(0, 0), self.part._features)
        self.writer.write(self.kept, self.part._table)
        return self._written(self.kept)

    def _written(self, kept: KeptFile) -> tuple[Table, Features]:
        found = kept.read_map(self.part._table)
        if found is None:
            msg = f"{kept.path}: the file was written and cannot be read"
            raise OSError(msg)
        return found

    def run(self, path: Path, meter: Meter) -> bool:
        """Writes the result to a file; says whether there is one."""
        call = replace(self.call, meter=meter)
        if not self.part._filled(call, self.writer, self.remove, self.writer_rows):
            return False
        self.writer.write(self._file(path), self.part._table)
        return True

    def result(self, sent: bool, path: Path) -> tuple[Table, Features] | None:
        """The result, mapped from the file."""
        return self._written(self._file(path)) if sent else None

    def _file(self, path: Path) -> KeptFile:
        return KeptFile(path, "") if self.kept is None else self.kept


@dataclass(frozen=True)
class FilterJob:
    """`filter` of one part, in a process of its own or in this one."""

    part: MapMixin
    call: Call
    kept: KeptFile | None = None

    def of_part(self, part: Any, rank: int, start: int, template: str, parts: int) -> FilterJob:
        """The same for the rows of a process."""
        kept = None if self.kept is None else self.kept.of_part(template, rank, parts)
        return replace(self, part=part, call=replace(self.call, rank=rank, offset=start), kept=kept)

    def kept_result(self) -> np.ndarray[Any, Any] | None:
        """The row numbers that are kept."""
        return None if self.kept is None else self.kept.read_rows()

    def alone(self, label: str) -> np.ndarray[Any, Any]:
        """The row numbers, made here."""
        with progress(label, len(self.part)) as meter:
            return self._made(meter)

    def _made(self, meter: Meter) -> np.ndarray[Any, Any]:
        rows = self.part._chosen(replace(self.call, meter=meter))
        if self.kept is not None:
            self.kept.write_rows(rows)
        return rows

    def run(self, path: Path, meter: Meter) -> bytes:  # noqa: ARG002
        """The row numbers that stay."""
        return self._made(meter).astype(np.int64).tobytes()

    def result(self, sent: bytes, path: Path) -> np.ndarray[Any, Any]:  # noqa: ARG002
        """The row numbers that stay."""
        return np.frombuffer(sent, dtype=np.int64)
