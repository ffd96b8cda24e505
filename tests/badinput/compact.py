"""Thrift's compact protocol as a tree that can be changed and written again: to make Parquet files that lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
INTEGERS = {I16, I32, I64}


@dataclass
class Node:
    """A value: `kind` is its type on the wire, `value` an int, bytes, a list of nodes or a dict of field id to node."""

    kind: int
    value: Any
    item: int = 0


def integers(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Every integer of a tree with its path (field ids and list positions)."""
    if node.kind in INTEGERS:
        yield path, node
    elif node.kind in (STRUCT, LIST):
        items = node.value.items() if node.kind == STRUCT else enumerate(node.value)
        for key, child in items:
            yield from integers(child, (*path, key))


def at(node: Node, *path: int) -> Node:
    """The node at a path."""
    for key in path:
        node = node.value[key]
    return node


class Reader:
    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position = data, position

    def byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, length: int) -> bytes:
        self.position += length
        return self.data[self.position - length : self.position]

    def node(self, kind: int) -> Node:
        if kind in INTEGERS:
            return Node(kind, self.integer())
        if kind in (TRUE, FALSE, BYTE):
            return Node(kind, self.byte() if kind == BYTE else None)
        if kind == DOUBLE:
            return Node(kind, self.take(8))
        if kind == BINARY:
            return Node(kind, self.take(self.varint()))
        if kind in (LIST, SET):
            head = self.byte()
            item, length = head & 15, head >> 4
            length = self.varint() if length == 15 else length
            read = (lambda: Node(self.byte(), None)) if item in (TRUE, FALSE) else (lambda: self.node(item))
            return Node(kind, [read() for _ in range(length)], item)
        assert kind == STRUCT, kind
        fields: dict[int, Node] = {}
        last = 0
        while (head := self.byte()) != 0:
            last = last + (head >> 4) if head >> 4 else self.integer()
            fields[last] = self.node(head & 15)
        return Node(STRUCT, fields)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> bytes:
    return varint((value << 1) ^ (value >> 63) if value < 0 else value << 1)


def written(node: Node) -> bytes:
    """The bytes of a tree."""
    if node.kind in INTEGERS:
        return zigzag(node.value) if node.value >= 0 else varint((-node.value << 1) - 1)
    if node.kind in (TRUE, FALSE):
        return b""
    if node.kind == BYTE:
        return bytes([node.value])
    if node.kind == DOUBLE:
        return bytes(node.value)
    if node.kind == BINARY:
        return varint(len(node.value)) + node.value
    if node.kind in (LIST, SET):
        head = (
            bytes([len(node.value) << 4 | node.item])
            if len(node.value) < 15
            else bytes([0xF0 | node.item]) + varint(len(node.value))
        )
        items = (bytes([n.kind]) if node.item in (TRUE, FALSE) else written(n) for n in node.value)
        return head + b"".join(items)
    out, last = bytearray(), 0
    for key, child in node.value.items():
        out += bytes([(key - last) << 4 | child.kind]) if 0 < key - last < 16 else bytes([child.kind]) + zigzag(key)
        out += written(child)
        last = key
    return bytes(out) + b"\0"


def footer(file: bytes) -> Node:
    """The FileMetaData of a Parquet file."""
    length = struct.unpack("<I", file[-8:-4])[0]
    return Reader(file[-8 - length : -8]).node(STRUCT)


def with_footer(file: bytes, metadata: Node) -> bytes:
    """The file with another FileMetaData."""
    length = struct.unpack("<I", file[-8:-4])[0]
    data = written(metadata)
    return file[: -8 - length] + data + struct.pack("<I", len(data)) + b"PAR1"
