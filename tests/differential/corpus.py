"""A corpus of small dataset repositories: layouts, cards and formats, and what to load of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from differential.corpus_formats import (
    FORMATS,
    NESTED,
    flat_rows,
    labelled_rows,
    lines_bytes,
    nested_rows,
    parquet_bytes,
    zip_bytes,
)

ONE = "-00000-of-00001"


@dataclass
class Repo:
    """A repository and the calls of `load_dataset` (their arguments but the path) that are compared on it."""

    name: str
    files: dict[str, bytes]
    calls: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    by_format: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Calls with a format in the place of the path; `ROOT` in them stands for the folder."""


# ------------------------------------------------------------------------------------------------------------ layouts

LAYOUTS: dict[str, str] = {
    "single": "data",
    "names": "train test",
    "synonyms": "training dev eval",
    "more-synonyms": "valid testing train",
    "folders": "train/0 train/1 test/0",
    "folders-synonyms": "training/a val/a evaluation/b",
    "shards": "data/train-00000-of-00002 data/train-00001-of-00002 data/test-00000-of-00001",
    "shards-own-names": f"data/zeta{ONE} data/abc{ONE} data/validation{ONE} data/test.clean{ONE}",
    "shards-hashed": f"data/train{ONE}-9dffc9d46d32c335",
    "shards-at-root": f"train{ONE} test{ONE}",
    "words-inside": "my_train_file my-test.file x_dev_1",
    "words-glued": "mytrain mytest",
    "capitals": "Train TEST",
    "numbers": "train_0 train-1 train.2 test.0",
    "dropped-name": "train extra",
    "dropped-beside-folder": "train/a test",
    "both-splits": "train_test",
    "twice": "train_train",
    "nested": "a/b/train/1 a/c/test/2 train/3",
    "deep-names": "en/train en/test fr/train",
    "order": "b10 b2 a/z Z",
    "hidden": ".hidden/train .secret __pycache__/a shown",
    "pre-words": "pre-train/a x-test-y/b",
    "dir-and-name": "train/test test/train",
    "dotted": "data/train.100-00000-of-00001",
}


def layouts(seed: int) -> Iterator[Repo]:
    """Each layout in some formats."""
    rng = random.Random(seed)
    suffixes = list(FORMATS)
    for index, (name, paths) in enumerate(LAYOUTS.items()):
        chosen = [suffixes[index % len(suffixes)], suffixes[(index * 3 + 4) % len(suffixes)], ".jsonl"]
        for suffix in dict.fromkeys(chosen):  # no set: its order is another one in each process
            make = nested_rows if suffix in NESTED and rng.random() < 0.6 else flat_rows
            files = {path + suffix: FORMATS[suffix](make(rng, rng.randrange(2, 7))) for path in paths.split()}
            yield Repo(f"{name}{suffix}", files, [{}, {"streaming": True}])


def _card(text: str) -> bytes:
    return f"---\n{text.strip()}\n---\n# A card\n".encode()


