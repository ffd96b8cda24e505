"""State of an `IterableDataset`, iteration, and the place in it."""

from __future__ import annotations

import logging
import operator
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np

from _crucible._native import Table
from crucible_datasets.features import Features
from crucible_datasets.formatting import TABLES, Format
from crucible_datasets.info import DatasetInfo, InfoMixin
from crucible_datasets.iterable._call import as_batch
from crucible_datasets.iterable._in_format import InFormat
from crucible_datasets.iterable._place import place_of
from crucible_datasets.iterable._plan import OrderFrozenError, Plan, Run, StateError, pull_exactly
from crucible_datasets.iterable._readers import Node, Worker
from crucible_datasets.iterable._rows import Rows, Tables, TypedRows, in_features, row_format
from crucible_datasets.iterable._steps import Skip, Take
from crucible_datasets.iterable._torch import join_torch, shared_epoch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FormattingConfig:
    """The format of a stream, as `datasets` has it.

    Attributes:
        format_type: "numpy", "torch", …; None for Python objects.
    """

    format_type: str | None


class Base(InfoMixin):
    """A plan, what is known of its rows, and the place in the last iteration."""

    def __init__(
        self,
        plan: Plan,
        info: DatasetInfo | None = None,
        split: str | None = None,
        formatting: Format | None = None,
        distributed: Node | None = None,
        features: Features | None = None,
    ) -> None:
        self._plan = plan
        self._info = info
        self._split = split
        self._format = formatting
        self._distributed = distributed
        self._features = features
        self._epoch: Any = shared_epoch(0)
        self._live: tuple[Run, int, Plan] | None = None
        self._named: tuple[Plan, str] | None = None
        self._pending: dict[str, Any] | None = None
        join_torch(type(self))

    @property
    def _formatting(self) -> FormattingConfig | None:
        """The format under a name that `datasets` has, which TRL asks."""
        return None if self._format is None else FormattingConfig(self._format.type)

    def __getstate__(self) -> dict[str, Any]:
        """The plan and a loaded state; not how far an iteration is (that is `state_dict`)."""
        return {**self.__dict__, "_live": None, "_named": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        join_torch(type(self))

    def _with(self, plan: Plan | None = None, **changes: Any) -> Self:
        """A stream like this one."""
        given = {
            "info": self._info,
            "split": self._split,
            "formatting": self._format,
            "distributed": self._distributed,
            "features": self._features,
            **changes,
        }
        return type(self)(self._plan if plan is None else plan, **given)

    def _of(self, info: DatasetInfo | None) -> Self:
        """Takes down what is known of it."""
        self._info = info
        return self

    # ------------------------------------------------------------------------------------------------------- facts

    def _current_features(self) -> Features | None:
        return self.features

    def _known(self) -> Features | None:
        """The features, as far as no file has to be asked."""
        return self._features if self._features is not None else self._plan.features

    @property
    def features(self) -> Features | None:
        """Features of the rows; None while only the rows tell, as after a `map` without `features`.

        Parquet files are asked for theirs when somebody looks.
        """
        return self._features if self._features is not None else self._plan.read_features()

    @property
    def column_names(self) -> list[str] | None:
        """Names of the columns, while they are known."""
        features = self.features
        return None if features is None else list(features)

    @property
    def num_columns(self) -> int | None:
        """Number of columns, while they are known."""
        features = self.features
        return None if features is None else len(features)

    @property
    def split(self) -> str | None:
        """The split."""
        return self._split

    @property
    def num_shards(self) -> int:
        """Parts that can be given to different readers: files, for example. After a split by node, this node's."""
        node = self._distributed
        if node is not None and node.by_shards(self._plan):
            return len(range(node.rank, self._plan.num_shards, node.world_size))
        return self._plan.num_shards

    @property
    def n_shards(self) -> int:
        """The same as `num_shards`."""
        return self.num_shards

    @property
    def num_rows(self) -> int | None:
        """Number of rows, where it can be known without reading them: from the footers of Parquet files, for example.

        None after a `filter`, a batched `map` and the like, and for files that do not say it. After a split by node,
        this node's.
        """
        plan = self._placed()
        return 0 if plan is None else plan.length()

    def peek(self, index: int | slice) -> Any:
        """A row, or a list of rows, without reading what is before them where the files allow (Parquet).

        It leaves the place of an iteration as it is. Rows are those that this iteration would give, in its order and
        format: tables of one row in the arrow, pandas and polars formats.

        Args:
            index: a row number from 0, or a slice of such; negative ones count from the end where the number of rows
                is known without reading.

        Raises:
            IndexError: no such row.
            ValueError: a step below 1, or a negative number where the number of rows is not known.
        """
        if isinstance(index, slice):
            start, stop, step = self._bounds(index)
            return self._peeked(start, stop)[::step]
        number = self._from_end(operator.index(index))
        rows = self._peeked(number, number + 1) if number >= 0 else []
        if not rows:
            msg = f"row {index} is out of bounds"
            raise IndexError(msg)
        return rows[0]

    def _from_end(self, number: int) -> int:
        if number >= 0:
            return number
        rows = self.num_rows
        if rows is None:
            msg = f"row {number} counts from the end, but the number of rows is not known without reading them all"
            raise ValueError(msg)
        return number + rows

    def _bounds(self, index: slice) -> tuple[int, int, int]:
        start = 0 if index.start is None else max(0, self._from_end(operator.index(index.start)))
        stop = sys.maxsize if index.stop is None else max(0, self._from_end(operator.index(index.stop)))
        step = 1 if index.step is None else operator.index(index.step)
        if step < 1:
            msg = f"the step of a slice of a stream must be at least 1, got {step}"
            raise ValueError(msg)
        return start, stop, step

    def _peeked(self, start: int, stop: int) -> list[Any]:
        plan = self._placed()
        stop = min(stop, sys.maxsize)
        if plan is None or start >= stop:
            return []
        part = plan.window(start, stop) or Take(Skip(plan, start), stop - start)
        if self._format is not None and self._format.type in TABLES:
            tables = self._as_tables(part)
            known = self._features if self._features is not None else tables.features
            return list(_table_batches(tables.open(), known, self._format, 1, drop_last=False))
        run = self._in_rows(part, self._format).open()
        try:
            return list(run.rows())
        finally:
            run.release()

    @property
    def epoch(self) -> int:
        """The epoch that `set_epoch` set."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch: from 1 on, shards and buffers are shuffled in another order for each.

        Args:
            epoch: the epoch; 0 is the start.
        """
        if hasattr(self._epoch, "fill_"):
            self._epoch.fill_(epoch)
        else:
            self._epoch = int(epoch)

    def __repr__(self) -> str:
        known = self.features if self._plan.at_hand else self._known()
        shown = "Unknown" if known is None else list(known)
        return f"IterableDataset({{\n    features: {shown},\n    num_shards: {self.num_shards}\n}})"

    # --------------------------------------------------------------------------------------------------- iteration

    def _placed(self, *, exports: bool = False) -> Plan | None:
        """The plan of this epoch, node and worker; None if there is nothing for the worker.

        Args:
            exports: whether tables are wanted, as by the exports.
        """
        plan = self._plan
        if self.epoch:
            try:
                plan = plan.shuffled(np.random.default_rng(self.epoch))
            except OrderFrozenError:
                logger.debug("take and skip keep the order of the shards in every epoch")
            plan = plan.shifted(self.epoch)
        if self._distributed is not None:
            plan = self._distributed.of(plan)
        worker = Worker.current()
        placed = plan if worker is None else worker.of(plan)
        return placed.by_rows() if placed is not None and not exports and self._by_rows() else placed

    def _by_rows(self) -> bool:
        """Whether the official library reads rows even of tables: nothing has to be cast or formatted."""
        if self._format is not None:
            return False
        known, told = self._known(), self._plan.told
        if known is None:
            return not self._plan.typed
        return told is not None and told == known

    def _in_rows(self, plan: Plan, format: Format | None, *, for_calls: bool = False) -> Plan:
        """Rows, decoded and in a format."""
        shown = format or Format()
        known = self._features if self._features is not None else plan.features
        if not plan.arrow and plan.by_tables and shown.arrays is not None:
            plan = Tables(plan, known)  # arrays have the types of their columns
        if plan.arrow:
            return Rows(plan, known, shown, for_calls)
        if row_format(known, shown) is not None or (known is not None and plan.features != known):
            return TypedRows(plan, known, shown)
        return plan

    def _run(self, plan: Plan) -> Run:
        """A run at the loaded place, or at the start; its place is what `state_dict` gives from now on."""
        run = plan.open()
        pending = self._pending
        if pending is not None and pending["epoch"] == self.epoch:
            self._load(run, plan, pending)
            self._pending = None
        elif pending is not None:
            logger.warning(
                "The loaded state is of epoch %s, this iteration is of epoch %s: it starts at the start. Call "
                "set_epoch before.",
                pending["epoch"],
                self.epoch,
            )
        self._live = (run, self.epoch, plan)
        return run

    def _reader(self) -> str | None:
        """The reader that this process is, where there are several."""
        parts = []
        if self._distributed is not None and self._distributed.world_size > 1:
            parts.append(f"rank {self._distributed.rank} of {self._distributed.world_size}")
        worker = Worker.current()
        if worker is not None and worker.workers > 1:
            parts.append(f"worker {worker.number} of {worker.workers}")
        return ", ".join(parts) or None

    def _placed_in(self, place: dict[str, Any], epoch: int, plan: Plan) -> dict[str, Any]:
        """A state: a place, and what it is a place of."""
        if self._named is None or self._named[0] is not plan:
            self._named = plan, place_of(plan)
        state = {"examples_iterable": place, "epoch": epoch, "of": self._named[1]}
        reader = self._reader()
        return state if reader is None else {**state, "reader": reader}

    def _load(self, run: Run, plan: Plan, state: dict[str, Any]) -> None:
        """Goes to a state's place, unless it is one of another reader or of other data."""
        reader = self._reader()
        if "of" in state and state.get("reader") != reader:
            msg = (
                f"the state is of {state.get('reader') or 'a single reader'}, this is {reader or 'a single reader'}: each "
                "reader has a state of its own, and their number must stay"
            )
            raise StateError(msg)
        run.load(state["examples_iterable"])  # where the file that was read has changed it says so
        if "of" in state and state["of"] != place_of(plan):
            msg = (
                "the state does not fit the stream: it is of other data files, of another number of shards, or of a chain "
                "of methods with other numbers"
            )
            raise StateError(msg)

    def __iter__(self) -> Iterator[Any]:
        """Rows in the current format, from the loaded state or from the start."""
        plan = self._placed()
        if plan is None:
            return iter(())
        if self._format is not None and self._format.type in TABLES:
            return self._tables(self._as_tables(plan), 1, drop_last=False)
        return _released(self._run(self._in_rows(plan, self._format)))

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches in the current format.

        Args:
            batch_size: rows a batch.
            drop_last_batch: whether a shorter last batch is left out.

        Raises:
            ValueError: `batch_size` below 1.
        """
        if batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise ValueError(msg)
        plan = self._placed()
        if plan is None:
            return iter(())
        format = self._format
        tables = format is not None and (
            format.type in TABLES or (plan.by_tables and (plan.arrow or format.arrays is not None))
        )
        plain = format is None or format.arrays is None
        if tables or (plain and plan.arrow and (self._features is not None or plan.typed)):
            return self._tables(self._as_tables(plan), batch_size, drop_last=drop_last_batch)
        return self._row_batches(self._in_rows(plan, self._format), batch_size, drop_last=drop_last_batch)

    def _as_tables(self, plan: Plan) -> Plan:
        known = self._features if self._features is not None else plan.features
        return plan if plan.arrow else Tables(self._in_rows(plan, None), known)

    def _tables(self, plan: Plan, size: int, *, drop_last: bool) -> Iterator[Any]:
        run = self._run(plan)
        known = self._features if self._features is not None else plan.features
        return _table_batches(run, known, self._format or Format(), size, drop_last=drop_last)

    def _native_tables(self, size: int) -> Iterator[Table]:
        """All rows as tables of so many rows, in the features."""
        placed = self._placed(exports=True)
        if placed is None:
            return
        plan = self._as_tables(placed)
        known = self._features if self._features is not None else plan.features
        text = None if known is None else known.to_text()
        run = self._run(plan)
        try:
            while (table := pull_exactly(run, size)) is not None:
                yield in_features(table, known, text)
        finally:
            run.release()

    def _row_batches(self, plan: Plan, size: int, *, drop_last: bool) -> Iterator[Any]:
        run = self._run(plan)
        shown = row_format(None, self._format or Format())  # of a batch of shown rows: no value of a feature any more
        return _batches_of_rows(run, shown, size, drop_last=drop_last)

    # ------------------------------------------------------------------------------------------------------- place

    def state_dict(self) -> dict[str, Any]:
        """The place after the last row that was handed out: small plain data, made for JSON.

        It is exact at every row, also in the middle of a batch and with a shuffle buffer. It does not hold rows: what
        lies behind a buffer, or a function's batch, is read and computed again.
        """
        if self._live is not None:
            run, epoch, plan = self._live
            return self._placed_in(run.state(), epoch, plan)
        if self._pending is not None:
            return self._pending
        placed = self._placed()
        if placed is None:
            return {"examples_iterable": {}, "epoch": self.epoch}
        plan = self._in_rows(placed, self._format)
        return self._placed_in(plan.open().state(), self.epoch, plan)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next iteration starts at this place; the ones after it at the start again.

        The plan must be the one that the state was taken from, iterated in the same way, and the epoch must be the
        state's: in another epoch the iteration starts at the start, and the state waits for its own.

        Args:
            state_dict: what `state_dict` gave.

        Raises:
            ValueError: not a state.
        """
        known = isinstance(state_dict, dict) and {"examples_iterable", "epoch"} <= set(state_dict)
        if not known or type(state_dict["epoch"]) is not int:
            msg = f"not a state of a stream: {state_dict!r:.200}"
            raise ValueError(msg)
        self._pending = state_dict
        self._live = None


def _released(run: Run) -> Iterator[Any]:
    """The rows; files are let go of when nobody asks any more."""
    try:
        yield from run.rows()
    finally:
        run.release()


def _table_batches(run: Run, features: Features | None, format: Format, size: int, *, drop_last: bool) -> Iterator[Any]:
    shown = InFormat(features, format)
    try:
        while (table := pull_exactly(run, size)) is not None:
            if drop_last and table.num_rows < size:
                return
            yield shown(table)
    finally:
        run.release()


def _batches_of_rows(run: Run, shown: Any, size: int, *, drop_last: bool) -> Iterator[Any]:
    try:
        rows = run.rows()
        while found := list(islice(rows, size)):
            if drop_last and len(found) < size:
                return
            batch = as_batch(found)
            yield batch if shown is None else shown(batch)
    finally:
        run.release()
