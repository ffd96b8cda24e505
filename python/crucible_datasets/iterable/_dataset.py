"""`IterableDataset`: rows that are read while they are iterated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from crucible_datasets.features import Features, has_null
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable._column import IterableColumn
from crucible_datasets.iterable._files import FilesPlan
from crucible_datasets.iterable._hub import HubMixin
from crucible_datasets.iterable._memory import GeneratorPlan
from crucible_datasets.iterable._plan import Plan
from crucible_datasets.iterable._readers import STRATEGIES, Node
from crucible_datasets.iterable._rows import Rows
from crucible_datasets.iterable._shard import Shard
from crucible_datasets.iterable._source import FileOrigin
from crucible_datasets.iterable._units import Reading


class IterableDataset(HubMixin):
    """Rows that are read while they are iterated: nothing is downloaded whole, nothing is held.

    Made by `load_dataset(…, streaming=True)`, by the `from_…` methods and by `Dataset.to_iterable_dataset`. Each method
    gives a new dataset; functions run when the rows are asked for. Its state (`state_dict`) is exact: a loaded one goes
    on with the very next row.
    """

    @classmethod
    def _of_files(
        cls, files: Sequence[FileOrigin], reading: Reading, split: str | None, info: DatasetInfo | None
    ) -> Self:
        plan: Plan = FilesPlan(tuple(Shard(file) for file in files), reading)
        # Such a unit may have types that the others have not (`SampleColumns`): rows flow instead of tables.
        untyped = reading.format == "webdataset" and reading.features is not None and has_null(reading.features)
        return cls(Rows(plan, None) if untyped else plan, info, split)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Iterable[Mapping[str, Any]]],
        features: Features | None = None,
        gen_kwargs: Mapping[str, Any] | None = None,
        split: str | None = "train",
    ) -> Self:
        """From a generator function, which runs when somebody iterates.

        Args:
            generator: called with `gen_kwargs` for each shard; yields dicts.
            features: features of the rows; missing columns are None then, others dropped.
            gen_kwargs: keyword arguments. Lists are the shards: each call gets lists of one item.
            split: name of the split.

        Raises:
            RuntimeError: lists of several lengths.
        """
        return cls(GeneratorPlan.of(generator, gen_kwargs or {}), None, split, features=features)

    def __getitem__(self, column_name: str) -> IterableColumn:
        """The values of a column, read when they are iterated.

        Raises:
            TypeError: not a name.
        """
        if not isinstance(column_name, str):
            msg = f"a stream has no row numbers, only columns by name; got {column_name!r}. Use take and skip."
            raise TypeError(msg)
        return IterableColumn(self, column_name)


def split_stream_by_node(dataset: IterableDataset, rank: int, world_size: int, strategy: str) -> IterableDataset:
    """The part of a stream for one of several nodes; a node's part can be split again.

    Raises:
        ValueError: an unknown strategy, one that differs from that of an earlier split, no such rank, or fewer shards
            than nodes with "shards".
    """
    if strategy not in STRATEGIES:
        msg = f"strategy must be one of {list(STRATEGIES)}, got {strategy!r}"
        raise ValueError(msg)
    if not 0 <= rank < world_size:
        msg = f"rank must be from 0 to world_size - 1, got rank={rank} of world_size={world_size}"
        raise ValueError(msg)
    before = dataset._distributed
    if before is not None:
        if strategy not in {"auto", before.strategy}:
            msg = f"Cannot change the strategy of a stream that is split by node already: it is {before.strategy!r}, the new one {strategy!r}."
            raise ValueError(msg)
        strategy = before.strategy
        rank = world_size * before.rank + rank
        world_size = world_size * before.world_size
    node = Node(rank, world_size, strategy)
    if strategy == "shards":
        node.of(dataset._plan)
    return dataset._with(distributed=node)
