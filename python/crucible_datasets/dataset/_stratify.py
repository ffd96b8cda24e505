"""Splits that keep the shares of classes, with the draws of scikit-learn's StratifiedShuffleSplit."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def stratified(labels: Array, n_train: int, n_test: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Row numbers of the train and test parts.

    Args:
        labels: class of each row, `(n,)` int64.
        n_train: rows of the train part.
        n_test: rows of the test part.
        rng: where random numbers come from.

    Raises:
        ValueError: a class with one row, or parts smaller than the number of classes.
    """
    classes, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        msg = "Minimum class count error"
        raise ValueError(msg)
    for name, size in (("train", n_train), ("test", n_test)):
        if size < len(classes):
            msg = f"The {name}_size = {size} should be greater or equal to the number of classes = {len(classes)}"
            raise ValueError(msg)
    by_class = np.split(np.argsort(places, kind="stable"), np.cumsum(counts)[:-1])
    train_counts = _mode(counts, n_train, rng)
    test_counts = _mode(counts - train_counts, n_test, rng)
    train: list[int] = []
    test: list[int] = []
    for rows, size, in_train, in_test in zip(by_class, counts, train_counts, test_counts, strict=True):
        drawn = rows.take(rng.permutation(size), mode="clip")
        train.extend(drawn[:in_train])
        test.extend(drawn[in_train : in_train + in_test])
    return rng.permutation(train), rng.permutation(test)


def _mode(counts: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draws of each class: its share rounded down, then one more for the largest fractions; equal ones at random."""
    shares = draws * counts / counts.sum()
    taken = np.floor(shares)
    missing = int(draws - taken.sum())
    fractions = shares - taken
    for fraction in np.sort(np.unique(fractions))[::-1]:
        if missing == 0:
            break
        (equal,) = np.where(fractions == fraction)
        chosen = rng.choice(equal, size=min(len(equal), missing), replace=False)
        taken[chosen] += 1
        missing -= len(chosen)
    return np.asarray(taken, dtype=np.int64)
