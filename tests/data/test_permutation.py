"""Permutations drawn by Rust are numpy's own, and leave the generator as numpy does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import crucible_datasets
from _crucible import _native
from crucible_datasets.dataset import _permutation

BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("rows", [1 << 16, (1 << 16) + 1, 100_003, 1 << 17])
def test_the_same_numbers_and_the_same_generator_after(bits: Any, rows: int) -> None:
    ours, numpys = np.random.Generator(bits(7)), np.random.Generator(bits(7))
    ours.integers(0, 10, dtype=np.uint8), numpys.integers(0, 10, dtype=np.uint8)  # half of a draw is left over
    drawn = _permutation.permutation(ours, rows)
    assert isinstance(drawn, _native.RowNumbers)
    assert len(drawn) == rows
    assert np.array_equal(_permutation.as_array(drawn), numpys.permutation(rows))
    assert np.array_equal(ours.integers(0, 1 << 60, 50), numpys.integers(0, 1 << 60, 50))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 255, 256, 257, 258, 513, 5000])
def test_small_sizes_too(rows: int) -> None:
    ours, numpys = np.random.default_rng(3), np.random.default_rng(3)
    assert np.array_equal(_permutation.as_array(_permutation._drawn(ours, rows)), numpys.permutation(rows))


def test_a_numpy_that_shuffles_otherwise_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _permutation._as_numpy.__wrapped__()
    drawn = _permutation._drawn
    monkeypatch.setattr(_permutation, "_drawn", lambda generator, rows: drawn(generator, rows - 1))
    assert not _permutation._as_numpy.__wrapped__()


def test_a_subclass_draws_itself() -> None:
    class Backwards(np.random.Generator):
        def permutation(self, x: Any, axis: int = 0) -> Any:  # noqa: ARG002 (numpy's signature)
            return np.arange(x)[::-1]

    dataset = crucible_datasets.Dataset.from_dict({"x": np.arange(70_000)})
    assert dataset.shuffle(generator=Backwards(np.random.PCG64(0)))["x"][:2] == [69_999, 69_998]


def test_shuffles_of_shuffles(tmp_path: Any) -> None:
    rows = 70_000
    dataset = crucible_datasets.Dataset.from_dict({"x": np.arange(rows)})
    file = str(tmp_path / "order.arrow")
    twice = dataset.shuffle(seed=1).shuffle(seed=2, indices_cache_file_name=file)
    again = dataset.shuffle(seed=1).shuffle(seed=2, indices_cache_file_name=file)
    first = np.random.default_rng(1).permutation(rows)
    expected = first[np.random.default_rng(2).permutation(rows)]
    assert np.array_equal(np.asarray(twice.with_format("numpy")["x"][:]), expected)
    assert np.array_equal(np.asarray(again.with_format("numpy")["x"][:]), expected)


def test_wrong_capsules_are_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        _native.permutation(_other_capsule(), 10)
    with pytest.raises(TypeError):
        _native.permutation(object(), 10)
    with pytest.raises(OverflowError):
        _native.permutation(np.random.PCG64(0).capsule, -1)


def _other_capsule() -> Any:
    return crucible_datasets.Dataset.from_dict({"x": [1]}).data.__arrow_c_stream__()
