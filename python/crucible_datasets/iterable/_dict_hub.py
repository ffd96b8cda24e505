"""`push_to_hub` of several streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_datasets.iterable._dataset import IterableDataset
from crucible_datasets.push import Target, by_split, check_same_features, check_sizes, push
from crucible_datasets.splits import check_split_name

if TYPE_CHECKING:
    from crucible_datasets.push import CommitInfo


class DictHubMixin(dict[str, IterableDataset]):
    """Uploads."""

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: int | str | None = None,
        num_shards: dict[str, int] | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> CommitInfo:
        """Uploads all splits as a config of a dataset repository, with one commit: see `IterableDataset.push_to_hub`.

        Other files in the config's folder go.

        Args:
            repo_id: as `IterableDataset.push_to_hub`, and so are all others but one.
            config_name: the config (subset).
            set_default: whether it becomes the default config.
            data_dir: the folder of the files.
            commit_message: the first line of the commit's message.
            commit_description: the rest of it.
            private: whether a new repository is private.
            token: a token; the stored one when absent.
            revision: the branch.
            create_pr: whether to open a pull request instead.
            max_shard_size: size of a file at most as Arrow data.
            num_shards: numbers of files by split instead.
            embed_external_files: whether images and the like that are stored by path are uploaded with their bytes.
            num_proc: the least number of files of a split.

        Returns:
            The commit.

        Raises:
            ValueError: splits of several features, or none; and as `IterableDataset.push_to_hub`.
            TypeError: a value that is no `IterableDataset`.
            HfHubHTTPError: and its subclasses, of `hfhub`: no right to write, for example.
            OSError: a file cannot be read or written.
        """
        counts = by_split(num_shards)
        for dataset in self.values():
            if not isinstance(dataset, IterableDataset):
                msg = f"Values in `IterableDatasetDict` should be of type `IterableDataset` but got type '{type(dataset)}'"
                raise TypeError(msg)
        known = {name: dataset._resolve_features() for name, dataset in self.items()}
        check_same_features({name: dataset.features for name, dataset in known.items()})
        check_sizes(max_shard_size, next((count for count in counts.values() if count is not None), None))
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
        shards = [
            dataset._split_shards(check_split_name(str(name)), max_shard_size, counts.get(name), num_proc)
            for name, dataset in known.items()
        ]
        return push(shards, target, whole=True)
