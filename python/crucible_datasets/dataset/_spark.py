"""Tables of Spark DataFrames. pyspark is not imported: a DataFrame gives its rows itself."""

from __future__ import annotations

from typing import Any

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.dataset._given import given_table
from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import Feature, Features, LargeList, List, Value

_UTC = "tz=UTC]"


def spark_table(df: Any, features: Features | None) -> tuple[Table, Features]:
    """The rows of a DataFrame, in its order, and their features.

    Args:
        df: the DataFrame.
        features: types to cast to; those of the DataFrame when absent, with timestamps in the time zone of the session.

    Raises:
        UnsupportedError: pyspark before 4, or a type that has no features: maps, intervals.
        KeyError: two columns of one name.
        SchemaError: other columns than the features', or values that cannot be cast.
    """
    if not hasattr(df, "toArrow"):
        msg = "Dataset.from_spark needs pyspark 4 or newer, whose DataFrames have toArrow"
        raise UnsupportedError(msg)
    require("pyarrow", extra="arrow", why="from_spark")
    table, own = given_table(df.toArrow(), None, None)
    if features is None:
        zone = df.sparkSession.conf.get("spark.sql.session.timeZone")
        features = Features({name: _in_zone(feature, zone) for name, feature in own.items()})
    return table.with_features(features.to_text()), features


def _in_zone(feature: Feature, zone: str) -> Feature:
    """The feature with timestamps in a time zone: `toArrow` has them in UTC."""
    if isinstance(feature, dict):
        return {name: _in_zone(inner, zone) for name, inner in feature.items()}
    if isinstance(feature, List | LargeList):
        return type(feature)(_in_zone(feature.feature, zone))
    if isinstance(feature, Value) and feature.dtype.endswith(_UTC):
        return Value(feature.dtype.replace(_UTC, f"tz={zone}]"))
    return feature
