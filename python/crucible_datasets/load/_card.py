"""The YAML block of a dataset card (`configs`, `dataset_info`), and the older `dataset_infos.json`."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from crucible_datasets.errors import SchemaError
from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo, infos_of_card, metadata_of, shown
from crucible_datasets.load._data_files import split_patterns
from crucible_datasets.load._place import Place
from crucible_datasets.splits import check_config_name

_BLOCK = re.compile(r"\A﻿?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_NOT_OPTIONS = {"config_name", "data_files", "data_dir", "default", "features", "version", "description"}
logger = logging.getLogger(__name__)


@dataclass
class Config:
    """One config of a card.

    Attributes:
        name: its name.
        data_files: patterns by split, None for discovery.
        data_dir: folder in which patterns and discovery work.
        default: whether the card flags it as the default.
        features: types that the config imposes.
        version, description: of the config.
        options: everything else: options of the format.
    """

    name: str
    data_files: dict[str, list[str]] | None = None
    data_dir: str | None = None
    default: bool = False
    features: Features | None = None
    version: str = "0.0.0"
    description: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Card:
    """What a repository says of itself.

    Attributes:
        configs: in the card's order; empty where it names none.
        infos: by config.
    """

    configs: dict[str, Config]
    infos: dict[str, DatasetInfo]

    @property
    def default(self) -> str | None:
        """The default config: the flagged one, the one named `default`, the only one; else the only info's.

        Raises:
            ValueError: several.
        """
        several = len(self.configs) > 1
        found = [c.name for c in self.configs.values() if c.default or c.name == "default" or not several]
        if len(found) > 1:
            msg = f"Dataset has several default configs: '{found[0]}' and '{found[1]}'."
            raise ValueError(msg)
        if not found and len(self.infos) == 1:
            only = next(iter(self.infos))
            return only if not self.configs or only in self.configs else None
        return found[0] if found else None


def read_card(place: Place) -> Card:
    """The card of a place; empty where there is none.

    Raises:
        yaml.YAMLError: broken YAML.
        ValueError: `configs`, `dataset_info` or the features in them have another form. It is a `TypeError` too where a
            value is of another kind.
        LimitError: nested too deep, or too much.
    """
    with metadata_of("README.md"):
        data = _front_matter(place.text("README.md"))
    has = {path for path in place.paths() if "/" not in path}
    if ".huggingface.yaml" in has:
        with metadata_of(".huggingface.yaml"):
            data = {**data, **_parsed(place.text(".huggingface.yaml"))}
    with metadata_of("dataset_info of the card"):
        infos = infos_of_card(data.get("dataset_info"))
    if "dataset_infos.json" in has:
        with metadata_of("dataset_infos.json"):
            infos = {**_legacy_infos(place.text("dataset_infos.json")), **infos}
    with metadata_of("configs of the card"):
        return Card(_configs(data.get("configs")), infos)


def _parsed(text: str | None) -> dict[str, Any]:
    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if text else None
    return data if isinstance(data, dict) else {}


def _front_matter(text: str | None) -> dict[str, Any]:
    found = _BLOCK.match(text) if text else None
    return _parsed(found[1]) if found else {}


def _legacy_infos(text: str | None) -> dict[str, DatasetInfo]:
    """Infos of `dataset_infos.json`. An only one is the default's: old uploads named it after the repository."""
    given = json.loads(text or "{}")
    if not isinstance(given, dict) or not all(isinstance(info, dict) for info in given.values()):
        msg = f"Expected an object for each config but got {given!r:.100}"
        raise SchemaError(msg)
    infos = {str(name): DatasetInfo.from_dict(info) for name, info in given.items()}
    return {"default": next(iter(infos.values()))} if len(infos) == 1 else infos


def _configs(entries: Any) -> dict[str, Config]:
    if not entries:
        return {}
    if not isinstance(entries, list):
        msg = f"Expected configs to be a list, but got '{shown(entries)}'"
        raise ValueError(msg)
    out: dict[str, Config] = {}
    for entry in entries:
        if not isinstance(entry, dict) or "config_name" not in entry:
            msg = (
                f"Each config must include `config_name` field with a string name of a config, but got {shown(entry)}."
            )
            raise ValueError(msg)
        config = _config(entry)
        out[config.name] = config
    return out


def _config(entry: dict[str, Any]) -> Config:
    name = entry["config_name"]
    if not isinstance(name, str):
        msg = f"config_name must be a string, got {shown(name)}; put it in quotes."
        raise TypeError(msg)
    check_config_name(name)
    files = entry.get("data_files")
    if files is not None and not isinstance(files, (str, list)):
        msg = f"Expected data_files in YAML to be either a string or a list of strings or a list of dicts with two keys: 'split' and 'path', but got {shown(files)}"
        raise ValueError(msg)
    folder = entry.get("data_dir")
    if folder is not None and not isinstance(folder, str):
        msg = f"data_dir of config '{name}' must be text, got {shown(folder)}"
        raise SchemaError(msg)
    features = entry.get("features")
    return Config(
        name,
        None if files is None else split_patterns(files),
        folder,
        bool(entry.get("default")),
        Features.from_yaml(features) if features else None,
        str(entry.get("version") or "0.0.0"),
        entry.get("description"),
        {key: value for key, value in entry.items() if key not in _NOT_OPTIONS},
    )
