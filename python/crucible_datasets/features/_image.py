"""The `Image` feature: encoded bytes in, pixels out."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from _crucible import _native
from _crucible._optional import require
from _crucible.errors import DecodeError, LimitError, UnsupportedError
from crucible_datasets.features._arrow import Typed
from crucible_datasets.features._media import stored_file
from crucible_datasets.features._types import Value

_ORIENTATION = 0x0112


@dataclass
class Image(Typed):
    """An image, stored as `{"bytes": …, "path": …}`.

    Args:
        mode: Pillow mode to convert to; the file's own when absent.
        decode: whether rows have `PIL.Image.Image` objects (numpy format: uint8 arrays) or the stored dict.
        id: a name of the user's own.
    """

    mode: str | None = None
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "PIL.Image.Image"
    _type: str = field(default="Image", init=False, repr=False)

    def encode_example(self, value: Any) -> dict[str, Any] | None:
        """What is stored for a path, bytes, a `{"bytes", "path"}` dict, a numpy array (or nested lists) or a PIL image.

        Raises:
            ValueError: none of these.
        """
        if value is None:
            return None
        if hasattr(value, "save") and hasattr(value, "getbands"):
            return encode_pillow(value)
        if isinstance(value, list) or hasattr(value, "__array__"):
            return _encode_array(value)
        return stored_file(value, "an image")

    def decode_example(self, value: Any, token_per_repo_id: Any = None) -> Any:  # noqa: ARG002  # the official signature
        """The `PIL.Image.Image` of a stored image.

        Raises:
            RuntimeError: `decode` is False.
            DecodeError: broken data.
        """
        if not self.decode:
            msg = "Decoding is disabled for this feature. Please use Image(decode=True) instead."
            raise RuntimeError(msg)
        return decode_image(value, self)

    def flatten(self) -> Any:
        """The columns that it becomes when flattened: itself if it is decoded."""
        return self if self.decode else {"bytes": Value("binary"), "path": Value("string")}


def encode_pillow(image: Any) -> dict[str, Any]:
    """What is stored for a PIL image: its file's path if it is unchanged, else its bytes in its own format or PNG."""
    path = getattr(image, "filename", "")
    if path and (not hasattr(image, "_as_read") or _unchanged(image, path)):
        return {"bytes": None, "path": path}
    buffer = io.BytesIO()
    lossless = "PNG" if image.mode in ("1", "L", "LA", "RGB", "RGBA") else "TIFF"
    image.save(buffer, image.format or lossless)
    return {"bytes": buffer.getvalue(), "path": None}


def _unchanged(image: Any, path: str) -> bool:
    """Whether an image that was decoded here still has the pixels of its file. `datasets` loses what is drawn into it."""
    try:
        again = decode_image({"bytes": None, "path": path}, Image())
    except (OSError, DecodeError, LimitError):
        return False
    return bool(again.mode == image.mode and again.size == image.size and again.tobytes() == image.tobytes())


def _encode_array(value: Any) -> dict[str, Any]:
    """PNG of an array of integers, TIFF of one of floats; wider numbers are narrowed as far as Pillow needs.

    Raises:
        TypeError: numbers that no image has.
    """
    np = require("numpy", extra="numpy", why="arrays as images")
    pil = require("PIL.Image", extra="image", why="arrays as images")
    array = np.asarray(value)
    if array.ndim == 3 and array.dtype.kind in "iu":
        if array.dtype != np.uint8 and array.size and (array.min() < 0 or array.max() > 255):
            msg = f"an image with channels has values of uint8, not {array.dtype}"
            raise TypeError(msg)
        array = array.astype(np.uint8, copy=False)
    elif array.dtype.kind == "b" or array.dtype.kind not in "iuf":
        msg = f"Unsupported array dtype {array.dtype} for image encoding."
        raise TypeError(msg)
    elif array.dtype.str[1:] not in ("u1", "u2", "i4", "f4"):
        array = array.astype(
            np.float32 if array.dtype.kind == "f" else np.int32 if array.dtype.kind == "i" else np.uint16
        )
    buffer = io.BytesIO()
    image = pil.fromarray(array)
    image.save(buffer, "PNG" if image.mode in ("1", "L", "LA", "RGB", "RGBA") else "TIFF")
    return {"bytes": buffer.getvalue(), "path": None}


def _bytes_of(stored: dict[str, Any]) -> Any:
    data = stored.get("bytes")
    if data is not None:
        return data
    path = stored.get("path")
    if path is None:
        msg = "An image should have one of 'path' or 'bytes' but both are None."
        raise ValueError(msg)
    return Path(path).read_bytes()


def _orientation(data: Any) -> int:
    """The EXIF orientation of a JPEG, 1 if there is none. Only files with an EXIF segment are opened by Pillow."""
    if b"Exif\x00\x00" not in bytes(data[: 1 << 16]):
        return 1
    pil = require("PIL.Image", extra="image", why="EXIF orientations")
    with pil.open(io.BytesIO(data)) as image:
        return int(image.getexif().get(_ORIENTATION, 1) or 1)


def _by_pillow(data: Any) -> Any:
    """Formats that Rust does not decode."""
    pil = require("PIL.Image", extra="image", why="images other than JPEG and PNG")
    ops = require("PIL.ImageOps", extra="image", why="images other than JPEG and PNG")
    image = pil.open(io.BytesIO(data))
    image.load()
    if image.getexif().get(_ORIENTATION) is not None:
        image = ops.exif_transpose(image)
    return image


def decode_image(stored: dict[str, Any] | None, feature: Image, *, numpy: bool = False) -> Any:
    """The pixels of a stored image.

    Args:
        stored: `{"bytes", "path"}`, or None.
        feature: gives the mode to convert to.
        numpy: whether to return an array.

    Returns:
        None for None; a `PIL.Image.Image`, or a uint8 array of shape (height, width) or (height, width, channels).

    Raises:
        DecodeError: broken data, with the path of the file if it has one; `PIL.UnidentifiedImageError` for what is no image.
        LimitError: more pixels than allowed.
    """
    if stored is None:
        return None
    data = _bytes_of(stored)
    try:
        image = _decoded(data, feature, numpy=numpy)
    except (DecodeError, LimitError, OSError) as error:
        path = stored.get("path")
        if not path or str(path) in str(error) or (isinstance(error, OSError) and error.errno is not None):
            raise
        msg = f"{error} ({path})"
        raise type(error)(msg) from error
    if stored.get("bytes") is None and not numpy and feature.mode is None:
        image.filename = str(stored["path"])  # as of an opened file: it is stored by its path again
        image._as_read = True
    return image


def _decoded(data: Any, feature: Image, *, numpy: bool) -> Any:
    try:
        mode, pixels = _native.decode_image(data)
        turned = mode != "LA" and _orientation(data) not in (0, 1)
    except UnsupportedError:
        image = _by_pillow(data)
    else:
        np = require("numpy", extra="numpy", why="images")
        array = np.asarray(pixels)
        if numpy and not turned and feature.mode in (None, mode):
            return array
        pil = require("PIL.Image", extra="image", why="images as objects")
        image = pil.frombytes(mode, (array.shape[1], array.shape[0]), array.tobytes())
        if turned:
            image = _by_pillow(data)
    if feature.mode is not None and image.mode != feature.mode:
        image = image.convert(feature.mode)
    if numpy:
        np = require("numpy", extra="numpy", why="images")
        return np.asarray(image)
    return image
