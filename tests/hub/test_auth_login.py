"""Log in and out against a fake hub: by token, by browser, renewal, CI identities."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import hfhub
from faulthub import FaultHub
from hfhub import auth
from hfhub.auth import _login, _oauth, _oidc, _refresh, _store
from hfhub.auth._sources import for_client
from hfhub.errors import DeviceCodeError, OIDCError, UnauthorizedError

DAY = 24 * 3600


class Endpoint:
    """A hub's OAuth: answers come from a list, questions are kept."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self.answer({k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                json_body = self.headers["content-type"] == "application/json"
                self.answer(json.loads(body) if json_body else {k: v[0] for k, v in parse_qs(body).items()})

            def answer(self, form: dict[str, Any]) -> None:
                path = urlsplit(self.path).path
                outer.asked.append((path, form, self.headers["authorization"]))
                if path == "/api/whoami-v2":
                    token = str(self.headers["authorization"]).removeprefix("Bearer ")
                    named = {"accessToken": {"displayName": token.partition("hf_")[2], "role": "read"}}
                    status, value = 200, {"name": "me", "auth": named if token.startswith("hf_") else {"type": "oauth"}}
                else:
                    status, value = outer.answers.pop(0)
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def oauth(fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", endpoint.url)
    for module in (_refresh, _oidc):
        monkeypatch.setattr(module, "_memory", module._Memory())
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()
    thread.join()


def files(home: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted(home.iterdir()) if p.is_file() and p.suffix != ".lock"}


SCENARIOS: dict[str, Callable[[Any], Any]] = {
    "login": lambda lib: lib.login("hf_good"),
    "twice": lambda lib: [lib.login("hf_good"), lib.login("hf_other")],
    "switch": lambda lib: [lib.login("hf_good"), lib.login("hf_other"), lib.auth_switch("alice-token")],
    "logout active": lambda lib: [lib.login("hf_good"), lib.login("hf_other"), lib.logout("bob-token")],
    "logout other": lambda lib: [lib.login("hf_good"), lib.login("hf_other"), lib.logout("alice-token")],
    "logout all": lambda lib: [lib.login("hf_good"), lib.logout()],
    "logout nothing": lambda lib: lib.logout(),
}
# The official client reads its environment at import; paths and hub are set by hand for each scenario.
OFFICIAL = """
import sys
import huggingface_hub as lib
from huggingface_hub import constants
from pathlib import Path
def scenario(home, steps):
    constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH = f"{home}/token", f"{home}/stored_tokens"
    Path(home).mkdir()
    for name, *arguments in steps:
        getattr(lib, name)(*arguments)
"""


class Recorder:
    """Stands for a library and writes down what is asked of it."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.steps.append((name, *arguments))


def test_files_are_those_of_the_official_client(
    fault_env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = OFFICIAL
    for number, scenario in enumerate(SCENARIOS.values()):
        recorder = Recorder()
        scenario(recorder)
        script += f"scenario({str(tmp_path / f'their{number}')!r}, {recorder.steps!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for number, (name, scenario) in enumerate(SCENARIOS.items()):
        home = tmp_path / f"mine{number}"
        home.mkdir()
        monkeypatch.setenv("HF_HOME", str(home))
        scenario(hfhub)
        assert files(home) == files(tmp_path / f"their{number}"), name


def test_login_names_and_activates(fault_env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hfhub.login("hf_good")
    hfhub.login("hf_other")
    assert hfhub.get_token() == "hf_other"
    assert auth.get_stored_tokens() == {"alice-token": "hf_good", "bob-token": "hf_other"}
    assert hfhub.whoami()["name"] == "bob"
    hfhub.auth_switch("alice-token")
    assert [(t.name, t.active) for t in auth.list_tokens()] == [("alice-token", True), ("bob-token", False)]
    hfhub.auth_list()
    printed = capsys.readouterr().out
    assert "* alice-token" in printed
    assert "hf_good" not in printed
    with pytest.raises(ValueError, match="bob-token"):
        hfhub.auth_switch("carol")
    with pytest.raises(ValueError, match="carol"):
        hfhub.logout("carol")


def test_refused_tokens_are_not_stored(fault_env: Path) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        hfhub.login("hf_wrongsecret")
    assert "wrongsecret" not in str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    for token in ("api_org_x", "", " \n"):
        with pytest.raises(ValueError, match="token"):
            hfhub.login(token)
    assert hfhub.get_token() is None
    assert not (fault_env / "stored_tokens").exists()


def test_logout_says_that_the_environment_still_has_one(fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hfhub.login("hf_good")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(OSError, match="HF_TOKEN"):
        hfhub.logout()
    assert not (fault_env / "token").exists()


def test_git_credentials(fault_env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault_hub: FaultHub) -> None:
    store = tmp_path / "git-credentials"
    config = tmp_path / "gitconfig"
    config.write_text(f"[credential]\n\thelper = store --file={store}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    hfhub.login("hf_good", add_to_git_credential=True)
    assert "hf_user:hf_good@" in store.read_text()
    assert fault_hub.url.removeprefix("http://").replace(":", "%3a") in store.read_text()
    hfhub.logout()
    assert "hf_good" not in store.read_text()


def test_whoami_is_asked_once(fault_env: Path, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    api = hfhub.HfApi()
    assert api.whoami(cache=True) is api.whoami(cache=True)
    assert len(fault_hub.log) == 1
    api.whoami()
    assert len(fault_hub.log) == 2


# ------------------------------------------------------------------------------------------------------- browser

CODE = {"device_code": "dev_secret", "user_code": "ABCD", "verification_uri": "http://page", "interval": 1}


def browser(said: list[str], waits: list[float]) -> None:
    _login.browser_login(say=said.append, sleep=waits.append)


def test_browser_login(oauth: Endpoint, fault_env: Path) -> None:
    oauth.answers = [
        (200, {**CODE, "verification_uri_complete": "http://page?code=ABCD"}),
        (400, {"error": "authorization_pending"}),
        (503, b"<html>"),
        (400, {"error": "slow_down"}),
        (200, {"access_token": "oauth_1", "refresh_token": "ref_1", "expires_in": 30 * DAY}),
    ]
    said: list[str] = []
    waits: list[float] = []
    browser(said, waits)
    assert waits == [1, 1, 6]
    assert "http://page?code=ABCD" in said[0]
    assert "ABCD" in said[1]
    stored = _store.read_tokens()["oauth-me"]
    assert (stored["hf_token"], stored["refresh_token"]) == ("oauth_1", "ref_1")
    assert abs(int(stored["expires_at"]) - time.time() - 30 * DAY) < 60
    assert hfhub.get_token() == "oauth_1"
    assert [form.get("grant_type") for path, form, _ in oauth.asked if path == "/oauth/token"] == [
        "urn:ietf:params:oauth:grant-type:device_code"
    ] * 4
    assert not any("secret" in text or "oauth_1" in text for text in said)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(200, CODE), (400, {"error": "access_denied"})], "access_denied"),
        ([(200, CODE), (400, {"error": "expired_token", "error_description": "too late"})], "expired_token"),
        ([(200, {**CODE, "expires_in": 0})], "expired_token"),
        ([(400, {"error": "invalid_client"})], "invalid_client"),
        ([(500, b"oops")], None),
        ([(200, {"user_code": "x"})], None),
        ([(200, [1])], None),
    ],
)
def test_browser_login_that_fails(
    answers: list[tuple[int, Any]], code: str | None, oauth: Endpoint, fault_env: Path
) -> None:
    oauth.answers = answers
    with pytest.raises(DeviceCodeError) as caught:
        browser([], [])
    assert caught.value.error_code == code
    assert "dev_secret" not in str(caught.value)
    assert hfhub.get_token() is None


def test_login_without_a_terminal_is_the_browser(
    oauth: Endpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    oauth.answers = [(200, CODE), (200, {"access_token": "oauth_2"})]
    hfhub.login()
    assert "http://page" in capsys.readouterr().out
    assert hfhub.get_token() == "oauth_2"
    hfhub.login()  # already logged in: asks nobody
    assert not oauth.answers


def test_login_on_a_terminal_pastes(oauth: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_login, "_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: "t")
    monkeypatch.setattr(_login, "getpass", lambda _prompt: "hf_pasted\n")
    hfhub.login(skip_if_logged_in=False)
    assert auth.get_stored_tokens() == {"pasted": "hf_pasted"}
    monkeypatch.setattr(_login, "getpass", lambda _prompt: " ")
    with pytest.raises(ValueError, match="no token"):
        hfhub.login(skip_if_logged_in=False)


# ------------------------------------------------------------------------------------------------------- renewal


def stored(home: Path, seconds: float) -> None:
    _store.save_token("old", "oauth-me", refresh_token="ref_1", expires_at=int(time.time() + seconds))
    _store.write_secret(home / "token", "old")


def test_an_expiring_token_is_renewed(oauth: Endpoint, fault_env: Path) -> None:
    stored(fault_env, DAY / 2)
    oauth.answers = [(200, {"access_token": "new", "refresh_token": "ref_2", "expires_in": 30 * DAY})]
    assert [hfhub.get_token() for _ in range(3)] == ["new"] * 3
    assert for_client(None) is None  # the extension reads the new one from the file
    assert (fault_env / "token").read_text() == "new"
    fields = _store.read_tokens()["oauth-me"]
    assert (fields["hf_token"], fields["refresh_token"]) == ("new", "ref_2")
    (path, form, authorization) = oauth.asked[0]
    assert (path, form["grant_type"], form["refresh_token"], authorization) == (
        "/oauth/token",
        "refresh_token",
        "ref_1",
        None,
    )
    assert len(oauth.asked) == 1


def test_a_token_with_time_left_is_not_renewed(oauth: Endpoint, fault_env: Path) -> None:
    stored(fault_env, 2 * DAY)
    assert hfhub.get_token() == "old"
    assert not oauth.asked


@pytest.mark.parametrize(
    "answer", [(400, {"error": "invalid_grant"}), (500, b"oops"), (200, b"<html>"), (200, {"odd": 1})]
)
def test_a_renewal_that_fails_keeps_the_token(
    answer: tuple[int, Any], oauth: Endpoint, fault_env: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored(fault_env, 60)
    oauth.answers = [answer]
    assert [hfhub.get_token() for _ in range(3)] == ["old"] * 3
    assert len(oauth.asked) == 1  # not asked again at once
    assert len(caplog.records) == 1
    assert "ref_1" not in caplog.text


def test_a_renewal_without_a_hub_keeps_the_token(
    oauth: Endpoint, fault_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(fault_env, 60)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hfhub.get_token() == "old"


def test_a_renewal_by_another_process_is_taken_over(
    oauth: Endpoint, fault_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(fault_env, 60)
    real = _store.locked

    def slow() -> Any:
        # Another process had the lock, renewed, and let go.
        _store.save_token("theirs", "oauth-me", refresh_token="ref_9", expires_at=int(time.time()) + 9 * DAY)
        _store.write_secret(fault_env / "token", "theirs")
        return real()

    monkeypatch.setattr(_store, "locked", slow)
    assert hfhub.get_token() == "theirs"
    assert not oauth.asked


def test_a_renewed_token_that_cannot_be_written_is_still_used(
    oauth: Endpoint, fault_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(fault_env, 60)
    oauth.answers = [(200, {"access_token": "new", "expires_in": 30 * DAY})]
    monkeypatch.setattr(_refresh._store, "write_secret", lambda *_: None)
    assert hfhub.get_token() == "new"
    assert for_client(None) == "new"  # the file has the old one: handed over
    assert len(oauth.asked) == 1


# ---------------------------------------------------------------------------------------------------- CI identity


def test_an_identity_is_exchanged(oauth: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "datasets/org/a")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "jwt_1")
    oauth.answers = [(200, {"access_token": "short", "expires_in": 3600})]
    assert [hfhub.get_token(), hfhub.get_token(), for_client(None)] == ["short"] * 3
    ((path, form, authorization),) = oauth.asked
    assert (path, form["resource"], form["subject_token"], authorization) == (
        "/oauth/token",
        "datasets/org/a",
        "jwt_1",
        None,
    )
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"


def test_an_identity_of_github(oauth: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_OIDC_RESOURCE", "org/a")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(OIDCError, match="id-token: write"):
        hfhub.get_token()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{oauth.url}/mint?api=2")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "gh_secret")
    oauth.answers = [(200, {"value": "jwt_2"}), (200, {"access_token": "short", "expires_in": 100})]
    assert hfhub.get_token() == "short"
    (minted, exchanged) = oauth.asked
    assert (minted[0], minted[1], minted[2]) == ("/mint", {"api": "2", "audience": oauth.url}, "Bearer gh_secret")
    assert (exchanged[1]["subject_token"], exchanged[2]) == ("jwt_2", None)
    oauth.answers = [(200, {"value": "jwt_3"}), (200, {"access_token": "next", "expires_in": 3600})]
    assert hfhub.get_token() == "next"  # less than five minutes were left


@pytest.mark.parametrize("answer", [(400, {"error": "no"}), (200, b"<html>"), (200, {"odd": 1}), (403, {})])
def test_a_refused_identity_is_an_error(
    answer: tuple[int, Any], oauth: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "org/a")
    with pytest.raises(OIDCError, match="HF_OIDC_ID_TOKEN"):
        hfhub.get_token()
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "jwt_secret")
    oauth.answers = [answer]
    with pytest.raises(OIDCError, match="org/a") as caught:
        hfhub.get_token()
    assert "jwt_secret" not in str(caught.value)


def test_codes_do_not_show() -> None:
    code = _oauth.DeviceCode("ABCD", "u", "u", "dev_secret", 1, 1)
    grant = _oauth.Grant("tok_secret", "ref_secret", 1)
    assert "secret" not in repr(code) + repr(grant)
