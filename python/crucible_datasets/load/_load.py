"""`load_dataset`: arguments, discovery, and the walk from files to datasets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _crucible._native import Table
from _crucible.errors import DataError
from crucible_datasets.dataset import Dataset, DatasetDict
from crucible_datasets.errors import DataFilesNotFoundError, DatasetGenerationError, EmptyDatasetError, UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.io import read_table
from crucible_datasets.iterable import IterableDataset, IterableDatasetDict
from crucible_datasets.load._card import Config, configs_of, default_of, front_matter, split_patterns
from crucible_datasets.load._formats import READ, format_of, of_format, reader_options, with_known_suffix
from crucible_datasets.load._patterns import discover, matching
from crucible_datasets.load._place import Folder, Place, Repository
from crucible_datasets.load._split_spec import Part, expanded, parse

_PACKAGED = {"imagefolder", "audiofolder", "webdataset", "pandas", "xml"}
STREAMED = ("parquet", "json")
DataFiles = str | list[Any] | dict[str, Any] | None


@dataclass
class Plan:
    """What to read: files by split, their format, and the types that they are cast to."""

    place: Place
    splits: dict[str, list[str]]
    format: str
    features: Features | None
    options: dict[str, Any] = field(default_factory=dict)


def _place_of(path: str, revision: str | None, token: str | bool | None) -> Place:
    if path.endswith(".py") or Path(path, f"{Path(path).name}.py").is_file():
        msg = f"Dataset scripts are no longer supported, but found {path}. Load its Parquet files instead, for example with revision='refs/convert/parquet'."
        raise RuntimeError(msg)
    if Path(path).is_dir():
        return Folder(Path(path))
    path = path.removeprefix("hf://datasets/")
    if Path(path).is_absolute() or path.count("/") > 1:
        msg = f"Couldn't find any data at {path}: neither a folder nor a dataset id ('namespace/name')"
        raise FileNotFoundError(msg)
    return Repository(path, revision, token)


def _config(configs: list[Config], name: str | None, place: Place, given_files: bool) -> Config:
    """The config asked for.

    Raises:
        ValueError: an unknown one, or several and none asked for; with those that there are.
    """
    names = [config.name for config in configs]
    if name is not None:
        for config in configs:
            if config.name == name:
                return config
        msg = f"BuilderConfig '{name}' not found. Available: {names}"
        raise ValueError(msg)
    found = default_of(configs)
    if found is not None:
        return found
    if given_files:
        return Config("default")
    msg = f"Config name is missing. Please pick one among the available configs: {names}\nExample of usage:\n\t`load_dataset('{place.name}', '{names[0]}')`"
    raise ValueError(msg)


def _resolve(patterns: dict[str, list[str]], paths: list[str], place: Place) -> dict[str, list[str]]:
    """Files by split.

    Raises:
        FileNotFoundError: a literal path that is not there.
    """
    splits: dict[str, list[str]] = {}
    for split, listed in patterns.items():
        files: list[str] = []
        for pattern in listed:
            found = matching(pattern, paths)
            outside = isinstance(place, Folder) and Path(pattern).is_absolute() and Path(pattern).is_file()
            if not found and outside:
                found = [pattern]
            if not found and not any(char in pattern for char in "*?["):
                msg = f"Unable to find '{pattern}' in {place.name}"
                raise FileNotFoundError(msg)
            files += found
        if files:
            splits[split] = files
    return splits


def _plan(
    place: Place, name: str | None, data_dir: str | None, data_files: DataFiles, features: Features | None
) -> Plan:
    """Decides what to read.

    Raises:
        EmptyDatasetError, DataFilesNotFoundError: nothing to read; and as `_config`, `_resolve`, `format_of`.
    """
    card = front_matter(place.card())
    chosen = _config(configs_of(card), name, place, data_files is not None)
    paths = place.paths()
    folder = data_dir or (chosen.data_dir if data_files is None else None)
    prefix = f"{folder.strip('/')}/" if folder and folder not in (".", "./") else ""
    inside = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    patterns = split_patterns(data_files) if data_files is not None else None if data_dir else chosen.data_files
    if patterns is None:
        splits = discover(inside)
        if not splits:
            msg = f"The directory {place.name}{'/' + prefix if prefix else ''} doesn't contain any data files"
            raise EmptyDatasetError(msg)
    else:
        splits = _resolve(patterns, inside, place)
    known = {split: kept for split, files in splits.items() if (kept := with_known_suffix(files))}
    if not known:
        msg = f"No (supported) data files found in {place.name}; formats that are read: {READ}"
        raise DataFilesNotFoundError(msg)
    format = format_of(known)
    chosen_files = {split: [prefix + path for path in of_format(files, format)] for split, files in known.items()}
    imposed = chosen.features if data_files is None and data_dir is None else None
    return Plan(place, chosen_files, format, features if features is not None else imposed)


def _local_matches(pattern: str, base: Path) -> list[str]:
    """Local files that a pattern names, relative to `base` or absolute.

    Raises:
        FileNotFoundError: a literal path that is not there.
    """
    parts = Path(pattern).parts
    wild = next((i for i, part in enumerate(parts) if any(char in part for char in "*?[")), None)
    if wild is None:
        if not (base / pattern).is_file():
            msg = f"Unable to find '{base / pattern}'"
            raise FileNotFoundError(msg)
        return [pattern]
    root = Path(*parts[:wild])
    found = matching("/".join(parts[wild:]), Folder(base / root).paths())
    return [str(root / path) for path in found]


def _packaged(format: str, data_files: DataFiles, data_dir: str | None, features: Features | None) -> Plan:
    place = Folder(Path(data_dir or "."))
    if data_files is None:
        splits = discover(of_format(place.paths(), format))
    else:
        listed = split_patterns(data_files).items()
        found = {
            split: [path for p in patterns for path in _local_matches(p, place.root)] for split, patterns in listed
        }
        splits = {split: files for split, files in found.items() if files}
    if not splits:
        msg = f"No data files for {format!r} found in {place.name}"
        raise DataFilesNotFoundError(msg)
    return Plan(place, splits, format, features)


def _read(plan: Plan, split: str, keep_in_memory: bool | None) -> Table:
    try:
        files = plan.place.files(plan.splits[split])
        return read_table(files, plan.format, plan.features, keep_in_memory=keep_in_memory, options=plan.options)
    except DataError as error:
        msg = f"An error occurred while generating the dataset: {error}"
        raise DatasetGenerationError(msg) from error


class _Loader:
    """Tables by split, each read once."""

    def __init__(self, plan: Plan, keep_in_memory: bool | None) -> None:
        self.plan, self.keep_in_memory = plan, keep_in_memory
        self._tables: dict[str, Table] = {}

    def table(self, split: str) -> Table:
        if split not in self._tables:
            self._tables[split] = _read(self.plan, split, self.keep_in_memory)
        return self._tables[split]

    def dataset(self, spec: str) -> Dataset:
        """The dataset of a split expression.

        Raises:
            ValueError: an expression that gives no rows.
        """
        parts = expanded(parse(spec), list(self.plan.splits))
        views = [self._view(part) for part in parts]
        if sum(view.num_rows for view in views) == 0 and any(not part.whole for part in parts):
            msg = f'Instruction "{spec}" corresponds to no data!'
            raise ValueError(msg)
        table = views[0] if len(views) == 1 else Table.concat(views)
        name = "+".join(part.name for part in parts) if spec == "all" else str(spec)
        return Dataset(table, self.plan.features, name)

    def _view(self, part: Part) -> Table:
        table = self.table(part.name)
        if part.whole:
            return table
        start, stop = part.bounds(table.num_rows)
        return table.slice(start, stop)


def _streaming(plan: Plan, split: str | None) -> IterableDataset | IterableDatasetDict:
    if plan.format not in STREAMED:
        msg = f"Files of format {plan.format!r} are not streamed yet; the formats are {STREAMED}. Load them without streaming."
        raise UnsupportedError(msg)

    def stream(names: list[str], shown: str) -> IterableDataset:
        files = [origin for name in names for origin in plan.place.origins(plan.splits[name])]
        return IterableDataset(files, plan.format, plan.features, shown)

    if split is None:
        return IterableDatasetDict({name: stream([name], name) for name in plan.splits})
    parts = expanded(parse(split), list(plan.splits))
    if any(not part.whole for part in parts):
        msg = f"Bad split: {split}. Available splits: {list(plan.splits)}. Slices are not possible with streaming=True; use take and skip."
        raise ValueError(msg)
    return stream([part.name for part in parts], split)


def load_dataset(
    path: str,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles = None,
    split: str | Sequence[str] | None = None,
    features: Features | None = None,
    keep_in_memory: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    streaming: bool = False,
    **config_kwargs: Any,
) -> Any:
    """Loads a dataset of the hub, of a folder, or of files.

    Args:
        path: a dataset id (`openai/gsm8k`), a folder, or the name of a format ("parquet", "json", "csv", "text", "arrow") for `data_files`.
        name: config; needed when the card names several and no default.
        data_dir: folder inside the repository or folder.
        data_files: a path or glob, a list of them, or a dict of them by split.
        split: `train`, `train[:10%]`, `train+test`, `all`, or a list of such; all splits when absent.
        features: types to cast to, in place of the card's.
        keep_in_memory: True keeps tables on the heap, False always maps them from a file; None goes by size.
        revision: branch, tag or commit.
        token: a token, True for the stored one, False for none.
        streaming: whether to read while iterating instead of loading.
        config_kwargs: options of the format: `sample_by` ("line", "paragraph", "document") and `keep_linebreaks` for
            text; for CSV those of pandas' `read_csv` (`sep`, `header`, `names`, `na_values`, `quotechar`…).

    Returns:
        A `Dataset`, a list of them for a list of splits, a `DatasetDict` without `split`; with `streaming` an
        `IterableDataset` or `IterableDatasetDict`.

    Raises:
        DatasetNotFoundError: no such dataset or revision, or no right to see it.
        EmptyDatasetError, DataFilesNotFoundError: nothing to read.
        ValueError: an unknown config or split (the text names those that there are).
        DatasetGenerationError: a file that cannot be read; the cause says where.
        DatasetUnreachableError: the hub cannot be reached (a ConnectionError), and the cache does not have it.
    """
    path = os.fspath(path)
    if path in READ:
        plan = _packaged(path, data_files, data_dir, features)
    elif path in _PACKAGED and not Path(path).is_dir():
        msg = f"Format {path!r} is not read yet; the formats are {READ}."
        raise UnsupportedError(msg)
    else:
        plan = _plan(_place_of(path, revision, token), name, data_dir, data_files, features)
    paths = [path for files in plan.splits.values() for path in files]
    plan.options = reader_options(plan.format, config_kwargs, paths)
    if streaming:
        if split is not None and not isinstance(split, str):
            msg = f"Bad split: {split}. A list of splits is not possible with streaming=True."
            raise ValueError(msg)
        return _streaming(plan, split)
    loader = _Loader(plan, keep_in_memory)
    if split is None:
        return DatasetDict({found: Dataset(loader.table(found), plan.features, found) for found in plan.splits})
    if isinstance(split, str):
        return loader.dataset(split)
    return [loader.dataset(item) for item in split]


def get_dataset_config_names(path: str, revision: str | None = None, token: str | bool | None = None) -> list[str]:
    """Names of the configs, in the card's order; `["default"]` without a card.

    Raises:
        DatasetNotFoundError: no such dataset or revision.
    """
    return [config.name for config in configs_of(front_matter(_place_of(path, revision, token).card()))]


def get_dataset_split_names(
    path: str, config_name: str | None = None, revision: str | None = None, token: str | bool | None = None
) -> list[str]:
    """Names of the splits of a config; errors as `load_dataset`."""
    return list(_plan(_place_of(path, revision, token), config_name, None, None, None).splits)
