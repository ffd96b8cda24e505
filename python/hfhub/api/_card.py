"""Cards: the README of a repository, its YAML block and its text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Self

from _crucible._optional import require
from hfhub.api._card_data import CardData, DatasetCardData, ModelCardData, SpaceCardData
from hfhub.download import hf_hub_download

_BLOCK = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))")
# The largest YAML block that is parsed: the largest known card (of a dataset with thousands of configs) has 3 MB.
_LARGEST_BLOCK = 16 << 20


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML block of a card, and the text below it.

    Args:
        text: the card.

    Raises:
        ValueError: the block is no YAML, no mapping, or absurdly large.
        ImportError: PyYAML is not installed.
    """
    found = _BLOCK.search(text)
    if found is None:
        return {}, text
    if len(found[2]) > _LARGEST_BLOCK:
        msg = f"the card's YAML block has {len(found[2])} characters: more than {_LARGEST_BLOCK}"
        raise ValueError(msg)
    yaml = require("yaml", extra="arrow", why="reading a card")
    try:
        data = yaml.load(found[2], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # safe: no objects
    except yaml.YAMLError as error:
        msg = f"the card's YAML block cannot be read: {error}"
        raise ValueError(msg) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        msg = "repo card metadata block should be a dict"
        raise ValueError(msg)
    return {str(key): value for key, value in data.items()}, text[found.end() :]


class RepoCard:
    """A card.

    Args:
        content: the whole README.
        ignore_metadata_errors: take a broken YAML block for an empty one.

    Attributes:
        data: the metadata.
        text: the README below the metadata.
    """

    card_data_class: ClassVar[type[CardData]] = CardData
    repo_type: ClassVar[str] = "model"

    def __init__(self, content: str, ignore_metadata_errors: bool = False) -> None:
        try:
            data, self.text = front_matter(content)
        except ValueError:
            if not ignore_metadata_errors:
                raise
            data, self.text = {}, content
        self.data = self.card_data_class(**data)
        self._order = list(data)
        self._line_break = "\r\n" if 0 < content.count("\n") == content.count("\r\n") else "\n"

    @property
    def content(self) -> str:
        """The whole card as text."""
        end = self._line_break
        return f"---{end}{self.data.to_yaml(end, self._order)}{end}---{end}{self.text}"

    def __str__(self) -> str:
        return self.content

    def save(self, filepath: str | Path) -> None:
        """Writes the card to a file."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            file.write(self.content)

    @classmethod
    def load(
        cls,
        repo_id_or_path: str | Path,
        repo_type: str | None = None,
        token: str | bool | None = None,
        ignore_metadata_errors: bool = False,
    ) -> Self:
        """A card of the hub or of a file.

        Args:
            repo_id_or_path: `namespace/name`, or the path of a card.
            repo_type: "model", "dataset" or "space"; that of the class when absent.
            token: a token, True for the stored one, False for none.
            ignore_metadata_errors: take a broken YAML block for an empty one.

        Raises:
            ValueError: the metadata cannot be read.
            RemoteEntryNotFoundError: the repository has no card; and as `hf_hub_download`.
        """
        path = Path(repo_id_or_path)
        if not path.is_file():
            kind = repo_type or cls.repo_type
            path = Path(hf_hub_download(str(repo_id_or_path), "README.md", repo_type=kind, token=token))
        with path.open(encoding="utf-8", newline="") as file:
            return cls(file.read(), ignore_metadata_errors)


class ModelCard(RepoCard):
    """The card of a model."""

    card_data_class = ModelCardData


class DatasetCard(RepoCard):
    """The card of a dataset."""

    card_data_class = DatasetCardData
    repo_type = "dataset"


class SpaceCard(RepoCard):
    """The card of a space."""

    card_data_class = SpaceCardData
    repo_type = "space"
