"""Rows that `map` and `filter` hand out: made when looked at, used again when nobody kept them."""

from __future__ import annotations

import pytest

from crucible_datasets import Dataset

ROWS = [{"n": i, "text": f"row {i}", "items": [{"a": i}, {"a": None}]} for i in range(2500)]


def dataset() -> Dataset:
    return Dataset.from_list(ROWS)


@pytest.mark.parametrize("operation", ["map", "filter"])
def test_rows_that_the_function_kept_stay_what_they_were(operation: str) -> None:
    kept = []

    def keep(row):
        kept.append(row)
        return {"m": row["n"]} if operation == "map" else row["n"] % 2 == 0

    getattr(dataset(), operation)(keep)
    assert [dict(row) for row in kept] == ROWS


def test_rows_kept_now_and_then_are_no_others() -> None:
    kept = []

    def keep(row):
        if row["n"] % 7 == 0:
            kept.append(row)
        return row["n"] % 2 == 0

    assert dataset().filter(keep)["n"] == list(range(0, 2500, 2))
    assert [row["text"] for row in kept] == [f"row {i}" for i in range(0, 2500, 7)]


def test_a_row_that_is_changed_later_is_another_row() -> None:
    last = []

    def late(row):
        if last:
            last.pop()["n"] = -1  # of a row whose turn is over: it counts for that row
        if row["n"] < 2499:
            last.append(row)
        return {"m": row["n"]}

    made = dataset().map(late)
    assert made["m"] == list(range(2500))


def test_rows_returned_as_they_are() -> None:
    assert dataset().map(lambda row: row).to_list() == ROWS
    other = []

    def previous(row):
        row["n"], row["text"], row["items"]
        other.append(row)
        return other[-2] if len(other) > 1 else row

    assert dataset().map(previous)["n"] == [0, *range(2499)]


def test_values_that_stay_are_shared_and_others_are_written() -> None:
    source = dataset()
    made = source.map(lambda row: {**row, "n": row["n"] + 1})
    assert made["n"] == list(range(1, 2501))
    assert made["items"] == [row["items"] for row in ROWS]

    def change(row):
        if row["n"] == 1700:
            row["items"][1]["a"] = 5
        return {"m": len(row["items"])}

    changed = source.map(change)
    assert changed[1700]["items"] == [{"a": 1700}, {"a": 5}]
    assert changed[1699]["items"] == ROWS[1699]["items"]
    assert source[1700]["items"] == ROWS[1700]["items"]


@pytest.mark.parametrize(
    "change", [list.clear, list.reverse, lambda items: items[0].clear(), lambda items: items[0].update(a="x")]
)
def test_every_change_in_place_is_seen(change) -> None:
    source = Dataset.from_list([{"items": [{"a": "1"}, {"a": "ä"}]}, {"items": [{"a": "\U0001f600"}, {"a": None}]}])
    expected = source.to_list()
    for row in expected:
        change(row["items"])
        for item in row["items"]:
            item.setdefault("a", None)

    def changed(row):
        change(row["items"])
        return {"m": 1}

    assert [{"items": row["items"]} for row in source.map(changed).to_list()] == expected


def test_more_columns_than_are_looked_for_one_by_one() -> None:
    wide = Dataset.from_dict({f"c{i}": [i, i + 1] for i in range(40)})
    made = wide.map(lambda row: {"total": row["c3"] + row["c39"], "".join(["c", "0"]): row["c" + str(1)]})
    assert made["total"] == [42, 44]
    assert made["c0"] == [1, 2]
    with pytest.raises(KeyError, match="c40"):
        wide.map(lambda row: {"x": row["c40"]})


@pytest.mark.parametrize("batched", [False, True])
def test_stop_iteration_is_no_end_of_the_rows(batched: bool) -> None:
    def stop(row):
        return next(iter(())) if batched or row["n"] == 3 else {"m": 1}

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        dataset().map(stop, batched=batched)
    assert "row" in caught.value.__notes__[0]


def test_truth_of_what_a_filter_returns() -> None:
    answers = [1, 0, "", "a", None, True, False, [], [0], 0.0]
    source = Dataset.from_dict({"n": list(range(10))})
    assert source.filter(lambda row: answers[row["n"]])["n"] == [n for n in range(10) if answers[n]]

    class Undecided:
        def __bool__(self) -> bool:
            raise TypeError("neither")

    with pytest.raises(TypeError, match="neither"):
        source.filter(lambda _row: Undecided())


def test_one_dict_for_all_rows_is_read_row_by_row() -> None:
    result = {}

    def same(row):
        result["m"] = row["n"] + 1
        return result

    assert dataset().map(same)["m"] == list(range(1, 2501))


def test_a_list_that_somebody_kept_may_change_after_its_row() -> None:
    kept = []

    def late(row):
        if kept:
            kept.pop().append({"a": -1})  # the list of the row before
        if row["n"] < 9:
            kept.append(row["items"])
        return {"m": row["n"]}

    made = dataset().select(range(10)).map(late).to_list()
    assert [row["items"] for row in made[:9]] == [[*row["items"], {"a": -1}] for row in ROWS[:9]]
    assert made[9]["items"] == ROWS[9]["items"]


def test_a_dict_within_a_list_that_somebody_kept_may_change_after_its_row() -> None:
    kept = []

    def late(row):
        if kept:
            kept.pop()["a"] = -1
        if row["n"] < 9:
            kept.append(row["items"][0])
        return {"m": row["n"]}

    made = dataset().select(range(10)).map(late).to_list()
    assert [row["items"][0]["a"] for row in made] == [-1] * 9 + [9]


def test_a_list_of_a_row_that_somebody_kept_may_change_after_its_row() -> None:
    kept = []

    def late(row):
        row["items"]
        if kept:
            kept.pop()["items"].clear()
        if row["n"] < 9:
            kept.append(row)
        return {"m": row["n"]}

    made = dataset().select(range(10)).map(late).to_list()
    assert [len(row["items"]) for row in made] == [0] * 9 + [2]


def test_columns_deleted_in_every_row_and_in_some() -> None:
    def less(row):
        row["items"].append({"a": 0})
        del row["items"]
        return row

    assert dataset().map(less).column_names == ["n", "text"]

    def now_and_then(row):
        if row["n"] == 1500:
            del row["items"]
        return row

    with pytest.raises(KeyError):
        dataset().map(now_and_then)


def test_mappings_and_others_from_one_function_are_refused() -> None:
    with pytest.raises(ValueError, match="mapping and none"):
        dataset().map(lambda row: {"m": 1} if row["n"] % 2 else None)


def test_further_arguments_go_on_where_rows_were_kept() -> None:
    kept = []

    def keep(row, index):
        if index % 3 == 0:
            kept.append(row)
        return {"m": row["n"] - index}

    assert set(dataset().map(keep, with_indices=True)["m"]) == {0}
    assert [row["n"] for row in kept] == list(range(0, 2500, 3))
