"""Sizes of splits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from crucible_datasets.splits._instruction import AbsoluteInstruction, ReadInstruction


@dataclass(repr=False)
class SplitInfo:
    """What is known of a split.

    Attributes:
        name: its name.
        num_bytes: size of its Arrow data.
        num_examples: its rows.
        shard_lengths: rows by shard.
        original_shard_lengths: rows by source file.
        dataset_name: the dataset's name (older files have it here).
    """

    name: str = ""
    num_bytes: int = 0
    num_examples: int = 0
    shard_lengths: list[int] | None = None
    original_shard_lengths: list[int] | None = None
    dataset_name: str | None = None

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name))
        return f"SplitInfo({shown})"

    def to_dict(self) -> dict[str, Any]:
        """As plain data; absent facts are left out."""
        lengths = {key: value for key in _LENGTHS if (value := getattr(self, key)) is not None}
        sizes = {"name": self.name, "num_bytes": self.num_bytes, "num_examples": self.num_examples}
        return {**sizes, **lengths, "dataset_name": self.dataset_name}


_LENGTHS = ("shard_lengths", "original_shard_lengths")


@dataclass(frozen=True)
class SubSplitInfo:
    """A part of a split: what `info.splits["train[:10%]"]` gives."""

    instructions: list[AbsoluteInstruction]

    @property
    def num_examples(self) -> int:
        """Rows in it."""
        return sum(max(one.to - one.from_, 0) for one in self.instructions)


class SplitDict(dict[str, SplitInfo]):
    """Infos by split. An expression as key (`splits["train[:10%]"]`) gives a `SubSplitInfo`."""

    def __init__(self, *args: Any, dataset_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dataset_name = dataset_name

    def __getitem__(self, key: Any) -> Any:
        """A split's info, or that of an expression.

        Raises:
            ValueError: no such split, with those that there are.
        """
        if str(key) in self:
            return super().__getitem__(str(key))
        instruction = key if isinstance(key, ReadInstruction) else ReadInstruction.from_spec(key)
        return SubSplitInfo(instruction.to_absolute({name: info.num_examples for name, info in self.items()}))

    def __setitem__(self, key: str, value: SplitInfo) -> None:
        if key != value.name:
            msg = f"Cannot add elem. (key mismatch: '{key}' != '{value.name}')"
            raise ValueError(msg)
        super().__setitem__(str(key), value)

    def add(self, split_info: SplitInfo) -> None:
        """Adds a split.

        Raises:
            ValueError: it is there already.
        """
        if split_info.name in self:
            msg = f"Split {split_info.name} already present"
            raise ValueError(msg)
        split_info.dataset_name = self.dataset_name
        super().__setitem__(split_info.name, split_info)

    @property
    def total_num_examples(self) -> int:
        """Rows of all splits."""
        return sum(info.num_examples for info in self.values())

    @classmethod
    def from_split_dict(
        cls, split_infos: Iterable[Any] | Mapping[str, Any], dataset_name: str | None = None
    ) -> SplitDict:
        """From infos, or from dicts with their fields; unknown fields are left out."""
        items = list(split_infos.values() if isinstance(split_infos, Mapping) else split_infos)
        if dataset_name is None and items and isinstance(items[0], Mapping):
            dataset_name = items[0].get("dataset_name")
        made, known = cls(dataset_name=dataset_name), {f.name for f in fields(SplitInfo)}
        for item in items:
            given = {k: v for k, v in item.items() if k in known} if isinstance(item, Mapping) else None
            made.add(copy.copy(item) if given is None else SplitInfo(**given))
        return made

    def to_split_dict(self) -> list[SplitInfo]:
        """The infos, copied."""
        return [copy.deepcopy(info) for info in self.values()]

    def copy(self) -> SplitDict:
        """A copy, infos included."""
        return SplitDict.from_split_dict(self.to_split_dict(), self.dataset_name)
