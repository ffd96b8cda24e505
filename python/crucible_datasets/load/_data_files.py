"""From `data_files` (of a call or a card) to files: which pattern names what, and where."""

from __future__ import annotations

import importlib
import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.io import LocalFile, StorePlace
from crucible_datasets.iterable import FileOrigin
from crucible_datasets.load._extensions import has_known_suffix
from crucible_datasets.load._patterns import has_magic, matching
from crucible_datasets.load._place import Folder, Place, Repository, Web
from crucible_datasets.splits import check_split_name

DataFiles = str | Sequence[Any] | Mapping[str, Any] | None


@dataclass(frozen=True)
class DataFile:
    """A file of a place."""

    place: Place
    path: str

    @property
    def shown(self) -> str:
        """Its full path or address."""
        return self.place.shown(self.path)


Splits = dict[str, list[DataFile]]


def split_patterns(data_files: Any) -> dict[str, list[str]]:
    """Patterns by split.

    Args:
        data_files: a str, a list of str, a dict of them by split, or a list of `{split, path}`.

    Raises:
        ValueError: another form, an impossible or a repeated name of a split, or nothing at all.
    """
    if not data_files:
        msg = f"Empty 'data_files': '{data_files}'. It should be either non-empty or None (default)."
        raise ValueError(msg)
    if isinstance(data_files, (str, os.PathLike)):
        return {"train": [os.fspath(data_files)]}
    if isinstance(data_files, Mapping):
        return {_checked(str(name)): _listed(value) for name, value in data_files.items()}
    items = list(data_files)
    if not any(isinstance(item, Mapping) for item in items):
        return {"train": _listed(items)}
    splits: dict[str, list[str]] = {}
    for item in items:
        if not (isinstance(item, Mapping) and set(item) == {"split", "path"} and isinstance(item["path"], (str, list))):
            msg = f"Each item of data_files must be a dictionary with 'split' and 'path' (a path or a list of them), got {item!r}"
            raise ValueError(msg)
        name = _checked(str(item["split"]))
        if name in splits:
            msg = f"Some splits are duplicated in data_files: {[str(i['split']) for i in items]}"
            raise ValueError(msg)
        splits[name] = _listed(item["path"])
    return splits


def _checked(name: str) -> str:
    if name == "all":
        msg = "Split name 'all' is a special name for all splits together and cannot be the name of one."
        raise ValueError(msg)
    return check_split_name(name)


def _listed(value: Any) -> list[str]:
    items: Iterable[Any] = [value] if isinstance(value, (str, os.PathLike)) else value
    if not isinstance(items, Iterable):
        msg = f"data_files must be paths, got {value!r}"
        raise TypeError(msg)
    return [os.fspath(item) for item in items]


