"""How the rows of a dataset are cut for `push_to_hub`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crucible_datasets.dataset._write import WriteMixin
from crucible_datasets.io._embed import outside_bytes
from crucible_datasets.push import PushMixin, SplitShards, checked_count, shards_of

if TYPE_CHECKING:
    from _crucible._native import Table


class HubMixin(WriteMixin, PushMixin):
    """Uploads."""

    def _split_shards(
        self, name: str, max_shard_size: int | str | None, num_shards: int | None, num_proc: int | None
    ) -> SplitShards:
        """The rows as they are uploaded."""
        rows = len(self)
        size = self.nbytes * rows // max(self._table.total_rows, 1) + outside_bytes(self._table, self._features)
        if num_shards is None:
            count = max(1, min(rows, shards_of(size, max_shard_size, num_proc)))
        else:
            count = checked_count(num_shards, rows)

        def tables() -> Iterator[Table]:
            for index in range(count):
                yield self.shard(count, index, contiguous=True)._table if count > 1 else self._table

        return SplitShards(name, self._features, count, tables(), size)
