"""What a dataset holds: configs, splits, and its files as Parquet."""

from __future__ import annotations

import fnmatch
import functools
from dataclasses import dataclass
from typing import Any

from _crucible.errors import EntryNotFoundError, RevisionNotFoundError
from hfhub.api._card import front_matter
from hfhub.api._files import RepoFile
from hfhub.api._metadata import MetadataPart
from hfhub.api._splits import (
    DEFAULT,
    card_configs,
    card_splits,
    config_entries,
    default_config,
    files_by_split,
)
from hfhub.api._tree import TreePart

PARQUET_REVISION = "refs/convert/parquet"


@dataclass(frozen=True)
class DatasetParquetEntry:
    """A Parquet file of a dataset, with the official attribute names.

    Attributes:
        config: the config it belongs to.
        split: the split it belongs to.
        url: where it can be fetched.
        size: bytes.
    """

    config: str
    split: str
    url: str
    size: int


@dataclass(frozen=True)
class DatasetParquetFile(DatasetParquetEntry):
    """A Parquet file of a dataset.

    Attributes:
        path: path in the repository.
        revision: the revision that holds it.
        partial: whether the conversion stopped before the end of the split (it does at 5 GB).
    """

    path: str
    revision: str
    partial: bool


class DatasetPart(TreePart, MetadataPart):
    """Questions about datasets."""

    def _card(self, repo_id: str, revision: str | None, token: str | bool | None) -> dict[str, Any]:
        try:
            text = self._client(token).read_text("dataset", repo_id, "README.md", revision)
        except EntryNotFoundError:
            return {}
        return front_matter(text)[0] if text else {}

    def _converted(
        self, repo_id: str, config: str | None, split: str | None, token: str | bool | None
    ) -> list[DatasetParquetFile]:
        """Files of the converted branch: `{config}/{split}/{n}.parquet`; a split may start with `partial-`."""
        files: list[DatasetParquetFile] = []
        try:
            entries = list(
                self.list_repo_tree(
                    repo_id, recursive=True, revision=PARQUET_REVISION, repo_type="dataset", token=token
                )
            )
        except RevisionNotFoundError:
            return files
        for entry in entries:
            parts = entry.path.split("/")
            if not isinstance(entry, RepoFile) or len(parts) != 3 or not parts[2].endswith(".parquet"):
                continue
            name = parts[1].removeprefix("partial-")
            if config in (None, parts[0]) and split in (None, name):
                url = self.hf_hub_url(repo_id, entry.path, repo_type="dataset", revision=PARQUET_REVISION)
                partial = name != parts[1]
                files.append(DatasetParquetFile(parts[0], name, url, entry.size, entry.path, PARQUET_REVISION, partial))
        return files

    def dataset_configs(
        self, repo_id: str, *, revision: str | None = None, token: str | bool | None = None
    ) -> list[str]:
        """The configs of a dataset: those its card names, else those that were converted to Parquet, else `default`.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
            ValueError: the card cannot be read.
        """
        card = self._card(repo_id, revision, token)
        named = card_configs(card)
        if named:
            return named
        converted = [file.config for file in self._converted(repo_id, None, None, token)]
        if converted:
            return list(dict.fromkeys(converted))
        files = self.list_repo_files(repo_id, revision=revision, repo_type="dataset", token=token)
        return [DEFAULT] if files_by_split(files) else []

    def dataset_splits(
        self,
        repo_id: str,
        config: str | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> list[str]:
        """The splits of a config: those its card names, else those the names of the files tell, else the converted.

        Args:
            repo_id: `namespace/name`.
            config: the config; the default one when absent.
            revision: branch, tag or commit; `main` when absent.
            token: overrides the token of this object.

        Raises:
            ValueError: no such config, or none was given and the dataset has several without a default.
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        card = self._card(repo_id, revision, token)
        configs = card_configs(card)
        if configs:
            name = _chosen(repo_id, config, configs, card)
            named = card_splits(card, name)
            if named:
                return named
        elif config not in (None, DEFAULT):
            found = [file.split for file in self._converted(repo_id, config, None, token)]
            if not found:
                msg = f"dataset {repo_id} has no config {config!r}: its card names none, and none was converted"
                raise ValueError(msg)
            return list(dict.fromkeys(found))
        else:
            name = DEFAULT
        files = self.list_repo_files(repo_id, revision=revision, repo_type="dataset", token=token)
        folder = config_entries(card).get(name, {}).get("data_dir")
        if folder:
            prefix = f"{str(folder).strip('/')}/"
            files = [path.removeprefix(prefix) for path in files if path.startswith(prefix)]
        return list(files_by_split(files))

    def parquet_files(
        self,
        repo_id: str,
        config: str | None = None,
        split: str | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> list[DatasetParquetFile]:
        """The Parquet files of a dataset.

        Those of the branch that the Hub converts every dataset to (`refs/convert/parquet`); where there is none, or a
        revision is asked for, the dataset's own Parquet files, by the splits and configs that its card and their names
        tell.

        Args:
            repo_id: `namespace/name`.
            config: only files of this config.
            split: only files of this split.
            revision: branch, tag or commit whose own files are wanted.
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        if revision is None:
            converted = self._converted(repo_id, None, None, token)
            if converted:
                return [f for f in converted if config in (None, f.config) and split in (None, f.split)]
        card = self._card(repo_id, revision, token)
        tree = self.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type="dataset", token=token)
        sizes = {e.path: e.size for e in tree if isinstance(e, RepoFile) and e.path.endswith(".parquet")}
        at = revision or "main"
        return [
            DatasetParquetFile(
                name,
                part,
                self.hf_hub_url(repo_id, path, repo_type="dataset", revision=revision),
                sizes[path],
                path,
                at,
                False,
            )
            for name, splits in _own_files(card, list(sizes)).items()
            if config in (None, name)
            for part, paths in splits.items()
            if split in (None, part)
            for path in paths
        ]

    def list_dataset_parquet_files(
        self, repo_id: str, *, config: str | None = None, token: str | bool | None = None
    ) -> list[DatasetParquetEntry]:
        """The converted Parquet files of a dataset, read from `refs/convert/parquet`: works on mirrors too.

        Args:
            repo_id: `namespace/name`.
            config: only files of this config.
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        files = self._converted(repo_id, config, None, token)
        return [DatasetParquetEntry(file.config, file.split, file.url, file.size) for file in files]


def _chosen(repo_id: str, config: str | None, configs: list[str], card: dict[str, Any]) -> str:
    name = default_config(configs, card) if config is None else config
    if name is None or name not in configs:
        what = "several configs: name one" if name is None else f"no config {name!r}"
        msg = f"dataset {repo_id} has {what} of {configs}"
        raise ValueError(msg)
    return name


def _own_files(card: dict[str, Any], paths: list[str]) -> dict[str, dict[str, list[str]]]:
    """A dataset's own files by config and split."""
    configs = config_entries(card)
    if not configs:
        return {DEFAULT: files_by_split(paths)}
    found: dict[str, dict[str, list[str]]] = {}
    for name, entry in configs.items():
        prefix = f"{str(entry['data_dir']).strip('/')}/" if entry.get("data_dir") else ""
        inside = [path for path in paths if path.startswith(prefix)]
        files = entry.get("data_files")
        if not files:
            splits = files_by_split([path.removeprefix(prefix) for path in inside])
            found[name] = {split: [prefix + path for path in listed] for split, listed in splits.items()}
            continue
        patterns: dict[str, list[str]] = {}
        items = files.items() if isinstance(files, dict) else [_pair(item) for item in _listed(files)]
        for split, path in items:
            patterns.setdefault(str(split), []).extend(prefix + str(one).removeprefix("./") for one in _listed(path))
        found[name] = {
            split: [path for path in inside if any(_matches(path, pattern) for pattern in wanted)]
            for split, wanted in patterns.items()
        }
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _pair(item: Any) -> tuple[str, Any]:
    if isinstance(item, dict):
        return str(item.get("split", "train")), item.get("path", [])
    return "train", item


def _matches(path: str, pattern: str) -> bool:
    """A glob whose `*` stays in a folder and whose `**` does not."""
    parts, wanted = path.split("/"), pattern.split("/")

    @functools.cache  # a stranger's pattern of many `**` would be tried in all ways
    def fits(i: int, j: int) -> bool:
        if j == len(wanted):
            return i == len(parts)
        if wanted[j] == "**":
            return any(fits(k, j + 1) for k in range(i, len(parts) + 1)) or j + 1 == len(wanted)
        return i < len(parts) and fnmatch.fnmatchcase(parts[i], wanted[j]) and fits(i + 1, j + 1)

    return fits(0, 0)
