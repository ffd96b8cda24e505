"""Which configs and splits a dataset has: from its card, or from the names of its files. No requests here.

A subset of what `datasets` does, enough to say what there is: the card's `configs` and `dataset_info`, shards
`data/<split>-00000-of-00001.…`, and the usual words for splits in the names of folders and files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

DEFAULT = "default"
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SHARD = re.compile(r"data/(?P<split>\w+(?:\.\w+)*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_SEPARATOR = re.compile(r"[-._ 0-9]+")
_METADATA = frozenset(("README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"))


def config_entries(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The `configs` of a card by name, in its order."""
    listed = card.get("configs")
    entries = listed if isinstance(listed, list) else []
    return {e["config_name"]: e for e in entries if isinstance(e, dict) and isinstance(e.get("config_name"), str)}


def info_entries(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The `dataset_info` of a card by config, in its order."""
    info = card.get("dataset_info")
    entries = info if isinstance(info, list) else [info]
    return {str(e.get("config_name", DEFAULT)): e for e in entries if isinstance(e, dict)}


def card_configs(card: Mapping[str, Any]) -> list[str]:
    """The configs that a card names."""
    return list(config_entries(card)) or list(info_entries(card))


def card_splits(card: Mapping[str, Any], config: str) -> list[str]:
    """The splits of a config that a card names."""
    entry = config_entries(card).get(config)
    if entry is not None and (files := entry.get("data_files")):
        if isinstance(files, dict):
            return [str(name) for name in files]
        if isinstance(files, list) and all(isinstance(item, dict) for item in files):
            return list(dict.fromkeys(str(item["split"]) for item in files if "split" in item))
        return ["train"]
    splits = info_entries(card).get(config, {}).get("splits")
    listed = list(splits.values()) if isinstance(splits, dict) else splits if isinstance(splits, list) else []
    return [str(split["name"]) for split in listed if isinstance(split, dict) and "name" in split]


def default_config(configs: Iterable[str], card: Mapping[str, Any]) -> str | None:
    """The config that is meant when none is named: the flagged one, `default`, or the only one."""
    names = list(configs)
    flagged = [name for name, entry in config_entries(card).items() if entry.get("default") is True]
    if flagged:
        return flagged[0]
    return DEFAULT if DEFAULT in names else names[0] if len(names) == 1 else None


def _split_of(name: str) -> str | None:
    parts = _SEPARATOR.split(name.lower())
    return next((split for split, words in _WORDS.items() if any(word in parts for word in words)), None)


def files_by_split(paths: Iterable[str]) -> dict[str, list[str]]:
    """Data files by split, from their names alone: shards, else folders, else file names, else all are `train`."""
    data = sorted(p for p in paths if p not in _METADATA and not any(part.startswith(".") for part in p.split("/")))
    shards: dict[str, list[str]] = {}
    for path in data:
        if found := _SHARD.fullmatch(path):
            shards.setdefault(found["split"], []).append(path)
    if shards:
        return _ordered(shards)
    for folders in (True, False):
        splits: dict[str, list[str]] = {}
        for path in data:
            parts = path.split("/")
            split = next((word for part in (parts[:-1] if folders else parts[-1:]) if (word := _split_of(part))), None)
            if split is not None:
                splits.setdefault(split, []).append(path)
        if splits:
            return _ordered(splits)
    return {"train": data} if data else {}


def _ordered(splits: dict[str, list[str]]) -> dict[str, list[str]]:
    names = [name for name in _WORDS if name in splits] + sorted(set(splits) - set(_WORDS))
    return {name: splits[name] for name in names}
