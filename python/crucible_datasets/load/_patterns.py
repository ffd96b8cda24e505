"""Which files belong to which split: pure functions of a list of paths.

The patterns and their order are those of `datasets` (its families: `data/<split>-00000-of-00001`, split words in folder
names, split words in file names, everything as `train`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

KEYWORDS = {
    "train": ["train", "training"],
    "validation": ["validation", "valid", "dev", "val"],
    "test": ["test", "testing", "eval", "evaluation"],
}
_SEPARATOR = "[-._ 0-9]"
_SHARD = re.compile(r"data/(?P<split>[^/]*?)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")
_IGNORED = {
    "README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json",
}  # fmt: skip


def check_split_name(name: str) -> str:
    """A split's name.

    Raises:
        ValueError: it has other characters than letters, digits, `_` and inner dots.
    """
    if not _SPLIT_NAME.fullmatch(name):
        msg = f"Split name should match '^\\w+(\\.\\w+)*$' but got '{name}'."
        raise ValueError(msg)
    return name


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


def _hidden(path: str) -> int:
    return sum(part.startswith((".", "__")) for part in path.split("/")[:-1]) + path.rsplit("/", maxsplit=1)[
        -1
    ].startswith(".")


def matching(pattern: str, paths: Iterable[str]) -> list[str]:
    """Paths that a pattern names, sorted; hidden ones and known metadata files only where it names them."""
    while pattern.startswith("./"):
        pattern = pattern[2:]
    regex = glob_regex(pattern)
    hidden, last = _hidden(pattern), pattern.split("/")[-1]
    return sorted(
        path
        for path in paths
        if regex.fullmatch(path)
        and _hidden(path) <= hidden
        and (path.split("/")[-1] not in _IGNORED or path.split("/")[-1] == last)
    )


def _folder_patterns(word: str) -> list[str]:
    s = _SEPARATOR
    return [f"**/{word}/**", f"**/{word}{s}*/**", f"**/*{s}{word}/**", f"**/*{s}{word}{s}*/**"]


def _file_patterns(word: str) -> list[str]:
    s = _SEPARATOR
    # A name may start with the word, or have it after a separator; what follows is a separator or the suffix.
    return [f"**/{word}{s}*", f"**/*{s}{word}{s}*"]


def discover(paths: list[str]) -> dict[str, list[str]]:
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
    for family in (_folder_patterns, _file_patterns):
        splits: dict[str, list[str]] = {}
        for split, words in KEYWORDS.items():
            files = [path for word in words for pattern in family(word) for path in matching(pattern, visible)]
            if files:
                splits[split] = files
        if splits:
            return splits
    return {"train": visible} if visible else {}
