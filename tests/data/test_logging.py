"""Logging and the switches of progress bars, beside those of the official library."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import datasets as theirs
import pytest

import crucible_datasets as ours

BOTH = [ours, theirs]


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    before = [(library.logging.get_logger(), library.logging.get_verbosity()) for library in BOTH]
    yield
    for logger, level in before:
        logger.setLevel(level)
        logger.propagate = True
    for library in BOTH:
        library.enable_progress_bars()
        library.enable_caching()


def test_names() -> None:
    names = {name for name in dir(theirs.logging) if not name.startswith("_")} - {"logging", "os", "Optional", "tqdm"}
    assert names <= set(dir(ours.logging))
    assert ours.logging is ours.utils.logging


def levels(library: Any) -> list[Any]:
    control = library.logging
    found = [control.get_verbosity()]
    for kind in ("debug", "info", "warning", "error"):
        getattr(control, f"set_verbosity_{kind}")()
        found.append(control.get_verbosity())
    control.set_verbosity(control.CRITICAL)
    found.append(control.get_verbosity())
    control.disable_propagation()
    found.append(control.get_logger().propagate)
    control.enable_propagation()
    found += [control.get_logger().propagate, control.get_logger("a.b").name, control.log_levels]
    return found


def test_levels() -> None:
    assert levels(ours) == levels(theirs)
    assert ours.logging.get_logger().name == "crucible_datasets"


def switches(library: Any) -> list[bool]:
    found = [library.are_progress_bars_disabled(), library.is_progress_bar_enabled()]
    library.disable_progress_bars()
    found += [library.are_progress_bars_disabled(), library.is_progress_bar_enabled()]
    found.append(library.utils.tqdm(range(3)).disable)
    library.enable_progress_bar()
    found += [library.are_progress_bars_disabled(), library.is_progress_bar_enabled()]
    library.disable_caching()
    found.append(library.is_caching_enabled())
    library.enable_caching()
    found.append(library.is_caching_enabled())
    return found


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_DATASETS_DISABLE_PROGRESS_BARS", raising=False)
    assert switches(ours) == switches(theirs)


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    assert ours.are_progress_bars_disabled()
    with pytest.warns(UserWarning, match="wins"):
        ours.enable_progress_bars()
    assert ours.are_progress_bars_disabled()
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "0")
    with pytest.warns(UserWarning, match="wins"):
        ours.disable_progress_bars()
    assert not ours.are_progress_bars_disabled()


@pytest.mark.parametrize(("said", "level"), [("info", 20), ("error", 40), (None, 30), ("loud", 30)])
def test_verbosity_of_the_environment(said: str | None, level: int) -> None:
    code = """
import json, crucible_datasets as d
log = d.logging.get_logger("crucible_datasets.x")
log.info("an info"), log.warning("a warning"), log.error("an error")
print(json.dumps(d.logging.get_verbosity()))
"""
    environment = {**os.environ, **({} if said is None else {"DATASETS_VERBOSITY": said})}
    if said is None:
        environment.pop("DATASETS_VERBOSITY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == level
    shown = [line for line in done.stderr.splitlines() if line in {"an info", "a warning", "an error"}]
    assert shown == [text for text, at in [("an info", 20), ("a warning", 30), ("an error", 40)] if at >= level]
    assert ("Unknown option DATASETS_VERBOSITY=loud" in done.stderr) == (said == "loud")


def test_messages_reach_the_root_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ours.logging.get_logger("crucible_datasets.y").warning("told")
    assert "told" in caplog.text


def test_under_the_official_names() -> None:
    code = """
import crucible_datasets.compat
crucible_datasets.compat.install()
import datasets, json
from datasets.fingerprint import Hasher, is_caching_enabled
from datasets.utils import disable_progress_bars, logging, tqdm
from datasets.utils.logging import get_verbosity, set_verbosity_error
datasets.disable_caching()
disable_progress_bars()
set_verbosity_error()
print(json.dumps([Hasher.hash(1) == crucible_datasets.fingerprint.Hasher.hash(1), is_caching_enabled(),
                  datasets.are_progress_bars_disabled(), list(tqdm(range(2))), get_verbosity(),
                  datasets.logging.get_verbosity(), logging.get_logger().name]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [True, False, True, [0, 1], 40, 40, "crucible_datasets"]
    assert done.stderr == ""
