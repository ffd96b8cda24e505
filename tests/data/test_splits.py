"""Split names, sizes and `ReadInstruction`, against `datasets`."""

from __future__ import annotations

import pickle
import random
from functools import partial
from typing import Any

import datasets as theirs
import pytest

import crucible_datasets as ours
from crucible_datasets.splits import NamedSplit

BOUNDS = [None, 0, 1, 3, -1, -3, 7, 10, 33, 50, 66, 99, 100, -100, -50]


def _absolute(instruction: Any, sizes: dict[str, int]) -> Any:
    try:
        return [(one.splitname, one.from_, one.to) for one in instruction().to_absolute(sizes)]
    except (ValueError, TypeError) as error:
        return type(error)


@pytest.mark.parametrize("seed", range(10))
def test_instructions(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        sizes = {"train": rng.choice([0, 1, 7, 10, 99, 100, 101, 250]), "test.x": rng.randrange(300)}
        arguments = {
            "rounding": rng.choice([None, None, "closest", "pct1_dropremainder", "other"]),
            "from_": rng.choice(BOUNDS),
            "to": rng.choice(BOUNDS),
            "unit": rng.choice(["%", "%", "abs", None, "rows"]),
        }
        name = rng.choice(["train", "train", "test.x", "none"])
        expected = _absolute(partial(theirs.ReadInstruction, name, **arguments), sizes)
        assert _absolute(partial(ours.ReadInstruction, name, **arguments), sizes) == expected, (name, arguments, sizes)
        if isinstance(expected, list):
            spec = theirs.ReadInstruction(name, **arguments).to_spec()
            assert ours.ReadInstruction(name, **arguments).to_spec() == spec
            both = _absolute(partial(theirs.ReadInstruction.from_spec, f"{spec} + train"), sizes)
            assert _absolute(partial(ours.ReadInstruction.from_spec, f"{spec} + train"), sizes) == both


def test_sums() -> None:
    part = ours.ReadInstruction("train", from_=0, to=10, unit="%") + ours.ReadInstruction("test", to=3, unit="abs")
    assert part.to_spec() == "train[0%:10%]+test[:3]"
    assert part == ours.ReadInstruction.from_spec(part.to_spec())
    assert pickle.loads(pickle.dumps(part)) == part
    with pytest.raises(TypeError, match="ReadInstruction"):
        part + "train"
    with pytest.raises(ValueError, match="different rounding"):
        ours.ReadInstruction("a", unit="%") + ours.ReadInstruction("a", rounding="pct1_dropremainder", unit="%")


def test_names() -> None:
    assert ours.Split.TRAIN == "train"
    assert str(ours.Split.TRAIN) == str(theirs.Split.TRAIN)
    assert repr(ours.Split("x.y")) == repr(theirs.Split("x.y"))
    assert hash(ours.Split.TEST) == hash("test")
    assert pickle.loads(pickle.dumps(NamedSplit("train[:10%]"))) == "train[:10%]"
    assert ours.Split.TRAIN + ours.Split.TEST == "train+test"
    for name in ("my-split", "a b", "", "train+", "a+b-c"):
        with pytest.raises(ValueError, match="Split name should match"):
            theirs.Split(name)
        with pytest.raises(ValueError, match="Split name should match"):
            ours.Split(name)


def test_split_dict() -> None:
    mine, official = (
        lib.SplitDict.from_split_dict([{"name": "train", "num_bytes": 5, "num_examples": 10, "dataset_name": "d"}, {"name": "test", "num_bytes": 1, "num_examples": 3}], "d")
        for lib in (ours, theirs)
    )  # fmt: skip
    assert mine.total_num_examples == official.total_num_examples == 13
    assert repr(mine["train"]) == repr(official["train"])
    assert mine["train[:50%]+test"].num_examples == 8
    assert mine.copy() == mine
    with pytest.raises(ValueError, match="already present"):
        mine.add(ours.SplitInfo("train"))
    with pytest.raises(ValueError, match="key mismatch"):
        mine["x"] = ours.SplitInfo("y")
    with pytest.raises(ValueError, match="Unknown split"):
        mine["none"]
