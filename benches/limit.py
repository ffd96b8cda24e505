"""What a Parquet reader cannot do without: its pages unpacked on all cores, each into memory of its own.

Pages are found with a small reader of Thrift's compact protocol (parquet-format's `PageHeader`: 2 is the unpacked size,
3 the packed one), before the clock starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = 4096
"""Bytes read for a page header; those of the suites are shorter."""


class Page(NamedTuple):
    """Where the packed bytes of a page start, and its sizes in bytes."""

    start: int
    packed: int
    unpacked: int


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _skip(data: bytes, at: int, kind: int) -> int:
    match kind:
        case 1 | 2:  # booleans lie in the kind
            return at
        case 3:
            return at + 1
        case 4 | 5 | 6:
            return _varint(data, at)[1]
        case 7:
            return at + 8
        case 8:
            length, at = _varint(data, at)
            return at + length
        case 12:
            return _fields(data, at)[1]
    raise ValueError(f"a page header with a field of kind {kind}")


def _fields(data: bytes, at: int) -> tuple[dict[int, int], int]:
    """The whole numbers of a struct, and where it ends."""
    number, found = 0, {}
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _varint(data, at)
            number >>= 1
        if head & 15 in (4, 5, 6):
            value, at = _varint(data, at)
            found[number] = (value >> 1) ^ -(value & 1)
        else:
            at = _skip(data, at, head & 15)
    return found, at + 1


def pages(path: str) -> list[Page]:
    """All pages of a Parquet file, dictionaries included."""
    metadata, found = pq.ParquetFile(path).metadata, []
    with Path(path).open("rb") as file:
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(column)
                at = chunk.dictionary_page_offset or chunk.data_page_offset
                end = at + chunk.total_compressed_size
                while at < end:
                    file.seek(at)
                    header, length = _fields(file.read(HEADER), 0)
                    found.append(Page(at + length, header[3], header[2]))
                    at += length + header[3]
    return found


def unpack_all(path: str, codec: str) -> Callable[[], Any]:
    """Work that reads and unpacks every page on all cores and keeps the bytes, in memory of ordinary pages as ours is."""
    todo, threads = pages(path), len(os.sched_getaffinity(0))
    file, pool = os.open(path, os.O_RDONLY), ThreadPoolExecutor(threads)
    packer = pa.Codec(codec)
    list(pool.map(lambda _: None, range(threads)))  # the threads are there

    def one(page: Page) -> Any:
        return packer.decompress(os.pread(file, page.packed, page.start), page.unpacked, asbytes=True)

    return lambda: list(pool.map(one, todo))
