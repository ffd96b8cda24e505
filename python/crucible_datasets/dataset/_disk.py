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
from crucible_datasets.features import Features
from crucible_datasets.fingerprint import generate_random_fingerprint
from crucible_datasets.info import DatasetInfo
from crucible_datasets.io._embed import embedded
from crucible_datasets.io._sizes import SHARD_BYTES, size_in_bytes
from crucible_datasets.utils import progress

STATE = "state.json"
INFO = "dataset_info.json"
DICT = "dataset_dict.json"
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
            size = size_in_bytes(max_shard_size or SHARD_BYTES)
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
                table = embedded(part._table.with_features(text), self._features)
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
