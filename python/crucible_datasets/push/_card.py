"""The dataset card and the older `dataset_infos.json` of a repository, as they are after an upload."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from crucible_datasets.errors import SchemaError
from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo, entries_of_card, infos_of_card, metadata_of, shown
from crucible_datasets.push._configs import MetadataConfigs
from crucible_datasets.splits import SplitDict, SplitInfo
from hfhub import DatasetCard, DatasetCardData

_CARD, _LEGACY = "README.md", "dataset_infos.json"
# Files of uploads from before cards had configs.
_OLD_SHARD = re.compile(r"data/([^/\n]+)-[0-9]{5}-of-[0-9]{5}[^/\n]*\.parquet")


def updated_card(
    readme: str | None,
    legacy_infos: str | None,
    paths: Collection[str],
    *,
    config_name: str,
    features: Features,
    splits: Sequence[SplitInfo],
    uploaded: Sequence[int],
    deleted: Sequence[int],
    data_dir: str,
    set_default: bool | None,
    whole: bool,
) -> tuple[str, str | None]:
    """The texts of `README.md` and of `dataset_infos.json` after an upload; None for the latter if it stays as it is.

    Args:
        readme: the text of the card; None without one.
        legacy_infos: the text of `dataset_infos.json`; None without one.
        paths: all files of the repository before the upload.
        config_name: the config that is uploaded.
        features: of its splits.
        splits: what is uploaded.
        uploaded: bytes of the new files of each of these splits.
        deleted: bytes of the files of each of these splits that the repository had; may be empty if `whole`.
        data_dir: the folder of the new files.
        set_default: whether the config becomes the default one.
        whole: whether the config has these splits only; else it keeps its others.

    Raises:
        ValueError: the card or `dataset_infos.json` cannot be read; the other splits of the config have other features;
            or another config cannot be the default, since one is named "default".
    """
    with _read(_LEGACY):
        legacy = _legacy(legacy_infos)
        # An empty entry counts as none.
        info = DatasetInfo.from_dict(legacy[config_name]) if legacy.get(config_name) else None
    updates_legacy = info is not None
    card, configs, infos = _parsed(readme)
    data: Any = DatasetCardData() if card is None else card.data
    if card is not None:  # what it says counts, and also what it does not say
        info = infos.get(config_name)
    with metadata_of(_CARD if card is not None else _LEGACY):
        if info is None or whole:
            info = _new_info(config_name, features, splits, uploaded)
        else:
            for split, size, gone in zip(splits, uploaded, deleted, strict=True):
                _add_split(info, features, split, size, gone)
    with metadata_of(_CARD):
        if not configs:
            configs = MetadataConfigs(_configs_of_files(paths))
            configs.to_dataset_card_data(data)
        changed = _changed_configs(configs, config_name, splits, data_dir, bool(set_default), whole)
        _put_info(data, config_name, info)
        _put_configs(data, changed)
        text = f"---\n{data}\n---\n" if card is None else str(card)
    if not updates_legacy:
        return text, None
    return text, json.dumps({**legacy, config_name: info.to_dict()})


@contextmanager
def _read(what: str) -> Iterator[None]:
    """As `metadata_of`; every text names the file.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        with metadata_of(what):
            yield
    except ValueError as error:
        if type(error) is not ValueError:
            raise  # names it
        msg = f"{what}: {error}"
        raise ValueError(msg) from error


def _legacy(text: str | None) -> dict[str, Any]:
    given = {} if text is None else json.loads(text)
    if not isinstance(given, dict):
        msg = f"Expected an object with an info for each config but got a {type(given).__name__}"
        raise SchemaError(msg)
    return given


def _parsed(readme: str | None) -> tuple[DatasetCard | None, MetadataConfigs, dict[str, DatasetInfo]]:
    """The card, and what it says of configs."""
    if readme is None:
        return None, MetadataConfigs(), {}
    with _read(_CARD):
        card = DatasetCard(readme.removeprefix("\ufeff"))  # behind a byte order mark no block would be seen
        configs = MetadataConfigs.from_dataset_card_data(card.data)
        for name in configs:
            if not isinstance(name, str):
                msg = f"config_name must be a string, got {shown(name)}; put it in quotes."
                raise TypeError(msg)
        return card, configs, infos_of_card(card.data.get("dataset_info"))


# ------------------------------------------------------------------------------------------------------ dataset_info


def _new_info(
    config_name: str, features: Features, splits: Sequence[SplitInfo], uploaded: Sequence[int]
) -> DatasetInfo:
    known = SplitDict()
    for split in splits:
        known.add(_named(split))
    sizes = sum(uploaded), sum(split.num_bytes for split in splits)
    info = DatasetInfo(features=features, config_name=config_name, splits=known)
    info.download_size, info.dataset_size, info.size_in_bytes = *sizes, sum(sizes)
    return info


