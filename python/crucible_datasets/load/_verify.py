"""Splits against what the card says of them."""

from __future__ import annotations

from collections.abc import Iterable

from crucible_datasets.errors import ExpectedMoreSplitsError, NonMatchingSplitsSizesError, UnexpectedSplitsError
from crucible_datasets.splits import SplitDict, SplitInfo

_HINT = "Load with verification_mode='no_checks' to take the data as it is."


def verify_names(expected: SplitDict | None, found: Iterable[str]) -> None:
    """Compares the names of the splits.

    Raises:
        ExpectedMoreSplitsError: the card names splits that are not there.
        UnexpectedSplitsError: there are splits that the card does not name.
    """
    if expected is None:
        return
    names = set(found)
    if missing := set(expected) - names:
        msg = f"The card names splits that have no files: {sorted(missing)}. {_HINT}"
        raise ExpectedMoreSplitsError(msg)
    if extra := names - set(expected):
        msg = f"There are splits that the card does not name: {sorted(extra)}. {_HINT}"
        raise UnexpectedSplitsError(msg)


def verify_size(expected: SplitDict | None, found: SplitInfo) -> None:
    """Compares the rows of a split.

    Raises:
        NonMatchingSplitsSizesError: the card says another number.
    """
    stated = None if expected is None else expected.get(found.name)
    if stated is not None and stated.num_examples != found.num_examples:
        bad = [{"expected": stated, "recorded": found}]
        msg = f"{bad}. {_HINT}"
        raise NonMatchingSplitsSizesError(msg)
