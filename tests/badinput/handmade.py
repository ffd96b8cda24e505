"""Parquet files of one column, written by hand: every number in them may be a lie."""

from __future__ import annotations

import itertools
import struct
from typing import Any

CODECS = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6, "lz4_raw": 7}
TYPES = {"BOOLEAN": 0, "INT32": 1, "INT64": 2, "INT96": 3, "FLOAT": 4, "DOUBLE": 5, "BYTE_ARRAY": 6, "FIXED": 7}
ENCODINGS = {
    "PLAIN": 0,
    "RLE": 3,
    "BIT_PACKED": 4,
    "DELTA_BINARY_PACKED": 5,
    "DELTA_LENGTH_BYTE_ARRAY": 6,
    "DELTA_BYTE_ARRAY": 7,
    "RLE_DICTIONARY": 8,
    "BYTE_STREAM_SPLIT": 9,
}
REQUIRED, OPTIONAL, REPEATED = range(3)


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


class Long(int):
    """A 64-bit number."""


class Listed(list[Any]):
    """A list that announces another length than it has."""

    announced: int | None = None


def wire(value: Any) -> int:
    return (
        6
        if isinstance(value, Long)
        else 5
        if isinstance(value, int)
        else 8
        if isinstance(value, bytes)
        else 9
        if isinstance(value, list)
        else 12
    )


def value_bytes(value: Any) -> bytes:
    if isinstance(value, int):
        return zigzag(value)
    if isinstance(value, bytes):
        return varint(len(value)) + value
    if isinstance(value, list):
        length = getattr(value, "announced", None) or len(value)
        head = bytes([length << 4 | wire(value[0])]) if length < 15 else bytes([0xF0 | wire(value[0])]) + varint(length)
        return head + b"".join(value_bytes(item) for item in value)
    return thrift(value)


def thrift(fields: dict[int, Any]) -> bytes:
    """A struct in the compact protocol."""
    out, last = bytearray(), 0
    for number, value in fields.items():
        out += bytes([(number - last) << 4 | wire(value)]) + value_bytes(value)
        last = number
    return bytes(out) + b"\0"


def file(
    codec: str = "none",
    *,
    unpacked: int = 80,
    packed: int | None = None,
    body: bytes = bytes(80),
    values: int = 10,
    rows: int = 10,
    children: int = 1,
    groups: int | None = None,
    footer: int | None = None,
    kind: str = "INT64",
    width: int | None = None,
    repetition: int = REQUIRED,
    encoding: str = "PLAIN",
    levels: str = "RLE",
    version: int = 1,
    dictionary: bytes | None = None,
    dictionary_values: int = 1,
) -> bytes:
    """A file of one column of ten 64-bit zeros, with sizes, types, encodings and pages as told."""
    page: dict[int, Any] = {1: values, 2: ENCODINGS[encoding], 3: ENCODINGS[levels], 4: ENCODINGS[levels]}
    fields: dict[int, Any] = {1: 0, 2: unpacked, 3: len(body) if packed is None else packed, 5: page}
    if version == 2:
        page = {1: values, 2: 0, 3: rows, 4: ENCODINGS[encoding], 5: 0, 6: 0}
        fields = {1: 3, 2: fields[2], 3: fields[3], 8: page}
    chunk = thrift(fields) + body
    if dictionary is not None:
        head = {1: 2, 2: len(dictionary), 3: len(dictionary), 7: {1: dictionary_values, 2: 0}}
        chunk = thrift(head) + dictionary + chunk
    column = {
        1: TYPES[kind], 2: [0], 3: [b"a"], 4: CODECS[codec], 5: Long(rows), 6: Long(unpacked), 7: Long(len(chunk)), 9: Long(4)
    }  # fmt: skip
    listed = Listed([{1: [{2: Long(4), 3: column}], 2: Long(len(chunk)), 3: Long(rows)}])
    listed.announced = groups
    leaf = {1: TYPES[kind], **({} if width is None else {2: width}), 3: repetition, 4: b"a"}
    schema = [{4: b"root", 5: children}, leaf]
    metadata = thrift({1: 1, 2: schema, 3: Long(rows), 4: listed})
    length = struct.pack("<I", len(metadata) if footer is None else footer)
    return b"PAR1" + chunk + metadata + length + b"PAR1"


def delta(values: list[int], *, count: int | None = None, block: int = 128, parts: int = 4) -> bytes:
    """`DELTA_BINARY_PACKED` of 32-bit integers, one bit width a block; the header as told."""
    head = varint(block) + varint(parts) + varint(len(values) if count is None else count)
    out = bytearray(head + zigzag(values[0] if values else 0))
    deltas = [b - a for a, b in itertools.pairwise(values)]
    for start in range(0, len(deltas), block):
        chunk = deltas[start : start + block]
        least = min(chunk)
        width = (max(chunk) - least).bit_length()
        used = -(-len(chunk) // (block // parts))
        bits = sum((value - least) << (index * width) for index, value in enumerate(chunk))
        out += zigzag(least) + bytes([width] * used + [0] * (parts - used))
        out += bits.to_bytes(used * (block // parts) * width // 8, "little")
    return bytes(out)
