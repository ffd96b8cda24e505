"""How the rows of a stream are cut for `push_to_hub`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from crucible_datasets.features import Features
from crucible_datasets.iterable._sources import SourcesMixin
from crucible_datasets.push import PushMixin, SplitShards, checked_count, part, shards_of

if TYPE_CHECKING:
    from _crucible._native import Table

_ROWS = 1000


class HubMixin(SourcesMixin, PushMixin):
    """Uploads."""

    def _ready(self) -> Self:
        return self._resolve_features()

    def _split_shards(
        self, name: str, max_shard_size: int | str | None, num_shards: int | None, num_proc: int | None
    ) -> SplitShards:
        """The rows as they are uploaded, of a stream whose features are known."""
        if num_shards is not None:
            count = checked_count(num_shards)
        elif max_shard_size is None:
            count = self.num_shards
        else:
            count = shards_of(sum(table.nbytes for table in self._native_tables(_ROWS)), max_shard_size, num_proc)
        features = self.features
        tables = self._joined_shards(count) if count <= self.num_shards else self._dealt_shards(count)
        return SplitShards(name, Features() if features is None else features, count, tables)

    def _joined_shards(self, count: int) -> Iterator[Table]:
        """Whole shards, one or more in each."""
        for index in range(count):
            yield self._shard_table(count, index)

    def _dealt_shards(self, count: int) -> Iterator[Table]:
        """The rows of each shard dealt to several tables, one after the other."""
        shards = self.num_shards
        for index in range(shards):
            table = self._shard_table(shards, index)
            parts = len(part(count, shards, index))
            for first in range(parts):
                yield table.select(list(range(first, table.num_rows, parts)))

    def _shard_table(self, count: int, index: int) -> Table:
        chosen: Any = self if count == 1 else self.shard(count, index, contiguous=True)
        table: Table = chosen._whole()._table
        return table
