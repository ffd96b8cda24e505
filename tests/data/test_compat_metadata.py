"""`MetadataConfigs` and other small helpers of `datasets` that tools import, beside the official ones."""

from __future__ import annotations

from typing import Any

import fsspec
import pytest
from datasets.filesystems import is_remote_filesystem as official_remote
from datasets.utils.metadata import MetadataConfigs as Official

import crucible_datasets as ours
from crucible_datasets.compat._facade import facade

Ours: Any = facade("datasets.utils.metadata").MetadataConfigs
FILES = [{"split": "train", "path": "a/*"}, {"split": "test", "path": ["b", "c"]}]
CARDS: dict[str, Any] = {
    "nothing": {},
    "two": {"configs": [{"config_name": "b", "data_files": FILES}, {"config_name": "a", "data_files": "x.csv"}]},
    "list": {"configs": [{"config_name": "b", "data_files": ["x", "y"], "sep": ";"}]},
    "default": {"configs": [{"config_name": "b"}, {"config_name": "c", "default": True}]},
    "two defaults": {"configs": [{"config_name": "default"}, {"config_name": "c", "default": True}]},
    "features": {"configs": [{"config_name": "b", "features": [{"name": "i", "dtype": "int64"}]}]},
    "no list": {"configs": {"config_name": "b"}},
    "no name": {"configs": [{"data_files": "x"}]},
    "a dict": {"configs": [{"config_name": "b", "data_files": {"train": "x"}}]},
    "a bad split": {"configs": [{"config_name": "b", "data_files": [{"split": "a-b", "path": "x"}]}]},
    "no path": {"configs": [{"config_name": "b", "data_files": [{"split": "a"}]}]},
    "a number": {"configs": [{"config_name": "b", "data_files": [1]}]},
}


def outcome(made: Any, card: dict[str, Any]) -> Any:
    """What a class makes of a card, and of a card that it adds to; or the kind of its error."""
    try:
        found = made.from_dataset_card_data(card)
        first = [(name, {field: repr(value) for field, value in config.items()}) for name, config in found.items()]
        added = {"configs": [{"config_name": "z"}, {"config_name": "b", "old": 1}], "license": "mit"}
        found.to_dataset_card_data(added)
        return first, repr(added), found.get_default_config_name()
    except ValueError as error:
        return type(error), str(error).strip()[:20]


@pytest.mark.parametrize("name", CARDS)
def test_configs_of_cards(name: str) -> None:
    assert outcome(Ours, CARDS[name]) == outcome(Official, CARDS[name])


def test_rows_of_functions_are_lazy_rows() -> None:
    lazy = facade("datasets.formatting.formatting").LazyRow
    assert ours.Dataset.from_dict({"a": [1]}).map(lambda row: {"b": isinstance(row, lazy)})["b"][:] == [True]


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_remote_filesystems(protocol: str) -> None:
    fs = fsspec.filesystem(protocol)
    assert facade("datasets.filesystems").is_remote_filesystem(fs) == official_remote(fs)
