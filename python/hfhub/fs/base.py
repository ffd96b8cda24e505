"""What every filesystem of the uniform API does in the same way, from `info`, `ls` and a reader of ranges."""

from __future__ import annotations

import io
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from _crucible.errors import LocalEntryNotFoundError, ReadOnlyError
from hfhub.fs.file import RangeFile

Info = dict[str, Any]
_MAGIC = re.compile(r"[*?[]")


def check_mode(mode: str, path: str) -> bool:
    """Whether the mode is text.

    Raises:
        ReadOnlyError: it writes.
        ValueError: it is no mode.
    """
    if set(mode) & set("wax+"):
        msg = f"{path}: mode {mode!r} writes, this filesystem is only read"
        raise ReadOnlyError(msg)
    if mode not in {"r", "rt", "tr", "rb", "br"}:
        msg = f"mode must be 'r', 'rt' or 'rb', got {mode!r}"
        raise ValueError(msg)
    return "b" not in mode


def clamped(start: int | None, end: int | None, size: int) -> tuple[int, int]:
    """A range as Python slices have it: negative values count from the end, absent ones are the ends."""
    low, high, _ = slice(start, end).indices(size)
    return low, max(low, high)


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob pattern as a regular expression: `**` crosses folders, `*`, `?` and `[…]` stay inside one name."""
    parts = pattern.split("/")
    out = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(".+" if last else "(?:[^/]+/)*")
            continue
        out.append(_part_regex(part) + ("" if last else "/"))
    return re.compile("".join(out), re.DOTALL)


def _part_regex(part: str) -> str:
    out, index = "", 0
    while index < len(part):
        char = part[index]
        index += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := part.find("]", index + 1)) > 0:
            inner = part[index:end].replace("\\", r"\\")
            negated = inner[:1] in {"!", "^"}
            body = inner[1:] if negated else inner
            out += f"[{'^/' if negated else ''}{body.replace('[', '[')}]"
            index = end + 1
        else:
            out += re.escape(char)
    return out


class Files(ABC):
    """A read-only filesystem: local, of the hub, or of the web."""

    protocol = ""

    @abstractmethod
    def info(self, path: str) -> Info:
        """Facts of a file or folder: `name`, `size` in bytes (None where unknown), `type` "file" or "directory".

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def entries(self, path: str) -> list[Info]:
        """What is in a folder, by name; a file is its own only entry."""

    @abstractmethod
    def open_binary(self, path: str, block_size: int | None = None) -> IO[bytes] | RangeFile:
        """A file object that can seek."""

    @abstractmethod
    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Bytes `start` to `end` of a file, as Python slices count.

        Raises:
            FileNotFoundError: there is none.
        """

    def cat_ranges(
        self, paths: Sequence[str], starts: Sequence[int] | int | None, ends: Sequence[int] | int | None
    ) -> list[bytes]:
        """One range per path, in their order; those of one file are fetched together.

        Args:
            paths: files; one may come many times.
            starts: first bytes, or one for all.
            ends: the bytes after the last, or one for all.
        """
        return [self.cat_file(p, s, e) for p, s, e in ranged(paths, starts, ends)]

    def ls(self, path: str, detail: bool = False) -> list[str] | list[Info]:
        """What is in a folder: names, or facts with `detail`."""
        found = self.entries(path)
        return found if detail else [info["name"] for info in found]

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder.

        Raises:
            HubConnectionError: nobody answered, so nobody knows.
        """
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        """Whether it is a file."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Whether it is a folder."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str | None:
        try:
            return str(self.info(path)["type"])
        except LocalEntryNotFoundError:
            raise
        except FileNotFoundError:
            return None

    def walk(self, path: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """(folder, names of folders, names of files) for a folder and all below."""
        folders: list[str] = []
        names: tuple[list[str], list[str]] = ([], [])
        for info in self.entries(path):
            folder = info["type"] == "directory"
            names[0 if folder else 1].append(info["name"].rstrip("/").rpartition("/")[2])
            if folder:
                folders.append(info["name"])
        yield path, names[0], names[1]
        for folder in folders:
            yield from self.walk(folder)

    def find(self, path: str, withdirs: bool = False) -> list[str]:
        """All files (and folders) below a path, by name; a file is its own only match."""
        return sorted(info["name"] for info in self._below(path) if withdirs or info["type"] != "directory")

    def _below(self, path: str) -> Iterator[Info]:
        try:
            found = self.entries(path)
        except LocalEntryNotFoundError:
            raise
        except FileNotFoundError:
            return
        for info in found:
            yield info
            if info["type"] == "directory":
                yield from self._below(info["name"])

    def glob(self, pattern: str) -> list[str]:
        """Paths that match: `*`, `?` and `[…]` within a name, `**` over folders."""
        magic = _MAGIC.search(pattern)
        if magic is None:
            return [pattern] if self.exists(pattern) else []
        root = pattern[: magic.start()].rpartition("/")[0]
        regex = glob_regex(self._named(pattern))
        return [name for name in self.find(root, withdirs=True) if regex.fullmatch(name)]

    def _named(self, pattern: str) -> str:
        """A pattern as names are written."""
        return pattern

    def open(
        self,
        path: str,
        mode: str = "rb",
        *,
        block_size: int | None = None,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Opens a file.

        Args:
            path: the file.
            mode: "rb", or "r" for text.
            block_size: bytes fetched at least.
            encoding: of text; UTF-8 when absent.
            errors: as for the builtin `open`.
            newline: as for the builtin `open`.

        Raises:
            FileNotFoundError: there is none.
            ReadOnlyError: the mode writes.
        """
        text = check_mode(mode, path)
        file: Any = self.open_binary(path, block_size)
        return io.TextIOWrapper(file, encoding or "utf-8", errors, newline) if text else file

    def get_file(self, path: str, target: str | Path) -> None:
        """Copies one file to the local disk."""
        destination = Path(target)
        destination.parent.mkdir(parents=True, exist_ok=True)
        with self.open_binary(path) as source, destination.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)

    def get(self, path: str, target: str | Path) -> None:
        """Copies a file, or a folder with all below it, to the local disk.

        Raises:
            ValueError: a name would leave the target folder.
        """
        if self.info(path)["type"] == "file":
            self.get_file(path, target)
            return
        base = self.info(path)["name"].rstrip("/") + "/"
        for name in self.find(path):
            relative = name.removeprefix(base)
            if name == relative or ".." in relative.split("/") or Path(relative).is_absolute():
                msg = f"{name!r} would be written outside {target}"
                raise ValueError(msg)
            self.get_file(name, Path(target) / relative)


def copy_out(source: str, target: Path) -> None:
    """Copies a local file, making the folder of the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def ranged(
    paths: Sequence[str], starts: Sequence[int] | int | None, ends: Sequence[int] | int | None
) -> list[tuple[str, int | None, int | None]]:
    """(path, start, end) triples, one value standing for all.

    Raises:
        ValueError: the lists differ in length.
    """
    count = len(paths)
    lows = [starts] * count if starts is None or isinstance(starts, int) else list(starts)
    highs = [ends] * count if ends is None or isinstance(ends, int) else list(ends)
    if not len(lows) == len(highs) == count:
        msg = f"{count} paths, {len(lows)} starts and {len(highs)} ends: one range per path is needed"
        raise ValueError(msg)
    return list(zip(paths, lows, highs, strict=True))
