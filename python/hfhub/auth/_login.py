"""Log in and out, and switch between named tokens, as the official client does and in its files."""

from __future__ import annotations

import datetime as dt
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from _crucible._hub_settings import auth_settings
from hfhub._client import client
from hfhub.api import HfApi
from hfhub.auth import _git, _oauth, _store
from hfhub.auth._sources import clean, environment_token, file_token, get_token

_log = logging.getLogger("hfhub.auth")
_ENVIRONMENT_WINS = "HF_TOKEN is set: it is used in place of the stored token"


@dataclass(frozen=True)
class StoredToken:
    """A named token, without its secret.

    Attributes:
        name: its name.
        masked: its first three and last four characters.
        active: whether it is the one that is used.
        expires_at: when it expires, in UTC; None if never or unknown.
    """

    name: str
    masked: str
    active: bool
    expires_at: dt.datetime | None


def login(token: str | None = None, *, add_to_git_credential: bool = False, skip_if_logged_in: bool = True) -> None:
    """Stores a token and makes it the active one, after the hub confirmed it.

    Args:
        token: the token; when absent, a browser login (or, on a terminal, a token to paste).
        add_to_git_credential: whether git's credential helpers get it too; with `token` only.
        skip_if_logged_in: without `token`, do nothing if there is a token already.

    Raises:
        ValueError: a token of an organisation.
        UnauthorizedError: the token is not valid.
        DeviceCodeError: the browser login was denied or expired.
    """
    if token is not None:
        _confirm_and_save(token, add_to_git_credential=add_to_git_credential)
        return
    if add_to_git_credential:
        _log.warning("add_to_git_credential is for login(token): the browser login ignores it")
    interpreter_login(skip_if_logged_in=skip_if_logged_in)


def interpreter_login(*, skip_if_logged_in: bool = True) -> None:
    """`login` without a token: by browser, or on a terminal by pasting a token.

    Args:
        skip_if_logged_in: do nothing if there is a token already.

    Raises:
        DeviceCodeError: the browser login was denied or expired.
        UnauthorizedError: the pasted token is not valid.
    """
    if skip_if_logged_in and get_token() is not None:
        _log.info("Already logged in")
        return
    if _terminal() and _choice() == "paste":
        token = clean(getpass("Token (it is not shown): "))
        if token is None:
            msg = "no token was given"
            raise ValueError(msg)
        _confirm_and_save(token)
        return
    browser_login()


def browser_login(*, say: Callable[[str], object] = print, sleep: Callable[[float], object] = time.sleep) -> None:
    """Logs in by a browser: shows a page and a code, and waits until the login is granted there.

    Args:
        say: how to show them.
        sleep: how to wait between two questions.

    Raises:
        DeviceCodeError: denied or expired.
    """
    code = _oauth.request_device_code()
    say(f"\n    Open this page in a browser:\n        {code.verification_uri_complete}\n")
    say(f"    and enter the code: {code.user_code}\n\n    Waiting until it is granted (Ctrl-C ends it).")
    grant = _oauth.poll_device_token(code, sleep=sleep)
    name = _confirm_and_save(grant.access_token, refresh_token=grant.refresh_token, expires_at=grant.expires_at)
    say(f"    Logged in; the token is stored as {name!r}.")


def logout(token_name: str | None = None) -> None:
    """Forgets a named token, or all of them.

    Args:
        token_name: the name; all tokens when absent.

    Raises:
        ValueError: no such name.
        OSError: the tokens are gone, but the environment still has one.
    """
    settings = auth_settings()
    if token_name:
        with _store.locked():
            tokens = _store.read_tokens()
            if token_name not in tokens:
                msg = f"no token named {token_name!r} in {settings.stored_tokens}: there are {sorted(tokens)}"
                raise ValueError(msg)
            fields = tokens.pop(token_name)
            _store.write_tokens(tokens)
        if fields.get("hf_token") == file_token():
            Path(settings.token_file).unlink(missing_ok=True)
    else:
        if get_token() is None and not _store.read_tokens():
            _log.warning("Not logged in")
            return
        for path in (settings.token_file, settings.stored_tokens):
            Path(path).unlink(missing_ok=True)
    _git.reject(client(None, False).endpoint)
    if environment_token() is not None:
        msg = "the stored token is gone, but HF_TOKEN (or HUGGING_FACE_HUB_TOKEN) still has one: unset it too"
        raise OSError(msg)


def auth_switch(token_name: str, add_to_git_credential: bool = False) -> None:
    """Makes a named token the active one.

    Args:
        token_name: its name.
        add_to_git_credential: whether git's credential helpers get it too.

    Raises:
        ValueError: no such name.
    """
    _activate(token_name, add_to_git_credential)
    if environment_token() is not None:
        _log.warning(_ENVIRONMENT_WINS)


def list_tokens() -> list[StoredToken]:
    """The named tokens, in the order of their file."""
    current = get_token()  # may renew a token, and so change the file
    found = []
    for name, fields in _store.read_tokens().items():
        token, expires = fields.get("hf_token"), _store.expiry(fields)
        try:
            until = None if expires is None else dt.datetime.fromtimestamp(expires, dt.UTC)
        except (OverflowError, OSError, ValueError):
            until = None
        masked = f"{token[:3]}****{token[-4:]}" if token and len(token) > 11 else "****" if token else "<not set>"
        found.append(StoredToken(name, masked, token is not None and token == current, until))
    return found


def auth_list() -> None:
    """Prints the named tokens, masked; the active one has a star."""
    tokens = list_tokens()
    if not tokens:
        print("No stored access tokens.")
    else:
        rows = [(" ", "name", "token", "expires")]
        for t in tokens:
            until = "" if t.expires_at is None else f"{t.expires_at:%Y-%m-%d}"
            rows.append(("*" if t.active else " ", t.name, t.masked, until))
        if not any(row[3] for row in rows[1:]):
            rows = [(*row[:3], "") for row in rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print(" ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if environment_token() is not None:
        _log.warning(_ENVIRONMENT_WINS)


def _confirm_and_save(
    token: str,
    *,
    add_to_git_credential: bool = False,
    refresh_token: str | None = None,
    expires_at: int | None = None,
) -> str:
    """Asks the hub whose token it is, stores it under the name it has there, makes it active; returns the name."""
    text = clean(token)
    if text is None:
        msg = "the token is empty"
        raise ValueError(msg)
    if text.startswith("api_org"):
        msg = "this is the token of an organisation: a personal one is needed"
        raise ValueError(msg)
    account = HfApi().whoami(text)
    access = (account.get("auth") or {}).get("accessToken") or {}
    name = _store.section_name(str(access.get("displayName") or f"oauth-{account['name']}"))
    with _store.locked():
        _store.save_token(text, name, refresh_token=refresh_token, expires_at=expires_at)
    _activate(name, add_to_git_credential)
    _log.info("Logged in as %s; the token is stored as %r", account.get("name"), name)
    if environment_token() is not None:
        _log.warning(_ENVIRONMENT_WINS)
    return name


def _activate(name: str, add_to_git_credential: bool) -> None:
    settings = auth_settings()
    token = _store.token_named(name)
    if token is None:
        msg = f"no token named {name!r} in {settings.stored_tokens}: there are {sorted(_store.read_tokens())}"
        raise ValueError(msg)
    if add_to_git_credential:
        _git.approve(client(None, False).endpoint, token)
    _store.write_secret(Path(settings.token_file), token)


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _choice() -> str:
    answer = input("Log in with a browser [b] or paste a token [t]? ").strip().lower()
    return "paste" if answer.startswith(("t", "p")) else "browser"
