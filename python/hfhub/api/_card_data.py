"""`CardData`: the metadata of a card. It reads like a dict and like an object, as the official one."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from _crucible._optional import require


class CardData:
    """Metadata of a card.

    Args:
        ignore_metadata_errors: accepted for compatibility.
        **fields: the metadata.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    # Fields whose name in YAML is no identifier.
    _yaml_names: ClassVar[dict[str, str]] = {}

    def __init__(self, ignore_metadata_errors: bool = False, **fields: Any) -> None:  # noqa: ARG002  # official
        state = self.__dict__
        for name in self._fields:
            state[name] = fields.pop(name, None)
        for name, yaml_name in self._yaml_names.items():
            state[name] = state.get(name) or fields.pop(yaml_name, None)
        state.update(fields)
        if "tags" in self._fields and isinstance(state["tags"], list):
            state["tags"] = list(dict.fromkeys(map(str, state["tags"])))

    def to_dict(self) -> dict[str, Any]:
        """The metadata that is set, as it is written to YAML."""
        data = copy.deepcopy(self.__dict__)
        for name, yaml_name in self._yaml_names.items():
            data[yaml_name] = data.pop(name, None)
        return {key: value for key, value in data.items() if value is not None}

    def to_yaml(self, line_break: str | None = None, original_order: list[str] | None = None) -> str:
        """The metadata as YAML.

        Args:
            line_break: what ends a line; a line feed when absent.
            original_order: keys that come first.

        Raises:
            ImportError: PyYAML is not installed.
        """
        data = self.to_dict()
        if original_order:
            data = {key: data[key] for key in dict.fromkeys([*original_order, *data]) if key in data}
        yaml = require("yaml", extra="arrow", why="writing a card")
        text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, line_break=line_break)
        return text.strip()

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or the default if it is missing or None."""
        value = self.__dict__.get(key)
        return default if value is None else value

    def pop(self, key: str, default: Any = None) -> Any:
        """Takes a value out."""
        return self.__dict__.pop(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.__dict__[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self.__dict__

    def __len__(self) -> int:
        return len(self.__dict__)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return repr(self.__dict__)

    def __str__(self) -> str:
        return self.to_yaml()


class DatasetCardData(CardData):
    """Metadata of a dataset's card. Fields that the card lacks are None."""

    _fields = (
        "annotations_creators",
        "language_creators",
        "language",
        "license",
        "multilinguality",
        "size_categories",
        "source_datasets",
        "task_categories",
        "task_ids",
        "paperswithcode_id",
        "pretty_name",
        "config_names",
        "train_eval_index",
    )
    _yaml_names: ClassVar[dict[str, str]] = {"train_eval_index": "train-eval-index"}


class ModelCardData(CardData):
    """Metadata of a model's card. Fields that the card lacks are None. Evaluation results stay in `model-index`."""

    _fields = (
        "base_model",
        "datasets",
        "eval_results",
        "language",
        "library_name",
        "license",
        "license_name",
        "license_link",
        "metrics",
        "model_name",
        "pipeline_tag",
        "tags",
    )


class SpaceCardData(CardData):
    """Metadata of a space's card. Fields that the card lacks are None."""

    _fields = (
        "title",
        "sdk",
        "sdk_version",
        "python_version",
        "app_file",
        "app_port",
        "license",
        "duplicated_from",
        "models",
        "datasets",
        "tags",
    )
