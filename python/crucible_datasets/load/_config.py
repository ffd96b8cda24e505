"""`BuilderConfig`: one config, resolved to files, a format and its options."""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from crucible_datasets.errors import DataFilesNotFoundError, EmptyDatasetError, NoDataError
from crucible_datasets.features import Features
from crucible_datasets.info import Version
from crucible_datasets.io import StorePlace, members
from crucible_datasets.load._card import Config
from crucible_datasets.load._data_files import DataFile, DataFiles, Finder, Splits, local_files, split_patterns
from crucible_datasets.load._extensions import has_known_suffix
from crucible_datasets.load._formats import Format, reader_of
from crucible_datasets.load._inference import belongs, format_of
from crucible_datasets.load._patterns import discover, has_magic

_READABLE = 32
logger = logging.getLogger(__name__)


class BuilderConfig:
    """One config of a dataset. Options of its format are attributes (`config.sep`).

    Attributes:
        name: its name.
        version: its version.
        data_dir: folder that was asked for, or that the card names.
        data_files: full paths or addresses by split.
        description: what the card says of it.
        features: types that the config imposes.
    """

    def __init__(
        self,
        name: str,
        files: Splits,
        format: Format,
        options: dict[str, Any],
        given: Config,
        data_dir: str | None,
        features: Features | None,
    ) -> None:
        self.name = name
        self.version = Version(given.version)
        self.data_dir = data_dir
        self.description = given.description
        self.features = features
        self._files = files
        self._format = format
        self._options = options

    @property
    def data_files(self) -> dict[str, list[str]]:
        """Full paths or addresses by split."""
        return {split: [file.shown for file in files] for split, files in self._files.items()}

    @property
    def format(self) -> str:
        """The format's name."""
        return self._format.name

    @property
    def options(self) -> dict[str, Any]:
        """Options that differ from the format's own."""
        return dict(self._options)

    def files_of(self, split: str) -> list[DataFile]:
        """The files of a split."""
        return self._files[split]

    def __getattr__(self, name: str) -> Any:
        """An option of the format.

        Raises:
            AttributeError: the format has no such option.
        """
        if not name.startswith("_"):
            for source in (self._options, self._format.options, self._format.refused):
                if name in source:
                    return source[name]
        msg = f"BuilderConfig of format {self.__dict__.get('_format', Format('')).name!r} has no option {name!r}"
        raise AttributeError(msg)

    def __repr__(self) -> str:
        facts = {"name": self.name, "version": str(self.version), "data_dir": self.data_dir, **self._options}
        shown = ", ".join(f"{key}={value!r}" for key, value in facts.items())
        return f"BuilderConfig({shown}, data_files={ {s: len(f) for s, f in self._files.items()} } files)"


def config_id(name: str, given: Mapping[str, Any]) -> str:
    """A name of a config and of what was asked for beside it."""
    told = {key: value for key, value in sorted(given.items()) if value is not None}
    if not told:
        return name
    if all(isinstance(value, (str, bool, int, float)) for value in told.values()):
        suffix = ",".join(f"{key}={quote_plus(str(value))}" for key, value in told.items())
        if len(suffix) <= _READABLE:
            return f"{name}-{suffix}"
    return f"{name}-{hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:16]}"


def packaged(
    format: Format,
    name: str | None,
    data_files: DataFiles,
    finder: Finder,
    given: dict[str, Any],
    features: Features | None,
) -> BuilderConfig:
    """The config of `load_dataset("csv", …)`.

    Raises:
        FileNotFoundError: a path without wildcards that is not there.
        NoDataError: a split without files.
        EmptyDatasetError: no `data_files`, and the folder has no files.
    """
    if data_files is not None:
        splits = finder.splits(split_patterns(data_files), known_only=False)
    else:
        inside = finder.inside()
        named = given.get("metadata_filenames") or ()
        mine = [path for path in inside if belongs(path, format.name) or posixpath.basename(path) in named]
        splits = _found(discover(mine or inside), finder)
        if not splits:
            msg = f"The directory at {finder.place.name} doesn't contain any data files"
            raise EmptyDatasetError(msg)
    empty = [split for split, files in splits.items() if not files]
    if empty:
        msg = f"No data files for split(s) {empty} of format {format.name!r} in {finder.place.name}"
        raise NoDataError(msg)
    options = {**_implied(splits, format.name), **given}
    data_dir = None if finder.place.name == "." else finder.place.name
    return BuilderConfig(name or "default", splits, format, format.checked(options), Config(""), data_dir, features)


