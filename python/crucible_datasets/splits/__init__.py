"""Splits: their names, sizes, and the expressions that choose rows of them."""

from __future__ import annotations

from crucible_datasets.splits._infos import SplitDict, SplitInfo, SubSplitInfo
from crucible_datasets.splits._instruction import AbsoluteInstruction, ReadInstruction
from crucible_datasets.splits._names import NamedSplit, Split, check_config_name, check_split_name

__all__ = [
    "AbsoluteInstruction",
    "NamedSplit",
    "ReadInstruction",
    "Split",
    "SplitDict",
    "SplitInfo",
    "SubSplitInfo",
    "check_config_name",
    "check_split_name",
]
