"""`DatasetInfo`: what is known of a dataset besides its rows."""

from __future__ import annotations

import copy
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import total_ordering
from pathlib import Path
from typing import Any

from crucible_datasets.errors import CastError, DataError, DecodeError, LimitError, SchemaError
from crucible_datasets.features import Features
from crucible_datasets.splits import SplitDict

_IN_CARD = ("features", "config_name", "splits", "download_size", "dataset_size")
_FILE = "dataset_info.json"
_EMPTY = {"post_processed": None, "supervised_keys": ""}
"""Older facts that are mappings, and what their absent values are."""


@total_ordering
@dataclass(eq=False, repr=False)
class Version:
    """A version of three numbers. It compares with other versions, and with their texts.

    Args:
        version_str: `1.2.3`.
        description: what is new in it.
        major: ignored: taken from the text.
        minor: ignored: taken from the text.
        patch: ignored: taken from the text.

    Raises:
        ValueError: other text.
    """

    version_str: str
    description: str | None = None
    major: Any = None
    minor: Any = None
    patch: Any = None

    def __post_init__(self) -> None:
        parts = self.version_str.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            msg = f"Invalid version '{self.version_str}'. Format should be x.y.z with {{x,y,z}} being digits."
            raise ValueError(msg)
        self.major, self.minor, self.patch = (int(part) for part in parts)

    @classmethod
    def from_dict(cls, dic: Mapping[str, Any]) -> Version:
        """From plain data; unknown keys are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in dic.items() if key in known})

    @property
    def tuple(self) -> tuple[int, int, int]:
        """The three numbers."""
        return (self.major, self.minor, self.patch)

    def __str__(self) -> str:
        return self.version_str

    def __repr__(self) -> str:
        return ".".join(str(part) for part in self.tuple)

    def __eq__(self, other: object) -> bool:
        try:
            return self.tuple == _numbers(other)
        except (TypeError, ValueError):
            return False

    def __lt__(self, other: object) -> bool:
        return self.tuple < _numbers(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def _numbers(version: object) -> tuple[int, int, int]:
    if isinstance(version, str):
        version = Version(version)
    if not isinstance(version, Version):
        msg = f"{version} (type {type(version)}) cannot be compared to version."
        raise TypeError(msg)
    return version.tuple


@dataclass(repr=False)
class DatasetInfo:
    """What is known of a dataset. A fact that nobody has stated is None, or empty text.

    Attributes:
        description, citation, homepage, license: texts.
        features: columns and types.
        builder_name: the format ("parquet", "json", …).
        dataset_name: the repository's or folder's last part, in snake case.
        config_name: the config.
        version: the config's version.
        splits: sizes of the splits.
        download_size, dataset_size, size_in_bytes: bytes of the files, of the Arrow data, and of both.
    """

    description: str = ""
    citation: str = ""
    homepage: str = ""
    license: str = ""
    features: Features | None = None
    post_processed: Any = None
    supervised_keys: Any = None
    builder_name: str | None = None
    dataset_name: str | None = None
    config_name: str | None = None
    version: Version | None = None
    splits: SplitDict | None = None
    download_checksums: dict[str, Any] | None = None
    download_size: int | None = None
    post_processing_size: int | None = None
    dataset_size: int | None = None
    size_in_bytes: int | None = None

    def __post_init__(self) -> None:
        given: Any = self.features
        if given is not None and not isinstance(given, Features):
            self.features = Features.from_dict(given)
        given = self.version
        if isinstance(given, Mapping):
            self.version = Version(str(given.get("version_str") or "0.0.0"), given.get("description"))
        elif given is not None and not isinstance(given, Version):
            self.version = Version(str(given))
        if self.splits is not None and not isinstance(self.splits, SplitDict):
            self.splits = SplitDict.from_split_dict(self.splits)

    @classmethod
    def from_dict(cls, dataset_info_dict: Mapping[str, Any]) -> DatasetInfo:
        """From plain data (of `dataset_info.json`); unknown keys are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in dataset_info_dict.items() if key in known})

    @classmethod
    def from_yaml(cls, entry: Mapping[str, Any]) -> DatasetInfo:
        """From an entry of `dataset_info` of a dataset card."""
        given = dict(entry)
        if given.get("features") is not None:
            given["features"] = Features.from_yaml(given["features"])
        return cls.from_dict(given)

    def to_yaml(self) -> dict[str, Any]:
        """As an entry of `dataset_info` of a dataset card; absent facts are left out."""
        out: dict[str, Any] = {}
        for name in _IN_CARD:
            value = getattr(self, name)
            if isinstance(value, Features):
                value = value.to_yaml()
            elif isinstance(value, SplitDict):
                value = [
                    {"name": key, "num_bytes": info.num_bytes, "num_examples": info.num_examples}
                    for key, info in value.items()
                ]
            if value is not None:
                out[name] = value
        return out

    @classmethod
    def from_directory(cls, dataset_info_dir: str | Path, storage_options: Any = None) -> DatasetInfo:
        """From the `dataset_info.json` of a folder.

        Args:
            dataset_info_dir: the folder.
            storage_options: accepted for compatibility.

        Raises:
            FileNotFoundError: there is none.
        """
        del storage_options
        if not dataset_info_dir:
            msg = "Calling DatasetInfo.from_directory() with undefined dataset_info_dir."
            raise ValueError(msg)
        return cls.from_dict(json.loads(Path(dataset_info_dir, _FILE).read_text(encoding="utf-8")))

    def write_to_directory(
        self, dataset_info_dir: str | Path, pretty_print: bool = False, storage_options: Any = None
    ) -> None:
        """Writes `dataset_info.json`, and `LICENSE` if there is one.

        Args:
            dataset_info_dir: an existing folder.
            pretty_print: whether to indent.
            storage_options: accepted for compatibility.
        """
        del storage_options
        text = json.dumps(self.to_dict(), indent=4 if pretty_print else None)
        Path(dataset_info_dir, _FILE).write_text(text, encoding="utf-8")
        if self.license:
            Path(dataset_info_dir, "LICENSE").write_text(self.license, encoding="utf-8")

    @classmethod
    def from_merge(cls, dataset_infos: Iterable[DatasetInfo | None]) -> DatasetInfo:
        """One info of several: the first if all are equal, else their texts."""
        infos = [info.copy() for info in dataset_infos if info is not None]
        if infos and all(info == infos[0] for info in infos):
            return infos[0]
        made = cls()
        for key in ("description", "citation", "homepage", "license"):
            setattr(made, key, "\n\n".join(dict.fromkeys(getattr(info, key) for info in infos)).strip())
        return made

    def to_dict(self) -> dict[str, Any]:
        """As plain data; absent facts are left out."""
        out: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, Features):
                value = value.to_dict()
            elif isinstance(value, SplitDict):
                value = {key: info.to_dict() for key, info in value.items()}
            elif isinstance(value, Version):
                value = {key: part for key, part in vars(value).items() if part is not None}
            elif name in _EMPTY and isinstance(value, Mapping):
                value = {key: part for key, part in value.items() if part != _EMPTY[name]}
            out[name] = value
        return out

    def update(self, other_dataset_info: DatasetInfo, ignore_none: bool = True) -> None:
        """Takes over the facts of another info.

        Args:
            other_dataset_info: where from.
            ignore_none: whether its absent facts leave this one's as they are.
        """
        for key, value in other_dataset_info.__dict__.items():
            if value is not None or not ignore_none:
                setattr(self, key, copy.deepcopy(value))

    def copy(self) -> DatasetInfo:
        """A deep copy."""
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name))
        return f"DatasetInfo({shown})"