def cards(seed: int) -> Iterator[Repo]:
    """Cards: configs, infos, options."""
    rng = random.Random(seed)

    def flat(suffix: str = ".jsonl") -> bytes:
        return FORMATS[suffix](flat_rows(rng, rng.randrange(2, 6)))

    files = {
        f"{folder}/{part}.parquet": parquet_bytes(flat_rows(rng, 3)) for folder in ("one", "two") for part in ("x", "y")
    }
    listed = """
configs:
- config_name: one
  data_files:
  - split: train
    path: one/x.*
  - split: holdout
    path:
    - one/y.parquet
    - two/*.parquet
- config_name: two
  data_files: two/*.parquet
"""
    yield Repo(
        "configs",
        {**files, "README.md": _card(listed)},
        [
            {},
            {"name": "one"},
            {"name": "two"},
            {"name": "three"},
            {"name": "two", "data_files": "one/x.parquet"},
            {"data_files": "one/x.parquet"},
            {"data_dir": "two"},
            {"columns": ["i"]},
        ],
    )
    yield Repo(
        "configs-default",
        {**files, "README.md": _card(listed + "  default: true")},
        [{}, {"name": "one", "split": "holdout"}],
    )
    yield Repo(
        "configs-named-default",
        {**files, "README.md": _card(listed.replace("config_name: two", "config_name: default"))},
        [{}],
    )
    yield Repo(
        "configs-two-defaults",
        {**files, "README.md": _card(listed.replace("config_name: one", "config_name: default") + "  default: true")},
        [{}],
    )
    yield Repo(
        "configs-list",
        {
            **files,
            "README.md": _card("configs:\n- config_name: all_of_it\n  data_files:\n  - one/*\n  - two/y.parquet"),
        },
        [{}],
    )
    yield Repo(
        "configs-dirs",
        {**files, "README.md": _card("configs:\n- config_name: a\n  data_dir: one\n- config_name: b\n  data_dir: two")},
        [{}, {"name": "a"}, {"name": "b"}],
    )
    yield Repo(
        "configs-missing-file",
        {**files, "README.md": _card("configs:\n- config_name: a\n  data_files: one/none.parquet")},
        [{}],
    )
    yield Repo(
        "configs-no-match",
        {**files, "README.md": _card("configs:\n- config_name: a\n  data_files: none/*.parquet")},
        [{}],
    )
    yield Repo(
        "configs-empty-split",
        {
            **files,
            "README.md": _card(
                "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: one/*\n  - split: test\n    path: three/*"
            ),
        },
        [{}],
    )
    for name, broken in {
        "mapping": "configs:\n  config_name: a",
        "no-name": "configs:\n- data_files: one/*",
        "files-mapping": "configs:\n- config_name: a\n  data_files:\n    train: one/*",
        "files-number": "configs:\n- config_name: a\n  data_files: 3",
        "extra-key": "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: one/*\n    more: 1",
        "bad-split": "configs:\n- config_name: a\n  data_files:\n  - split: my-train\n    path: one/*",
        "split-twice": "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: one/*\n  - split: train\n    path: two/*",
        "bad-name": "configs:\n- config_name: a/b\n  data_files: one/*",
        "empty": "configs: []",
        "yaml": "configs: [",
    }.items():
        yield Repo(f"configs-bad-{name}", {**files, "README.md": _card(broken)}, [{}])
    data = {"train.csv": flat(".csv").replace(b",", b";"), "test.csv": flat(".csv").replace(b",", b";")}
    data = dict.fromkeys(data, b"i;s\n1;a\n2;b\n")
    yield Repo(
        "options",
        {
            **data,
            "README.md": _card(
                "configs:\n- config_name: default\n  sep: ;\n  data_files:\n  - split: train\n    path: train.csv"
            ),
        },
        [{}, {"sep": "|"}, {"nonsense": 1}],
    )
    yield Repo(
        "text-options",
        {
            "train.txt": b"a\nb\n\nc\n",
            "README.md": _card(
                "configs:\n- config_name: x\n  data_files: train.txt\n  sample_by: paragraph\n- config_name: y\n  data_files: train.txt\n  keep_linebreaks: true"
            ),
        },
        [{"name": "x"}, {"name": "y"}, {"name": "x", "sample_by": "line"}],
    )

    info = """
dataset_info:
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
  - name: text
    dtype: string
  - name: score
    dtype: {score}
  - name: absent
    list: string
  splits:
{splits}
"""
    labelled = {
        f"{split}{suffix}": FORMATS[suffix](labelled_rows(rng, 4))
        for split in ("train", "test")
        for suffix in (".jsonl",)
    }
    right = (
        "  - name: train\n    num_bytes: 1\n    num_examples: 4\n  - name: test\n    num_bytes: 1\n    num_examples: 4"
    )

    def with_info(splits: str, score: str = "float32") -> dict[str, bytes]:
        return {**labelled, "README.md": _card(info.replace("{score}", score).replace("{splits}", splits))}

    yield Repo("infos", with_info(right), [{}, {"data_files": "train.jsonl"}, {"split": "test"}])
    yield Repo("infos-string", with_info(right, "string"))
    yield Repo(
        "infos-wrong-count",
        with_info(right.replace("num_examples: 4", "num_examples: 5")),
        [{}, {"verification_mode": "no_checks"}, {"data_files": "test.jsonl"}],
    )
    yield Repo("infos-more-splits", with_info(right + "\n  - name: validation\n    num_bytes: 1\n    num_examples: 1"))
    yield Repo("infos-fewer-splits", with_info("\n".join(right.split("\n")[:3])))
    yield Repo("infos-other-type", with_info(right, "bool"))
    named = _card(
        "dataset_info:\n- config_name: default\n  features:\n  - name: label\n    dtype: int8\n  - name: text\n    dtype: string\n  - name: score\n    dtype: int64\n- config_name: other\n  features: []"
    )
    yield Repo("infos-list", {**labelled, "README.md": named})
    legacy = {
        "a--b": {
            "features": {
                "text": {"dtype": "string", "id": None, "_type": "Value"},
                "label": {"num_classes": 2, "names": ["n", "p"], "id": None, "_type": "ClassLabel"},
                "score": {"dtype": "int32", "id": None, "_type": "Value"},
            },
            "splits": {
                "train": {"name": "train", "num_bytes": 1, "num_examples": 4, "dataset_name": "b"},
                "test": {"name": "test", "num_bytes": 1, "num_examples": 4, "dataset_name": "b"},
            },
        }
    }
    yield Repo("legacy-infos", {**labelled, "dataset_infos.json": json.dumps(legacy).encode()})
    yield Repo(
        "legacy-infos-and-card", {**labelled, "dataset_infos.json": json.dumps(legacy).encode(), "README.md": named}
    )
    yield Repo(
        "standalone-yaml",
        {
            **files,
            "README.md": _card(listed),
            ".huggingface.yaml": b"configs:\n- config_name: only\n  data_files: two/x.parquet\n",
        },
    )
    yield Repo(
        "config-features",
        {
            **labelled,
            "README.md": _card(
                "configs:\n- config_name: default\n  data_files: train.jsonl\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype: int16\n  - name: score\n    dtype: string"
            ),
        },
    )
    both = """
configs:
- config_name: default
  data_files: train.jsonl
  features:
  - name: text
    dtype: large_string
dataset_info:
  features:
  - name: score
    dtype: int16
  - name: text
    dtype: string
  - name: label
    dtype: int8
"""
    yield Repo("config-features-and-infos", {**labelled, "README.md": _card(both)}, [{}, {"data_files": "test.jsonl"}])


