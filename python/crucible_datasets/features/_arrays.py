"""`Array2D` to `Array5D`: arrays of one number type, stored as nested lists under an Arrow extension type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from crucible_datasets.features._arrow import Typed
from crucible_datasets.features._dtypes import checked_dtype


@dataclass
class ArrayND(Typed):
    """What the array features share.

    Args:
        shape: size of each dimension; the first may be None, for any size.
        dtype: type of the items.
        id: a name of the user's own.

    Raises:
        ValueError: another number of dimensions, None in a later one, or an unknown dtype.
    """

    shape: Any
    dtype: str
    id: str | None = field(default=None, repr=False)
    ndim: ClassVar[int] = 0

    def __post_init__(self) -> None:
        self.shape = tuple(self.shape)
        if len(self.shape) != self.ndim:
            msg = f"shape={self.shape} and ndims={self.ndim} don't match"
            raise ValueError(msg)
        if any(size is None for size in self.shape[1:]):
            msg = f"Support only dynamic size on first dimension. Got: {self.shape}"
            raise ValueError(msg)
        checked_dtype(self.dtype)

    def encode_example(self, value: Any) -> Any:
        """The value itself."""
        return value


@dataclass
class Array2D(ArrayND):
    """A two-dimensional array; arguments as `ArrayND`."""

    _type: str = field(default="Array2D", init=False, repr=False)
    ndim: ClassVar[int] = 2


@dataclass
class Array3D(ArrayND):
    """A three-dimensional array; arguments as `ArrayND`."""

    _type: str = field(default="Array3D", init=False, repr=False)
    ndim: ClassVar[int] = 3


@dataclass
class Array4D(ArrayND):
    """A four-dimensional array; arguments as `ArrayND`."""

    _type: str = field(default="Array4D", init=False, repr=False)
    ndim: ClassVar[int] = 4


@dataclass
class Array5D(ArrayND):
    """A five-dimensional array; arguments as `ArrayND`."""

    _type: str = field(default="Array5D", init=False, repr=False)
    ndim: ClassVar[int] = 5
