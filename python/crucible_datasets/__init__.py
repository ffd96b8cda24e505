"""Datasets for training, with the API of `datasets` and Rust behind it.

>>> import crucible_datasets as datasets
>>> ds = datasets.Dataset.from_list([{"a": 1}, {"a": 2}])
>>> ds[0]
{'a': 1}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crucible_datasets.combine import concatenate_datasets, interleave_datasets
    from crucible_datasets.dataset import Column, Dataset, DatasetDict, load_from_disk
    from crucible_datasets.features import (
        Array2D,
        Array3D,
        Array4D,
        Array5D,
        Audio,
        BioSequence,
        BioStructure,
        ClassLabel,
        Features,
        Image,
        Json,
        LargeList,
        List,
        Mesh,
        Nifti,
        Pdf,
        Sequence,
        Translation,
        TranslationVariableLanguages,
        Value,
        Video,
    )
    from crucible_datasets.fingerprint import disable_caching, enable_caching, is_caching_enabled
    from crucible_datasets.info import DatasetInfo, Version
    from crucible_datasets.iterable import IterableColumn, IterableDataset, IterableDatasetDict
    from crucible_datasets.limits import Limits, get_limits, set_limits
    from crucible_datasets.load import (
        BuilderConfig,
        DatasetBuilder,
        DownloadConfig,
        DownloadMode,
        VerificationMode,
        get_dataset_config_info,
        get_dataset_config_names,
        get_dataset_default_config_name,
        get_dataset_infos,
        get_dataset_split_names,
        load_dataset,
        load_dataset_builder,
    )
    from crucible_datasets.splits import NamedSplit, ReadInstruction, Split, SplitDict, SplitInfo
    from crucible_datasets.utils import (
        are_progress_bars_disabled,
        disable_progress_bar,
        disable_progress_bars,
        enable_progress_bar,
        enable_progress_bars,
        is_progress_bar_enabled,
        logging,
    )

_MODULES = frozenset(
    [
        "combine",
        "compat",
        "distributed",
        "errors",
        "features",
        "fingerprint",
        "formatting",
        "info",
        "io",
        "iterable",
        "limits",
        "load",
        "splits",
        "utils",
    ]
)
"""Modules that are there as attributes, as `datasets.features` is in the official library, without an import of their own."""

_HOMES = {
    "crucible_datasets.combine": "concatenate_datasets interleave_datasets",
    "crucible_datasets.dataset": "Column Dataset DatasetDict load_from_disk",
    "crucible_datasets.features": "Array2D Array3D Array4D Array5D Audio BioSequence BioStructure ClassLabel Features Image Json LargeList List Mesh Nifti Pdf Sequence Translation TranslationVariableLanguages Value Video",
    "crucible_datasets.fingerprint": "disable_caching enable_caching is_caching_enabled",
    "crucible_datasets.info": "DatasetInfo Version",
    "crucible_datasets.iterable": "IterableColumn IterableDataset IterableDatasetDict",
    "crucible_datasets.limits": "Limits get_limits set_limits",
    "crucible_datasets.load": "BuilderConfig DatasetBuilder DownloadConfig DownloadMode VerificationMode get_dataset_config_info get_dataset_config_names get_dataset_default_config_name get_dataset_infos get_dataset_split_names load_dataset load_dataset_builder",
    "crucible_datasets.splits": "NamedSplit ReadInstruction Split SplitDict SplitInfo",
    "crucible_datasets.utils": "are_progress_bars_disabled disable_progress_bar disable_progress_bars enable_progress_bar enable_progress_bars is_progress_bar_enabled logging",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = [
    "Array2D",
    "Array3D",
    "Array4D",
    "Array5D",
    "Audio",
    "BioSequence",
    "BioStructure",
    "BuilderConfig",
    "ClassLabel",
    "Column",
    "Dataset",
    "DatasetBuilder",
    "DatasetDict",
    "DatasetInfo",
    "DownloadConfig",
    "DownloadMode",
    "Features",
    "Image",
    "IterableColumn",
    "IterableDataset",
    "IterableDatasetDict",
    "Json",
    "LargeList",
    "Limits",
    "List",
    "Mesh",
    "NamedSplit",
    "Nifti",
    "Pdf",
    "ReadInstruction",
    "Sequence",
    "Split",
    "SplitDict",
    "SplitInfo",
    "Translation",
    "TranslationVariableLanguages",
    "Value",
    "VerificationMode",
    "Version",
    "Video",
    "are_progress_bars_disabled",
    "concatenate_datasets",
    "disable_caching",
    "disable_progress_bar",
    "disable_progress_bars",
    "enable_caching",
    "enable_progress_bar",
    "enable_progress_bars",
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
    "get_limits",
    "interleave_datasets",
    "is_caching_enabled",
    "is_progress_bar_enabled",
    "load_dataset",
    "load_dataset_builder",
    "load_from_disk",
    "logging",
    "set_limits",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"crucible_datasets.{name}")
    if name not in _HOME:
        if not name.startswith("_"):
            found = importlib.import_module("crucible_datasets.compat").official_module(name)
            if found is not None:
                return found
        msg = f"module 'crucible_datasets' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names."""
    return sorted(__all__)
