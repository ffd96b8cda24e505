"""`push_to_hub` while others commit, on a bad network, and of what is large: nothing is lost, nothing is left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from crucible_datasets import Dataset, DatasetDict, Features, IterableDataset, Value, load_dataset
from crucible_datasets.errors import InvalidConfigName, UnsupportedError
from faulthub import FaultHub, Repository, faults
from hfhub.errors import ForbiddenError, HfHubHTTPError, OfflineModeIsEnabled, UnauthorizedError

ID = "alice/rows"
ROWS = {"a": list(range(100)), "t": [f"x{n}" for n in range(100)]}


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> FaultHub:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    return fault_hub


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "scratch"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def repository(hub: FaultHub) -> Repository:
    return hub.repos["dataset", ID]


def files(hub: FaultHub, revision: str = "main") -> dict[str, bytes]:
    commit = repository(hub).resolve(revision)
    assert commit is not None
    return {path: blob.data for path, blob in commit.files.items()}


def card(hub: FaultHub, revision: str = "main") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(files(hub, revision)["README.md"].decode().split("---")[1])
    return read


def messages(hub: FaultHub, revision: str = "main") -> list[str]:
    repo = repository(hub)
    newest = repo.resolve(revision)
    assert newest is not None
    return [commit.message for commit in repo.history(newest)]


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_pushed_is_loaded(hub: FaultHub, scratch: Path, stream: bool) -> None:
    made = Dataset.from_dict(ROWS)
    pushed: Any = made.to_iterable_dataset(num_shards=3) if stream else made
    info = pushed.push_to_hub(ID, num_shards=3)
    assert info.oid == repository(hub).refs["refs/heads/main"]
    assert load_dataset(ID, split="train").to_dict() == ROWS
    assert load_dataset(ID, split="train", streaming=True).to_dict() == ROWS
    assert not list(scratch.iterdir())
    assert not hub.tokens_on("cdn")


def test_a_small_push_asks_little(hub: FaultHub) -> None:
    hub.repo("dataset", ID).commit({".gitattributes": b"*.parquet filter=lfs\n"})
    Dataset.from_dict(ROWS).push_to_hub(ID)
    asked = [f"{line.method} {line.target.partition('?')[0].rpartition('/')[2]}" for line in hub.requests(origin="hub")]
    assert len(asked) == 9, asked  # info, shards, batch, verification, info, listing, card (twice), commit
    assert len(hub.requests(origin="cdn")) == 1


def test_the_same_rows_are_not_sent_again(hub: FaultHub) -> None:
    made = Dataset.from_dict(ROWS)
    first = made.push_to_hub(ID, num_shards=2)
    hub.forget()
    again = made.push_to_hub(ID, num_shards=2)
    assert again.oid == first.oid
    assert not hub.requests(origin="cdn")
    assert not hub.requests("/commit/")


@pytest.mark.parametrize("rivals", [1, 3])
def test_others_commit_meanwhile(hub: FaultHub, rivals: int) -> None:
    Dataset.from_dict(ROWS).push_to_hub(ID)
    note = f"---\n{yaml.safe_dump(card(hub))}license: mit\n---\n# theirs\n".encode()
    left = iter(range(rivals))

    def rival() -> None:
        repository(hub).commit({"README.md": note, f"{next(left)}.txt": b"r"}, message="theirs")

    hub.fault("/commit/", faults.first(rival), times=rivals)
    Dataset.from_dict({"a": [1], "t": ["y"]}).push_to_hub(ID, split="test")
    assert messages(hub)[: rivals + 2] == ["Upload dataset", *["theirs"] * rivals, "Upload dataset"]
    assert card(hub)["license"] == "mit"
    assert files(hub)["README.md"].endswith(b"# theirs\n")
    assert [split["name"] for split in card(hub)["dataset_info"]["splits"]] == ["train", "test"]
    assert {f"{n}.txt" for n in range(rivals)} < set(files(hub))


def test_a_shard_that_a_rival_takes_away_comes_back(hub: FaultHub) -> None:
    made = Dataset.from_dict(ROWS)
    path = "data/train-00000-of-00001.parquet"
    for request in range(2):  # while the shards are asked about, and while the card is
        made.push_to_hub(ID)
        gone = faults.first(lambda: repository(hub).commit({path: None}, message="theirs"))
        fault = hub.fault("preupload", gone, skip=request, times=1)
        made.push_to_hub(ID)
        assert fault.hits == 1
        assert path in files(hub)


def test_the_hub_is_busy(hub: FaultHub) -> None:
    hub.fault("/commit/", faults.status(409), times=2)
    Dataset.from_dict(ROWS).push_to_hub(ID)
    assert messages(hub) == ["Upload dataset", "initial commit"]


def test_the_answer_of_the_commit_is_lost(hub: FaultHub) -> None:
    hub.fault("/commit/", faults.lose_answer(), times=1)
    made = Dataset.from_dict(ROWS).push_to_hub(ID)
    assert messages(hub) == ["Upload dataset", "initial commit"]
    assert made.oid == repository(hub).refs["refs/heads/main"]


@pytest.mark.parametrize(
    ("about", "change", "options"),
    [
        (".", faults.hang_up(500), {"origin": "cdn", "times": 3}),
        (".", faults.status(503), {"origin": "cdn", "times": 2}),
        ("/api/", faults.status(503), {"times": 2, "method": "GET"}),
        ("/tree/", faults.cut(20), {"times": 1}),
        ("preupload", faults.lose_answer(), {"times": 2}),
        ("/commit/", faults.status(503), {"times": 2}),
        ("/commit/", faults.rate_limited(1), {"times": 1}),
    ],
)
def test_a_bad_network(hub: FaultHub, about: str, change: Any, options: dict[str, Any]) -> None:
    made = Dataset.from_dict(ROWS)
    made.push_to_hub(ID)
    hub.fault(about, change, **options)
    made.map(lambda row: {"a": -row["a"]}).push_to_hub(ID, num_shards=4)
    hub.clear()
    assert messages(hub) == ["Upload dataset", "Upload dataset", "initial commit"]
    assert load_dataset(ID, split="train")["a"][:3] == [0, -1, -2]


def test_many_files_are_committed_in_parts(hub: FaultHub) -> None:
    Dataset.from_dict(ROWS).push_to_hub(ID, num_shards=100, commit_message="rows")
    assert messages(hub)[:3] == ["rows", "rows (part 00001-of-00002)", "rows (part 00000-of-00002)"]
    assert load_dataset(ID, split="train").to_dict() == ROWS


def test_many_files_of_a_pull_request_are_one(hub: FaultHub) -> None:
    hub.repo("dataset", ID).commit({"x": b"x"})
    made = Dataset.from_dict(ROWS).push_to_hub(ID, num_shards=100, create_pr=True)
    assert {ref for ref in repository(hub).refs if ref.startswith("refs/pr/")} == {"refs/pr/1"}
    assert made.oid == repository(hub).refs["refs/pr/1"]
    assert len([path for path in files(hub, "refs/pr/1") if path.endswith(".parquet")]) == 100
    assert messages(hub) == ["commit"]
    assert load_dataset(ID, split="train", revision="refs/pr/1").to_dict() == ROWS


def test_small_files_that_the_hub_wants_in_the_commit(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faulthub.writes.LARGE", ())
    monkeypatch.setattr("faulthub.writes.MAX_REGULAR", 1 << 30)

    def regular(request: Any, response: Any) -> None:
        response.body = bytes(response.body).replace(b'"lfs"', b'"regular"')

    hub.fault("preupload", regular)
    Dataset.from_dict(ROWS).push_to_hub(ID, num_shards=2)
    assert not hub.requests(origin="cdn")
    hub.clear()
    assert load_dataset(ID, split="train").to_dict() == ROWS


def test_failures_leave_nothing_behind(hub: FaultHub, scratch: Path) -> None:
    made = Dataset.from_dict(ROWS)
    hub.fault(".", faults.status(403), origin="cdn")
    with pytest.raises(ForbiddenError):
        made.push_to_hub(ID, num_shards=20)
    hub.clear()
    hub.fault("/commit/", faults.status(400))
    with pytest.raises(HfHubHTTPError):
        made.push_to_hub(ID)
    assert not list(scratch.iterdir())

    def broken() -> Any:
        yield {"n": 1}
        msg = "of the user"
        raise RuntimeError(msg)

    hub.clear()
    with pytest.raises(RuntimeError, match="of the user"):
        IterableDataset.from_generator(broken, features=Features({"n": Value("int64")})).push_to_hub(ID)
    assert not list(scratch.iterdir())
    assert set(files(hub)) == {".gitattributes"}


def test_a_hub_that_is_always_ahead_is_given_up(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_datasets.push._push._TRIES", 3)
    monkeypatch.setattr("crucible_datasets.push._push.time.sleep", lambda _: None)
    hub.fault("/commit/", faults.status(409))
    with pytest.raises(HfHubHTTPError) as caught:
        Dataset.from_dict(ROWS).push_to_hub(ID)
    assert caught.value.status == 409
    assert len(hub.requests("/commit/")) == 3


def test_without_a_token(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UnauthorizedError, match="a token is needed") as caught:
        Dataset.from_dict(ROWS).push_to_hub(ID)
    assert any("HF_TOKEN" in note and "log in" in note for note in caught.value.__notes__)
    assert not hub.repos


def test_a_read_only_token(hub: FaultHub) -> None:
    hub.repo("dataset", ID).commit({"x": b"x"})
    hub.read_only_tokens.add("hf_other")
    with pytest.raises(ForbiddenError):
        Dataset.from_dict(ROWS).push_to_hub(ID, token="hf_other")
    assert messages(hub) == ["commit"]


def test_what_is_refused_at_once(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Dataset.from_dict(ROWS)
    with pytest.raises(UnsupportedError, match="bucket"):
        made.push_to_hub("buckets/alice/x")
    with pytest.raises(ValueError, match="at least 1"):
        made.push_to_hub(ID, num_shards=0)
    with pytest.raises(ValueError, match="at least 1"):
        made.to_iterable_dataset().push_to_hub(ID, num_shards=0)
    with pytest.raises(TypeError, match="num_shards must be an int"):
        made.push_to_hub(ID, num_shards="3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="repo_id must be a text"):
        made.push_to_hub(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfigName, match="a/b"):  # `datasets` pushes what it cannot load
        made.push_to_hub(ID, "a/b")
    for folder in ("../up", "a//b", "a/.git"):
        with pytest.raises(ValueError, match="path_in_repo"):
            made.push_to_hub(ID, data_dir=folder)
    with pytest.raises(ValueError, match="no split"):
        DatasetDict().push_to_hub(ID)
    assert not hub.requests()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineModeIsEnabled):
        made.push_to_hub(ID)


def test_the_default_config(hub: FaultHub) -> None:
    made = Dataset.from_dict(ROWS)
    made.push_to_hub(ID, "en")
    made.push_to_hub(ID, "fr", set_default=True)  # `datasets` fails here: KeyError
    made.push_to_hub(ID, "de", set_default=True)
    assert {config["config_name"]: config.get("default") for config in card(hub)["configs"]} == {
        "de": True,
        "en": None,
        "fr": None,
    }
    assert load_dataset(ID, split="train").info.config_name == "de"


def test_a_long_push_needs_little_disk(hub: FaultHub, scratch: Path) -> None:
    """Shards go when they are in the store."""
    most = 0

    def source(numbers: list[int]) -> Any:
        nonlocal most
        most = max(most, len(list(scratch.rglob("*.parquet"))))
        yield from ({"n": number} for number in numbers)

    stream = IterableDataset.from_generator(source, gen_kwargs={"numbers": list(range(40))})
    stream.push_to_hub(ID)
    assert len([path for path in files(hub) if path.endswith(".parquet")]) == 40
    assert 0 < most <= 8
