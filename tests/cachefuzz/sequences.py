"""A random sequence of operations from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from .hub import History

DATASET, MODEL = "datasets/org/ds", "models/org/m"
CLIENTS = ("hfhub", "hub", "hub036")

FILES = [
    "README.md",
    "config.json",
    "data/train.csv",
    "data/copy of train.csv",
    "data/deep/er/large.bin",
    "data/empty.txt",
    "weights [1].bin",
    "new/added.txt",
    "nope.txt",
    "data/none/at all.bin",
]
MODEL_FILES = ["config.json", "model.bin", "nope.txt"]
PATTERNS: list[dict[str, Any]] = [
    {},
    {"allow_patterns": "*.csv"},
    {"allow_patterns": ["data/*", "README.md"], "ignore_patterns": "*.bin"},
    {"ignore_patterns": ["*.csv", "*.txt", "*.json"]},
    {"allow_patterns": ["nothing*"]},
]


@dataclass(frozen=True)
class Operation:
    """One step: a call of a client, a push to the server, or damage done by the harness."""

    client: str
    call: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = ", ".join(f"{k}={v!r}" for k, v in self.options.items())
        return f"{self.client}.{self.call}({options})"


@dataclass(frozen=True)
class Sequence:
    """Operations, and what holds for all of them."""

    seed: int
    umask: int
    symlinks: bool
    operations: list[Operation]


def _revision(chance: random.Random, history: History) -> str | None:
    """Mostly a branch; commits also of pushes that come later, so some are unknown."""
    names = [None, "main", "main", "v1", "dev/x", "refs/pr/1", "no-such-branch", chance.choice(history.mains)]
    return chance.choices(names, [4, 3, 2, 1.5, 1.5, 1.5, 0.6, 3])[0]


def _flags(chance: random.Random, options: dict[str, Any], *, local: float) -> dict[str, Any]:
    if chance.random() < 0.15:
        options["force_download"] = True
    if chance.random() < 0.2:
        options["local_files_only"] = True
    if chance.random() < local:
        options["local"] = True
    return options


def _download(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    file = chance.choice(FILES if repo == DATASET else MODEL_FILES)
    options = {"repo": repo, "file": file, "revision": _revision(chance, history)}
    return "download", _flags(chance, options, local=0.12)


def _snapshot(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    options = {"repo": repo, "revision": _revision(chance, history), **chance.choice(PATTERNS)}
    return "snapshot", _flags(chance, options, local=0.1)


def _load(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    file = chance.choice(FILES if repo == DATASET else MODEL_FILES)
    return "load", {"repo": repo, "file": file, "revision": _revision(chance, history)}


def _scan(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    return "scan", {}


def _delete(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    return "delete", {"commits": chance.sample(history.mains, chance.randint(1, 2))}


def _prune(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    return "prune", {}


def _advance(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    return "advance", {"repo": repo}


def _harm(chance: random.Random, repo: str, history: History) -> tuple[str, dict[str, Any]]:
    kinds = ["ref empty", "ref cut", "no blob", "no pointer", "partial", "tree cut"]
    file = chance.choice(FILES[:7] if repo == DATASET else MODEL_FILES[:2])
    options = {"kind": chance.choice(kinds), "repo": repo, "file": file, "commit": chance.choice(history.mains)}
    return "harm", options


CALLS = [
    (_download, 10),
    (_snapshot, 3),
    (_load, 3),
    (_scan, 1.5),
    (_delete, 1.5),
    (_prune, 1),
    (_advance, 3),
    (_harm, 2),
]


def sequence(seed: int, repos: dict[str, History]) -> Sequence:
    """The operations of a seed: 5 to 11, each by a random client."""
    chance = random.Random(seed)
    operations = []
    for _ in range(chance.randint(5, 11)):
        repo = chance.choices([DATASET, MODEL], [3, 1])[0]
        make = chance.choices([c for c, _ in CALLS], [w for _, w in CALLS])[0]
        call, options = make(chance, repo, repos[repo])
        client = "server" if call == "advance" else "harness" if call == "harm" else chance.choice(CLIENTS)
        operations.append(Operation(client, call, options))
    umask = chance.choices([0o022, 0o002, 0o077], [6, 1, 1])[0]
    return Sequence(seed, umask, chance.random() > 0.12, operations)
