"""The `.ten` format of WebDataset: arrays as pairs of chunks, a header and the numbers."""

from __future__ import annotations

import struct
from typing import Any

from _crucible._optional import require

_MAGIC = b"~TenBin~"
_STEP = 64
_TYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}


def _chunks(value: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(value):
        if value[at : at + 8] != _MAGIC:
            msg = f"no chunk begins at byte {at}"
            raise ValueError(msg)
        [length] = struct.unpack_from("<q", value, at + 8)
        if not 0 <= length <= len(value) - at - 16:
            msg = f"the chunk at byte {at} announces {length} bytes"
            raise ValueError(msg)
        found.append(value[at + 16 : at + 16 + length])
        at += 16 + -(-length // _STEP) * _STEP
    return found


def tensors(value: bytes) -> list[Any]:
    """The arrays.

    Args:
        value: the file.

    Raises:
        ValueError, struct.error: it is not of this format.
    """
    np = require("numpy", extra="numpy", why="a field of tensors")
    chunks = _chunks(value)
    out = []
    for header, numbers in zip(chunks[::2], chunks[1::2], strict=True):
        kind = header[:8].decode("ascii").strip("\0")
        if kind not in _TYPES:
            msg = f"unknown type {kind!r}"
            raise ValueError(msg)
        [rank] = struct.unpack_from("<q", header, 16)
        if not 0 <= rank <= len(header) // 8 - 3:
            msg = f"an array of {rank} dimensions"
            raise ValueError(msg)
        shape = struct.unpack_from(f"<{rank}q", header, 24)
        out.append(np.frombuffer(numbers, dtype=kind).reshape(shape))
    return out
