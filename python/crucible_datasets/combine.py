"""Datasets put together: one after the other, side by side, or in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from _crucible._native import Table
from crucible_datasets.dataset import Dataset, DatasetDict
from crucible_datasets.dataset._align import union
from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable import (
    IterableDataset,
    IterableDatasetDict,
    concatenate_streams,
    interleave_streams,
)

__all__ = ["concatenate_datasets", "interleave_datasets"]

_STRATEGIES = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]
_DRAWS = 1000
"""Sources are drawn in blocks, as in `datasets`: the order of random numbers depends on it."""


def _check(datasets: Sequence[Any], verb: str) -> bool:
    """Whether they are streams."""
    if not datasets:
        msg = f"Unable to {verb} an empty list of datasets."
        raise ValueError(msg)
    streams = False
    for place, dataset in enumerate(datasets):
        if isinstance(dataset, DatasetDict | IterableDatasetDict):
            msg = (
                f"Dataset at position {place} has at least one split: {list(dataset)}\nPlease pick one to {verb} with "
                f"the other datasets, for example: dataset['{next(iter(dataset), 'train')}']"
            )
            raise ValueError(msg)  # as the official library
        found = type(dataset).__name__
        if not isinstance(dataset, Dataset | IterableDataset):
            msg = (
                "Expected a list of Dataset objects or a list of IterableDataset objects, but element at position "
                f"{place} is a {found}."
            )
            raise ValueError(msg)  # as the official library
        if place == 0:
            streams = isinstance(dataset, IterableDataset)
        elif isinstance(dataset, IterableDataset) != streams:
            msg = (
                f"Unable to {verb} a {type(datasets[0]).__name__} (at position 0) with a {found} (at position {place}). Expected a "
                "list of Dataset objects or a list of IterableDataset objects."
            )
            raise ValueError(msg)  # as the official library
    return streams


def concatenate_datasets(
    dsets: Sequence[Any], info: DatasetInfo | None = None, split: str | None = None, axis: int = 0
) -> Any:
    """The rows of several datasets, one after the other, or their columns side by side. No row is copied.

    Args:
        dsets: the datasets, or the streams. Datasets without rows are left out.
        info: the info of the result; merged from theirs when absent.
        split: the split of the result.
        axis: 0 for rows: columns are matched by name, absent ones are null. Anything else for columns.

    Raises:
        ValueError: no datasets, features that cannot be aligned, other row counts or double names side by side.
    """
    if _check(dsets, "concatenate"):
        return concatenate_streams(dsets, info, split, axis)
    filled = [dataset for dataset in dsets if len(dataset)]
    if not filled:
        return dsets[0]
    if axis == 0:
        features = union([dataset.features for dataset in filled])
        text = features.to_text()
        table = Table.concat([_in_features(dataset, features, text) for dataset in filled])
    else:
        features = Features()
        for dataset in filled:
            if len(dataset) != len(filled[0]):
                msg = "Number of rows must match for all datasets"
                raise ValueError(msg)
            twice = [name for name in dataset.column_names if name in features]
            if twice:
                msg = f"The table can't have duplicated columns but columns {twice} are duplicated."
                raise ValueError(msg)
            features.update(dataset.features)
        table = Table.side_by_side([dataset._table for dataset in filled])
    made = type(filled[0])(table, features, split)
    made._of(info if info is not None else DatasetInfo.from_merge([dataset.info for dataset in filled]))
    made._home = next((dataset._home for dataset in filled if dataset._home is not None), None)
    made._used = tuple(dict.fromkeys(file for dataset in filled for file in dataset._used))
    if all(dataset.format == filled[0].format for dataset in filled):
        made._format = filled[0]._format
    return made


def _in_features(dataset: Dataset, features: Features, text: str) -> Table:
    same = dataset._features == features and dataset._features.to_text() == text  # the order of a struct's fields too
    return dataset._table if same else dataset._table.with_features(text)


def interleave_datasets(
    datasets: Sequence[Any],
    probabilities: Sequence[float] | None = None,
    seed: int | None = None,
    info: DatasetInfo | None = None,
    split: str | None = None,
    stopping_strategy: str = "first_exhausted",
) -> Any:
    """The rows of several datasets in turns, the same as `datasets` gives for the same seed. No row is copied.

    Args:
        datasets: the datasets, or the streams.
        probabilities: how likely each is the next; in turns when absent.
        seed: seed of `numpy.random.default_rng`, for `probabilities`.
        info: the info of the result; merged from theirs when absent.
        split: the split of the result.
        stopping_strategy: "first_exhausted" stops when one dataset has no row left; "all_exhausted" when each row was
            there at least once, starting over those that end; "all_exhausted_without_replacement" when each row was
            there once.

    Raises:
        ValueError: no datasets, an unknown strategy, probabilities that do not fit.
        IndexError: another number of probabilities than of datasets, or a dataset without rows to start over with.
    """
    if _check(datasets, "interleave"):
        return interleave_streams(datasets, probabilities, seed, info, split, stopping_strategy)
    if stopping_strategy not in _STRATEGIES:
        msg = f"{stopping_strategy} is not supported. Please enter a valid stopping_strategy: {_STRATEGIES}"
        raise ValueError(msg)
    joined = concatenate_datasets(datasets, info=info, split=split)
    lengths = np.array([len(dataset) for dataset in datasets], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    if probabilities is None:
        return joined.select(_in_turns(lengths, offsets, stopping_strategy))
    return joined.select(_drawn(lengths, offsets, probabilities, seed, stopping_strategy))


def _in_turns(lengths: Any, offsets: Any, strategy: str) -> Any:
    if strategy == "first_exhausted":
        return (offsets + np.arange(lengths.min())[:, None]).ravel()
    rounds = np.arange(lengths.max())[:, None]
    if strategy == "all_exhausted":
        if not lengths.all():
            empty = np.flatnonzero(lengths == 0).tolist()
            msg = f"the datasets at positions {empty} have no rows to start over with"
            raise IndexError(msg)
        return (rounds % lengths + offsets).ravel()
    return (rounds + offsets)[rounds < lengths]


def _drawn(lengths: Any, offsets: Any, probabilities: Sequence[float], seed: int | None, strategy: str) -> Any:
    chances = np.asarray(probabilities, dtype=np.float64)
    if len(chances) != len(lengths):
        msg = f"{len(chances)} probabilities for {len(lengths)} datasets"
        raise ValueError(msg) if strategy.endswith("replacement") else IndexError(msg)
    rng = np.random.default_rng(seed)
    if strategy == "all_exhausted_without_replacement":
        return _drawn_once(lengths, offsets, chances, rng)
    empty = np.flatnonzero((lengths == 0) & (chances > 0)).tolist()
    if empty:
        msg = f"datasets at positions {empty} have no rows but a probability above 0"
        raise ValueError(msg)
    if strategy == "all_exhausted" and not (chances > 0).all():
        msg = (
            f"datasets at positions {np.flatnonzero(chances <= 0).tolist()} have probability 0 and are never exhausted"
        )
        raise ValueError(msg)
    # A source that is never drawn never ends.
    counted = chances > 0
    seen = np.zeros(len(lengths), dtype=np.int64)
    parts = []
    while True:
        sources = rng.choice(len(lengths), size=_DRAWS, p=chances)
        hits = sources[:, None] == np.arange(len(lengths))
        after = seen + np.cumsum(hits, axis=0)
        places = after[np.arange(_DRAWS), sources] - 1
        ended = (after >= lengths)[:, counted]
        stops = np.flatnonzero(ended.any(axis=1) if strategy == "first_exhausted" else ended.all(axis=1))
        rows = offsets[sources] + places % lengths[sources]
        if len(stops):
            parts.append(rows[: stops[0] + 1])
            return np.concatenate(parts)
        parts.append(rows)
        seen = after[-1]


def _drawn_once(lengths: Any, offsets: Any, chances: Any, rng: np.random.Generator) -> Any:
    left = lengths.copy()
    rows: list[int] = []
    missing = int((left > 0).sum())
    while missing:
        if not (chances[left > 0] > 0).any():
            msg = "datasets with rows left have probability 0 and are never exhausted"
            raise ValueError(msg)
        for source in rng.choice(len(lengths), size=_DRAWS, p=chances):
            if left[source]:
                rows.append(int(offsets[source] + lengths[source] - left[source]))
                left[source] -= 1
                if not left[source]:
                    missing -= 1
                    if not missing:
                        break
    return np.array(rows, dtype=np.int64)
