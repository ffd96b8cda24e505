"""`push_to_hub` of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crucible_datasets.features import Features
from crucible_datasets.iterable._sources import SourcesMixin
from crucible_datasets.push import SplitShards, Target, check_sizes, checked_count, part, push, shards_of
from crucible_datasets.splits import check_split_name

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.push import CommitInfo

_ROWS = 1000


class HubMixin(SourcesMixin):
    """Uploads."""

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        split: str | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: int | str | None = None,
        num_shards: int | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> CommitInfo:
        """Uploads the rows as `Dataset.push_to_hub` does, while they are read: a shard at a time is held.

        A shard of the stream becomes a file, unless `num_shards` or `max_shard_size` says otherwise: fewer files have
        whole shards in their order, of more files each has every so-many-th row of a shard. Features that are not known
        are those of the first rows.

        Args:
            repo_id: as `Dataset.push_to_hub`, and so are all others but these.
            config_name: the config (subset).
            set_default: whether it becomes the default config.
            split: the split; that of the stream when absent, else "train".
            data_dir: the folder of the files.
            commit_message: the first line of the commit's message.
            commit_description: the rest of it.
            private: whether a new repository is private.
            token: a token; the stored one when absent.
            revision: the branch.
            create_pr: whether to open a pull request instead.
            max_shard_size: size of a file at most as Arrow data. All rows are read once before to know how much they are.
            num_shards: number of files; the number of shards when absent.
            embed_external_files: whether images and the like that are stored by path are uploaded with their bytes.
            num_proc: the least number of files with `max_shard_size`; threads do the work.

        Returns:
            The commit.

        Raises:
            ValueError: as `Dataset.push_to_hub`.
            UnsupportedError: a bucket.
            HfHubHTTPError: and its subclasses, of `hfhub`: no right to write, for example.
            OSError: a file cannot be read or written.
        """
        check_sizes(max_shard_size, num_shards)
        target = Target(
            repo_id,
            config_name,
            set_default,
            data_dir,
            commit_message,
            commit_description,
            private,
            token,
            revision,
            create_pr,
            embed_external_files,
        )
        name = check_split_name(str(self.split or "train") if split is None else str(split))
        shards = self._resolve_features()._split_shards(name, max_shard_size, num_shards, num_proc)
        return push([shards], target, whole=False)

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
