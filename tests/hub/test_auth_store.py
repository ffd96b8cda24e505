"""Tokens on disk and where they are looked for, against the official client in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import stat
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hfhub
from _crucible._native import resolve_token
from hfhub import auth
from hfhub._client import client
from hfhub.auth import _colab, _store
from hfhub.auth._sources import clean, for_client

SECRET = "hf_secret%with(percent)s"


@pytest.fixture
def home(fault_env: Path) -> Path:
    return fault_env


def official(script: str) -> Any:
    """Runs a script beside the official client and returns what it printed last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import json\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


TOKENS: dict[str, dict[str, str]] = {
    "b": {"hf_token": SECRET},
    "a name = with: ünïcode": {"hf_token": "hf_2", "refresh_token": "r%%", "expires_at": "4102444800"},
    "oauth-me": {"hf_token": "hf_3", "refresh_token": "r", "expires_at": "soon"},
    "[x]": {"hf_token": "hf_4"},
}


def test_the_official_client_reads_and_writes_the_same_bytes(home: Path) -> None:
    _store.write_tokens(TOKENS)
    mine = (home / "stored_tokens").read_bytes()
    theirs = official(
        "from huggingface_hub.utils import _auth\n"
        "tokens = _auth._read_stored_tokens_full()\n"
        "_auth._save_stored_tokens_full(tokens)\n"
        "print(json.dumps(tokens))"
    )
    assert theirs == TOKENS
    assert (home / "stored_tokens").read_bytes() == mine
    assert _store.read_tokens() == TOKENS
    assert stat.S_IMODE((home / "stored_tokens").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_broken_files_count_as_empty(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.mkdir()
    for content in (b"[a]\nhf_secret_line without equals\n[a]\n", b"\xff\xfe", b"hf_token = hf_secret\n", b""):
        (home / "stored_tokens").write_bytes(content)
        assert auth.get_stored_tokens() == {}
    assert "hf_secret" not in caplog.text
    _store.save_token("hf_1", "new")
    assert auth.get_stored_tokens() == {"new": "hf_1"}


def test_a_link_stays_a_link(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (home / "token").symlink_to(tmp_path / "elsewhere" / "token")
    _store.write_secret(home / "token", "hf_1")
    assert (home / "token").is_symlink()
    assert (tmp_path / "elsewhere" / "token").read_text() == "hf_1"
    assert hfhub.get_token() == "hf_1"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_names_cannot_forge_sections(name: str) -> None:
    import configparser

    section = _store.section_name(name)
    config = configparser.ConfigParser(interpolation=None)
    config.add_section(section)
    assert "\n" not in section
    assert "\r" not in section
    assert section.strip() == section != ""


def _save(number: int) -> None:
    with _store.locked():
        _store.save_token(f"hf_{number}", f"name{number}")


def test_many_processes_lose_nothing(home: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_save, range(12))
    assert auth.get_stored_tokens() == {f"name{n}": f"hf_{n}" for n in sorted(map(str, range(12)))}


def test_the_lock_is_the_official_one(home: Path) -> None:
    with _store.locked():
        waited = official(
            "from filelock import FileLock, Timeout\n"
            "from huggingface_hub import constants\n"
            "try:\n"
            "    FileLock(constants.HF_STORED_TOKENS_PATH + '.lock', timeout=0.2).acquire()\n"
            "    print('false')\n"
            "except Timeout:\n"
            "    print('true')\n"
        )
    assert waited is True


ENVIRONMENTS: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({}, "hf_file"),
    ({}, " hf_file\n"),
    ({}, "\n"),
    ({}, "hf_a\r\nhf_b\n"),
    ({"HF_TOKEN": "hf_env"}, "hf_file"),
    ({"HUGGING_FACE_HUB_TOKEN": "hf_old"}, "hf_file"),
    ({"HF_TOKEN": "hf_env", "HUGGING_FACE_HUB_TOKEN": "hf_old"}, None),
    ({"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "hf_old"}, None),
    ({"HF_TOKEN": "  ", "HUGGING_FACE_HUB_TOKEN": "hf_old"}, "hf_file"),
    ({"HF_TOKEN": " hf_\nenv\r\n "}, None),
]


def test_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, the extension and the official client find the same token."""
    home.mkdir()
    mine, native = [], []
    for variables, file in ENVIRONMENTS:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            (home / "token").unlink(missing_ok=True)
            if file is not None:
                (home / "token").write_text(file)
            mine.append(hfhub.get_token())
            native.append(resolve_token(for_client(None)))
            assert for_client(None) is None  # the extension found it alone
    script = f"""
import os, pathlib
from huggingface_hub import get_token
home, found = pathlib.Path({str(home)!r}), []
for variables, file in {ENVIRONMENTS!r}:
    os.environ.update(variables)
    (home / "token").unlink(missing_ok=True)
    if file is not None:
        (home / "token").write_text(file)
    found.append(get_token())
    for name in variables:
        del os.environ[name]
print(json.dumps(found))
"""
    assert mine == native == official(script)
    assert mine[4:6] == ["hf_ahf_b", "hf_env"]


FOLDERS: list[dict[str, str]] = [
    {"HF_HOME": "~/x"},
    {"HF_HOME": "$BASE/hf"},
    {"HF_HOME": "${BASE}hf/$UNSET_VARIABLE"},
    {"XDG_CACHE_HOME": "/cache"},
    {"HF_HOME": "/a", "HF_TOKEN_PATH": "~/tok", "HF_HUB_CACHE": "$BASE"},
    {"HF_HOME": "/a/", "HUGGINGFACE_HUB_CACHE": "~/old"},
]


def test_folders_are_the_official_ones(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension, Python and the official client look in the same places."""
    from _crucible._hub_settings import auth_settings
    from _crucible._native import default_config

    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("BASE", "/base")
    for variables in FOLDERS:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            theirs = official(
                "from huggingface_hub import constants as c\n"
                "print(json.dumps([c.HF_TOKEN_PATH, c.HF_STORED_TOKENS_PATH, c.HF_HUB_CACHE]))"
            )
            found = auth_settings()
            assert [found.token_file, found.stored_tokens, str(default_config()["cache_dir"])] == theirs, variables


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_clean(text: str) -> None:
    cleaned = clean(text)
    assert cleaned is None or (cleaned == cleaned.strip() != "" and not set(cleaned) & set("\r\n"))


def test_implicit_tokens_can_be_forbidden(home: Path, monkeypatch: pytest.MonkeyPatch, fault_hub: Any) -> None:
    fault_hub.repo("dataset", "org/a").commit({"x": b"x"})
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    hfhub.dataset_info("org/a")
    assert fault_hub.log[-1].headers["authorization"] == "Bearer hf_good"
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    hfhub.dataset_info("org/a")
    assert "authorization" not in fault_hub.log[-1].headers
    hfhub.dataset_info("org/a", token=True)
    assert fault_hub.log[-1].headers["authorization"] == "Bearer hf_good"


def test_colab(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, userdata, errors = (types.ModuleType(f"google.colab{n}") for n in ("", ".userdata", ".errors"))
    asked: list[str] = []

    class Missing(Exception):  # noqa: N818
        pass

    def get(name: str) -> str:
        asked.append(name)
        return " hf_colab\n"

    vars(userdata).update(get=get, SecretNotFoundError=Missing, NotebookAccessError=KeyError)
    vars(errors).update(Error=RuntimeError)
    google = types.ModuleType("google")
    modules = {"google": google, "google.colab": package, "google.colab.userdata": userdata}
    for name, module in {**modules, "google.colab.errors": errors}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(_colab, "_memory", _colab._Memory())
    assert (hfhub.get_token(), hfhub.get_token(), for_client(None)) == ("hf_colab",) * 3
    assert asked == ["HF_TOKEN"]
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    assert hfhub.get_token() == "hf_env"
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("VERTEX_PRODUCT", "COLAB_ENTERPRISE")
    assert hfhub.get_token() is None
    monkeypatch.delenv("VERTEX_PRODUCT")

    def missing(_name: str) -> str:
        raise Missing

    monkeypatch.setattr(_colab, "_memory", _colab._Memory())
    vars(userdata).update(get=missing)
    assert hfhub.get_token() is None


def test_tokens_do_not_show(home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from _crucible._hub_settings import auth_settings

    caplog.set_level("DEBUG")
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "id_verysecret")
    assert "verysecret" not in repr(auth_settings())
    api = hfhub.HfApi(token="hf_verysecret")
    assert "verysecret" not in repr(api) + repr(api.__dict__["_whoami_cache"]) + repr(client(token="hf_verysecret"))
    with pytest.raises(hfhub.errors.HfHubHTTPError) as caught:
        api.whoami()
    error = caught.value
    shown = repr(error) + str(error) + repr(error.__dict__) + "".join(getattr(error, "__notes__", []))
    assert "verysecret" not in shown
    assert b"verysecret" not in pickle.dumps(error)
    assert "verysecret" not in caplog.text
    assert b"verysecret" not in pickle.dumps(client(token=None))  # an implicit token stays where it is
    assert any("HF_TOKEN" in note for note in _notes(hfhub.whoami))


def _notes(call: Any) -> list[str]:
    with pytest.raises(hfhub.errors.UnauthorizedError) as caught:
        call()
    return list(caught.value.__notes__)


def test_the_child_of_a_fork_finds_tokens(home: Path) -> None:
    """A lock that was held while forking must not stop the child."""
    from hfhub.auth import _refresh

    home.mkdir()
    (home / "token").write_text("hf_file")
    assert hfhub.get_token() == "hf_file"
    with _refresh._memory.lock:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if hfhub.get_token() == "hf_file" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
