"""What is pushed by both libraries, and the process in which one of them does it.

    python push_scenarios.py LIBRARY FOLDER

Each scenario is a function of the library, a name for its repository, and a folder of files. It runs in a process of
its own library, which reads `HF_ENDPOINT` when it is imported. Printed is the outcome of each: None, or what was raised.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCENARIOS: dict[str, Callable[[Any, str, Path], Any]] = {}
ROWS = {"a": list(range(100)), "t": [f"x{n}" for n in range(100)]}


def scenario(work: Callable[[Any, str, Path], Any]) -> Callable[[Any, str, Path], Any]:
    """Keeps a scenario under its name."""
    SCENARIOS[work.__name__] = work
    return work


def rows(lib: Any, count: int = 100, **more: Any) -> Any:
    return lib.Dataset.from_dict({name: values[:count] for name, values in ROWS.items()}, **more)


def pictures(folder: Path, count: int = 5) -> list[str]:
    return [str(folder / f"{n}.png") for n in range(count)]


@scenario
def plain(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)


@scenario
def bare_name(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo.partition("/")[2])


@scenario
def shards(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, num_shards=3)


@scenario
def more_shards_than_rows(lib: Any, repo: str, _: Path) -> Any:
    rows(lib, 2).push_to_hub(repo, num_shards=4)


@scenario
def by_size(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, max_shard_size=600)
    rows(lib).push_to_hub(repo, max_shard_size="1KB", split="other")


@scenario
def named_splits(lib: Any, repo: str, _: Path) -> Any:
    rows(lib, split="test").push_to_hub(repo)
    rows(lib, 50).push_to_hub(repo, split="validation")
    rows(lib, 10).push_to_hub(repo, split="a.b_c")


@scenario
def replaced(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, num_shards=4)
    rows(lib, 20).push_to_hub(repo, split="test")
    rows(lib, 30).push_to_hub(repo, num_shards=2, commit_message="again", commit_description="fewer")


@scenario
def unchanged(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)
    rows(lib).push_to_hub(repo)


@scenario
def configs(lib: Any, repo: str, _: Path) -> Any:
    rows(lib, 5).push_to_hub(repo, "fr", set_default=True)
    rows(lib).push_to_hub(repo, "en")
    rows(lib, 9).push_to_hub(repo, "de", data_dir="files/of/de")


@scenario
def private(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, private=True)


@scenario
def branch(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)
    rows(lib, 5).push_to_hub(repo, revision="dev")
    rows(lib, 6).push_to_hub(repo, revision="dev")


@scenario
def pull_request(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)
    made = rows(lib, 5).push_to_hub(repo, create_pr=True)
    rows(lib, 6).push_to_hub(repo, revision=made.pr_revision)


@scenario
def selected(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).shuffle(seed=3).select(range(10, 60)).push_to_hub(repo, num_shards=3)
    rows(lib).filter(lambda row: row["a"] % 2).push_to_hub(repo, split="odd")


@scenario
def formatted(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).with_format("numpy", columns=["a"]).push_to_hub(repo)


@scenario
def no_rows(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).select([]).push_to_hub(repo)


@scenario
def many_files(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, num_shards=99)


@scenario
def all_kinds(lib: Any, repo: str, _: Path) -> Any:
    features = lib.Features(
        {
            "label": lib.ClassLabel(names=["no", "yes"]),
            "nested": {"x": lib.Value("float32"), "y": lib.List(lib.Value("int8"))},
            "listed": lib.List({"z": lib.Value("string")}),
            "matrix": lib.Array2D(shape=(2, 2), dtype="float32"),
            "when": lib.Value("timestamp[us]"),
            "bytes": lib.Value("binary"),
            "text": lib.Translation(languages=["de", "en"]),
            "large": lib.Value("large_string"),
        }
    )
    row = {
        "label": 1,
        "nested": {"x": 1.5, "y": [1, 2]},
        "listed": [{"z": "a"}, {"z": None}],
        "matrix": [[1, 2], [3, 4]],
        "when": None,
        "bytes": b"\0\1",
        "text": {"de": "ja", "en": "yes"},
        "large": "l",
    }
    lib.Dataset.from_list([row] * 4, features=features).push_to_hub(repo)


@scenario
def images(lib: Any, repo: str, folder: Path) -> Any:
    made = lib.Dataset.from_dict({"i": [*pictures(folder), None], "n": list(range(6))})
    made.cast_column("i", lib.Image()).push_to_hub(repo, num_shards=2)
    listed = lib.Dataset.from_dict({"l": [pictures(folder), [], None]})
    listed.cast(lib.Features({"l": lib.List(lib.Image())})).push_to_hub(repo, "lists")


@scenario
def images_not_embedded(lib: Any, repo: str, folder: Path) -> Any:
    made = lib.Dataset.from_dict({"i": pictures(folder)}).cast_column("i", lib.Image(decode=False))
    made.push_to_hub(repo, embed_external_files=False)


@scenario
def dicts(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"train": rows(lib), "test": rows(lib, 10), "x": rows(lib, 3)}).push_to_hub(repo)
    lib.DatasetDict({"train": rows(lib, 50), "test": rows(lib, 5)}).push_to_hub(repo, num_shards={"train": 2})
    lib.DatasetDict({"train": rows(lib, 8)}).push_to_hub(repo, "second", set_default=False)


@scenario
def dict_of_other_splits(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, split="old")
    lib.DatasetDict({"new": rows(lib, 10)}).push_to_hub(repo, max_shard_size="1KB")


@scenario
def streams(lib: Any, repo: str, _: Path) -> Any:
    stream = rows(lib).to_iterable_dataset(num_shards=5)
    stream.push_to_hub(repo)
    stream.push_to_hub(repo, "fewer", num_shards=2)
    stream.push_to_hub(repo, "more", num_shards=13)
    stream.push_to_hub(repo, "sized", max_shard_size=400)
    stream.shuffle(seed=1, buffer_size=10).push_to_hub(repo, "shuffled")
    stream.with_format("numpy").push_to_hub(repo, "formatted")
    stream.take(7).push_to_hub(repo, "taken")


def generated() -> Any:
    for number in range(20):
        yield {"n": number, "s": str(number)}


@scenario
def streams_of_unknown_features(lib: Any, repo: str, _: Path) -> Any:
    lib.IterableDataset.from_generator(generated).push_to_hub(repo)
    stream = rows(lib).to_iterable_dataset(num_shards=2).map(lambda row: {"b": row["a"] * 2})
    stream.push_to_hub(repo, "mapped", split="test")
    stream.filter(lambda row: row["b"] > 50).push_to_hub(repo, "filtered", num_shards=3)


@scenario
def streams_of_images(lib: Any, repo: str, folder: Path) -> Any:
    made = lib.Dataset.from_dict({"i": pictures(folder)}).cast_column("i", lib.Image())
    made.to_iterable_dataset(num_shards=2).push_to_hub(repo)
    made.to_iterable_dataset().push_to_hub(repo, "more", num_shards=2)


@scenario
def streamed_from_the_hub(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, num_shards=3)
    stream = lib.load_dataset(repo, split="train", streaming=True)
    stream.map(lambda row: {"a": -row["a"]}, features=stream.features).push_to_hub(repo, "negative")


@scenario
def dicts_of_streams(lib: Any, repo: str, _: Path) -> Any:
    made = {"train": rows(lib).to_iterable_dataset(num_shards=3), "test": rows(lib, 9).to_iterable_dataset()}
    lib.IterableDatasetDict(made).push_to_hub(repo)
    lib.IterableDatasetDict(made).push_to_hub(repo, "more", num_shards={"train": 2, "test": 2})


# ------------------------------------------------------------------------------------------------------------- refused


@scenario
def config_named_data(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, "data")


@scenario
def two_ways_of_sharding(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, num_shards=2, max_shard_size="1MB")


@scenario
def two_ways_of_sharding_a_dict(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"a": rows(lib)}).push_to_hub(repo, num_shards={"a": 2}, max_shard_size="1MB")


@scenario
def one_number_for_a_dict(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"a": rows(lib)}).push_to_hub(repo, num_shards=2)


@scenario
def wrong_split(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, split="a b")


@scenario
def wrong_split_in_a_dict(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"a/b": rows(lib)}).push_to_hub(repo)


@scenario
def wrong_size(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, max_shard_size="much")


@scenario
def other_features(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)
    rows(lib).rename_column("a", "z").push_to_hub(repo, split="test")


@scenario
def other_features_in_a_dict(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"a": rows(lib), "b": rows(lib).rename_column("a", "z")}).push_to_hub(repo)


@scenario
def other_features_in_a_dict_of_streams(lib: Any, repo: str, _: Path) -> Any:
    streams = [rows(lib).to_iterable_dataset(), rows(lib).rename_column("a", "z").to_iterable_dataset()]
    lib.IterableDatasetDict({"a": streams[0], "b": streams[1]}).push_to_hub(repo)


@scenario
def no_dataset_in_a_dict(lib: Any, repo: str, _: Path) -> Any:
    lib.DatasetDict({"a": 3}).push_to_hub(repo)


@scenario
def another_default(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo)
    rows(lib).push_to_hub(repo, "other", set_default=True)


@scenario
def wrong_token(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(repo, token="hf_wrong")


@scenario
def wrong_id(lib: Any, repo: str, _: Path) -> Any:
    rows(lib).push_to_hub(f"{repo}/too/long")


def main() -> None:
    """Runs all scenarios with a library."""
    warnings.simplefilter("ignore")
    lib = importlib.import_module(sys.argv[1])
    outcomes: dict[str, Any] = {}
    for name, work in SCENARIOS.items():
        try:
            outcomes[name] = work(lib, f"alice/{name}", Path(sys.argv[2]))
        except Exception as error:  # noqa: BLE001  # compared
            outcomes[name] = [[cls.__name__ for cls in type(error).__mro__], str(error)]
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
