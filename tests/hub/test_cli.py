"""`python -m hfhub`, and that hfhub stands alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from hfhub import HubServer, get_token
from hfhub.cli import COMMANDS, main

pytestmark = pytest.mark.usefixtures("hf_env")

Capture = pytest.CaptureFixture[str]


def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "hfhub", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def printed(capsys: Capture, *words: str, code: int = 0) -> Any:
    """What a command prints with `--json`."""
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_commands(capsys: Capture) -> None:
    assert main(["ls", "org/small", "-r", "--json"]) == 0
    assert {e["path"] for e in json.loads(capsys.readouterr().out)} >= {"README.md", "data/big.bin"}
    assert main(["download", "org/small", "README.md"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "# small\n"
    assert main(["snapshot", "org/small", "--include", "*.md"]) == 0
    assert main(["info", "org/small"]) == 0
    assert "org/small" in capsys.readouterr().out
    assert main(["env"]) == 0


def test_failures(capsys: Capture) -> None:
    assert main(["info", "org/none"]) == 1
    assert "RepositoryNotFoundError" in capsys.readouterr().err
    assert main(["serve", "/no/such/folder"]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["nonsense"])
    assert caught.value.code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"hfhub {name}" in text
    if name in ("cache", "auth", "repos"):
        actions = {
            "cache": "ls scan verify prune rm stats",
            "auth": "login logout whoami list switch token",
            "repos": "create delete move branch tag",
        }
        for action in actions[name].split():
            assert f"    {action}" in text
            with pytest.raises(SystemExit):
                main([name, action, "--help"])
            assert "examples:" in capsys.readouterr().out
    else:
        assert "examples:" in text
    assert "--json" in text


def test_the_help_of_all(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert main([]) == 2


def test_version_imports_next_to_nothing() -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\nfrom hfhub.cli import main\nassert main(['--version']) == 0\n"
        "heavy = {'argparse', 'json', '_crucible._native', 'dataclasses', 'hfhub.api', 'hfhub.cache', 'logging'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    version, loaded = done.stdout.splitlines()
    assert version.count(".") == 2
    assert loaded == "[]"


def test_only_the_module_of_the_command_is_imported() -> None:
    script = (
        "import sys\nfrom hfhub.cli import main\nmain(['version'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('hfhub.cli.') and '._' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "['hfhub.cli.env']"


@pytest.mark.parametrize(
    "target",
    [
        "org/small",
        "datasets/org/small",
        "dataset/org/small",
        "hf://datasets/org/small",
        "hf://datasets/org/small@main",
    ],
)
def test_ways_to_name_a_repository(target: str, capsys: Capture) -> None:
    assert printed(capsys, "info", target)["id"] == "org/small"


@pytest.mark.parametrize(
    "words",
    [
        ["info", "models/org/small", "--type", "dataset"],
        ["ls", "hf://datasets/org/small/data", "data"],
        ["ls", "org/small@main", "--revision", "v1"],
        ["cat", "org/small"],
        ["cat", "org/small", "README.md", "--range", "9-3"],
        ["cat", "org/small", "README.md", "--json"],
        ["download", "org/small", "README.md", "--include", "*"],
        ["download", "org/small", "--max-workers", "0"],
        ["search", "--limit", "0"],
        ["cache", "prune", "--max-size", "huge"],
        ["cache", "ls", "--filter", "colour=red"],
        ["extract", "x.zip", "--max-size", "huge"],
    ],
)
def test_misuse(words: list[str], capsys: Capture, hf_env: Path) -> None:
    (hf_env / "hub").mkdir(parents=True)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("UsageError: ")


def test_a_failure_is_a_line_and_a_hint_without_traceback() -> None:
    done = run("info", "org/small", "--token", "hf_wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("UnauthorizedError: ")
    assert "Traceback" not in done.stderr
    assert "hf_wrong" not in done.stderr
    assert "Traceback" in run("info", "org/none", "--debug").stderr
    assert "Traceback" in run("info", "org/none", HF_DEBUG="1").stderr


def test_download_forms(capsys: Capture, hub: HubServer, tmp_path: Path) -> None:
    assert main(["download", "hf://datasets/org/small/data/train.jsonl"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.read_text().startswith('{"a": 0')
    assert main(["download", "org/small", "README.md", "data/train.jsonl", "--cache-dir", str(tmp_path)]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder.is_relative_to(tmp_path)
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {"README.md", "data/train.jsonl"}
    other = tmp_path / "other"
    assert printed(capsys, "download", "org/small", "data/", "--cache-dir", str(other))["path"]
    assert {p.name for p in other.glob("*/snapshots/*/data/*")} == {"train.jsonl", "big.bin"}
    assert main(["download", "org/small", "README.md", "none.txt", "--cache-dir", str(tmp_path)]) == 1
    assert "none.txt" in capsys.readouterr().err
    assert main(["download", "org/small", "--offline", "README.md"]) == 1
    hub.clear_requests()
    assert main(["download", "org/small", "--exclude", "*.bin", "-q"]) == 0
    assert not any("big.bin" in path for _, path, _ in hub.requests())


def test_a_name_with_magic_characters(hub_root: Path, capsys: Capture) -> None:
    data = hub_root / "datasets" / "org" / "small" / "data"
    (data / "a[1]*.txt").write_text("magic")
    (data / "a1x.txt").write_text("plain")
    assert main(["download", "org/small", "data/a[1]*.txt", "README.md"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert {p.name for p in (folder / "data").iterdir()} == {"a[1]*.txt"}


def test_cat() -> None:
    command = [sys.executable, "-m", "hfhub", "cat"]
    whole = subprocess.run([*command, "org/small", "data/big.bin"], capture_output=True, check=True, timeout=60)
    assert whole.stdout == bytes(range(256)) * 2000
    part = subprocess.run(
        [*command, "hf://datasets/org/small/data/big.bin", "--range", "250-259"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert part.stdout == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert run("cat", "org/small", "README.md", "--range", "2-").stdout == "small\n"
    assert run("cat", "org/small", "none.txt").returncode == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hfhub", "cat", "org/small", "data/big.bin"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


def test_search(hub_root: Path, capsys: Capture) -> None:
    for number in range(5):
        (hub_root / "datasets" / "org" / f"found-{number}").mkdir()
    assert {row["id"] for row in printed(capsys, "search", "found")} == {f"org/found-{n}" for n in range(5)}
    assert len(printed(capsys, "search", "found", "--limit", "2")) == 2
    assert main(["search", "found", "--limit", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("ID")
    assert "--limit" in err
    assert printed(capsys, "search", "no such thing") == []
    assert printed(capsys, "search", "--type", "model") == []


def test_ls(capsys: Capture) -> None:
    assert main(["ls", "org/small"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["SIZE", "PATH"]
    assert lines[-1] == "1 files, 1 folders, 8.0"
    rows = printed(capsys, "ls", "hf://datasets/org/small/data")
    assert {row["path"]: row["size"] for row in rows}["data/big.bin"] == 512_000
    assert main(["ls", "org/small", "none"]) == 1


def test_names_cannot_send_escape_codes(hub_root: Path, capsys: Capture) -> None:
    (hub_root / "datasets" / "org" / "small" / "evil\x1b[31m.txt").write_text("x")
    assert main(["ls", "org/small"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert any("\x1b" in row["path"] for row in printed(capsys, "ls", "org/small"))


def test_auth(hf_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("auth", "token").returncode == 1
    assert run("auth", "whoami").returncode == 1
    assert json.loads(run("auth", "list", "--json").stdout) == []
    done = run("auth", "login", "--token", "-", stdin="hf_good\n")
    assert done.returncode == 0, done.stderr
    assert (hf_env / "token").read_text() == "hf_good"
    assert "hf_good" not in done.stdout + done.stderr
    assert run("auth", "token").stdout == "hf_good\n"
    listed = json.loads(run("auth", "--json", "list").stdout)
    assert [row["active"] for row in listed] == [True]
    assert "hf_good" not in json.dumps(listed)
    assert "name" in json.loads(run("auth", "whoami", "--json").stdout)
    assert run("auth", "switch", "--token-name", "none").returncode == 1
    assert run("auth", "switch", "--token-name", listed[0]["name"]).returncode == 0
    assert "already" in run("auth", "login").stdout
    assert run("auth", "login", "--token", "hf_wrong").returncode == 1
    assert json.loads(run("auth", "logout", "--json").stdout)["removed"] == [listed[0]["name"]]
    assert not (hf_env / "token").exists()


def test_serve_runs_until_interrupted(hub_root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hfhub", "serve", str(hub_root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split()[0]
        path = huggingface_hub.hf_hub_download(
            "org/small", "README.md", repo_type="dataset", endpoint=url, cache_dir=tmp_path / "c"
        )
        assert Path(path).read_text() == "# small\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_hfhub_needs_neither_numpy_nor_the_dataset_package() -> None:
    script = """
import sys
sys.modules["numpy"] = None
import hfhub, hfhub.cli, hfhub.api, hfhub.download, hfhub.cache, hfhub.auth, hfhub.server
from hfhub.cli import COMMANDS
import importlib
for module, _ in COMMANDS.values():
    importlib.import_module(f"hfhub.cli.{module}")
assert not any(name.startswith(("crucible_datasets", "pyarrow")) for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_server_that_is_closed_says_so(hub_root: Path) -> None:
    server = HubServer(str(hub_root))
    server.close()
    server.close()
    with pytest.raises(ValueError, match="closed"):
        server.requests()
    with pytest.raises(ValueError, match="not a fault"), HubServer(str(hub_root)) as other:
        other.add_fault("{}")


def test_token_sources(hf_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_token() is None
    hf_env.mkdir(exist_ok=True)
    (hf_env / "token").write_text("hf_file\n")
    assert get_token() == "hf_file"
    monkeypatch.setenv("HF_TOKEN", " hf_variable ")
    assert get_token() == "hf_variable"
