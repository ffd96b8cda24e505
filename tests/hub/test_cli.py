"""`python -m hfhub`, and that hfhub stands alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

from hfhub import HubServer, get_token
from hfhub.cli import main

pytestmark = pytest.mark.usefixtures("hf_env")


def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "org/small", "-r", "--json"]) == 0
    assert {e["path"] for e in json.loads(capsys.readouterr().out)} >= {"README.md", "data/big.bin"}
    assert main(["download", "org/small", "README.md"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "# small\n"
    assert main(["snapshot", "org/small", "--include", "*.md"]) == 0
    assert main(["info", "org/small"]) == 0
    assert "org/small" in capsys.readouterr().out
    assert main(["env"]) == 0


def test_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "org/none"]) == 1
    assert "RepositoryNotFoundError" in capsys.readouterr().err
    assert main(["serve", "/no/such/folder"]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["nonsense"])
    assert caught.value.code == 2


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
