"""`python -m crucible_datasets run`: as `python` itself, but for what `import datasets` means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

RUN = ["-m", "crucible_datasets", "run"]


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def both(cwd: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """With `run` and without."""
    return python(*RUN, *words, cwd=cwd), python(*words, cwd=cwd)


SEEN = """
import sys, os
print(sys.argv, __name__, __file__, __package__, __spec__ and __spec__.name, __doc__)
print(sys.path[0], sys.modules["__main__"].__dict__ is globals(), type(__loader__).__name__, __builtins__ is not None)
print(repr(getattr(sys.modules["__main__"], "__cached__", None)) if __spec__ is None else "")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script, a module beside it, a package with relative imports."""
    (tmp_path / "seen.py").write_text('"""Doc."""\nimport beside\n' + SEEN)
    (tmp_path / "beside.py").write_text("value = 1\n")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("value = 'inner'\n")
    (package / "__main__.py").write_text("from .inner import value\nprint(value)\n" + SEEN)
    (package / "module.py").write_text("from . import inner\nprint(inner.value)\n" + SEEN)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["seen.py"],
        ["seen.py", "a", "--flag", "-m", "x"],
        ["./seen.py", "-h"],
        ["-m", "package", "a"],
        ["-m", "package.module", "--help"],
        ["-m", "beside"],
    ],
)
def test_the_script_sees_the_same(folder: Path, words: list[str]) -> None:
    mine, plain = both(folder, *words)
    assert (mine.stdout, mine.stderr, mine.returncode) == (plain.stdout, plain.stderr, plain.returncode)


def test_an_absolute_path_from_elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mine, plain = both(tmp_path_factory.mktemp("elsewhere"), str(folder / "seen.py"), "x")
    assert (mine.stdout, mine.returncode) == (plain.stdout, plain.returncode)
    assert mine.returncode == 0


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    raise ValueError('x')\nf()",
        "raise SystemExit(7)",
        "raise SystemExit('text')",
        "raise SystemExit",
        "import sys; sys.exit(3)",
        "import os; os._exit(4)",
        "def broken(:\n",
        "import nothing_of_that_name",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__, a[2].tb_lineno)\nraise ValueError",
        "import atexit\natexit.register(lambda: print('bye', value))\nvalue = 5",
        "import threading\ndef f():\n    1 / 0\nt = threading.Thread(target=f, name='t')\nt.start()\nt.join()",
        "raise KeyboardInterrupt",
        "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=1)",
    ],
)
def test_ends(tmp_path: Path, code: str) -> None:
    """Exit codes, output and tracebacks, line by line."""
    (tmp_path / "script.py").write_text(code)
    mine, plain = both(tmp_path, "script.py")
    assert (mine.returncode, mine.stdout, mine.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("words", [["absent.py"], ["-m", "absent_module"], ["-m", "absent.module"]])
def test_nothing_to_run(tmp_path: Path, words: list[str]) -> None:
    mine, plain = both(tmp_path, *words)
    assert mine.returncode == plain.returncode
    assert words[-1].partition(".")[0] in mine.stderr
    assert "Traceback" not in mine.stderr


def test_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", "import other, datasets, sys\nprint(other.value, datasets.__name__, sys.argv)")
        archive.writestr("other.py", "value = 3")
    done = python(*RUN, "app.zip", "x", cwd=tmp_path)
    assert done.stdout.splitlines() == ["3 datasets ['app.zip', 'x']"], done.stderr


def test_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import datasets, sys, time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\nfinally:\n    print('end', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, *RUN, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert out == "end\n"
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert "_run.py" not in err


def test_usage(tmp_path: Path) -> None:
    done = python(*RUN, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage" in done.stderr
    done = python(*RUN, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "import datasets" in done.stdout
    assert "run" in python("-m", "crucible_datasets", "--help", cwd=tmp_path).stdout


TRAINER = '''
"""What training scripts do before they train."""
import argparse, json
import numpy as np
import datasets
from datasets import Dataset, DatasetDict, IterableDataset, concatenate_datasets, interleave_datasets, load_dataset
from datasets.utils.version import Version

parser = argparse.ArgumentParser()
parser.add_argument("--file", required=True)
arguments = parser.parse_args()

raw = load_dataset("json", data_files=arguments.file, split="train")
assert isinstance(raw, datasets.Dataset) and not isinstance(raw, IterableDataset)

def to_text(example):
    return {"text": "\\n".join(f"{m['role']}: {m['content']}" for m in example["messages"])}

texts = raw.map(to_text, remove_columns=raw.column_names)
lengths = texts.map(lambda batch: {"n": [len(t) for t in batch["text"]]}, batched=True)
kept = lengths.filter(lambda row: row["n"] > 12).shuffle(seed=0)
parts = kept.train_test_split(test_size=0.25, seed=3)
assert isinstance(parts, DatasetDict)
mixed = interleave_datasets([parts["train"], parts["test"]], probabilities=[0.5, 0.5], seed=1, stopping_strategy="all_exhausted")
whole = concatenate_datasets([mixed, parts["test"]]).select_columns(["text"]).rename_column("text", "prompt")
print(json.dumps({
    "names": whole.column_names, "rows": whole["prompt"][:5], "n": len(whole), "features": str(whole.features),
    "numbers": kept.with_format("numpy")["n"][:4].tolist(), "rank": whole.shard(2, 1)[0], "repr": repr(parts),
    "first": next(iter(kept.take(1))), "version": datasets.__version__,
}))
'''


def test_a_training_script(tmp_path: Path) -> None:
    """The same script with the official library and with this one prints the same."""
    lines = [
        f'{{"messages": [{{"role": "user", "content": "q{i}"}}, {{"role": "assistant", "content": "{"a" * i}"}}]}}\n'
        for i in range(40)
    ]
    (tmp_path / "chat.jsonl").write_text("".join(lines))
    (tmp_path / "train.py").write_text(TRAINER)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    outputs = []
    for words in ([*RUN, "train.py"], ["train.py"]):
        done = subprocess.run(
            [sys.executable, *words, "--file", "chat.jsonl"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        outputs.append(done.stdout.splitlines()[-1])
    assert outputs[0] == outputs[1]


COOKBOOK = '''
"""The calls of training recipes: by config, by split, streamed, mixed."""
import json
import datasets
from datasets import Dataset, concatenate_datasets, get_dataset_config_names, interleave_datasets, load_dataset
from typing import cast

out = {}
train = load_dataset("org/math", name="main", split="train").shuffle(seed=0)
out["rows"] = [row["question"] for row in train.select(range(3, 7))]
out["take"] = [len(train.take(5)), len(train.skip(5)), train.skip(5)[0]]
out["batch"] = train.select(range(2)).to_list()
out["configs"] = sorted(get_dataset_config_names("org/math"))
pieces = [load_dataset("org/math", name=c, split=s) for c in ("main", "other") for s in ("train", "test")]
kept = [piece.filter(lambda row: row["level"] > 2) for piece in pieces]
joined = concatenate_datasets(kept).shuffle(seed=1)
out["joined"] = [joined.column_names, len(joined), joined[:3]]
chat = cast(datasets.DatasetDict, load_dataset("org/chat"))
assert isinstance(chat["train"], datasets.Dataset)
messages = chat["train"].select_columns(["messages"])
renamed = chat["test"].rename_column("messages", "m").rename_column("m", "messages").select_columns(["messages"])
mixed = interleave_datasets([messages, renamed], probabilities=[0.7, 0.3], seed=2, stopping_strategy="all_exhausted")
out["mixed"] = [len(mixed), mixed[0], mixed[len(mixed) - 1]]
out["roles"] = [m["role"] for m in mixed[1]["messages"]]
stream = load_dataset("org/chat", split="train", streaming=True).batch(batch_size=4, drop_last_batch=True)
assert isinstance(stream, datasets.IterableDataset)
out["stream"] = [len(next(iter(stream))["messages"]), sum(1 for _ in stream)]
out["blocks"] = [len(block["question"]) for block in train.iter(batch_size=7)]
try:
    load_dataset("org/math", name="main", split="nothing")
except ValueError as error:
    out["split"] = "nothing" in str(error)
try:
    load_dataset("org/absent")
except datasets.exceptions.DatasetNotFoundError:
    out["absent"] = True
out["list"] = Dataset.from_list([{"messages": m} for m in mixed["messages"][:2]]).features.to_dict()
print(json.dumps(out, default=str))
'''


def test_recipes(hub_root: Path, hf_env: Path, tmp_path: Path) -> None:
    """Loading code of training recipes, from a hub: the same with the official library and with this one."""
    math = hub_root / "datasets" / "org" / "math"
    math.mkdir(parents=True)
    card = ["---", "configs:"]
    for config in ("main", "other"):
        card += [f"- config_name: {config}", "  data_files:"]
        for split, count in (("train", 30), ("test", 10)):
            rows = [{"question": f"{config} {split} {k}", "answer": f"#### {k}", "level": k % 5} for k in range(count)]
            (math / f"{config}-{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            card += [f"  - split: {split}", f"    path: {config}-{split}.jsonl"]
    (math / "README.md").write_text("\n".join([*card, "---", ""]))
    chat = hub_root / "datasets" / "org" / "chat"
    chat.mkdir()
    for split, count in (("train", 22), ("test", 9)):
        turns = [
            {"id": k, "messages": [{"role": "user", "content": f"q{k}"}, {"role": "assistant", "content": split}]}
            for k in range(count)
        ]
        (chat / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))
    (tmp_path / "recipe.py").write_text(COOKBOOK)
    outputs = []
    for number, words in enumerate(([*RUN, "recipe.py"], ["recipe.py"])):
        environment = {
            **os.environ,
            "HF_HOME": str(tmp_path / f"home{number}"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        outputs.append(json.loads(done.stdout.splitlines()[-1]))
    assert outputs[0] == outputs[1]