def oddities(seed: int) -> Iterator[Repo]:
    """Mixed formats, archives, files that are no data, arguments."""
    rng = random.Random(seed)

    def flat(suffix: str) -> bytes:
        return FORMATS[suffix](flat_rows(rng, rng.randrange(2, 6)))

    def of(*paths: str) -> dict[str, bytes]:
        return {path: flat("." + path.rsplit("/", 1)[-1].split(".", 1)[1]) for path in paths}

    yield Repo("majority", of("a.csv", "b.csv", "c.jsonl"))
    yield Repo("tie-parquet", of("a.csv", "b.parquet"))
    yield Repo("tie-json", of("a.csv", "b.json"))
    yield Repo("json-and-jsonl", of("a.json", "b.jsonl"))
    yield Repo("text-majority", of("a.txt", "b.txt", "c.csv"))
    yield Repo("split-formats", of("train.csv", "test.jsonl"))
    yield Repo("tsv-and-csv", of("train.tsv", "test.csv"))
    yield Repo("stray", {**of("a.jsonl"), "notes.md": b"# n", "x.xyz": b"?", "script.py": b"pass", "LICENSE": b"l"})
    yield Repo(
        "metadata-names",
        {**of("a.jsonl"), "config.json": b"{}", "dataset_info.json": b"{}", "dataset_dict.json": b"{}"},
    )
    yield Repo("split-types", {"train.csv": b"a,b\n1.5,x\n", "test.csv": b"a,b\n2,y\n"}, [{}, {"split": "test+train"}])
    yield Repo("split-columns", {"train.jsonl": b'{"a": 1, "b": "x"}\n', "test.jsonl": b'{"a": 2}\n'}, [{}])
    yield Repo("unknown", {"x.xyz": b"?", "y.abc": b"?"})
    yield Repo("only-hidden", {".a.csv": b"a\n1\n"})
    yield Repo("capital-suffix", {"a.CSV": b"a\n1\n"})
    yield Repo("known-and-unknown-split", {**of("train.csv"), "test.xyz": b"?"})
    yield Repo("bad-shard-name", of(f"data/my-split{ONE}.parquet"))
    yield Repo("script", {"script.py": b"pass", **of("train.csv")})
    yield Repo(
        "zip-of-csv",
        {
            "data.zip": zip_bytes(
                {
                    "b.csv": b"a\n1\n",
                    "a.csv": b"a\n2\n",
                    "d/c.csv": b"a\n3\n",
                    "__MACOSX/x.csv": b"a\n9\n",
                    ".h.csv": b"a\n8\n",
                }
            )
        },
    )
    yield Repo(
        "zip-splits",
        {
            "train.zip": zip_bytes({"x.jsonl": lines_bytes([{"a": 1}])}),
            "test.zip": zip_bytes({"x.jsonl": lines_bytes([{"a": 2}])}),
        },
    )
    yield Repo("zip-unknown", {"none.zip": zip_bytes({"x.xyz": b"?"})})
    names = ["train", "test"]
    yield Repo("several", {f"{folder}/{name}.jsonl": flat(".jsonl") for folder in ("en", "fr") for name in names}, [
        {"data_dir": "none"},  # first: later `datasets` would ask its cache
        {"data_dir": "en"},
        {"data_dir": "en/"},
        {"data_dir": "fr", "data_files": "test.jsonl"},
        {"data_files": "en/train.jsonl"},
        {"data_files": ["en/*.jsonl", "fr/test.jsonl"]},
        {"data_files": {"a": "en/*", "b.c": ["fr/train.jsonl", "fr/test.jsonl"]}},
        {"data_files": [{"split": "x", "path": "**/test.jsonl"}, {"split": "y", "path": ["fr/*"]}]},
        {"data_files": "./en/../fr/train.jsonl"},
        {"data_files": {"train": "en/*.jsonl", "test": "zz/*.jsonl"}},
        {"data_files": "en/none.jsonl"},
        {"data_files": "en"},
        {"data_files": "zz/*"},
        {"data_files": {"my-split": "en/*"}},
        {"data_files": {"all": "en/*"}},
        {"data_files": "**.jsonl"},
        {"data_files": []},
        {"data_files": [{"split": "x"}]},
        {"name": "none"},
        {"nonsense": 1},
    ], [
        ("json", {"data_files": "ROOT/en/train.jsonl"}),
        ("json", {"data_files": ["ROOT/en/*.jsonl", "ROOT/fr/test.jsonl"], "split": "train[:3]"}),
        ("json", {"data_files": {"a": "ROOT/en/*", "b.c": ["ROOT/fr/train.jsonl"]}, "name": "mine"}),
        ("json", {"data_files": [{"split": "x", "path": "ROOT/**/test.jsonl"}]}),
        ("json", {"data_dir": "ROOT/en"}),
        ("json", {"data_dir": "ROOT", "data_files": "fr/*.jsonl"}),
        ("json", {"data_files": "train.jsonl", "data_dir": "ROOT/fr", "split": "train"}),
        ("text", {"data_files": "ROOT/zz/*"}),
        ("json", {"data_files": "ROOT/en/none.jsonl"}),
        ("json", {"data_files": "ROOT/en"}),
        ("json", {"data_files": "ROOT/en/train.jsonl", "nonsense": 1}),
        ("text", {"data_files": "ROOT/en/train.jsonl"}),
        ("text", {"data_files": "ROOT/en/train.jsonl", "sample_by": "document"}),
        ("csv", {"data_files": "ROOT/en/none.csv"}),
        ("csv", {"data_files": {"my-split": "ROOT/en/*"}}),
    ])  # fmt: skip
    rows = {
        name: lines_bytes([{"i": i} for i in range(count)])
        for name, count in (("train", 7), ("test", 10), ("validation", 101))
    }
    specs = [
        "train", "train[:10%]", "train[10%:20%]", "test[:50%]", "validation[33%:66%]", "test[-10%:]", "test[:-10%]", "test[:1%]",
        "validation[25%:75%]", "validation[:10%](pct1_dropremainder)", "test[:10%](pct1_dropremainder)", "test[:3]", "test[-3:]",
        "test[:1000]", "test[-1000:]", "test[:]", "test[100:]", "test[0:0]", "train[:1]+train[:1]", "train[:2]+test[-1:]",
        "train+test", "all", "train[3]", "train[1:8:2]", "train[ :2]", "train[:12.5%]", "train[:110%]", "train[:2", " train",
        "a + b", "train-test", "train+", "Train", "ALL", "none", "train[:50%]+validation[95%:]", "train[:2](closest)",
    ]  # fmt: skip
    calls: list[dict[str, Any]] = [{"split": spec} for spec in specs]
    calls += [{"split": ["train[:2]", "test"]}, {"split": {"a": "train", "b": "test[:1]"}}]
    yield Repo("splits", {f"{name}.jsonl": data for name, data in rows.items()}, calls)


def repositories(seed: int) -> list[Repo]:
    """The corpus."""
    return [*layouts(seed), *cards(seed), *oddities(seed)]
