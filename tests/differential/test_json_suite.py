"""Every file of JSONTestSuite: what is a table of rows has the values of Python's json, all else is a typed error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from _crucible._native import Table
from _crucible.errors import DataError, DecodeError, LimitError
from shared_data import SHARED

FOLDER = SHARED / "json-test-suite"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER.is_dir() else []

# Twice the same key: pyarrow and `datasets` refuse it ("specified twice"), Python's json takes the last.
TWICE = "comes twice in an object"
# Not JSON by the suite, read here: pyarrow and `datasets` take NaN and Infinity as numbers, an empty file as no rows.
LENIENT: dict[str, list[Any]] = {
    "n_number_NaN.json": [{"text": math.nan}],
    "n_number_infinity.json": [{"text": math.inf}],
    "n_number_minus_infinity.json": [{"text": -math.inf}],
    "n_single_space.json": [],
    "n_structure_no_data.json": [],
    "n_structure_UTF8_BOM_no_data.json": [],
}
# Up to the parser, by the suite: what it is here. Numbers out of range and lone surrogates are refused.
UP_TO_US: dict[str, str] = {
    "i_number_huge_exp.json": "out of range",
    "i_number_neg_int_huge_exp.json": "out of range",
    "i_number_pos_double_huge_exp.json": "out of range",
    "i_number_real_neg_overflow.json": "out of range",
    "i_number_real_pos_overflow.json": "out of range",
    "i_object_key_lone_2nd_surrogate.json": "lone surrogate",
    "i_string_1st_surrogate_but_2nd_missing.json": "lone surrogate",
    "i_string_1st_valid_surrogate_2nd_invalid.json": "lone surrogate",
    "i_string_incomplete_surrogate_and_escape_valid.json": "lone surrogate",
    "i_string_incomplete_surrogate_pair.json": "lone surrogate",
    "i_string_incomplete_surrogates_escape_valid.json": "lone surrogate",
    "i_string_invalid_lonely_surrogate.json": "lone surrogate",
    "i_string_invalid_surrogate.json": "lone surrogate",
    "i_string_inverted_surrogates_U+1D11E.json": "lone surrogate",
    "i_string_lone_second_surrogate.json": "lone surrogate",
    "i_string_UTF-16LE_with_BOM.json": "not UTF-8",
    "i_string_utf16BE_no_BOM.json": "not UTF-8",
    "i_string_utf16LE_no_BOM.json": "not UTF-8",
    "i_structure_500_nested_arrays.json": "max_json_depth",
    "string_1_escaped_invalid_codepoint.json": "lone surrogate",
    "string_2_escaped_invalid_codepoints.json": "lone surrogate",
    "string_3_escaped_invalid_codepoints.json": "lone surrogate",
    # Values that have no common type are kept as their JSON text, as `datasets` does.
}


def rows_of(document: Any) -> list[dict[str, Any]] | None:
    """The rows that a document is: its object, its objects, or its values in a column `text`; None for a bare value."""
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list):
        return None
    if document and isinstance(document[0], dict):
        return document if all(isinstance(item, dict) for item in document) else None
    return [{"text": item} for item in document]


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) or isinstance(ours, float):
        return ours == pytest.approx(theirs, rel=1e-15, nan_ok=True, abs=0) and isinstance(ours, float)
    if isinstance(theirs, int) and not -(2**63) <= theirs < 2**63:
        return bool(ours == float(theirs))
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and bool(ours == theirs)


def outcome(path: Path) -> list[Any] | DataError:
    try:
        table = Table.read([str(path)], "json")
    except DataError as error:
        return error
    return table.rows(0, table.num_rows)


def refused(found: Any, path: Path, text: str = "") -> bool:
    assert isinstance(found, DecodeError | LimitError), found
    assert str(path) in str(found)
    assert text in str(found), found
    return True


@pytest.mark.skipif(not FILES, reason="the shared data folder is absent")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_file(path: Path) -> None:
    found = outcome(path)
    if path.name in LENIENT:
        assert same(found, LENIENT[path.name])
        return
    if path.name in UP_TO_US:
        assert refused(found, path, UP_TO_US[path.name])
        return
    try:
        text = path.read_bytes().decode("utf-8-sig")
        document = json.loads(text)
    except (ValueError, RecursionError):
        assert not path.name.startswith("y_")
        assert refused(found, path)
        return
    if "duplicated_key" in path.name or "same_key" in path.name:
        assert refused(found, path, TWICE)
        return
    rows = rows_of(document)
    if rows is None:
        assert refused(found, path, "expected an object")
        return
    if path.name == "y_array_heterogeneous.json":
        assert [json.loads(row["text"]) if isinstance(row["text"], str) else row["text"] for row in found] == document
        return
    assert same(found, rows), (found, rows)
    assert path.name.startswith(("y_", "i_", "number_", "object_", "string_"))


def test_the_names_are_files() -> None:
    if not FILES:
        pytest.skip("the shared data folder is absent")
    assert {*LENIENT, *UP_TO_US} <= {path.name for path in FILES}
    assert len(FILES) > 300
