"""Names of splits and configs."""

from __future__ import annotations

import re
from typing import Any

from crucible_datasets.errors import InvalidConfigName

SPLIT_NAME = r"\w+(?:\.\w+)*"
_NAME = re.compile(SPLIT_NAME)
_BAD_IN_CONFIGS = r"<>:/\|?*"


def check_split_name(name: str) -> str:
    """A split's name.

    Raises:
        ValueError: it has other characters than letters, digits, `_` and inner dots.
    """
    if not _NAME.fullmatch(name):
        msg = f"Split name should match '^\\w+(\\.\\w+)*$' but got '{name}'."
        raise ValueError(msg)
    return name


def check_config_name(name: str) -> str:
    """A config's name.

    Raises:
        InvalidConfigName: it has characters that no folder may have.
    """
    if any(char in name for char in _BAD_IN_CONFIGS):
        msg = f"Bad characters from black list '{_BAD_IN_CONFIGS}' found in '{name}'."
        raise InvalidConfigName(msg)
    return name


class NamedSplit(str):
    """The name of a split, or an expression of such (`train[:10%]+test`). A `str` that equals its text.

    Raises:
        ValueError: a name in it has other characters than letters, digits, `_` and inner dots.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> NamedSplit:
        """Checks the names."""
        for term in str(name).split("+"):
            check_split_name(term.split("[")[0])
        return super().__new__(cls, name)

    def __repr__(self) -> str:
        return f"NamedSplit({str(self)!r})"

    def __str__(self) -> str:
        """The text."""
        return str.__str__(self)

    def __add__(self, other: str) -> NamedSplit:
        """Both, one after the other: `Split.TRAIN + Split.TEST` is `train+test`."""
        return NamedSplit(f"{self}+{other}")


class Split:
    """Names of the usual splits. `Split("name")` gives others."""

    TRAIN = NamedSplit("train")
    TEST = NamedSplit("test")
    VALIDATION = NamedSplit("validation")
    ALL = NamedSplit("all")

    def __new__(cls, name: str) -> Any:
        """A `NamedSplit`."""
        return NamedSplit(name)