def _implied(splits: Splits, format: str) -> dict[str, Any]:
    """Options that the suffixes of all files imply (`.tsv`: tabs)."""
    by_suffix = {split: [file.path for file in files] for split, files in splits.items()}
    try:
        found, options = format_of(by_suffix, "", lambda _: [])
    except (ValueError, DataFilesNotFoundError):
        return {}
    return options if found == format else {}


def _found(splits: Mapping[str, list[str]], finder: Finder) -> Splits:
    return {split: [finder.file(path) for path in paths] for split, paths in splits.items()}


def of_place(
    chosen: Config,
    finder: Finder,
    data_dir: str | None,
    data_files: DataFiles,
    given: dict[str, Any],
    features: Features | None,
    store: StorePlace,
) -> BuilderConfig:
    """The config of a folder or repository.

    Args:
        chosen: what the card says of it.
        finder: of the place's root.
        data_dir: as in `load_dataset`; it takes the place of the card's.
        data_files: the same.
        given: options of the format by name.
        features: types to cast to.
        store: where archives that must be looked into are kept.

    Raises:
        EmptyDatasetError, DataFilesNotFoundError: nothing to read.
        FileNotFoundError: a path without wildcards that is not there.
        ValueError: splits of several formats, or an option that the format does not have.
    """
    splits, keep_all = _splits(chosen, finder, data_dir, data_files)
    shown: dict[str, DataFile] = {file.path: file for files in splits.values() for file in files}

    def inside(path: str) -> list[str]:
        return members(local_files([shown[path]], store)[0].path)

    paths = {split: [file.path for file in files] for split, files in splits.items()}
    name, implied = format_of(paths, finder.place.name, inside)
    format = reader_of(name)
    if data_files is not None:
        # As in `datasets`: what was named is read, whatever its suffix; only the known suffixes tell the format.
        splits = finder.splits(split_patterns(data_files), known_only=False)
    elif not keep_all:
        splits = {split: [f for f in files if belongs(f.path, name)] for split, files in splits.items()}
    from_card = {key: value for key, value in chosen.options.items() if format.has(key)}
    if ignored := sorted(set(chosen.options) - set(from_card)):
        logger.warning(
            "Some datasets params were ignored: %s. Make sure to use only valid params for the dataset builder.",
            ignored,
        )
    told = {key: value for key, value in given.items() if value is not None}
    options = {**format.checked({**implied, **from_card}), **format.checked(told)}
    imposed = features if features is not None else chosen.features
    return BuilderConfig(chosen.name, splits, format, options, chosen, data_dir or chosen.data_dir, imposed)


def _splits(chosen: Config, finder: Finder, data_dir: str | None, data_files: DataFiles) -> tuple[Splits, bool]:
    """The files, and whether all are kept even if their suffixes tell another format (they were named one by one)."""
    if data_files is not None:
        return finder.splits(split_patterns(data_files), known_only=True), True
    if data_dir is None and chosen.data_files is not None:
        splits = finder.splits(chosen.data_files, known_only=True)
        return splits, not any(has_magic(p) for patterns in chosen.data_files.values() for p in patterns)
    found = discover(finder.inside())
    if not found:
        where = posixpath.join(finder.place.name, finder.folder)
        which = "" if chosen.name == "default" else f" for config '{chosen.name}'"
        msg = f"The directory at {where} doesn't contain any data files{which}"
        raise EmptyDatasetError(msg)
    known = {split: [path for path in paths if has_known_suffix(path)] for split, paths in found.items()}
    return _found(known, finder), False
