"""`IterableDataset`: a plan (files, then steps), and its running form while somebody iterates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo, InfoMixin
from crucible_datasets.iterable._nodes import (
    BatchedMapNode,
    BatchNode,
    FilterNode,
    MapArguments,
    MapNode,
    Node,
    SkipNode,
    TakeNode,
)
from crucible_datasets.iterable._source import FileOrigin, SourceNode, read_features
from crucible_datasets.iterable._units import Reading

Step = tuple[Any, ...]
"""(node class, its arguments): a step that can be pickled."""


def _listed(columns: str | list[str] | None) -> list[str] | None:
    return [columns] if isinstance(columns, str) else columns


class IterableDataset(InfoMixin):
    """Rows of files, read while they are iterated: nothing is downloaded whole, nothing is held.

    Made by `load_dataset(…, streaming=True)`. Each method gives a new dataset; the function of a `map` runs when the
    rows are asked for. Its state (`state_dict`) is exact: a loaded one goes on with the very next row.
    """

    def __init__(
        self,
        files: list[FileOrigin],
        format: str,
        features: Features | None = None,
        split: str | None = None,
        steps: tuple[Step, ...] = (),
        columns: list[str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._options = dict(options or {})
        self._files = files
        self._file_format = format
        self._features = features
        self._split = split
        self._steps = steps
        self._columns = columns
        self._live: Node | None = None
        self._pending: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The plan and the place, nothing that runs."""
        return {**self.__dict__, "_live": None, "_pending": self.state_dict()}

    def _of(self, info: DatasetInfo | None) -> IterableDataset:
        """Takes down what is known of it."""
        self._info = info
        return self

    def _current_features(self) -> Features | None:
        return self.features

    def _then(self, *step: Any) -> IterableDataset:
        steps = (*self._steps, step)
        made = IterableDataset(
            self._files, self._file_format, self._features, self._split, steps, self._columns, self._options
        )
        return made._of(self._info)

    def _reading(self) -> Reading:
        columns = None if self._columns is None else tuple(self._columns)
        return Reading(self._file_format, self._features, columns, self._options)

    def _build(self) -> Node:
        node: Node = SourceNode(self._files, self._reading())
        for make, *arguments in self._steps:
            node = make(node, *arguments)
        return node

    # ------------------------------------------------------------------------------------------------------- facts

    @property
    def split(self) -> str | None:
        """The split."""
        return self._split

    @property
    def features(self) -> Features | None:
        """Features, while they are known: from the card or a Parquet footer, and before any `map`."""
        unknown = {MapNode, BatchedMapNode, BatchNode}
        if any(step[0] in unknown for step in self._steps):
            return None
        if self._features is None and self._files:
            self._features = read_features(self._files[0], self._file_format)
        if self._features is None or self._columns is None:
            return self._features
        return Features({name: self._features[name] for name in self._columns})

    @property
    def column_names(self) -> list[str] | None:
        """Names of the columns, while they are known."""
        features = self.features
        return None if features is None else list(features)

    @property
    def num_shards(self) -> int:
        """Number of files."""
        return len(self._files)

    def __repr__(self) -> str:
        return f"IterableDataset({{\n    features: {self.column_names or 'Unknown'},\n    num_shards: {self.num_shards}\n}})"

    # --------------------------------------------------------------------------------------------------- iteration

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows, from the loaded state or from the start."""
        node = self._build()
        if self._pending is not None:
            node.load(self._pending)
            self._pending = None
        self._live = node
        return node.rows()

    def state_dict(self) -> dict[str, Any]:
        """The place after the last row that was handed out; plain data, made for JSON or pickle."""
        if self._live is not None:
            return self._live.state()
        return self._build().state() if self._pending is None else self._pending

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next iteration starts at this place. The plan must be the one that the state was taken from."""
        self._pending = state_dict
        self._live = None

    # --------------------------------------------------------------------------------------------------- transforms

    def take(self, n: int) -> IterableDataset:
        """The first `n` rows."""
        return self._then(TakeNode, n)

    def skip(self, n: int) -> IterableDataset:
        """All but the first `n` rows."""
        return self._then(SkipNode, n)

    def batch(self, batch_size: int, drop_last_batch: bool = False) -> IterableDataset:
        """Rows of lists of `batch_size` rows.

        Raises:
            ValueError: `batch_size` below 1.
        """
        if batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise ValueError(msg)
        return self._then(BatchNode, batch_size, drop_last_batch)

    def map(
        self,
        function: Callable[..., Any],
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        fn_kwargs: dict[str, Any] | None = None,
    ) -> IterableDataset:
        """A function on each row, or on batches.

        Args:
            function: called with the row (or a dict of lists), `input_columns` instead of it, the index (or list of
                indices) if `with_indices`, and `fn_kwargs`; returns a dict that is merged over the row.
            with_indices: whether to pass the index.
            input_columns: columns to pass one by one.
            batched: whether to call it with batches; it may then return another number of rows.
            batch_size: rows a batch.
            drop_last_batch: whether a shorter last batch is left out.
            remove_columns: columns dropped from the input.
            fn_kwargs: more keyword arguments.

        Raises:
            ValueError: `batch_size` below 1.
        """
        arguments = MapArguments(with_indices, _listed(input_columns), _listed(remove_columns), fn_kwargs)
        if not batched:
            return self._then(MapNode, function, arguments)
        if batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise ValueError(msg)
        return self._then(BatchedMapNode, function, arguments, batch_size, drop_last_batch)

    def filter(
        self,
        function: Callable[..., Any],
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        fn_kwargs: dict[str, Any] | None = None,
    ) -> IterableDataset:
        """The rows for which a function is true; arguments as `map`."""
        return self._then(FilterNode, function, MapArguments(with_indices, _listed(input_columns), None, fn_kwargs))

    def select_columns(self, column_names: str | list[str]) -> IterableDataset:
        """Some columns. Before any other step, only they are read from Parquet files.

        Raises:
            ValueError: after another step: select first.
        """
        if self._steps:
            msg = "select_columns must come before map, filter, take, skip and batch: it decides what is read"
            raise ValueError(msg)
        columns = _listed(column_names)
        made = IterableDataset(self._files, self._file_format, self._features, self._split, (), columns, self._options)
        return made._of(self._info)


class IterableDatasetDict(dict[str, IterableDataset]):
    """Streams by split."""

    def __repr__(self) -> str:
        parts = "\n".join(f"{name}: {dataset!r}" for name, dataset in self.items())
        body = "\n".join("    " + line for line in parts.split("\n"))
        return f"IterableDatasetDict({{\n{body}\n}})"
