"""Bounds of features that files and cards of strangers announce, checked before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crucible_datasets.errors import CastError, DataError, LimitError, SchemaError

MAX_DEPTH = 100
"""Deepest nesting of features; Python's values go as deep."""
MAX_ITEMS = 1 << 20
"""Most names, numbers and features together. A YAML alias counts each time: few lines can stand for billions."""
MAX_CLASSES = 1 << 20
"""Most classes of a label that has a number and no names: each gets one."""


def checked(spec: Any, levels: int = 1) -> None:
    """Refuses what is too deep or too much.

    Args:
        spec: features in JSON or YAML.
        levels: lists and dicts that a level of features takes in that form.

    Raises:
        LimitError: over a bound, or a part of itself.
        SchemaError: neither a list nor a dict.
    """
    if not isinstance(spec, dict | list):
        msg = f"Expected features but got {type(spec).__name__}: {spec!r:.100}"
        raise SchemaError(msg)
    most = MAX_DEPTH * levels + 3
    items = 0
    waiting: list[tuple[Any, int]] = [(spec, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > most:
            msg = f"features nested deeper than {MAX_DEPTH}"
            raise LimitError(msg)
        items += len(node)
        if items > MAX_ITEMS:
            msg = f"features of more than {MAX_ITEMS} names and parts"
            raise LimitError(msg)
        inside = node.values() if isinstance(node, dict) else node
        waiting.extend((part, depth + 1) for part in inside if isinstance(part, dict | list | tuple))


def checked_classes(count: Any) -> None:
    """Refuses a number of classes, all without names, that no data has.

    Raises:
        LimitError: more than `MAX_CLASSES`.
        ValueError: not a number of things.
    """
    if not isinstance(count, int) or count < 0:
        msg = f"num_classes={count!r} is not a number of classes"
        raise ValueError(msg)
    if count > MAX_CLASSES:
        msg = f"num_classes={count} without names, more than {MAX_CLASSES}"
        raise LimitError(msg)


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Gives what goes wrong inside a class of this library, and the place.

    Args:
        place: a column, and the way into it.

    Raises:
        SchemaError: for what is wrong with features; it is a `TypeError` too where one was raised.
    """
    try:
        yield
    except DataError:
        raise  # has its place
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        msg = f"{error} (features, at {place!r})" if place else str(error)
        raise (CastError if isinstance(error, TypeError) else SchemaError)(msg) from error


def length_of(given: Any) -> int:
    """The length of a list.

    Raises:
        ValueError: not a whole number, or below -1.
    """
    number = int(given) if isinstance(given, int | str) and not isinstance(given, bool) else -2
    if number < -1:
        msg = f"length={given!r} is not the length of a list"
        raise ValueError(msg)
    return number


def checked_shape(given: Any) -> None:
    """Refuses what is no shape: whole numbers from 0 on, None for any.

    Raises:
        ValueError: something else.
    """
    sizes = given if isinstance(given, list | tuple) else [""]
    if not all(size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0) for size in sizes):
        msg = f"shape={given!r} is not a list of sizes"
        raise ValueError(msg)


def checked_names(key: str, given: Any, empty: bool = True) -> None:
    """Refuses what is no list of names; numbers are names too, and None is none if `empty`.

    Raises:
        ValueError: something else.
    """
    listed = (given is None and empty) or isinstance(given, list | tuple)
    if not listed or not all(isinstance(name, str | int | float) for name in given or ()):
        msg = f"{key}={given!r:.200} is not a list of names"
        raise ValueError(msg)


def checked_scalar(key: str, given: Any) -> None:
    """Refuses an option that is neither a text nor a number nor a truth.

    Raises:
        ValueError: something else.
    """
    if not (given is None or isinstance(given, str | int) or (isinstance(given, float) and math.isfinite(given))):
        msg = f"{key}={given!r:.200} is neither a text nor a number"
        raise ValueError(msg)