class Finder:
    """Finds the files that patterns name.

    Args:
        place: what relative patterns are relative to.
        folder: folder in it.
        token: for `hf://` and `http(s)://` patterns.
    """

    def __init__(self, place: Place, folder: str | None = None, token: str | bool | None = None) -> None:
        self.place = place
        clean = posixpath.normpath(folder).strip("/") if folder else ""
        self.folder = "" if clean in (".", "") else clean
        self._token = token
        self._repositories: dict[tuple[str, str | None], Repository] = {}

    def inside(self) -> list[str]:
        """All paths in the folder, relative to it."""
        prefix = f"{self.folder}/" if self.folder else ""
        if not prefix:
            return self.place.paths()
        if isinstance(self.place, Folder):  # it may be outside, or behind a link
            return Folder(self.place.shown(self.folder)).paths()
        return [path.removeprefix(prefix) for path in self.place.paths() if path.startswith(prefix)]

    def file(self, path: str) -> DataFile:
        """The file of a path in the folder."""
        return DataFile(self.place, posixpath.join(self.folder, path))

    def splits(self, patterns: Mapping[str, Sequence[str]], *, known_only: bool) -> Splits:
        """Files by split; a split whose patterns name nothing has none.

        Args:
            patterns: by split.
            known_only: whether files of unknown suffixes are left out.

        Raises:
            FileNotFoundError: a path without wildcards that is not there.
        """
        out: Splits = {}
        for split, listed in patterns.items():
            out[split] = [file for pattern in listed for file in self.find(pattern, known_only=known_only)]
        return out

    def find(self, pattern: str, *, known_only: bool) -> list[DataFile]:
        """The files of one pattern; errors as `splits`."""
        found = self._find(pattern)
        kept = [file for file in found if has_known_suffix(file.path)] if known_only else found
        if not kept and not has_magic(pattern):
            why = " with a supported suffix" if found else ""
            msg = f"Unable to find '{pattern}'{why} in {self.place.name}"
            raise FileNotFoundError(msg)
        return kept

    def _find(self, pattern: str) -> list[DataFile]:
        if "::" in pattern:
            msg = (
                f"Chained addresses such as {pattern!r} are not read; an archive is read whole when it is named itself."
            )
            raise UnsupportedError(msg)
        scheme, mark, rest = pattern.partition("://")
        if not mark or scheme == "file":
            return self._relative(rest if mark else pattern)
        if scheme in ("http", "https"):
            self._refuse_outside(pattern)
            return [DataFile(Web(self._token), pattern)]
        if scheme != "hf":
            msg = f"Files at {scheme}:// addresses are not read ({pattern!r}); hf://, http:// and https:// are. Download them first."
            raise UnsupportedError(msg)
        return self._hub(pattern)

    def _refuse_outside(self, pattern: str) -> None:
        """A stranger's card must not send anybody elsewhere.

        Raises:
            ValueError: the place is a repository.
        """
        if isinstance(self.place, Repository):
            msg = f"Data files don't belong to {self.place.name}: {pattern!r} leads out of the repository. They should be relative to its root."
            raise ValueError(msg)

    def _hub(self, pattern: str) -> list[DataFile]:
        # Late: the rooms of addresses are large, and few calls name one.
        uri = importlib.import_module("hfhub.fs.uri").parse_hf_uri(pattern)
        if uri.type != "dataset":
            msg = f"Data files come from dataset repositories, {pattern!r} names a {uri.type}. Download it with hfhub first."
            raise UnsupportedError(msg)
        if not (isinstance(self.place, Repository) and uri.id == self.place.name):
            self._refuse_outside(pattern)
        key = (uri.id, uri.revision)
        if key not in self._repositories:
            mine = self.place
            same = isinstance(mine, Repository) and mine.name == uri.id and uri.revision in (mine.commit, mine.revision)
            self._repositories[key] = mine if same else Repository(uri.id, uri.revision, self._token)  # type: ignore[assignment]
        place = self._repositories[key]
        return [DataFile(place, path) for path in matching(uri.path_in_repo, place.paths())]

    def _relative(self, pattern: str) -> list[DataFile]:
        place = self.place
        if not isinstance(place, Folder):
            full = posixpath.normpath(posixpath.join(self.folder, pattern))
            if full.startswith(("..", "/")):
                self._refuse_outside(pattern)
            return [DataFile(place, path) for path in matching(full, place.paths())]
        if not has_magic(pattern):
            full = os.path.normpath(os.path.join(place.root, self.folder, os.path.expanduser(pattern)))  # noqa: PTH111, PTH118
            if pattern.endswith("/") or not os.path.isfile(full):  # noqa: PTH113
                return []
            inside = full.startswith(f"{place.root}/")
            return [DataFile(place, full[len(place.root) + 1 :]) if inside else DataFile(Folder("/"), full[1:])]
        parts = posixpath.normpath(posixpath.join(self.folder, os.path.expanduser(pattern))).split("/")  # noqa: PTH111
        wild = next(i for i, part in enumerate(parts) if has_magic(part))
        fixed, rest = "/".join(parts[:wild]), "/".join(parts[wild:])
        base = place if not fixed else Folder(os.path.join(place.root, fixed or "/"))  # noqa: PTH118
        if pattern.startswith("/") and not fixed:
            base = Folder("/")
        return [DataFile(base, path) for path in matching(rest, base.paths())]


def local_files(files: Sequence[DataFile], store: StorePlace, *, force: bool = False) -> list[LocalFile]:
    """The files on this machine, in order; those of one place are brought together."""
    out: list[LocalFile] = []
    for _, run in groupby(files, key=lambda file: id(file.place)):
        listed = list(run)
        out += listed[0].place.files([file.path for file in listed], store, force=force)
    return out


def file_origins(files: Sequence[DataFile], store: StorePlace) -> list[FileOrigin]:
    """The files to stream, in order."""
    out: list[FileOrigin] = []
    for _, run in groupby(files, key=lambda file: id(file.place)):
        listed = list(run)
        out += listed[0].place.origins([file.path for file in listed], store)
    return out