def infos_of_card(dataset_info: Any) -> dict[str, DatasetInfo]:
    """Infos by config.

    Args:
        dataset_info: what a dataset card has under that name: an entry, a list of them, or something else for none.

    Raises:
        SchemaError: an entry is of another form.
    """
    out = {}
    for entry in entries_of_card(dataset_info):
        name = str(entry.get("config_name", "default"))
        out[name] = DatasetInfo.from_yaml(entry)
        out[name].config_name = name
    return out


def entries_of_card(dataset_info: Any) -> list[dict[str, Any]]:
    """The entries of `dataset_info` of a dataset card; arguments and errors as `infos_of_card`."""
    listed = (
        dataset_info if isinstance(dataset_info, list) else [dataset_info] if isinstance(dataset_info, dict) else []
    )
    for entry in listed:
        if not isinstance(entry, dict) or isinstance(entry.get("config_name"), list | dict):
            msg = f"Expected a mapping for each config but got {shown(entry)}"
            raise SchemaError(msg)
    return listed


def shown(given: Any) -> str:
    """A stranger's value in a message: cut, for few lines of YAML can stand for billions of values."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxlong, short.maxother = 4, 200, 200, 200
    return f"{short.repr(given):.500}"


@contextmanager
def metadata_of(what: str) -> Iterator[None]:
    """Gives what a stranger's metadata makes go wrong a class of this library, and says where it was.

    Args:
        what: where the metadata is.

    Raises:
        SchemaError: for another form than the one expected.
        LimitError: nested too deep.
    """
    try:
        yield
    except RecursionError as error:
        msg = f"{what}: nested too deep"
        raise LimitError(msg) from error
    except DataError as error:
        raise type(error)(f"{what}: {error}") from error
    except json.JSONDecodeError as error:
        msg = f"{what}: not JSON: {error}"
        raise DecodeError(msg) from error
    except ValueError:
        raise  # says what is wrong
    except (TypeError, LookupError, AttributeError, OverflowError) as error:
        msg = f"{what}: {error}"
        raise (CastError if isinstance(error, TypeError) else SchemaError)(msg) from error


class InfoMixin:
    """The facts of `info` as properties of a dataset."""

    _info: DatasetInfo | None = None
    _info_is_own = False
    """Whether nobody else has `_info`: what a user writes into it stays with this dataset."""

    def _current_features(self) -> Features | None:
        raise NotImplementedError

    @property
    def info(self) -> DatasetInfo:
        """What is known of the dataset, with its present features. Facts can be set; they stay with this dataset."""
        if self._info is None or not self._info_is_own:
            self._info = DatasetInfo() if self._info is None else copy.copy(self._info)
            self._info_is_own = True
        self._info.features = self._current_features()
        return self._info

    @property
    def builder_name(self) -> str | None:
        """The format that it was read from."""
        return self.info.builder_name

    @property
    def citation(self) -> str:
        """The citation."""
        return self.info.citation

    @property
    def config_name(self) -> str | None:
        """The config."""
        return self.info.config_name

    @property
    def dataset_size(self) -> int | None:
        """Bytes of Arrow data of all splits."""
        return self.info.dataset_size

    @property
    def description(self) -> str:
        """The description."""
        return self.info.description

    @property
    def download_checksums(self) -> dict[str, Any] | None:
        """Sizes and checksums of the files."""
        return self.info.download_checksums

    @property
    def download_size(self) -> int | None:
        """Bytes of the files."""
        return self.info.download_size

    @property
    def homepage(self) -> str:
        """The home page."""
        return self.info.homepage

    @property
    def license(self) -> str:
        """The licence."""
        return self.info.license

    @property
    def size_in_bytes(self) -> int | None:
        """Bytes of the files and of the Arrow data."""
        return self.info.size_in_bytes

    @property
    def supervised_keys(self) -> Any:
        """Input and target column (of older datasets)."""
        return self.info.supervised_keys

    @property
    def version(self) -> Version | None:
        """The version."""
        return self.info.version
