"""Which files belong to which split: pure functions of a list of paths.

The patterns and their order are those of `datasets` (its families: `data/<split>-00000-of-00001`, split words in folder
names, split words in file names, everything as `train`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from crucible_datasets.splits import check_split_name

KEYWORDS = {
    "train": ["train", "training"],
    "validation": ["validation", "valid", "dev", "val"],
    "test": ["test", "testing", "eval", "evaluation"],
}
_SEPARATOR = "[-._ 0-9]"
_SHARD = re.compile(r"data/(?P<split>[^/]*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_SPECIAL_FILES = (("logs", ["**/*.eval"]), ("test", ["**/task.toml", "**/instruction.md"]))
_IGNORED = {
    "README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json",
}  # fmt: skip


@lru_cache(maxsize=512)
def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob (`*`, `?`, `[…]`, `**` as a whole part) as a regular expression for whole paths.

    Raises:
        ValueError: `**` that is only a part of a path part.
    """
    out = ""
    parts = pattern.split("/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out += ".*" if last else "(?:[^/]+/)*"
            continue
        if "**" in part:
            msg = "Invalid pattern: '**' can only be an entire path component"
            raise ValueError(msg)
        out += _part_regex(part) + ("" if last else "/")
    return re.compile(out, re.DOTALL)


def _part_regex(part: str) -> str:
    out, at = "", 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := part.find("]", at + 1 + (part[at : at + 1] == "!"))) > 0:
            members = part[at:end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[{'^/' + members[1:] if members.startswith('!') else members}]"
            at = end + 1
        else:
            out += re.escape(char)
    return out


_PLAIN = (0, 0)


def _special(path: str) -> tuple[int, int]:
    """How many parts are hidden, and how many folders begin with `__`."""
    if "/." not in path and "/__" not in path and not path.startswith((".", "__")):
        return _PLAIN
    parts = path.split("/")
    hidden = sum(part.startswith(".") and set(part) != {"."} for part in parts)
    return hidden, sum(part.startswith("__") for part in parts[:-1])


def has_magic(pattern: str) -> bool:
    """Whether a pattern may name several files; else it is the path of one."""
    return any(char in pattern for char in "*?[")


def matching(pattern: str, paths: Iterable[str]) -> list[str]:
    """Paths that a pattern names, sorted; hidden ones and known metadata files only where it names them."""
    while pattern.startswith("./"):
        pattern = pattern[2:]
    regex, special, last = glob_regex(pattern), _special(pattern), pattern.split("/")[-1]
    return sorted(
        path
        for path in paths
        if regex.fullmatch(path)
        and _special(path) == special
        and ((name := path.rsplit("/", 1)[-1]) not in _IGNORED or name == last)
    )


def _folder_patterns(word: str) -> list[str]:
    s = _SEPARATOR
    return [f"**/{word}/**", f"**/{word}{s}*/**", f"**/*{s}{word}/**", f"**/*{s}{word}{s}*/**"]


def _file_patterns(word: str) -> list[str]:
    s = _SEPARATOR
    # A name may start with the word, or have it after a separator; what follows is a separator or the suffix.
    return [f"**/{word}{s}*", f"**/*{s}{word}{s}*"]


def _by_folder(patterns: Sequence[str], folders: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Paths that patterns of folder names match: those of a folder all do, or none."""
    out: list[str] = []
    unique = set(folders) - {""}
    for pattern in patterns:
        regex = glob_regex(pattern)
        if hit := {folder for folder in unique if regex.fullmatch(f"{folder}/-")}:
            out += [path for path, folder in zip(paths, folders, strict=True) if folder in hit]
    return out


def _by_name(patterns: Sequence[str], names: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Paths that patterns of file names match."""
    out: list[str] = []
    for pattern in patterns:
        regex = glob_regex(pattern.removeprefix("**/"))
        out += [path for path, name in zip(paths, names, strict=True) if regex.fullmatch(name)]
    return out


def discover(paths: Sequence[str]) -> dict[str, list[str]]:
    """Files by split when nobody says which: the first family of patterns that matches anything.

    Raises:
        ValueError: a shard whose split has an impossible name.
    """
    visible = matching("**", paths)
    shards: dict[str, list[str]] = {}
    for path in visible:
        if found := _SHARD.fullmatch(path):
            shards.setdefault(check_split_name(found["split"]), []).append(path)
    if shards:
        order = [name for name in KEYWORDS if name in shards] + sorted(set(shards) - set(KEYWORDS))
        return {name: shards[name] for name in order}
    for split, patterns in _SPECIAL_FILES:
        if files := [path for one in patterns for path in matching(one, visible)]:
            return {split: files}
    folders = [path.rpartition("/")[0] for path in visible]
    names = [path.rpartition("/")[2] for path in visible]
    for family, texts, find in ((_folder_patterns, folders, _by_folder), (_file_patterns, names, _by_name)):
        splits: dict[str, list[str]] = {}
        for split, words in KEYWORDS.items():
            present = [word for word in words if any(word in text for text in set(texts))]
            if files := find([pattern for word in present for pattern in family(word)], texts, visible):
                splits[split] = files
        if splits:
            return splits
    return {"train": visible} if visible else {}
