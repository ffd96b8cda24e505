"""Bounds of features that files and cards of strangers announce, checked before anything is made of them."""

from __future__ import annotations

from typing import Any

from crucible_datasets.errors import LimitError

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
    """
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
