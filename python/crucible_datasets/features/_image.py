"""The `Image` feature: encoded bytes in, pixels out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _crucible import _native
from _crucible._optional import require
from _crucible.errors import UnsupportedError

_ORIENTATION = 0x0112


@dataclass
class Image:
    """An image, stored as `{"bytes": …, "path": …}`.

    Args:
        mode: Pillow mode to convert to; the file's own when absent.
        decode: whether rows have `PIL.Image.Image` objects (numpy format: uint8 arrays) or the stored dict.
    """

    mode: str | None = None
    decode: bool = True

    def __repr__(self) -> str:
        return f"Image(mode={self.mode!r}, decode={self.decode!r})"

    def encode_example(self, value: Any) -> dict[str, Any] | None:
        """What is stored for a path, bytes, a `{"bytes", "path"}` dict, a numpy array or a PIL image.

        Raises:
            ValueError: none of these.
        """
        if value is None:
            return None
        if isinstance(value, str | Path):
            return {"bytes": None, "path": str(Path(value).absolute())}
        if isinstance(value, bytes | bytearray | memoryview):
            return {"bytes": bytes(value), "path": None}
        if isinstance(value, dict):
            if value.get("bytes") is None and value.get("path") is None:
                msg = f"An image sample should have one of 'path' or 'bytes' but they are missing or None in {value}."
                raise ValueError(msg)
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        if hasattr(value, "save") and hasattr(value, "getbands"):
            buffer = io.BytesIO()
            value.save(buffer, value.format or "PNG")
            return {"bytes": buffer.getvalue(), "path": getattr(value, "filename", None) or None}
        if hasattr(value, "__array__"):
            pil = require("PIL.Image", extra="image", why="arrays as images")
            buffer = io.BytesIO()
            pil.fromarray(value).save(buffer, "PNG")
            return {"bytes": buffer.getvalue(), "path": None}
        msg = f"Can't make an image of a value of type {type(value).__name__}"
        raise ValueError(msg)


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
        DecodeError: broken data.
        LimitError: more pixels than allowed.
    """
    if stored is None:
        return None
    data = _bytes_of(stored)
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
