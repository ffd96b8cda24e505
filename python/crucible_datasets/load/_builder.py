"""`DatasetBuilder`: a config's files on their way to datasets. What `load_dataset_builder` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from _crucible._native import Table
from _crucible._settings import settings
from _crucible.errors import DataError, SchemaError
from crucible_datasets.dataset import Dataset, DatasetDict
from crucible_datasets.dataset._folders import is_address, local_folder, uploaded
from crucible_datasets.dataset._home import Home
from crucible_datasets.errors import DatasetGenerationError
from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo
from crucible_datasets.io import StorePlace, unpacked
from crucible_datasets.iterable import IterableDataset, IterableDatasetDict
from crucible_datasets.load._config import BuilderConfig
from crucible_datasets.load._data_files import file_origins, local_files
from crucible_datasets.load._export import export
from crucible_datasets.load._formats import Format
from crucible_datasets.load._jobs import ReadJob, StreamJob
from crucible_datasets.load._modes import DownloadConfig, DownloadMode, VerificationMode
from crucible_datasets.load._module import Module
from crucible_datasets.load._peek import peek_features
from crucible_datasets.load._verify import verify_names, verify_size
from crucible_datasets.splits import NamedSplit, ReadInstruction, SplitDict, SplitInfo
from crucible_datasets.utils import progress


class DatasetBuilder:
    """A config of a dataset: what is known of it, and the way to its rows. Nothing is downloaded until they are asked for.

    Made by `load_dataset_builder`.

    Attributes:
        name: the format.
        dataset_name: the dataset's name in snake case.
        config: the config, with the files of each split.
        config_id: its name, and what was asked for beside it.
        info: what the card says of it; after reading with the sizes that were found.
        repo_id: the id on the hub, None elsewhere.
        base_path: root of the files.
        hash: the commit, or a digest of the folder's path.
    """

    def __init__(
        self,
        module: Module,
        format: Format,
        config: BuilderConfig,
        config_id: str,
        info: DatasetInfo | None,
        store: StorePlace,
        *,
        force_download: bool = False,
    ) -> None:
        self.name = format.name
        self.dataset_name = module.dataset_name
        self.repo_id = module.repo_id
        self.base_path = module.base_path
        self.hash = module.hash
        self.config = config
        self.config_id = config_id
        self._options = format.reader_options(config.options)
        self._module = module
        self._format = format
        self._store = store
        self._force = force_download
        self._tables: dict[str, Table] = {}
        self._expected = None if info is None else info.splits
        self._checks = True
        self.info = info.copy() if info is not None else DatasetInfo()
        if self.info.features is None:
            self.info.features = config.features
        self.info.features = format.typed(self.info.features, self._options)
        self._imposed = self.info.features
        self.info.builder_name, self.info.dataset_name = self.name, self.dataset_name
        self.info.config_name, self.info.version = config.name, config.version

    @property
    def builder_configs(self) -> dict[str, Any]:
        """Configs of the dataset, by name."""
        return {} if self._module.packaged else dict(self._module.configs())

    @property
    def cache_dir(self) -> str:
        """The folder with the decoded tables that are too large for memory."""
        return str(self._store.folder / "crucible")

    @property
    def split_names(self) -> list[str]:
        """Names of the splits, in order."""
        return list(self.config.data_files)

    # ----------------------------------------------------------------------------------------------------- reading

    def _table(self, split: str, keep_in_memory: bool | None) -> Table:
        """The table of a split; each is read once."""
        if split not in self._tables:
            try:
                with progress(f"Generating {split} split", None) as meter:
                    self._tables[split] = table = self._like_the_first(split, keep_in_memory)
                    meter.reached(table.num_rows)
            except DataError as error:
                msg = f"An error occurred while generating the dataset: {error}"
                raise DatasetGenerationError(msg) from error
            self._note(split)
        return self._tables[split]

    def _like_the_first(self, split: str, keep_in_memory: bool | None) -> Table:
        """The table of a split, in the types of the first split that was read where nothing else says types."""
        table = self._read(split, self._imposed, keep_in_memory)
        first = next(iter(self._tables.values()), None)
        if self._imposed is not None or first is None or first.features == table.features:
            return table
        try:
            return self._read(split, Features.from_text(first.features), keep_in_memory)
        except SchemaError:
            return table  # other columns, or values that do not fit

    def _read(self, split: str, features: Features | None, keep_in_memory: bool | None) -> Table:
        files = local_files(self.config.files_of(split), self._store, force=self._force)
        if self._format.unpacks:
            files = unpacked(files, self._store)
        job = ReadJob(files, split, self.name, self._options, features, keep_in_memory, self._store)
        return self._format.read(job)

    def _note(self, split: str) -> None:
        """Takes down the size of a split that was read, and checks it."""
        table = self._tables[split]
        found = SplitInfo(split, table.nbytes, table.num_rows, dataset_name=self.dataset_name)
        if self._checks:
            verify_size(self._expected, found)
        info = self.info
        splits = {} if info.splits is None else dict(info.splits)
        splits[split] = found
        order = [name for name in self.split_names if name in splits]
        info.splits = SplitDict({name: splits[name] for name in order}, dataset_name=self.dataset_name)
        if info.features is None:
            info.features = Features.from_text(table.features)
        if set(self._tables) == set(self.split_names):
            info.dataset_size = sum(one.nbytes for one in self._tables.values())
            if info.download_size is not None:
                info.size_in_bytes = info.download_size + info.dataset_size

    def features_of_first_file(self) -> Features | None:
        """Features as the first file tells them without being read whole; None where only reading tells."""
        for split in self.split_names:
            for file in self.config.files_of(split)[:1]:
                [origin] = file_origins([file], self._store)
                return peek_features(origin, file.path, self.name)
        return None

    def _verify(self, mode: VerificationMode) -> None:
        self._checks = mode is not VerificationMode.NO_CHECKS
        if self._checks:
            verify_names(self._expected, self.split_names)

    def download_and_prepare(
        self,
        output_dir: str | None = None,
        download_config: DownloadConfig | None = None,
        download_mode: DownloadMode | str | None = None,
        verification_mode: VerificationMode | str | None = None,
        num_proc: int | None = None,  # noqa: ARG002
        storage_options: dict[str, Any] | None = None,
        file_format: str = "arrow",
        max_shard_size: int | str | None = None,
        **_others: Any,
    ) -> None:
        """Reads all splits; with `output_dir` also writes them there.

        Args:
            output_dir: a folder for `<name>-<split>.arrow` or `.parquet` files and `dataset_info.json`, or an address of one
                that fsspec knows.
            download_config: `force_download` counts.
            download_mode: what is used again; see `load_dataset`.
            verification_mode: whether the splits are checked against the card.
            num_proc: taken for compatibility, without effect.
            storage_options: options of the file system of `output_dir`.
            file_format: "arrow" or "parquet".
            max_shard_size: most bytes of Arrow data in a file ("500MB" or a number), for `output_dir`.

        Raises:
            DatasetGenerationError: a file that cannot be read; the cause says where.
            SplitsVerificationError: the splits are not what the card says.
            ValueError: another `file_format`.
            UnsupportedError: `storage_options` without an address.
        """
        if storage_options and (output_dir is None or not is_address(output_dir)):
            local_folder("" if output_dir is None else output_dir, storage_options)
        mode = DownloadMode(download_mode or DownloadMode.REUSE_DATASET_IF_EXISTS)
        self._force = mode is DownloadMode.FORCE_REDOWNLOAD or bool(download_config and download_config.force_download)
        self._store = StorePlace(self._store.cache_dir, mode is not DownloadMode.REUSE_DATASET_IF_EXISTS)
        self._verify(VerificationMode(verification_mode or VerificationMode.BASIC_CHECKS))
        tables = {split: self._table(split, None) for split in self.split_names}
        if output_dir is None:
            return
        if not is_address(output_dir):
            export(tables, self.info, output_dir, file_format, max_shard_size)
            return
        with uploaded(output_dir, storage_options) as made:
            export(tables, self.info, str(made), file_format, max_shard_size)

    # ---------------------------------------------------------------------------------------------------- datasets

    def as_dataset(
        self,
        split: Any = None,
        run_post_process: bool = True,  # noqa: ARG002
        verification_mode: VerificationMode | str | None = None,
        in_memory: bool | None = None,
    ) -> Any:
        """The rows.

        Args:
            split: a name or expression, a `ReadInstruction`, a list, tuple or dict of them; all splits when absent.
            run_post_process: taken for compatibility, without effect.
            verification_mode: whether the splits are checked against the card.
            in_memory: as `keep_in_memory` of `load_dataset`.

        Returns:
            A `Dataset`, or lists, tuples, `DatasetDict` of them in the form of `split`.

        Raises:
            ValueError: an unknown split, or an expression that gives no rows.
            DatasetGenerationError, SplitsVerificationError: as `download_and_prepare`.
        """
        if verification_mode is not None:
            self._verify(VerificationMode(verification_mode))
        if split is None:
            return DatasetDict({name: self._dataset(name, in_memory) for name in self.split_names})
        if isinstance(split, Mapping):
            return DatasetDict({name: self.as_dataset(one, in_memory=in_memory) for name, one in split.items()})
        if isinstance(split, (list, tuple)):
            return type(split)(self.as_dataset(one, in_memory=in_memory) for one in split)
        return self._dataset(split, in_memory)

    def _instruction(self, split: Any) -> tuple[ReadInstruction, str]:
        """A split as an instruction, and as text. `all` is the sum of all."""
        names = self.split_names
        if not isinstance(split, ReadInstruction) and str(split) == "all" and "all" not in names:
            split = "+".join(names)
        instruction = split if isinstance(split, ReadInstruction) else ReadInstruction.from_spec(NamedSplit(split))
        for part in instruction.parts:
            if part.splitname not in names:
                msg = f'Unknown split "{part.splitname}". Should be one of {names}.'
                raise ValueError(msg)
        return instruction, str(split)

    def _dataset(self, split: Any, in_memory: bool | None) -> Dataset:
        instruction, shown = self._instruction(split)
        wanted = {part.splitname for part in instruction.parts}
        for name in self.split_names:
            if name in wanted:
                self._table(name, in_memory)
        views = []
        for part in instruction.parts:
            table = self._table(part.splitname, in_memory)
            if not part.whole:
                rows = part.absolute(table.num_rows)
                table = table.slice(rows.from_, max(rows.from_, rows.to))
            views.append(table)
        if sum(view.num_rows for view in views) == 0 and any(not part.whole for part in instruction.parts):
            msg = f'Instruction "{shown}" corresponds to no data!'
            raise ValueError(msg)
        table = views[0] if len(views) == 1 else Table.concat(views)
        made = Dataset(table, self._imposed, NamedSplit(shown))._of(self.info)
        if in_memory is not True:
            made._home = Home(self._store.folder, self._table(instruction.parts[0].splitname, in_memory))
        return made

    def as_streaming_dataset(
        self,
        split: Any = None,
        base_path: str | None = None,  # noqa: ARG002
        *,
        cache: bool | int = False,
        verification_mode: VerificationMode | str | None = None,
    ) -> Any:
        """The rows, read while they are iterated.

        Args:
            split: a name, a sum of names, or `all`; all splits when absent.
            base_path: taken for compatibility, without effect.
            cache: whether to keep what is read, as for `load_dataset`; a number is the limit in bytes.
            verification_mode: "no_checks" does not compare the hashes of files that are read from start to end.

        Returns:
            An `IterableDataset`, or an `IterableDatasetDict`.

        Raises:
            ValueError: an unknown split, a slice, or a list.
            SampleError, DataError: the beginning of the first file cannot be read.
        """
        checked = VerificationMode(verification_mode or VerificationMode.BASIC_CHECKS) != VerificationMode.NO_CHECKS
        kept = None if cache is False else _limit(cache)
        store = replace(self._store, stream_cache=kept, stream_hashes=checked)
        if split is None:
            return IterableDatasetDict({name: self._stream([name], name, store) for name in self.split_names})
        bad = f"Bad split: {split}. Available splits: {self.split_names}"
        if isinstance(split, (list, tuple, Mapping)):
            raise ValueError(bad)
        try:
            instruction, shown = self._instruction(split)
        except ValueError as error:
            raise ValueError(bad) from error
        if any(not part.whole for part in instruction.parts):
            msg = f"{bad}. Slices are not possible with streaming=True; use take and skip."
            raise ValueError(msg)
        return self._stream([part.splitname for part in instruction.parts], shown, store)

    def _stream(self, names: list[str], shown: str, store: StorePlace) -> IterableDataset:
        files = [file for name in names for file in self.config.files_of(name)]
        heads = next(found for name in self.split_names if (found := self.config.files_of(name)))
        job = StreamJob(files, heads, names[0], self.name, self._options, self._imposed, self._format.unpacks, store)
        origins, reading = self._format.stream(job)
        return IterableDataset._of_files(origins, reading, NamedSplit(shown), self.info)


def _limit(cache: bool | int) -> int:
    """Bytes that streams may keep."""
    if cache is True:
        return settings().stream_cache
    if cache < 0:
        msg = f"cache is True, False, or a limit in bytes, got {cache}"
        raise ValueError(msg)
    return int(cache)
