"""git's credential helpers: they may keep the token for `git clone` and `git push`."""

from __future__ import annotations

import logging
import shutil
import subprocess

_USER = "hf_user"  # the name that the official client uses
_TIMEOUT = 20  # seconds; a helper may ask the user something
_log = logging.getLogger("hfhub.auth")


def _run(*command: str, text: str = "") -> subprocess.CompletedProcess[str] | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        return subprocess.run(
            [git, *command], input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("git %s failed: %s", command[0], type(error).__name__)  # its text has the input
        return None


def helpers() -> list[str]:
    """The credential helpers that are set up."""
    done = _run("config", "--get-all", "credential.helper")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done is not None else []


def approve(endpoint: str, token: str) -> None:
    """Gives a token to the helpers; warns if there are none."""
    if not helpers():
        _log.warning("git has no credential helper: the token was not given to it. `git config credential.helper …`")
        return
    _run("credential", "approve", text=f"url={endpoint}\nusername={_USER}\npassword={token}\n\n")


def reject(endpoint: str) -> None:
    """Makes the helpers forget the token."""
    if helpers():
        _run("credential", "reject", text=f"url={endpoint}\nusername={_USER}\n\n")
