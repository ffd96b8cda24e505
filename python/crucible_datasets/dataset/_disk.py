"""`save_to_disk` and `load_from_disk`: the official library's folder, both ways."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from _crucible._native import Counter, Table
from _crucible._settings import settings
from crucible_datasets.dataset._edit import EditMixin
from crucible_datasets.dataset._folders import fetched, is_address, local_folder, uploaded
from crucible_datasets.dataset._home import Home
from crucible_datasets.features import Feature, Features, LargeList, List, require_storage_embed
from crucible_datasets.fingerprint import generate_random_fingerprint
from crucible_datasets.info import DatasetInfo
from crucible_datasets.utils import progress

STATE = "state.json"
INFO = "dataset_info.json"
DICT = "dataset_dict.json"
_SHARD_BYTES = "500MB"
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_EMBED_ROWS = 100
_HASHED = 4 << 20


class DiskMixin(EditMixin):
    """Folders of Arrow files."""

    def save_to_disk(
        self,
        dataset_path: str | os.PathLike[str],
        max_shard_size: str | int | None = None,
        num_shards: int | None = None,
        num_proc: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes a folder that `load_from_disk` reads, here and in `datasets`.

        Args:
            dataset_path: the folder, made where it is missing; or an address that fsspec knows (`s3://…`, `memory://…`):
                files are written to a temporary folder of this machine first.
            max_shard_size: bytes of a file at most ("500MB" when absent).
            num_shards: number of files instead.
            num_proc: number of files at the least.
            storage_options: options of the file system of an address.

        Raises:
            ImportError: an address, and fsspec is not installed.
            ValueError: both `max_shard_size` and `num_shards`.
            IndexError: more files than rows.
            PermissionError: the folder is the one that the dataset is mapped from.
            TypeError: format options that JSON cannot hold.
            DataIOError: a file cannot be written.
        """
        if max_shard_size is not None and num_shards is not None:
            msg = "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not both."
            raise ValueError(msg)
        if is_address(dataset_path):
            with uploaded(dataset_path, storage_options) as made:
                self.save_to_disk(made, max_shard_size, num_shards, num_proc)
            return
        folder = local_folder(dataset_path, storage_options)
        rows = len(self)
        if num_shards is None:
            share = rows / max(self._table_rows(), 1)
            size = _bytes_of(max_shard_size or _SHARD_BYTES)
            num_shards = max(int(self.nbytes * share / size) + 1, num_proc or 1)
            num_shards = max(1, min(rows, num_shards))
        elif num_shards > max(rows, 1):
            msg = f"{num_shards} files are more than {rows} rows"
            raise IndexError(msg)
        if any(Path(file["filename"]).resolve().parent == folder for file in self.cache_files):
            msg = f"Tried to overwrite {folder} but a dataset can't overwrite itself."
            raise PermissionError(msg)
        state = self._state()
        json.dumps(state)  # before anything is written: what JSON cannot hold is a TypeError
        folder.mkdir(parents=True, exist_ok=True)
        text = self._features.to_text()
        names = [f"data-{shard:05d}-of-{num_shards:05d}.arrow" for shard in range(num_shards)]
        with progress(f"Saving the dataset (0/{num_shards} shards)", rows) as meter:
            for shard, name in enumerate(names):
                part = self.shard(num_shards, shard) if num_shards > 1 else self
                table = _embedded(part._table.with_features(text), self._features)
                meter.live = counter = Counter()
                table.write_stream(folder / name, counter)
                meter.desc = f"Saving the dataset ({shard + 1}/{num_shards} shards)"
                meter.reached(meter.done + len(part))
        state["_data_files"] = [{"filename": name} for name in names]
        info = self.info.copy()
        info.features = self.features
        described = info.to_dict()
        (folder / STATE).write_text(json.dumps(state, indent=2, sort_keys=True), encoding="utf-8")
        ordered = {key: described[key] for key in sorted(described)}
        (folder / INFO).write_text(json.dumps(ordered, indent=2), encoding="utf-8")

    def _state(self) -> dict[str, Any]:
        shown = self._format
        return {
            # That of large data in memory would take as long as writing it.
            "_fingerprint": self._fingerprint if self._is_told_soon() else generate_random_fingerprint(),
            "_format_columns": None if shown.columns is None else list(shown.columns),
            "_format_kwargs": dict(shown.kwargs),
            "_format_type": shown.type,
            "_output_all_columns": shown.output_all,
            "_split": None if self.split is None else str(self.split),
        }

    def _is_told_soon(self) -> bool:
        return self._given is not None or self.nbytes <= _HASHED or bool(self._table.files())

    def _table_rows(self) -> int:
        return self._table.total_rows

    @classmethod
    def load_from_disk(
        cls,
        dataset_path: str | os.PathLike[str],
        keep_in_memory: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """The dataset of a folder that `save_to_disk` wrote, here or in `datasets`.

        Args:
            dataset_path: the folder, or an address that fsspec knows: its files are copied to the cache for the time of
                this process.
            keep_in_memory: whether to copy the data into memory; else the files are mapped.
            storage_options: options of the file system of an address.

        Raises:
            FileNotFoundError: no such folder, or one of another kind.
            DecodeError: a broken file.
        """
        folder = fetched(dataset_path, storage_options)
        if not (folder / STATE).is_file() or not (folder / INFO).is_file():
            hint = (
                f" It looks like a DatasetDict folder: use DatasetDict.load_from_disk('{folder}')."
                if (folder / DICT).is_file()
                else ""
            )
            msg = f"No such file: '{folder / STATE}' or '{folder / INFO}'. Expected to load a Dataset object.{hint}"
            raise FileNotFoundError(msg)
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        info = DatasetInfo.from_directory(folder)
        files = [folder / Path(file["filename"]).name for file in state["_data_files"]]
        tables = [Table.open_stream(file) for file in files]
        table = Table.concat(tables) if tables else Table.from_columns({})
        if keep_in_memory:
            table = Table.from_ipc(table.to_ipc())
        features = info.features if info.features is not None else Features.from_text(table.features)
        made = cls(table, Features({name: features[name] for name in table.column_names}), state.get("_split"))
        made._of(info)
        if not keep_in_memory:
            made._home = Home(settings().datasets_cache, table)
        kind, columns = state.get("_format_type"), state.get("_format_columns")
        if kind is not None or columns is not None:
            made.set_format(
                kind, columns, bool(state.get("_output_all_columns")), **(state.get("_format_kwargs") or {})
            )
        return made


def _bytes_of(size: str | int) -> int:
    if isinstance(size, int):
        return max(1, size)
    text = size.strip().upper()
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text:
            try:
                return max(1, int(float(number) * _UNITS[unit]))
            except ValueError:
                break
    msg = f"size={size!r} is not in a valid format. Use an integer followed by the unit, e.g. '500MB'."
    raise ValueError(msg)


def _embedded(table: Table, features: Features) -> Table:
    """The table with the files that images and the like point to stored as bytes, under their base names."""
    names = [name for name, feature in features.items() if require_storage_embed(feature)]
    if not names or not table.num_rows:
        return table
    others = [name for name in features if name not in names]
    parts = []
    for start in range(0, table.num_rows, _EMBED_ROWS):
        part = table.slice(start, min(start + _EMBED_ROWS, table.num_rows))
        pieces = [part.select_columns(others)] if others else []
        for name in names:
            stored = part.column(name, 0, part.num_rows)
            values = [_embed(value, features[name]) for value in stored]
            if all(new is old for new, old in zip(values, stored, strict=True)):
                pieces.append(part.select_columns([name]))
                continue
            text = Features({name: features[name]}).to_text()
            pieces.append(Table.from_columns({name: values}, text))
        parts.append(Table.side_by_side(pieces).select_columns(list(features)).with_features(features.to_text()))
    return Table.concat(parts)


def _embed(value: Any, feature: Feature) -> Any:
    """The stored value with bytes in place of a path; the same object if there is nothing to do."""
    if value is None:
        return None
    if not isinstance(feature, dict | List | LargeList) and require_storage_embed(feature):
        path = value.get("path")
        if value.get("bytes") is not None or path is None or not Path(path).is_file():
            return value
        return {"bytes": Path(path).read_bytes(), "path": Path(path).name}
    if isinstance(feature, dict):
        fields = {name: _embed(inner, feature[name]) for name, inner in value.items()}
        return value if all(fields[name] is value[name] for name in fields) else fields
    if isinstance(feature, List | LargeList):
        items = [_embed(item, feature.feature) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value
