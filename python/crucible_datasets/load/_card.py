"""The YAML block of a dataset card: configs and features."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from crucible_datasets.features import Features
from crucible_datasets.load._patterns import check_split_name

_BLOCK = re.compile(r"\A﻿?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass
class Config:
    """One config of a card.

    Attributes:
        name: its name.
        data_files: patterns by split, None for discovery.
        data_dir: folder in which patterns and discovery work.
        default: whether the card flags it as the default.
        features: types that the card imposes.
    """

    name: str
    data_files: dict[str, list[str]] | None = None
    data_dir: str | None = None
    default: bool = False
    features: Features | None = None


def front_matter(text: str | None) -> dict[str, Any]:
    """The card's YAML, empty if there is none.

    Raises:
        yaml.YAMLError: broken YAML.
    """
    found = _BLOCK.match(text) if text else None
    data = yaml.load(found[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if found else None
    return data if isinstance(data, dict) else {}


def split_patterns(data_files: Any) -> dict[str, list[str]]:
    """The `data_files` of a card or of a call: patterns by split.

    Raises:
        ValueError: a form that is not one of str, list of str, dict, list of `{split, path}`.
    """
    if not data_files:
        msg = f"Empty 'data_files': {data_files!r}"
        raise ValueError(msg)
    if isinstance(data_files, str):
        return {"train": [data_files]}
    if isinstance(data_files, dict):
        return {check_split_name(str(k)): [v] if isinstance(v, str) else list(v) for k, v in data_files.items()}
    items = list(data_files)
    if all(isinstance(item, str) for item in items):
        return {"train": items}
    splits: dict[str, list[str]] = {}
    for item in items:
        if not isinstance(item, dict) or set(item) != {"split", "path"}:
            msg = f"Expected data_files to be strings, or items with 'split' and 'path', but got {item!r}"
            raise ValueError(msg)
        name = check_split_name(str(item["split"]))
        if name in splits:
            msg = f"Some splits are duplicated in data_files: {name!r}"
            raise ValueError(msg)
        splits[name] = [item["path"]] if isinstance(item["path"], str) else list(item["path"])
    return splits


def _infos(card: dict[str, Any]) -> dict[str, Any]:
    info = card.get("dataset_info")
    listed = info if isinstance(info, list) else [info] if isinstance(info, dict) else []
    return {str(item.get("config_name", "default")): item for item in listed if isinstance(item, dict)}


def configs_of(card: dict[str, Any]) -> list[Config]:
    """The configs that a card names, in its order; one `default` if it names none.

    Raises:
        ValueError: `configs` that are not a list of named entries, or two defaults.
    """
    infos = _infos(card)

    def features(name: str, entry: dict[str, Any]) -> Features | None:
        spec = entry.get("features") or infos.get(name, {}).get("features")
        return Features.from_yaml(spec) if spec else None

    entries = card.get("configs") or []
    if not isinstance(entries, list):
        msg = f"'configs' of the dataset card must be a list, got {type(entries).__name__}"
        raise ValueError(msg)
    if not entries:
        name = next(iter(infos)) if len(infos) == 1 else "default"
        return [Config(name, features=features(name, {}))]
    configs = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("config_name"), str):
            msg = f"Each of 'configs' of the dataset card needs a 'config_name', got {entry!r}"
            raise ValueError(msg)
        name = entry["config_name"]
        files = entry.get("data_files")
        configs[name] = Config(
            name,
            None if files is None else split_patterns(files),
            entry.get("data_dir"),
            bool(entry.get("default")),
            features(name, entry),
        )
    if sum(config.default for config in configs.values()) > 1:
        msg = "The dataset card flags several configs as default"
        raise ValueError(msg)
    return list(configs.values())


def default_of(configs: list[Config]) -> Config | None:
    """The flagged config, or the one named `default`, or the only one."""
    flagged = [c for c in configs if c.default] or [c for c in configs if c.name == "default"]
    if flagged:
        return flagged[0]
    return configs[0] if len(configs) == 1 else None
