"""`concatenate_datasets` and `interleave_datasets` for streams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crucible_datasets.features import Features, _align_features, _check_if_features_can_be_aligned
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable._dataset import IterableDataset
from crucible_datasets.iterable._interleave import STRATEGIES, Interleave
from crucible_datasets.iterable._joined import Concat, SideBySide
from crucible_datasets.iterable._plan import Plan
from crucible_datasets.iterable._rows import stored_rows


def _resolved(streams: Sequence[IterableDataset], what: str) -> tuple[list[IterableDataset], list[Features]]:
    """The streams with known features. Those of which nothing is known are asked for their first rows."""
    for place, stream in enumerate(streams):
        if stream._distributed != streams[0]._distributed:
            msg = f"Datasets should be identically split_by_node before {what}, but got {streams[0]._distributed}!={stream._distributed} at index 0 and {place}"
            raise ValueError(msg)
    made = [stream._resolve_features() for stream in streams]
    return made, [stream.features or Features() for stream in made]


def _parts(streams: list[IterableDataset]) -> tuple[Plan, ...]:
    """Their plans: all of tables, or all of rows whose media are not decoded yet.

    Where the official library has rows of one, it has rows of all.
    """
    plans = [stream._plan for stream in streams]
    tables = all(plan.by_tables for plan in plans)
    if not tables:
        plans = [plan.by_rows() for plan in plans]
    if all(plan.arrow and (tables or plan.typed) for plan in plans):
        return tuple(plans)
    known = [stream.features if plan.typed else None for stream, plan in zip(streams, plans, strict=True)]
    return tuple(stored_rows(plan, features) for plan, features in zip(plans, known, strict=True))


def _joined(
    streams: list[IterableDataset], plan: Plan, features: Features, info: DatasetInfo | None, split: str | None
) -> IterableDataset:
    known = DatasetInfo.from_merge([stream.info for stream in streams]) if info is None else info.copy()
    return streams[0]._with(plan, info=known, split=split, features=features, formatting=None)


def _union(features: list[Features]) -> Features:
    _check_if_features_can_be_aligned(features)
    return Features({name: value for each in _align_features(features) for name, value in each.items()})


def concatenate_streams(
    streams: Sequence[IterableDataset], info: DatasetInfo | None, split: str | None, axis: int
) -> IterableDataset:
    """The rows of streams one after the other, or their columns side by side.

    Raises:
        ValueError: features that cannot be aligned, double names side by side, other splits by node.
    """
    resolved, features = _resolved(streams, "concatenating")
    parts = _parts(resolved)
    if axis == 0:
        joined = _union(features)
        made = _joined(resolved, Concat(parts, joined), joined, info, split)
    else:
        names = [name for each in features for name in each]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"The examples iterables can't have duplicated columns but columns {twice} are duplicated."
            raise ValueError(msg)
        joined = Features({name: value for each in features for name, value in each.items()})
        made = _joined(resolved, SideBySide(parts, joined), joined, info, split)
    formats = [stream._format for stream in resolved]
    return made._with(formatting=formats[0]) if all(format == formats[0] for format in formats) else made


def interleave_streams(
    streams: Sequence[IterableDataset],
    probabilities: Sequence[float] | None,
    seed: int | None,
    info: DatasetInfo | None,
    split: str | None,
    stopping_strategy: str,
) -> IterableDataset:
    """The rows of streams in turns, or drawn at random.

    Raises:
        ValueError: features that cannot be aligned, an unknown strategy, probabilities that do not fit.
    """
    if stopping_strategy not in STRATEGIES:
        msg = f"{stopping_strategy} is not supported. Please enter a valid stopping_strategy: {list(STRATEGIES)}"
        raise ValueError(msg)
    chances = None if probabilities is None else tuple(float(chance) for chance in probabilities)
    if chances is not None and (len(chances) != len(streams) or abs(sum(chances) - 1) > 1.5e-8 or min(chances) < 0):
        msg = f"probabilities must be one for each of the {len(streams)} streams, at least 0, and sum to 1; got {list(chances)}"
        raise ValueError(msg)
    resolved, features = _resolved(streams, "interleaving")
    joined = _union(features)
    rng = None if chances is None else np.random.default_rng(seed)
    plan = Interleave(_parts(resolved), joined, stopping_strategy, rng, chances)
    return _joined(resolved, plan, joined, info, split)
