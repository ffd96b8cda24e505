"""`Hasher`, and fingerprints of transforms."""

from __future__ import annotations

import hashlib
import importlib
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crucible_datasets.fingerprint._errors import UnhashableError
from crucible_datasets.fingerprint._switch import is_caching_enabled
from crucible_datasets.utils.logging import get_logger

if TYPE_CHECKING:
    from crucible_datasets.fingerprint._walk import Walker

logger = get_logger(__name__)

_VERSION = "1"
"""Part of every fingerprint: counts up when results of the same transform change."""
_DIGITS = 16
_LONGEST = 64
_FORBIDDEN = "<>:/\\|?*"
_random = random.Random()
_said: set[str] = set()


class Hasher:
    """A hash of Python objects that is the same in every process: 16 hex digits.

    Functions are hashed by what they do, with what they refer to; see `docs/operations.md`.
    """

    def __init__(self) -> None:
        # Late: whoever only reads rows hashes nothing.
        walk: Any = importlib.import_module("crucible_datasets.fingerprint._walk")
        self._walker: Walker = walk.Walker()

    @classmethod
    def hash_bytes(cls, value: bytes | list[bytes]) -> str:
        """The hash of bytes, or of several one after the other."""
        joined = value if isinstance(value, bytes) else b"".join(value)
        return hashlib.blake2b(joined, digest_size=_DIGITS // 2).hexdigest()

    @classmethod
    def hash(cls, value: Any) -> str:
        """The hash of an object.

        Raises:
            UnhashableError: its state cannot be told.
        """
        hasher = cls()
        hasher.update(value)
        return hasher.hexdigest()

    def update(self, value: Any) -> None:
        """Takes in one more object.

        Raises:
            UnhashableError: its state cannot be told.
        """
        self._walker.tell("value")
        self._walker.add(value)

    def hexdigest(self) -> str:
        """The hash of all objects that were taken in."""
        return self._walker.hexdigest()[:_DIGITS]


def generate_random_fingerprint(nbits: int = 64) -> str:
    """A fingerprint that nothing else has."""
    return f"{_random.getrandbits(nbits):0{nbits // 4}x}"


def validate_fingerprint(fingerprint: str, max_length: int = _LONGEST) -> None:
    """Checks that a fingerprint can be part of a file's name.

    Raises:
        ValueError: it is empty, too long, or has a character that names of files must not have.
    """
    if not isinstance(fingerprint, str) or not fingerprint:
        msg = f"Invalid fingerprint {fingerprint!r}: it should be a non-empty string."
        raise ValueError(msg)
    if bad := sorted(set(_FORBIDDEN) & set(fingerprint)):
        msg = f"Invalid fingerprint {fingerprint!r}: it names a file and must not have the characters {''.join(bad)!r}."
        raise ValueError(msg)
    if len(fingerprint) > max_length:
        msg = f"Invalid fingerprint {fingerprint!r}: {len(fingerprint)} characters are more than {max_length}."
        raise ValueError(msg)


def fingerprint_of(transform: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
    """The fingerprint of a transform's result.

    Args:
        transform: name of the transform.
        arguments: what the result depends on, with what is transformed.

    Returns:
        The fingerprint, and whether it is one: what cannot be hashed gives a random one, and one warning a process.
    """
    hasher = Hasher()
    hasher.update([_VERSION, transform])
    for name in sorted(arguments):
        hasher.update(name)
        try:
            hasher.update(arguments[name])
        except UnhashableError as error:
            _warn(transform, name, error)
            return generate_random_fingerprint(), False
    return hasher.hexdigest(), True


def update_fingerprint(fingerprint: str, transform: Any, transform_args: Mapping[str, Any]) -> str:
    """The fingerprint of a transform's result; random where something cannot be hashed.

    Args:
        fingerprint: that of what is transformed.
        transform: its name, or the function.
        transform_args: its arguments.
    """
    name = transform if isinstance(transform, str) else getattr(transform, "__qualname__", type(transform).__qualname__)
    return fingerprint_of(str(name), {**transform_args, "": [fingerprint, transform]})[0]


def _warn(transform: str, argument: str, error: UnhashableError) -> None:
    text = (
        "%s: the argument %r cannot be hashed, so its result is not used again: a random fingerprint stands for it. "
        "%s. Give new_fingerprint= a name of your own to have the result kept. This is said once."
    )
    level = "info" if _said or not is_caching_enabled() else "warning"
    _said.add(transform)
    getattr(logger, level)(text, transform, argument, error)
