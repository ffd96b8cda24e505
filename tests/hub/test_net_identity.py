"""What every request says about itself, what the server says back, and that no secret is ever shown."""

from __future__ import annotations

import json
import logging
import pickle
import platform
import re
import socket
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import hfhub
from _crucible._native import HubClient, default_config
from hfhub import HfApi
from hfhub._client import client as make_client
from hfhub.errors import (
    DisabledRepoError,
    ForbiddenError,
    GatedRepoError,
    HfHubHTTPError,
    HubConnectionError,
    HubError,
    HubTimeoutError,
    HubWarning,
    UnauthorizedError,
)

pytestmark = pytest.mark.usefixtures("hf_env")
Make = Callable[..., Any]
SECRET = "hf_extremely_secret_value"


def test_user_agent_and_trace(loopback: Make, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_USER_AGENT_ORIGIN", "notebook")
    server = loopback(lambda asked: reply())
    client = make_client(server.url, user_agent="mylib/1.2; more/3; mylib/1.2")
    client.request("GET", "/x")
    client.request("GET", "/x")
    client.request("GET", "/x", headers={"X-Amzn-Trace-Id": "mine", "User-Agent": "other"})
    first, second, third = (a.headers for a in server.asked)
    version = hfhub.__version__
    assert (
        first["user-agent"]
        == f"hfhub/{version}; python/{platform.python_version()}; mylib/1.2; more/3; origin/notebook"
    )
    ids = [first["x-amzn-trace-id"], second["x-amzn-trace-id"]]
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in ids)
    assert ids[0] != ids[1]
    assert (third["x-amzn-trace-id"], third["user-agent"]) == ("mine", "other")


def test_warnings_are_shown_once_per_topic(loopback: Make, reply: Any) -> None:
    topics = iter(["net-test-a; first", "net-test-a; again", "net-test-b; second"])
    server = loopback(lambda asked: reply(headers={"X-HF-Warning": next(topics)}))
    client = HubClient(endpoint=server.url)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for _ in range(3):
            client.request("GET", "/x")
    assert [(w.category, str(w.message)) for w in shown] == [(HubWarning, "first"), (HubWarning, "second")]


def failing(reply: Any, status: int, **headers: str) -> Callable[[Any], Any]:
    return lambda asked: reply(status, headers={name.replace("_", "-"): text for name, text in headers.items()})


def test_request_ids(loopback: Make, reply: Any) -> None:
    def error(**headers: str) -> HfHubHTTPError:
        server = loopback(failing(reply, 404, **headers))
        with pytest.raises(HfHubHTTPError) as caught:
            HubClient(endpoint=server.url).request("GET", "/x")
        if not headers:
            assert caught.value.request_id == server.asked[0].headers["x-amzn-trace-id"]
        return caught.value

    assert error(x_request_id="r1", x_amz_cf_id="c1").request_id == "r1"
    assert error(x_amz_cf_id="c1").request_id == "c1"
    assert "request id r2" in str(error(x_request_id="r2"))
    assert error().request_id  # the one that was sent


def test_the_answer_behind_an_error(loopback: Make, reply: Any) -> None:
    body = json.dumps({"error": "the real reason"}).encode()
    server = loopback(lambda asked: reply(422, body=body, headers={"X-Some": "fact", "Set-Cookie": "c=1"}))
    with pytest.raises(HfHubHTTPError, match="the real reason") as caught:
        HubClient(endpoint=server.url).request("GET", "/x?signature=abc")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        answer = error.response
        assert (answer.status_code, answer.text, answer.ok) == (422, "the real reason", False)
        assert answer.headers["x-some"] == answer.headers.get("X-SOME") == "fact"
        assert "X-Some" in answer.headers
        assert "set-cookie" not in answer.headers
        assert "abc" not in answer.url
        assert error.server_message == "the real reason"


def test_a_range_that_is_not_there(loopback: Make, reply: Any) -> None:
    server = loopback(failing(reply, 416, content_range="bytes */10"))
    with pytest.raises(HfHubHTTPError, match=r"bytes=20-30.*bytes \*/10"):
        HubClient(endpoint=server.url).request("GET", "/x", headers={"Range": "bytes=20-30"})


