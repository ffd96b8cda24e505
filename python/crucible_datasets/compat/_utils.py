"""Helpers of `datasets.utils` that other libraries import."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
ListLike: Any = list[T] | tuple[T, ...]  # type: ignore[valid-type]  # as in the official library
NestedDataStructureLike: Any = T | list[T] | dict[str, T]  # type: ignore[valid-type]
PathLike: Any = str | bytes | os.PathLike

_BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")
_UNITS: dict[str, int] = {
    **{unit[0] + "B": 10 ** (3 * power) for power, unit in enumerate(_BINARY, 1)},
    **{unit.upper(): 2 ** (10 * power) for power, unit in enumerate(_BINARY, 1)},
}


def convert_file_size_to_int(size: int | str) -> int:
    """Bytes of a size such as "500MB" or "1GiB"; "b" after a decimal unit means bits.

    Raises:
        ValueError: other text.
    """
    if isinstance(size, int):
        return size
    upper = size.upper()
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = upper.removesuffix(unit)
        if number != upper and number.strip().isdecimal():
            bits = not unit.endswith("IB") and size.endswith("b")
            return int(number) * _UNITS[unit] // (8 if bits else 1)
    msg = f"`size={size}` is not in a valid format. Use an integer followed by the unit, e.g., '5GB'."
    raise ValueError(msg)


def is_remote_filesystem(fs: Any) -> bool:
    """Whether an fsspec file system is elsewhere than on this machine."""
    protocol = fs.protocol
    return "file" not in ((protocol,) if isinstance(protocol, str) else protocol)


def size_str(size_in_bytes: float | None) -> str:
    """A size for people: "1.50 GiB"; "Unknown size" for None and 0."""
    if not size_in_bytes:
        return "Unknown size"
    for power, unit in reversed(list(enumerate(_BINARY, 1))):
        if size_in_bytes >= 2 ** (10 * power):
            return f"{size_in_bytes / 2 ** (10 * power):.2f} {unit}"
    return f"{int(size_in_bytes)} bytes"


@contextmanager
def temp_seed(seed: int, set_pytorch: bool = False, set_tensorflow: bool = False) -> Iterator[None]:
    """Numpy's global random state seeded for the length of a `with` block.

    Raises:
        NotImplementedError: states of other packages are asked for.
    """
    if set_pytorch or set_tensorflow:
        msg = "temp_seed seeds numpy only: use torch.random.fork_rng for PyTorch"
        raise NotImplementedError(msg)
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


@contextmanager
def temporary_assignment(obj: Any, attr: str, value: Any) -> Iterator[None]:
    """An attribute with another value for the length of a `with` block."""
    before = getattr(obj, attr, None)
    setattr(obj, attr, value)
    try:
        yield
    finally:
        setattr(obj, attr, before)


def asdict(obj: Any) -> Any:
    """A dataclass as plain data, all that is in it too; fields that say so are left out at their default.

    Raises:
        TypeError: neither a dataclass nor a list or dict.
    """
    if not (dataclasses.is_dataclass(obj) and not isinstance(obj, type)) and not isinstance(obj, list | tuple | dict):
        msg = f"{obj} is not a dict or a dataclass"
        raise TypeError(msg)
    return _plain(obj)


def _plain(obj: Any) -> Any:
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        made = {}
        for field in dataclasses.fields(obj):
            value = _plain(getattr(obj, field.name))
            always = field.metadata.get("include_in_asdict_even_if_is_default", False)
            if not field.init or value != field.default or always:
                made[field.name] = value
        return made
    if isinstance(obj, list | tuple):
        return [_plain(item) for item in obj]
    if isinstance(obj, dict):
        return {_plain(key): _plain(value) for key, value in obj.items()}
    return obj


def unique_values(values: Iterable[T]) -> Iterator[T]:
    """Values without those that were there before."""
    yield from dict.fromkeys(values)


def first_non_null_value(iterable: Iterable[T | None]) -> tuple[int, T | None]:
    """The first value that is not None, and its place; (-1, None) if there is none."""
    return next(((i, value) for i, value in enumerate(iterable) if value is not None), (-1, None))


def zip_dict(*dicts: Mapping[Any, Any]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Keys of several dicts with their values in each."""
    for key in unique_values(key for one in dicts for key in one):
        yield key, tuple(one[key] for one in dicts)


def iter_batched(iterable: Iterable[T], n: int) -> Iterator[list[T]]:
    """Lists of `n` items.

    Raises:
        ValueError: `n` below 1.
    """
    if n < 1:
        msg = f"Invalid batch size {n}"
        raise ValueError(msg)
    items = iter(iterable)
    while batch := list(islice(items, n)):
        yield batch


def map_nested(
    function: Callable[[Any], Any],
    data_struct: Any,
    dict_only: bool = False,
    map_list: bool = True,
    map_tuple: bool = False,
    map_numpy: bool = False,
    num_proc: int | None = None,
    parallel_min_length: int = 2,
    batched: bool = False,
    batch_size: int | None = 1000,
    types: tuple[type, ...] | None = None,
    disable_tqdm: bool = True,
    desc: str | None = None,
) -> Any:
    """A function over the leaves of nested dicts and lists.

    Args:
        function: called with each leaf, or with lists of leaves if `batched`.
        data_struct: the nested value.
        dict_only: whether only dicts are gone into.
        map_list: whether lists are gone into.
        map_tuple: whether tuples are gone into.
        map_numpy: whether arrays are gone into.
        num_proc: accepted for compatibility: this process does all.
        parallel_min_length: accepted for compatibility.
        batched: whether the function takes and returns lists of neighbours.
        batch_size: leaves of such a list; all neighbours when None or below 1.
        types: types that are gone into, in place of those above.
        disable_tqdm: accepted for compatibility.
        desc: accepted for compatibility.

    Returns:
        The same structure with what the function returned.
    """
    del num_proc, parallel_min_length, disable_tqdm, desc
    if types is None:
        chosen = [(list, map_list), (tuple, map_tuple), (np.ndarray, map_numpy)]
        types = () if dict_only else tuple(kind for kind, wanted in chosen if wanted)
    return _mapped(function, data_struct, types, batch_size if batched else 0)


def _mapped(function: Callable[[Any], Any], value: Any, types: tuple[type, ...], size: int | None) -> Any:
    """`size`: leaves of a list for a batched function; 0 for one that takes single leaves, None for all neighbours."""
    inner = (dict, *types)
    if isinstance(value, dict):
        keys, items = list(value), list(value.values())
    elif isinstance(value, types):
        sequence: Any = value
        keys, items = [], list(sequence)
    else:
        return function(value) if size == 0 else function([value])[0]
    if size == 0 or any(isinstance(item, inner) for item in items):
        made = [_mapped(function, item, types, size) for item in items]
    else:
        step = size if size is not None and size > 0 else max(len(items), 1)
        made = [result for batch in iter_batched(items, step) for result in function(batch)]
    if isinstance(value, dict):
        return dict(zip(keys, made, strict=True))
    return made if isinstance(value, list) else tuple(made) if isinstance(value, tuple) else np.array(made)
