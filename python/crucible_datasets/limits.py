"""How much strangers' files may make this process allocate.

Sizes that a file announces are checked before memory is reserved for them; what is over a limit is a `LimitError` that
names the limit. `docs/bad-input.md` says what each is for.

>>> import crucible_datasets as datasets
>>> datasets.set_limits(max_image_pixels=1_000_000_000)  # from now on
>>> with datasets.set_limits(max_json_depth=200):        # in the block
...     ds = datasets.load_dataset("json", data_files="deep.jsonl")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from _crucible import _native

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Limits", "get_limits", "set_limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one moment.

    Attributes:
        max_image_pixels: pixels of an image (`CRUCIBLE_MAX_IMAGE_PIXELS`).
        max_json_depth: nesting of JSON values, at most 256 (`CRUCIBLE_MAX_JSON_DEPTH`).
        max_missing_values: values that rows of a JSON or CSV file may lack, which others have: they are nulls in memory
            (`CRUCIBLE_MAX_MISSING_VALUES`).
        max_footer_bytes: bytes of a Parquet footer (`CRUCIBLE_MAX_FOOTER_BYTES`).
        max_page_bytes: bytes of an unpacked Parquet page (`CRUCIBLE_MAX_PAGE_BYTES`).
        max_page_values: values of a Parquet page (`CRUCIBLE_MAX_PAGE_VALUES`).
        max_schema_depth: nesting of groups in a Parquet schema, at most 256 (`CRUCIBLE_MAX_SCHEMA_DEPTH`).
        max_fixed_bytes: bytes of a fixed-length Parquet value or list (`CRUCIBLE_MAX_FIXED_BYTES`).
        max_unpacked_bytes: bytes that a compressed text file, or a column of a Parquet row group, may unpack to
            (`CRUCIBLE_MAX_UNPACKED_BYTES`).
    """

    max_image_pixels: int
    max_json_depth: int
    max_missing_values: int
    max_footer_bytes: int
    max_page_bytes: int
    max_page_values: int
    max_schema_depth: int
    max_fixed_bytes: int
    max_unpacked_bytes: int


class _Changes(TypedDict, total=False):
    max_image_pixels: int | None
    max_json_depth: int | None
    max_missing_values: int | None
    max_footer_bytes: int | None
    max_page_bytes: int | None
    max_page_values: int | None
    max_schema_depth: int | None
    max_fixed_bytes: int | None
    max_unpacked_bytes: int | None


class _Set:
    """What `set_limits` gives: a `with` block over it puts back the limits that it changed."""

    def __init__(self, before: dict[str, int]) -> None:
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _native.set_limits(self._before)


def get_limits() -> Limits:
    """The limits of this process.

    Raises:
        ValueError: if an environment variable of a limit is no number in its range.
    """
    return Limits(**_native.get_limits())


def set_limits(**limits: Unpack[_Changes]) -> _Set:
    """Sets limits of this process, for all its threads and for calls that start from now on.

    Processes forked later have them too. Spawned ones have them from the environment: `CRUCIBLE_MAX_IMAGE_PIXELS` and so
    on, which are read when a limit is first needed.

    Args:
        **limits: the fields of `Limits`, each a positive number, or None for the default.

    Returns:
        Something to use as `with set_limits(...):` where the limits shall be put back behind the block. The limits are
        the process's: other threads see them meanwhile.

    Raises:
        TypeError: for a limit that does not exist, or no whole number; nothing is set.
        ValueError: for a number out of the limit's range; nothing is set.
    """
    before = _native.get_limits()
    _native.set_limits({**limits})
    return _Set({name: before[name] for name in limits})
