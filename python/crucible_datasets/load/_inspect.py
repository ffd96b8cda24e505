"""What a dataset has: configs, splits, features. No data is downloaded."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from _crucible.errors import CrucibleError
from crucible_datasets.errors import SplitsNotFoundError, UnsupportedError
from crucible_datasets.info import DatasetInfo
from crucible_datasets.io import StorePlace
from crucible_datasets.load._config import of_place
from crucible_datasets.load._data_files import DataFiles, Finder
from crucible_datasets.load._load import load_dataset_builder
from crucible_datasets.load._modes import DownloadConfig, DownloadMode
from crucible_datasets.load._module import Module, find_module
from crucible_datasets.splits import SplitDict, SplitInfo


def _module(path: str, revision: str | None, config: DownloadConfig | None, token: str | bool | None) -> Module:
    """What a path names, once it is known that there is data."""
    if token is None and config is not None:
        token = config.token
    module = find_module(path, None, revision, token)
    module.default()
    if module.packaged is None:
        first = next(iter(module.configs().values()))
        with suppress(UnsupportedError):
            of_place(first, Finder(module.place, first.data_dir, token), None, None, {}, None, StorePlace())
    return module


def get_dataset_config_names(
    path: str,
    revision: str | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,  # noqa: ARG001
    data_files: DataFiles = None,  # noqa: ARG001
    *,
    token: str | bool | None = None,
) -> list[str]:
    """Names of the configs, in the card's order; `["default"]` where it names none.

    Args:
        path: a dataset id or a folder.
        revision: branch, tag or commit.
        download_config: its `token` counts.
        download_mode: taken for compatibility, without effect.
        data_files: the same.
        token: a token, True for the stored one, False for none.

    Raises:
        DatasetNotFoundError: no such dataset or revision.
        EmptyDatasetError, DataFilesNotFoundError, ValueError: the first config has no data, or several formats.
    """
    return list(_module(path, revision, download_config, token).configs())


def get_dataset_default_config_name(
    path: str,
    revision: str | None = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,  # noqa: ARG001
    data_files: DataFiles = None,  # noqa: ARG001
    *,
    token: str | bool | None = None,
) -> str | None:
    """The config that is loaded when none is named; None where one must be. Arguments as `get_dataset_config_names`."""
    return _module(path, revision, download_config, token).default()


def get_dataset_config_info(
    path: str,
    config_name: str | None = None,
    data_files: DataFiles = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    **config_kwargs: Any,
) -> DatasetInfo:
    """What is known of a config. Its splits are those of the card, else those that its files make.

    `config_name` is the config, the default when absent; the other arguments are those of `load_dataset`.

    Raises:
        SplitsNotFoundError: the splits cannot be told.
        As `load_dataset_builder`.
    """
    builder = load_dataset_builder(
        path,
        name=config_name,
        data_files=data_files,
        download_config=download_config,
        download_mode=download_mode,
        revision=revision,
        token=token,
        **config_kwargs,
    )
    info = builder.info
    if info.splits is None:
        try:
            if info.features is None:
                info.features = builder.features_of_first_file()
        except CrucibleError as error:
            msg = f"The split names could not be parsed from the dataset config: {error}"
            raise SplitsNotFoundError(msg) from error
        info.splits = SplitDict(
            {name: SplitInfo(name, dataset_name=builder.dataset_name) for name in builder.split_names},
            dataset_name=builder.dataset_name,
        )
    return info


def get_dataset_split_names(
    path: str,
    config_name: str | None = None,
    data_files: DataFiles = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    **config_kwargs: Any,
) -> list[str]:
    """Names of the splits of a config: those of the card, else those that its files make. Arguments and errors as `get_dataset_config_info`."""
    builder = load_dataset_builder(
        path,
        name=config_name,
        data_files=data_files,
        download_config=download_config,
        download_mode=download_mode,
        revision=revision,
        token=token,
        **config_kwargs,
    )
    return builder.split_names if builder.info.splits is None else list(builder.info.splits)


def get_dataset_infos(
    path: str,
    data_files: DataFiles = None,
    download_config: DownloadConfig | None = None,
    download_mode: DownloadMode | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    **config_kwargs: Any,
) -> dict[str, DatasetInfo]:
    """What is known of each config; arguments and errors as `get_dataset_config_info`."""
    names = get_dataset_config_names(path, revision, download_config, download_mode, data_files, token=token)
    return {
        name: get_dataset_config_info(
            path, name, data_files, download_config, download_mode, revision, token, **config_kwargs
        )
        for name in names
    }


__all__ = [
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
]
