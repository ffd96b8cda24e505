"""The `configs` of a dataset card as an object: uploads write them, and so do tools (lm_eval, lighteval)."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, ClassVar, Self

from crucible_datasets.features import Features
from crucible_datasets.info import shown

_SPLIT = re.compile(r"^\w+(\.\w+)*$")
_NAME = "config_name"


class MetadataConfigs(dict[str, dict[str, Any]]):
    """Parameters of configs by their names, in the form that cards have."""

    FIELD_NAME: ClassVar[str] = "configs"

    @classmethod
    def from_dataset_card_data(cls, dataset_card_data: Any) -> Self:
        """The configs of a card; none where it says none.

        Args:
            dataset_card_data: the YAML part of a card: `DatasetCardData`, or a mapping.

        Raises:
            ValueError: they are no list, one has no name, or its `data_files` are of no form that there is.
        """
        configs = dataset_card_data.get(cls.FIELD_NAME)
        if not configs:
            return cls()
        if not isinstance(configs, list):
            msg = f"Expected {cls.FIELD_NAME} to be a list, but got '{shown(configs)}'"
            raise ValueError(msg)  # as in datasets
        made = cls()
        for config in configs:
            if not isinstance(config, dict) or _NAME not in config:
                msg = f"Each config must include `{_NAME}` field with a string name of a config, but got {shown(config)}. "
                raise ValueError(msg)
            _check_data_files(config)
            made[config[_NAME]] = {
                name: Features.from_yaml(value) if name == "features" and value is not None else value
                for name, value in config.items()
                if name != _NAME
            }
        return made

    def to_dataset_card_data(self, dataset_card_data: MutableMapping[str, Any]) -> None:
        """Puts the configs into a card beside those that it has, in the order of their names.

        Args:
            dataset_card_data: the YAML part of a card: `DatasetCardData`, or a mapping.

        Raises:
            ValueError: as `from_dataset_card_data`, for these configs and for those of the card.
        """
        if not self:
            return
        for config in self.values():
            _check_data_files(config)
        whole = {**self.from_dataset_card_data(dataset_card_data), **self}
        dataset_card_data[self.FIELD_NAME] = [
            {_NAME: name, **{field: value for field, value in whole[name].items() if field != _NAME}}
            for name in sorted(whole)
        ]

    def get_default_config_name(self) -> str | None:
        """The only config, the one named "default", or the one that says `default: true`.

        Raises:
            ValueError: there are several of them.
        """
        chosen = [name for name, config in self.items() if len(self) == 1 or name == "default" or config.get("default")]
        if len(chosen) > 1:
            msg = f"Dataset has several default configs: '{chosen[0]}' and '{chosen[1]}'."
            raise ValueError(msg)
        return chosen[0] if chosen else None


def _check_data_files(config: dict[str, Any]) -> None:
    files = config.get("data_files")
    entries = files if isinstance(files, list) else [] if files is None or isinstance(files, str) else [files]
    for entry in entries:
        split = entry.get("split") if isinstance(entry, dict) and isinstance(files, list) and len(entry) == 2 else None
        named = isinstance(split, str) and _SPLIT.match(split) and isinstance(entry.get("path"), str | list)
        if not named and not (isinstance(entry, str) and isinstance(files, list)):
            msg = (
                f"Expected data_files in YAML to be either a string or a list of strings or a list of dicts with two "
                f"keys: 'split' and 'path', but got {shown(files)}"
            )
            raise ValueError(msg)