def _named(split: SplitInfo) -> SplitInfo:
    return replace(split, name=str(split.name))  # YAML takes no `NamedSplit`


def _add_split(info: DatasetInfo, features: Features, split: SplitInfo, uploaded: int, deleted: int) -> None:
    """Adds a split to the info of its config, or replaces it.

    Raises:
        ValueError: the other splits have other features.
    """
    split = _named(split)
    known = info.splits if info.splits is not None else SplitDict()
    if all(name == split.name for name in known):
        info.features = features  # datasets keeps the former ones (its issue 8608): the files have these
    elif features != info.features:
        msg = f"Features of the new split don't match the features of the existing splits on the hub: {features} != {info.features}"
        raise ValueError(msg)
    old = known.pop(split.name, None)
    if old is not None:  # a size that nobody stated has no part that could be taken off
        info.download_size = None if info.download_size is None else info.download_size - deleted
        info.dataset_size = None if info.dataset_size is None else info.dataset_size - (old.num_bytes or 0)
    known[split.name] = split
    info.splits = known
    info.download_checksums = None
    info.download_size = (info.download_size or 0) + uploaded
    info.dataset_size = (info.dataset_size or 0) + split.num_bytes
    info.size_in_bytes = info.download_size + info.dataset_size


def _put_info(data: Any, config_name: str, info: DatasetInfo) -> None:
    """Puts the info of a config in the place of the one that the card has: a mapping for one config, else a list."""
    entries = {str(entry.get("config_name", "default")): entry for entry in entries_of_card(data.get("dataset_info"))}
    entries[config_name] = {**info.to_yaml(), "config_name": config_name}
    listed = [
        {"config_name": entry.get("config_name", "default"), **_without_name(entry)}
        for _, entry in sorted(entries.items(), key=lambda item: item[0])
    ]
    if len(listed) > 1:
        data["dataset_info"] = listed
    else:  # the name "default" goes without saying
        data["dataset_info"] = _without_name(listed[0]) if config_name == "default" else listed[0]


def _without_name(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "config_name"}


# ----------------------------------------------------------------------------------------------------------- configs


def _configs_of_files(paths: Collection[str]) -> dict[str, dict[str, Any]]:
    """The config of files that were uploaded before cards had configs; none without such files."""
    found = [match[1] for path in sorted(paths) if (match := _OLD_SHARD.fullmatch(path))]
    files = [{"split": split, "path": f"data/{split}-*"} for split in dict.fromkeys(found)]
    return {"default": {"data_files": files}} if files else {}


def _changed_configs(
    configs: MetadataConfigs,
    config_name: str,
    splits: Sequence[SplitInfo],
    data_dir: str,
    set_default: bool,
    whole: bool,
) -> dict[str, dict[str, Any]]:
    """The configs that an upload changes: the uploaded one, and the one that was the default before.

    Raises:
        ValueError: there is a config named "default", and another one is to be the default.
    """
    known = configs.get(config_name, {})
    with _read(_CARD):
        files = {} if whole else _patterns(known.get("data_files"))
    files.update({str(split.name): [f"{data_dir}/{split.name}-*"] for split in splits})
    listed = [{"split": name, "path": path[0] if len(path) == 1 else path} for name, path in files.items()]
    new: dict[str, Any] = {"data_files": listed}
    changed = {config_name: new}
    if set_default and config_name != "default":
        previous = configs.get_default_config_name()
        if previous == "default":
            msg = (
                "There exists a configuration named 'default'. To set a different configuration as default, "
                "rename the 'default' one first."
            )
            raise ValueError(msg)
        new["default"] = True
        if previous not in (None, config_name):
            changed[previous] = {key: value for key, value in configs[previous].items() if key != "default"}
    return changed


def _patterns(data_files: Any) -> dict[str, list[Any]]:
    """Patterns by split, of `data_files` that `MetadataConfigs` took.

    Raises:
        ValueError: a split comes twice, or only some of the entries have a split.
    """
    if data_files is None:
        return {}
    listed = data_files if isinstance(data_files, list) else [data_files]
    named = [entry for entry in listed if isinstance(entry, dict)]
    if not named:
        return {"train": listed}
    if len(named) < len(listed):
        msg = f"Invalid format for data_files entry. Each item must have a 'split' and a 'path', got {shown(listed)}"
        raise ValueError(msg)
    names = [entry["split"] for entry in named]
    if len(set(names)) < len(names):
        msg = f"Some splits are duplicated in data_files: {names}"
        raise ValueError(msg)
    return {entry["split"]: entry["path"] if isinstance(entry["path"], list) else [entry["path"]] for entry in named}


def _put_configs(data: Any, changed: dict[str, dict[str, Any]]) -> None:
    """Puts configs into a card beside those that it has, which stay as they are written."""
    whole = {entry["config_name"]: entry for entry in data.get("configs") or []} | changed
    data["configs"] = [{"config_name": name, **_without_name(whole[name])} for name in sorted(whole)]
