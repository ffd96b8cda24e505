"""A folder as data, and the differences between two that are not declared."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .declared import DECLARED_FILES
from .sequences import Sequence

Tree = dict[str, dict[str, str]]
_PARTIAL = re.compile(r"\.[0-9a-f]{8}\.incomplete$")


def dump(root: Path) -> Tree:
    """Every path below `root`: what it is, its mode, its target or bytes. Random names and times are blanked."""
    found: Tree = {}
    stack = [(str(root), "")]
    while stack:
        folder, prefix = stack.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = _PARTIAL.sub(".<random>.incomplete", prefix + entry.name)
                status = entry.stat(follow_symlinks=False)
                if entry.is_symlink():
                    found[name] = {"kind": "link", "content": str(Path(entry.path).readlink())}
                    continue
                mode = f"{stat.S_IMODE(status.st_mode):o}"
                if entry.is_dir(follow_symlinks=False):
                    found[name] = {"kind": "folder", "mode": mode}
                    stack.append((entry.path, name + "/"))
                    continue
                data = Path(entry.path).read_bytes()
                if name.endswith(".metadata"):
                    data = b"\n".join(data.split(b"\n")[:2])  # the third line is the time
                found[name] = {"kind": "file", "mode": mode, "content": repr(data[:6000])}
    return found


def differences(mixed: Tree, official: Tree, todo: Sequence) -> list[str]:
    """What differs and is not declared, as text."""
    found = []
    for name in sorted(mixed.keys() | official.keys()):
        ours, theirs = mixed.get(name), official.get(name)
        if ours == theirs:
            continue
        if ours is None or theirs is None:
            aspects = {"extra" if theirs is None else "absent"}
        else:
            aspects = {k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)}
        for aspect in sorted(aspects):
            if not any(d.covers(name, aspect, ours, theirs, todo) for d in DECLARED_FILES):
                shown = [str(s if s is None else s.get(aspect, s))[:150] for s in (ours, theirs)]
                found.append(f"{name}: {aspect}: mixed {shown[0]}, official {shown[1]}")
    return found