@pytest.mark.parametrize("source", ["argument", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file", "none"])
def test_errors_name_where_the_token_came_from(
    loopback: Make, reply: Any, source: str, monkeypatch: pytest.MonkeyPatch, hf_env: Any
) -> None:
    said: dict[str, tuple[int, dict[str, str]]] = {
        "gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to dataset a/b is restricted"}),
        "invalid": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
        "forbidden": (403, {"X-Error-Message": "no right to write"}),
        "disabled": (403, {"X-Error-Message": "Access to this resource is disabled."}),
    }

    def answer(asked: Any) -> Any:
        status, headers = said[asked.path.rpartition("/")[2]]
        return reply(status, headers=headers)

    server = loopback(answer)
    arguments: dict[str, Any] = {"endpoint": server.url}
    if source == "argument":
        arguments["token"] = SECRET
    elif source == "file":
        hf_env.mkdir()
        (hf_env / "token").write_text(SECRET)
    elif source != "none":
        monkeypatch.setenv(source, SECRET)
    clause = {
        "argument": "the argument token=",
        "HF_TOKEN": "the variable HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN": "the variable HUGGING_FACE_HUB_TOKEN",
        "file": "the token file",
        "none": "No token was sent",
    }[source]
    client = HubClient(**arguments)

    def hint(name: str, error: type[HubError]) -> str:
        with pytest.raises(error) as caught:
            client.request("GET", f"/{name}", kind="dataset", repo_id="a/b")
        return " ".join(getattr(caught.value, "__notes__", []))

    gated = hint("gated", GatedRepoError)
    assert f"{server.url}/datasets/a/b" in gated
    assert clause in gated
    invalid = hint("invalid", UnauthorizedError)
    assert clause in invalid
    assert ("log in" if source == "none" else "token=False") in invalid
    forbidden = hint("forbidden", ForbiddenError)
    assert clause in forbidden
    assert "rights" in forbidden
    hint("disabled", DisabledRepoError)


def test_a_login_page_is_not_data(loopback: Make, reply: Any) -> None:
    page = b"<html>please log in</html>"
    server = loopback(lambda asked: reply(body=page, headers={"content-type": "text/html; charset=utf-8"}))
    for call in (
        lambda: HubClient(endpoint=server.url).request("GET", "/api/datasets/a/b"),
        lambda: HfApi(endpoint=server.url).dataset_info("a/b"),
        lambda: list(HfApi(endpoint=server.url).list_repo_tree("a/b", repo_type="dataset")),
        lambda: hfhub.hf_hub_download("a/b", "c.txt", repo_type="dataset", endpoint=server.url),
    ):
        with pytest.raises(HfHubHTTPError):
            call()
    with pytest.raises(HfHubHTTPError, match="web page") as caught:
        HubClient(endpoint=server.url).request("GET", "/api/x")
    assert any("captive portal" in note for note in caught.value.__notes__)
    # A file that is a page is a file.
    assert HubClient(endpoint=server.url).request("GET", "/api/resolve-cache/x.html").content == page


def test_timeouts_are_timeouts() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = HubClient(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TimeoutError) as caught:
            client.request("GET", "/x", timeout=0.1, retry=False)
    assert isinstance(caught.value, HubTimeoutError)
    assert isinstance(caught.value, ConnectionError)


def test_no_secret_is_shown(
    loopback: Make, reply: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HF_DEBUG", "1")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:9")
    errors = loopback(lambda asked: reply(int(asked.path.rpartition("/")[2]), headers={"x-request-id": "r"}))
    shown: list[str] = []
    clients = [
        HubClient(endpoint=errors.url),
        HubClient(endpoint=errors.url, token=SECRET, headers={"X-Key": SECRET}),
        HubClient(endpoint="http://127.0.0.1:9", token=SECRET),
        HubClient(endpoint="https://127.0.0.1:9", token=SECRET),
    ]
    for client in clients:
        shown += [repr(client), str(client)]
        for status in (400, 401, 403, 404, 416, 429, 500):
            with pytest.raises(HubError) as caught:
                client.request("GET", f"/{status}", retry=False, timeout=5)
            error = caught.value
            facts = {k: v for k, v in vars(error).items() if not k.startswith("__")}
            shown += [str(error), repr(error), str(facts), "".join(traceback.format_exception(error))]
            shown.append(repr(error.__cause__))
    with pytest.raises(HubError) as bad:
        HubClient(token=f"{SECRET}\x01").request("GET", "/x")
    shown += [str(bad.value), str(default_config())]
    out, err = capfd.readouterr()
    assert SECRET not in "\n".join([*shown, caplog.text, out, err])
    assert len(shown) > 100


def test_a_connection_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubConnectionError, match="refused") as caught:
        HubClient(endpoint="http://127.0.0.1:9").request("GET", "/x")
    assert caught.value.tries == 3
    assert "tried 3 times" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(HubConnectionError) as unknown:
        HubClient(endpoint="http://no-such-host.invalid").request("GET", "/x")
    assert any("HF_ENDPOINT" in note for note in unknown.value.__notes__)
