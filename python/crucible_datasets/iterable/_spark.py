"""The rows of a Spark DataFrame, partition by partition."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.iterable._plan import Plan, Row, Run, State, StateError, part_of
from crucible_datasets.iterable._state import members, natural
from crucible_datasets.splits import check_split_name

if TYPE_CHECKING:
    import numpy as np

_WITHOUT_EFFECT = {
    "cache_dir",
    "description",
    "file_format",
    "keep_in_memory",
    "load_from_cache_file",
    "storage_options",
    "token",
    "version",
    "working_dir",
    "writer_batch_size",
}


def spark_split(df: Any, split: str | None, options: Iterable[str], caller: str) -> str:
    """Checks what `from_spark` was given, without pyspark.

    Args:
        df: the DataFrame.
        split: name of the split.
        options: names of further arguments: those that the official builder takes.
        caller: name of the method, for messages.

    Returns:
        The name of the split.

    Raises:
        TypeError: no DataFrame of Spark, or an unknown option.
        ValueError: `split` is no name, but `train[:10]`, for example.
    """
    kinds = type(df).__mro__
    if not any(kind.__name__ == "DataFrame" and kind.__module__.startswith("pyspark.sql.") for kind in kinds):
        found = f"{type(df).__module__}.{type(df).__qualname__}"
        msg = f"{caller} takes a DataFrame of Spark (pyspark.sql.DataFrame), got {found}"
        raise TypeError(msg)
    unknown = sorted(set(options) - _WITHOUT_EFFECT)
    if unknown:
        msg = f"{caller} got unexpected options {unknown}"
        raise TypeError(msg)
    return check_split_name("train" if split is None else str(split))


@dataclass(frozen=True, eq=False)
class SparkPlan(Plan):
    """The rows of a DataFrame of Spark; its partitions are the shards.

    Attributes:
        rdd: its rows. An RDD is planned once: it has the same partitions each time.
        order: the numbers of the partitions.
    """

    rdd: Any
    order: tuple[int, ...]

    @classmethod
    def of(cls, df: Any) -> SparkPlan:
        """With all partitions.

        Raises:
            UnsupportedError: a DataFrame of Spark Connect.
        """
        if any(kind.__module__.startswith("pyspark.sql.connect.") for kind in type(df).__mro__):
            msg = "a stream reads the partitions of a DataFrame, which Spark Connect does not give: Dataset.from_spark reads it"
            raise UnsupportedError(msg)
        rdd = df.rdd
        return cls(rdd, tuple(range(rdd.getNumPartitions())))

    @property
    def arrow(self) -> bool:
        return False

    @property
    def num_shards(self) -> int:
        return len(self.order)

    def open(self) -> Run:
        return _SparkRun(self)

    def shuffled(self, rng: np.random.Generator) -> Plan:
        order = list(range(len(self.order)))
        copy.deepcopy(rng).shuffle(order)
        return replace(self, order=tuple(self.order[place] for place in order))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        chosen = part_of(len(self.order), count, index, contiguous)
        return replace(self, order=tuple(self.order[place] for place in chosen))

    def fetch(self, shard: int) -> list[Row]:
        """The rows of a shard: a job of Spark over that partition alone."""

        def plain(rows: Iterable[Any]) -> Iterator[Row]:  # sent to the workers by value: they need no package of ours
            return (row.asDict(True) for row in rows)

        found: list[Row] = self.rdd.context.runJob(self.rdd, plain, [self.order[shard]])
        return found


class _SparkRun(Run):
    """The place: the shard, and how many of its rows are done. The next shard is fetched while one is read."""

    def __init__(self, plan: SparkPlan) -> None:
        self._plan = plan
        self._shard, self._row = 0, 0
        self._left: deque[Row] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._coming: Future[list[Row]] | None = None

    def rows(self) -> Iterator[Row]:
        while self._shard < len(self._plan.order):
            left = self._current()
            while left:
                self._row += 1
                yield left.popleft()
            self._next()

    def skip(self, count: int) -> int:
        done = 0
        while done < count and self._shard < len(self._plan.order):
            left = self._current()
            passed = min(count - done, len(left))
            for _ in range(passed):
                left.popleft()
            self._row, done = self._row + passed, done + passed
            if not left:
                self._next()
        return done

    def _current(self) -> deque[Row]:
        """What is left of the shard."""
        if self._left is not None:
            return self._left
        coming, self._coming = self._coming, None
        found = self._plan.fetch(self._shard) if coming is None else coming.result()
        if self._row > len(found):
            msg = f"the state is {self._row} rows into a partition of {len(found)}: the data is not what it was"
            raise StateError(msg)
        if self._shard + 1 < len(self._plan.order):
            self._pool = self._pool or ThreadPoolExecutor(1, "spark-partition")
            self._coming = self._pool.submit(self._plan.fetch, self._shard + 1)
        left = self._left = deque(found)
        for _ in range(self._row):
            left.popleft()
        return left

    def _next(self) -> None:
        self._shard, self._row, self._left = self._shard + 1, 0, None

    def state(self) -> State:
        return {"shard": self._shard, "row": self._row}

    def load(self, state: State) -> None:
        self.release()
        shard, row = members(state, "a Spark DataFrame", "shard", "row")
        self._shard = natural(shard, state, "a Spark DataFrame", len(self._plan.order))
        self._row = natural(row, state, "a Spark DataFrame")

    def release(self) -> None:
        self._left = self._coming = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
