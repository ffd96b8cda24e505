"""Which files belong to which split: pure functions of a list of paths.

The patterns and their order are those of `datasets` (its families: `data/<split>-00000-of-00001`, split words in folder
names, split words in file names, everything as `train`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from crucible_datasets.splits import check_split_name

KEYWORDS = {
    "train": ["train", "training"],
    "validation": ["validation", "valid", "dev", "val"],
    "test": ["test", "testing", "eval", "evaluation"],
}
_SEPARATOR = "[-._ 0-9]"
_SHARD = re.compile(r"data/(?P<split>[^/]*?)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
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


def _special(path: str) -> tuple[int, int]:
    """How many parts are hidden, and how many folders begin with `__`."""
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


def _families() -> list[dict[str, list[str]]]:
    def by_word(family: Callable[[str], list[str]]) -> dict[str, list[str]]:
        return {split: [p for word in words for p in family(word)] for split, words in KEYWORDS.items()}

    logs = {"logs": ["**/*.eval"]}
    tasks = {"test": ["**/task.toml", "**/instruction.md"]}
    return [logs, tasks, by_word(_folder_patterns), by_word(_file_patterns), {"train": ["**"]}]


_FAMILIES = _families()


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
    for family in _FAMILIES:
        splits: dict[str, list[str]] = {}
        for split, patterns in family.items():
            if files := [path for pattern in patterns for path in matching(pattern, visible)]:
                splits[split] = files
        if splits:
            return splits
    return {}
