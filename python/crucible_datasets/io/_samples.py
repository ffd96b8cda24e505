"""Samples of WebDataset archives as tables: which bytes are decoded, by the last suffix of a field's name."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from typing import Any

from _crucible._native import Table
from _crucible._optional import require
from _crucible.errors import DecodeError, SchemaError
from crucible_datasets.features import Audio, Feature, Features, Image, Mesh, Video, encode_column, opened_null
from crucible_datasets.io._tenbin import tensors

KEY, URL = "__key__", "__url__"
"""Columns of a sample's name and of its archive's path."""
_MEDIA = (Image, Audio, Video, Mesh)
_PACKED = {"gz", "gzip", "bz2", "xz", "zst", "zstd"}
_MOST_UNPACKED = 2**31 - 1
"""Bytes that a field may unpack to: what a cell of a table holds."""
_TEXT = {"txt", "text", "transcript"}
_WHOLE = {"cls", "cls2", "index", "inx", "id"}


def _npy(value: bytes) -> Any:
    np = require("numpy", extra="numpy", why="a field of NumPy arrays")
    form = np.lib.format
    head = io.BytesIO(value)
    # A header of version 3 is one of version 2 whose field names are UTF-8; sizes are the same.
    read = form.read_array_header_1_0 if form.read_magic(head) == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = read(head)
    announced, there = math.prod(shape) * dtype.itemsize, len(value) - head.tell()
    if announced > there and not dtype.hasobject:
        msg = f"an array of shape {shape} takes {announced} bytes and {there} are there"
        raise ValueError(msg)
    return form.read_array(io.BytesIO(value), allow_pickle=False)


def _npz(value: bytes) -> Any:
    np = require("numpy", extra="numpy", why="a field of NumPy arrays")
    with zipfile.ZipFile(io.BytesIO(value)) as archive:
        announced = sum(member.file_size for member in archive.infolist())  # the reader gives no more than that
        if announced > _MOST_UNPACKED:
            msg = f"its arrays unpack to {announced} bytes, more than {_MOST_UNPACKED}"
            raise ValueError(msg)
        members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    prefix = np.lib.format.MAGIC_PREFIX
    return {name: _npy(data) if data.startswith(prefix) else data for name, data in members.items()}


def _msgpack(value: bytes) -> Any:
    return require("msgpack", extra="webdataset", why="a field of msgpack values").unpackb(value)


def _cbor(value: bytes) -> Any:
    return require("cbor", extra="webdataset", why="a field of CBOR values").loads(value)


def _pth(value: bytes) -> Any:
    torch = require("torch", extra="torch", why="a field of PyTorch tensors")
    return _numpy(torch.load(io.BytesIO(value), weights_only=True))


def _numpy(value: Any) -> Any:
    """Tensors as arrays."""
    if isinstance(value, dict):
        return {name: _numpy(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_numpy(inner) for inner in value]
    return value.numpy() if hasattr(value, "numpy") else value


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads, "jsn": json.loads, "npy": _npy, "npz": _npz, "mp": _msgpack, "msg": _msgpack, "cbor": _cbor,
    "pth": _pth, "ten": tensors, "tb": tensors,
}  # fmt: skip


def _suffix(field: str) -> str:
    """The suffix that says how a field is decoded: the last one that is no compression."""
    parts = field.lower().split(".")
    return parts[-2] if parts[-1] in _PACKED and len(parts) > 1 else parts[-1]


def decoded(key: str, field: str, value: bytes, url: str) -> Any:
    """The value of a field.

    Args:
        key: the sample's name.
        field: the field's name, which says how it is decoded.
        value: its bytes, unpacked.
        url: the archive, for errors.

    Raises:
        DecodeError: bytes that are not what the suffix says; the cause is what the decoder raised.
        ImportError: a package is needed that is not installed.
    """
    suffix = _suffix(field)
    if suffix in _TEXT:
        decode: Callable[[bytes], Any] = bytes.decode
    elif suffix in _WHOLE:
        decode = int
    elif suffix in _DECODERS:
        decode = _DECODERS[suffix]
    else:
        return value
    try:
        return decode(value)
    except ImportError:
        raise
    except Exception as error:
        msg = f"{f'{key}.{field}'!r} in the tar archive cannot be decoded as {suffix}: {error} ({url})"
        raise DecodeError(msg) from error


class SampleColumns:
    """How the samples of archives become columns of known features.

    Args:
        features: the columns: fields, `__key__` and `__url__`. Images, sounds, videos and meshes are stored as bytes and
            the name in the archive; other fields by their suffix.
        opens_null: whether a value may stand where the features have no type (`null`), as in streams of `datasets`.
    """

    def __init__(self, features: Features, opens_null: bool = False) -> None:
        self._features = features
        self._opens_null = opens_null
        self.wanted = [(name, self._kind(name, feature)) for name, feature in features.items()]
        self._here = [
            name
            for name, kind in self.wanted
            if kind == "bytes" and _suffix(name) in _DECODERS and name not in (KEY, URL)
        ]
        if self._here:  # errors name the sample
            self.wanted += [(name, "text") for name in (KEY, URL) if name not in features]

    @staticmethod
    def _kind(name: str, feature: Feature) -> str:
        """What the archive's reader makes of a field."""
        suffix = _suffix(name)
        if isinstance(feature, _MEDIA):
            return "file"
        return "text" if suffix in _TEXT else "whole" if suffix in _WHOLE else "bytes"

    def empty(self) -> Table:
        """The columns without a row."""
        return Table.from_rows([], self._features.to_text())

    def table(self, read: Table) -> Table:
        """A batch that was read, in the types of the features.

        Args:
            read: columns as `wanted` asked for.

        Raises:
            DecodeError: as `decoded`.
            SchemaError: a value that its feature does not take.
        """
        if not self._here:
            return read.with_features(self._features.to_text())
        places: list[Any] = []
        parts = []
        for name in self._features:
            column = read.select_columns([name])
            only = Features({name: self._features[name]})
            if name not in self._here:
                parts.append(column.with_features(only.to_text()))
                continue
            places = places or list(read.select_columns([KEY, URL]).rows(0, read.num_rows))
            values = [
                None if row[name] is None else decoded(place[KEY], name, row[name], place[URL])
                for row, place in zip(column.rows(0, read.num_rows), places, strict=True)
            ]
            try:
                parts.append(self._typed(name, values))
            except (ValueError, TypeError) as error:
                msg = f"a value of the field {name!r} is not of its type {only[name]}: {error} ({places[0][URL]}, column {name!r}). The first samples decide the types; give others with features=."
                raise SchemaError(msg) from error
        return Table.side_by_side(parts)

    def _typed(self, name: str, values: list[Any]) -> Table:
        feature = self._features[name]
        try:
            return _column(name, feature, values)
        except (ValueError, TypeError):
            if not self._opens_null:
                raise
            found = Features.from_text(Table.from_columns({name: values}).features)[name]
            if (typed := opened_null(feature, found)) == feature:
                raise
            return _column(name, typed, values)


def _column(name: str, feature: Feature, values: list[Any]) -> Table:
    return Table.from_columns({name: encode_column(feature, values)}, Features({name: feature}).to_text())
