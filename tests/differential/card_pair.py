"""The card after an upload, as this library writes it and as the official one does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets as theirs
import yaml
from datasets.arrow_dataset import _get_updated_dataset_card
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

import crucible_datasets as ours
import hfhub
from crucible_datasets.push import updated_card

CRASHES = (TypeError, KeyError, AttributeError, AssertionError, yaml.YAMLError)
"""What the official function raises where it did not expect something."""
TEXT = {"text": {"dtype": "string", "_type": "Value"}}


@dataclass(frozen=True)
class Push:
    """An upload, and the repository that it comes to.

    Attributes:
        readme, legacy: texts of the two files; None without them.
        paths: other files.
        splits: names, bytes and rows.
        features: in their JSON form.
    """

    readme: str | None = None
    legacy: dict[str, Any] | None = None
    paths: tuple[str, ...] = ()
    config_name: str = "default"
    splits: tuple[tuple[str, int, int], ...] = (("train", 100, 10),)
    features: dict[str, Any] = field(default_factory=lambda: TEXT)
    deleted: int = 7
    data_dir: str | None = None
    set_default: bool | None = None
    whole: bool = False

    @property
    def folder(self) -> str:
        """Where the files go: as `push_to_hub` has it."""
        return self.data_dir or ("data" if self.config_name == "default" else self.config_name)


def of_ours(push: Push) -> tuple[str, str | None]:
    """Both texts as this library has them."""
    return updated_card(
        push.readme,
        None if push.legacy is None else json.dumps(push.legacy),
        push.paths,
        config_name=push.config_name,
        features=ours.Features.from_dict(push.features),
        splits=[ours.SplitInfo(name, size, rows) for name, size, rows in push.splits],
        uploaded=[50 + number for number in range(len(push.splits))],
        deleted=[] if push.whole else [push.deleted] * len(push.splits),
        data_dir=push.folder,
        set_default=push.set_default,
        whole=push.whole,
    )


def of_theirs(push: Push) -> tuple[str, str | None]:
    """Both texts as the official library has them."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {"README.md": push.readme, "dataset_infos.json": push.legacy and json.dumps(push.legacy)}
        for path, text in {**texts, **dict.fromkeys(push.paths, "")}.items():
            if text is not None:
                Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
                Path(folder, path).write_bytes(text.encode())
        card, infos = _get_updated_dataset_card(
            fs=DirFileSystem(path=folder, fs=LocalFileSystem()),
            config_name=push.config_name,
            splits_info=[theirs.SplitInfo(name, size, rows) for name, size, rows in push.splits],
            features=theirs.Features.from_dict(json.loads(json.dumps(push.features))),
            data_dir=push.folder,
            set_default=push.set_default,
            uploaded_sizes=[50 + number for number in range(len(push.splits))],
            deleted_sizes=[] if push.whole else [push.deleted] * len(push.splits),
            remove_other_splits=push.whole,
        )
        return str(card), None if infos is None else json.dumps(infos)


def parsed(card: str) -> Any:
    """The YAML of a card."""
    return hfhub.DatasetCard(card).data.to_dict()


def check(push: Push) -> Any:
    """Both libraries write the same, or raise errors of one kind.

    Where the official one fails by accident, this one writes a card, or says which file is wrong.

    Returns:
        Both texts, or the error.
    """
    expected, found = outcome(of_theirs, push), outcome(of_ours, push)
    if isinstance(expected, CRASHES):
        assert isinstance(found, tuple) or any(name in str(found) for name in ("README.md", "dataset_infos.json"))
    elif isinstance(expected, ValueError):
        assert str(expected).strip()[:30] in str(found)
    else:
        assert found == expected
        assert parsed(found[0]) == parsed(expected[0])
    return found


def outcome(write: Callable[[Push], tuple[str, str | None]], push: Push) -> Any:
    """What a library writes, or its error; of this library a `ValueError`."""
    expected = (ValueError, *CRASHES) if write is of_theirs else ValueError
    try:
        return write(push)
    except expected as error:
        return error
