"""Tables as the data frames that `datasets` writes from. For what is not written natively."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from _crucible._optional import require
from crucible_datasets.features import Array2D, Array3D, Array4D, Array5D, Features, decoder

if TYPE_CHECKING:
    from _crucible._native import Table

_ARRAYS = (Array2D, Array3D, Array4D, Array5D)


def frame(table: Table, features: Features, why: str, *, json: bool = False) -> Any:
    """A `pandas.DataFrame` of all rows.

    Args:
        table: the rows.
        features: features of its columns.
        why: what needs pandas and pyarrow, for the error.
        json: whether `Json` values are what they say; else their texts.

    Raises:
        ImportError: pandas or pyarrow is not installed.
    """
    require("pandas", extra="pandas", why=why)
    made = require("pyarrow", extra="arrow", why=why).table(table).to_pandas(integer_object_nulls=True)
    for name, feature in features.items():
        if isinstance(feature, _ARRAYS):
            values = table.column(name, 0, table.num_rows)
            made[name] = [None if value is None else np.array(value, feature.dtype) for value in values]
        decode = decoder(feature, json_alone=True) if json else None
        if decode is not None:
            made[name] = [decode(value) for value in made[name]]
    return made
