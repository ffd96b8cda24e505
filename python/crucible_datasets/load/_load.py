"""`load_dataset` and `load_dataset_builder`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.io import StorePlace
from crucible_datasets.load._builder import DatasetBuilder
from crucible_datasets.load._config import config_id, of_place, packaged
from crucible_datasets.load._data_files import DataFiles, Finder
from crucible_datasets.load._formats import reader_of
from crucible_datasets.load._modes import DownloadConfig, DownloadMode, VerificationMode
from crucible_datasets.load._module import find_module
from crucible_datasets.splits import ReadInstruction

_HTTP_CLIENT = {"client_kwargs", "timeout"}
Splits = str | ReadInstruction | list[Any] | tuple[Any, ...] | Mapping[str, Any] | None
logger = logging.getLogger(__name__)


def load_dataset_builder(
    path: str,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles = None,
    cache_dir: str | None = None,
    features: Features | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    storage_options: dict[str, Any] | None = None,
    **config_kwargs: Any,
) -> DatasetBuilder:
    """What is known of a dataset, without downloading it: config, files, features, splits.

    The arguments are those of `load_dataset`.

    Raises:
        As `load_dataset`, but for what happens while data is read.
    """
    if data_files is not None and not data_files:
        msg = f"Empty 'data_files': '{data_files}'. It should be either non-empty or None (default)."
        raise ValueError(msg)
    settings = download_config or DownloadConfig()
    _check_options(storage_options or settings.storage_options)
    mode = DownloadMode(download_mode or DownloadMode.REUSE_DATASET_IF_EXISTS)
    token = token if token is not None else settings.token
    kept = cache_dir if cache_dir is not None else settings.cache_dir
    store = StorePlace(None if kept is None else os.fspath(kept), mode is not DownloadMode.REUSE_DATASET_IF_EXISTS)
    module = find_module(os.fspath(path), data_dir, revision, token)
    given = {**config_kwargs, "data_files": data_files, "data_dir": data_dir}
    told = {**given, "features": None if features is None else features.to_dict()}
    if module.packaged is not None:
        format = reader_of(module.packaged)
        config = packaged(format, name, data_files, Finder(module.place, None, token), config_kwargs, features)
        info = None
    else:
        own = data_files is None and data_dir is None
        chosen = module.config(name, given_files=not own)
        # As in `datasets`: infos apply to the config that was named, or to the card's default.
        stated = name if name is not None else module.card.default
        info = module.card.infos.get(stated) if own and stated is not None else None
        folder = data_dir or (chosen.data_dir if data_files is None else None)
        finder = Finder(module.place, folder, token)
        config = of_place(chosen, finder, data_dir, data_files, config_kwargs, features, store)
        format = reader_of(config.format)
    if features is not None and info is not None:
        info = replace(info, features=features)
    force = mode is DownloadMode.FORCE_REDOWNLOAD or settings.force_download
    return DatasetBuilder(module, format, config, config_id(config.name, told), info, store, force_download=force)


def load_dataset(
    path: str,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles = None,
    split: Splits = None,
    cache_dir: str | None = None,
    features: Features | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    verification_mode: VerificationMode | str | None = None,
    keep_in_memory: bool | None = None,
    save_infos: bool = False,  # noqa: ARG001
    revision: str | None = None,
    token: str | bool | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    storage_options: dict[str, Any] | None = None,
    *,
    cache: bool | int = False,
    **config_kwargs: Any,
) -> Any:
    """Loads a dataset of the hub, of a folder, or of files.

    Args:
        path: a dataset id (`openai/gsm8k`), a folder, or the name of a format ("parquet", "json", "csv", "text", "arrow", "webdataset", "imagefolder"…) for `data_files`. `hf://datasets/…` is the hub's even where a folder of that name exists.
        name: config; needed when the card names several and no default.
        data_dir: folder inside the repository or folder; of a format: the folder of its files.
        data_files: a path or glob, a list of them, a dict of them by split, or a list of `{"split", "path"}`;
            relative to the repository or folder (of a format: to the working directory or `data_dir`), absolute,
            `hf://datasets/…` or `http(s)://…`.
        split: `train`, `train[:10%]`, `train+test`, `all`, a `Split` or `ReadInstruction`, or a list, tuple or dict of
            such; all splits when absent.
        cache_dir: folder of decoded tables and of files from the web; `HF_DATASETS_CACHE` when absent.
        features: types to cast to, in place of the card's.
        download_config: its `token`, `cache_dir` and `force_download` count.
        download_mode: `reuse_dataset_if_exists` (the default), `reuse_cache_if_exists` (files are decoded again),
            `force_redownload`.
        verification_mode: `basic_checks` (the default) and `all_checks` compare the splits with what the card says of
            them; `no_checks` does not. With `streaming`: whether files that are read from start to end (not Parquet)
            have their hash compared, which takes a fifth of the time of JSON lines where there is one processor.
        keep_in_memory: True keeps tables on the heap, False always maps them from a file; None goes by size.
        save_infos: taken for compatibility: the checks are the same.
        revision: branch, tag or commit. `refs/convert/parquet` has the Hub's own Parquet files of many repositories.
        token: a token, True for the stored one, False for none.
        streaming: whether to read while iterating instead of loading.
        num_proc: taken for compatibility: threads do the work.
        storage_options: of file systems of fsspec, which no files are read from: an error, but for those of fsspec's HTTP
            client (`client_kwargs`, `timeout`), which is not asked.
        cache: with `streaming`: whether to keep what is read of files of the hub, so that the next epoch reads it from
            this machine. A number is the limit in bytes for all that streams keep; True takes
            `CRUCIBLE_STREAM_CACHE_LIMIT`, 32 GiB when that is absent.
        config_kwargs: options of the format: `sample_by` ("line", "paragraph", "document") and `keep_linebreaks` for
            text; `columns` and `filters` (pyarrow's lists of tuples, or an expression) for Parquet; for CSV those of
            pandas' `read_csv` (`sep`, `header`, `names`, `na_values`, `quotechar`…).

    Returns:
        A `Dataset`; lists, tuples or `DatasetDict` of them in the form of `split`; a `DatasetDict` without `split`.
        With `streaming` an `IterableDataset` or `IterableDatasetDict`.

    Raises:
        DatasetNotFoundError: no such dataset or revision, or no right to see it.
        EmptyDatasetError, DataFilesNotFoundError: nothing to read.
        FileNotFoundError: a path of `data_files` that is not there.
        ValueError: an unknown config, split or option (the text names those that there are); `cache` without `streaming`,
            or below 0.
        SplitsVerificationError: the splits are not what the card says.
        DatasetGenerationError: a file that cannot be read; the cause says where.
        DatasetScriptError: the repository is a loading script (a RuntimeError).
        DatasetUnreachableError: the hub cannot be reached (a ConnectionError), and the cache does not have it.
        NotImplementedError: `streaming` with `num_proc`; `storage_options`.
    """
    if config_kwargs.pop("trust_remote_code", False):
        logger.error("`trust_remote_code` is not supported: no code of a dataset is run.")
    if streaming and num_proc is not None:
        msg = "Loading a streaming dataset in parallel with `num_proc` is not implemented. Use a DataLoader with several workers instead."
        raise NotImplementedError(msg)
    if num_proc is not None and num_proc < 1:
        msg = f"num_proc must be at least 1, got {num_proc}"
        raise ValueError(msg)
    if cache and not streaming:
        msg = "cache= is for streaming=True: what is loaded is in the cache anyway"
        raise ValueError(msg)
    mode = VerificationMode(verification_mode or VerificationMode.BASIC_CHECKS)
    builder = load_dataset_builder(
        path,
        name,
        data_dir,
        data_files,
        cache_dir,
        features,
        download_config,
        download_mode,
        revision,
        token,
        storage_options,
        **config_kwargs,
    )
    if streaming:
        return builder.as_streaming_dataset(split, cache=cache, verification_mode=mode)
    return builder.as_dataset(split, verification_mode=mode, in_memory=keep_in_memory)


def _check_options(storage_options: Mapping[str, Any] | None) -> None:
    """Options of fsspec's HTTP client change nothing that is read; others would be needed to read it."""
    if not storage_options:
        return
    if set(storage_options) <= _HTTP_CLIENT:
        logger.warning(
            "storage_options=%s have no effect: files of the web and the hub are not read by fsspec.",
            sorted(storage_options),
        )
        return
    msg = (
        f"storage_options={sorted(storage_options)} are options of fsspec, and data files are not read by it: files of this "
        "machine, of the hub (hf://) and of the web are. Download other files first, e.g. with fsspec.filesystem(...).get."
    )
    raise UnsupportedError(msg)
