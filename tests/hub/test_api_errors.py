"""Each question with each failure: ours is caught by whatever catches the official error."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable
from typing import Any

import huggingface_hub as official
import pytest

import hfhub
from faulthub import FaultHub
from hfhub import HfApi

pytestmark = pytest.mark.usefixtures("fault_env")

# Bases that user code catches. The official client's HTTP library is no part of the promise.
BUILTIN = (OSError, FileNotFoundError, PermissionError, ConnectionError, ValueError, TimeoutError, KeyError)


@pytest.fixture
def filled(fault_hub: FaultHub) -> FaultHub:
    fault_hub.repo("dataset", "org/data").commit({"a.txt": b"a", "d/b.txt": b"b"})
    fault_hub.repo("dataset", "org/secret", private=True, granted=()).commit({"a.txt": b"a"})
    fault_hub.repo("dataset", "org/gated", gated="auto", granted=()).commit({"a.txt": b"a"})
    fault_hub.repo("dataset", "org/off", disabled=True).commit({"a.txt": b"a"})
    return fault_hub


FAILURES = ["missing", "private", "private, other token", "gated", "gated, other token", "disabled", "bad token"]
FAILURES += ["revision", "repo id", "repo id 2"]
WHERE = {
    "missing": ("org/none", {}),
    "private": ("org/secret", {}),
    "private, other token": ("org/secret", {"token": "hf_good"}),
    "gated": ("org/gated", {}),
    "gated, other token": ("org/gated", {"token": "hf_good"}),
    "disabled": ("org/off", {}),
    "bad token": ("org/data", {"token": "hf_wrong"}),
    "revision": ("org/data", {"revision": "v9"}),
    "repo id": ("a/b/c", {}),
    "repo id 2": ("org/..", {}),
}
QUESTIONS: dict[str, Callable[[Any, str, dict[str, Any]], Any]] = {
    "dataset_info": lambda api, repo, more: api.dataset_info(repo, **more),
    "repo_info": lambda api, repo, more: api.repo_info(repo, repo_type="dataset", **more),
    "list_repo_tree": lambda api, repo, more: list(api.list_repo_tree(repo, repo_type="dataset", **more)),
    "list_repo_files": lambda api, repo, more: api.list_repo_files(repo, repo_type="dataset", **more),
    "get_paths_info": lambda api, repo, more: api.get_paths_info(repo, ["a.txt"], repo_type="dataset", **more),
    "list_repo_commits": lambda api, repo, more: api.list_repo_commits(repo, repo_type="dataset", **more),
    "list_repo_refs": lambda api, repo, more: api.list_repo_refs(
        repo, repo_type="dataset", **{k: v for k, v in more.items() if k != "revision"}
    ),
    "auth_check": lambda api, repo, more: api.auth_check(
        repo, repo_type="dataset", **{k: v for k, v in more.items() if k != "revision"}
    ),
    "file_exists": lambda api, repo, more: api.file_exists(repo, "a.txt", repo_type="dataset", **more),
    "repo_exists": lambda api, repo, more: api.repo_exists(
        repo, repo_type="dataset", **{k: v for k, v in more.items() if k != "revision"}
    ),
    "revision_exists": lambda api, repo, more: api.revision_exists(
        repo, repo_type="dataset", **{"revision": "main", **more}
    ),
    "hf_hub_download": lambda api, repo, more: api.hf_hub_download(repo, "a.txt", repo_type="dataset", **more)[-5:],
}


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # the error is the result
        return error


def check(mine: Any, other: Any) -> None:
    if not isinstance(other, Exception):
        assert not isinstance(mine, Exception), mine
        return
    assert isinstance(mine, Exception), (mine, other)
    names = {cls.__name__ for cls in type(mine).__mro__}
    assert type(other).__name__ in names, (type(mine).__mro__, other)
    # A class of the official package and all its official parents.
    for parent in type(other).__mro__:
        if parent.__module__.startswith("huggingface_hub"):
            assert parent.__name__ in names
    for base in BUILTIN:
        if isinstance(other, base):
            assert isinstance(mine, base), (type(mine), base)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_matrix(question: str, failure: str, filled: FaultHub) -> None:
    repo, more = WHERE[failure]
    ask = QUESTIONS[question]
    mine = outcome(lambda: ask(HfApi(endpoint=filled.url, token=False), repo, more))
    other = outcome(lambda: ask(official.HfApi(endpoint=filled.url, token=False), repo, more))
    if question == "hf_hub_download" and isinstance(other, official.errors.LocalEntryNotFoundError):
        assert isinstance(mine, (FileNotFoundError, OSError))
        return
    if question == "auth_check" and failure.startswith("repo id"):
        # The official client asks the hub about ids that cannot be.
        assert isinstance(mine, hfhub.errors.HFValidationError)
        return
    check(mine, other)
    if isinstance(mine, Exception):
        assert "hf_wrong" not in str(mine) + repr(vars(mine))
        copy = pickle.loads(pickle.dumps(mine))
        assert (type(copy), str(copy)) == (type(mine), str(mine))
        if isinstance(mine, hfhub.errors.HfHubHTTPError):
            assert mine.response is not None
            assert mine.response.status_code == other.response.status_code
    elif not isinstance(mine, list) and question.endswith("exists"):
        assert mine is other


def test_a_folder_that_is_not_there(filled: FaultHub) -> None:
    for api in (HfApi(endpoint=filled.url), official.HfApi(endpoint=filled.url)):
        error = outcome(lambda api=api: list(api.list_repo_tree("org/data", "nope", repo_type="dataset")))
        assert type(error).__name__ == "RemoteEntryNotFoundError"
    url = hfhub.hf_hub_url("org/data", "nope", repo_type="dataset", endpoint=filled.url)
    with pytest.raises(hfhub.errors.RemoteEntryNotFoundError):
        hfhub.get_hf_file_metadata(url)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 416, 500, 503])
def test_other_statuses(status: int, filled: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from faulthub import faults

    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    filled.fault("refs", faults.status(status))
    ask = QUESTIONS["list_repo_refs"]
    mine = outcome(lambda: ask(HfApi(endpoint=filled.url), "org/data", {}))
    other = outcome(lambda: ask(official.HfApi(endpoint=filled.url), "org/data", {}))
    check(mine, other)
    assert mine.response.status_code == status


def test_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for question in ("dataset_info", "list_repo_tree", "list_repo_commits", "get_paths_info", "file_exists"):
        error = outcome(lambda q=question: QUESTIONS[q](HfApi(endpoint=url), "org/data", {}))
        assert isinstance(error, hfhub.errors.HubConnectionError), (question, error)
        assert isinstance(error, ConnectionError)
        assert error.response is None


def test_offline(filled: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = len(filled.log)
    for question in set(QUESTIONS) - {"hf_hub_download"}:
        error = outcome(lambda q=question: QUESTIONS[q](HfApi(endpoint=filled.url), "org/data", {}))
        assert isinstance(error, hfhub.errors.OfflineModeIsEnabled), (question, error)
        assert isinstance(error, ConnectionError)
    assert isinstance(outcome(lambda: HfApi(token="hf_good").whoami()), hfhub.errors.OfflineModeIsEnabled)
    assert isinstance(outcome(lambda: list(HfApi().list_datasets())), hfhub.errors.OfflineModeIsEnabled)
    assert len(filled.log) == before


@pytest.mark.parametrize(("change", "text"), [("login_page", "web page"), ("replace", "not JSON")])
def test_answers_that_are_no_json(change: str, text: str, filled: FaultHub) -> None:
    from faulthub import faults

    filled.fault("datasets/org/data", faults.replace(b'{"id": ') if change == "replace" else faults.login_page())
    for question in ("dataset_info", "list_repo_tree", "get_paths_info", "list_repo_refs", "list_repo_commits"):
        error = outcome(lambda q=question: QUESTIONS[q](HfApi(endpoint=filled.url), "org/data", {}))
        assert isinstance(error, hfhub.errors.HfHubHTTPError), (question, error)
        assert text in str(error)


def test_a_stored_token_goes_to_the_endpoint_only(filled: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultHub() as other:
        other.repo("dataset", "org/data").commit({"a.txt": b"a"})
        monkeypatch.setenv("HF_TOKEN", "hf_good")
        url = hfhub.hf_hub_url("org/data", "a.txt", repo_type="dataset", endpoint=other.url)
        assert hfhub.get_hf_file_metadata(url).size == 1
        assert HfApi(endpoint=filled.url, headers={"x-private": "1"}).get_hf_file_metadata(url).size == 1
        assert not any("authorization" in logged.headers for logged in other.log)
        hfhub.get_hf_file_metadata(url, token="hf_other")  # given by hand for this address
        assert other.log[-1].headers["authorization"] == "Bearer hf_other"
        hfhub.get_hf_file_metadata(url.replace(other.url, filled.url))
        assert filled.log[-1].headers["authorization"] == "Bearer hf_good"


def test_error_texts_can_be_added_to(filled: FaultHub) -> None:
    error = outcome(lambda: HfApi(endpoint=filled.url).dataset_info("org/none"))
    error.append_to_message(" And more.")
    assert str(error).endswith("And more.")
    assert error.response.headers["x-error-code"] == "RepoNotFound"
