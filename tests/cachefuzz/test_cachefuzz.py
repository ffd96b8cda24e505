"""The gate: 500 random sequences of hfhub and both official clients on one cache leave what an all-official run leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .run import Fuzz, scratch
from .sequences import sequence
from .trees import differences, dump

CHUNK = 25


@pytest.fixture(scope="module")
def fuzz(hub036_python: str) -> Iterator[Fuzz]:
    with scratch() as folder, Fuzz(folder, hub036_python) as running:
        yield running


def test_the_oracles_are_the_ones_meant(fuzz: Fuzz) -> None:
    assert fuzz.workers["hub036"].version == "0.36.2"
    assert fuzz.workers["hub"].version == "2.4.0"


@pytest.mark.parametrize("first", range(0, 500, CHUNK))
def test_sequences(fuzz: Fuzz, first: int) -> None:
    found = {seed: fuzz.check(seed) for seed in range(first, first + CHUNK)}
    bad = [f"seed {seed} (python -m tests.cachefuzz {seed}): {what}" for seed, what in found.items() if what]
    assert not bad, "\n".join(bad)


def test_seeds_that_once_differed(fuzz: Fuzz) -> None:
    """1404: a file that the listing of a pinned commit does not have is marked as absent."""
    assert fuzz.check(1404) == []


def test_the_sequences_are_worth_something(fuzz: Fuzz) -> None:
    """All clients make all calls, and enough of them succeed: a fuzz that only meets refusals finds nothing."""
    made: set[tuple[str, str]] = set()
    for seed in range(500):
        made |= {(o.client, o.call) for o in sequence(seed, fuzz.hub.repos).operations}
    calls = ("download", "snapshot", "load", "scan", "delete", "prune")
    assert made >= {(client, call) for client in ("hfhub", "hub", "hub036") for call in calls}
    results = [
        r
        for seed in range(8)
        for r in fuzz.run(sequence(seed, fuzz.hub.repos), fuzz.folder / f"w{seed}", official=False)
    ]
    answers = [r for r in results if isinstance(r, dict)]
    assert sum("value" in r for r in answers) > len(answers) / 2


def test_a_difference_is_seen(fuzz: Fuzz, tmp_path: Path) -> None:
    """The comparison itself: one more file, another mode, another byte, another link."""
    todo = sequence(0, fuzz.hub.repos)
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        folder = root / "cache" / "r" / "snapshots"
        folder.mkdir(parents=True)
        (folder / "same").write_bytes(b"1")
        (folder / "link").symlink_to("same")
    assert differences(dump(roots[0]), dump(roots[1]), todo) == []
    harmed = roots[0] / "cache" / "r" / "snapshots"
    (harmed / "same").write_bytes(b"2")
    (harmed / "same").chmod(0o600)
    (harmed / "more").touch()
    (harmed / "link").unlink()
    (harmed / "link").symlink_to("more")
    found = [line.split(": mixed")[0] for line in differences(dump(roots[0]), dump(roots[1]), todo)]
    base = "cache/r/snapshots"
    assert found == [f"{base}/link: content", f"{base}/more: extra", f"{base}/same: content", f"{base}/same: mode"]
