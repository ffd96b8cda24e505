"""Places as they come back from JSON: what they hold is checked before it is used."""

from __future__ import annotations

from typing import Any

from crucible_datasets.iterable._plan import StateError

_LARGEST = (1 << 63) - 1


def members(state: Any, owner: str, *names: str) -> list[Any]:
    """Members of a state.

    Args:
        state: what came back.
        owner: whose state it is, for messages.
        names: the members.

    Raises:
        StateError: no dict, or one without them.
    """
    if not isinstance(state, dict) or not all(name in state for name in names):
        raise unfit(state, owner)
    return [state[name] for name in names]


def natural(value: Any, state: Any, owner: str, most: int = _LARGEST) -> int:
    """A member that counts something.

    Raises:
        StateError: no whole number from 0 to `most`.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise unfit(state, owner)
    return value


def flags(value: Any, state: Any, owner: str, count: int) -> list[bool]:
    """A member that is a list of so many booleans.

    Raises:
        StateError: it is not.
    """
    if not isinstance(value, list) or len(value) != count or not all(type(flag) is bool for flag in value):
        raise unfit(state, owner)
    return list(value)


def unfit(state: Any, owner: str) -> StateError:
    """The error of a state that is none of its owner's."""
    return StateError(f"the state does not fit the stream: {owner} got {state!r:.200}")
