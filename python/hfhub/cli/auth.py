"""`hfhub auth`: login, logout, whoami, list, switch, token."""

from __future__ import annotations

import argparse
import sys

from hfhub.api import whoami
from hfhub.auth import auth_switch, get_token, list_tokens, login, logout
from hfhub.cli import _parser
from hfhub.cli._report import Column, Outcome, Table
from hfhub.cli._target import UsageError


def _login(arguments: argparse.Namespace) -> Outcome:
    given = arguments.token
    if given == "-":
        given = sys.stdin.readline().strip()
        if not given:
            msg = "--token - reads the token from stdin, and nothing came"
            raise UsageError(msg)
    if given is None and not arguments.force and get_token() is not None:
        return Outcome({"logged_in": True, "changed": False}, "already logged in; --force logs in anew")
    login(given, add_to_git_credential=arguments.add_to_git_credential, skip_if_logged_in=False)
    name = whoami()["name"]
    return Outcome({"logged_in": True, "changed": True, "name": name}, f"logged in as {name}")


def _logout(arguments: argparse.Namespace) -> Outcome:
    before = [token.name for token in list_tokens()]
    logout(arguments.token_name)
    gone = before if arguments.token_name is None else [arguments.token_name]
    return Outcome({"removed": gone}, f"removed {len(gone)} stored token(s)")


def _whoami(arguments: argparse.Namespace) -> Outcome:
    info = whoami(token=arguments.token)
    lines = [f"name: {info.get('name')}", f"type: {info.get('type')}"]
    if info.get("fullname"):
        lines.append(f"fullname: {info['fullname']}")
    orgs = [str(org.get("name")) for org in info.get("orgs") or [] if isinstance(org, dict)]
    if orgs:
        lines.append(f"orgs: {', '.join(orgs)}")
    access = (info.get("auth") or {}).get("accessToken") or {}
    if access:
        lines.append(f"token: {access.get('displayName')} ({access.get('role')})")
    return Outcome(info, "\n".join(lines))


def _list(_arguments: argparse.Namespace) -> Table:
    rows = [{"name": t.name, "token": t.masked, "active": t.active, "expires_at": t.expires_at} for t in list_tokens()]
    columns = [
        Column("active", "", lambda active: "*" if active else ""),
        Column("name", "NAME"),
        Column("token", "TOKEN"),
        Column("expires_at", "EXPIRES", lambda moment: f"{moment:%Y-%m-%d}"),
    ]
    return Table(columns, rows, "" if rows else "no stored tokens; `hfhub auth login` stores one")


def _switch(arguments: argparse.Namespace) -> Outcome:
    auth_switch(arguments.token_name, add_to_git_credential=arguments.add_to_git_credential)
    return Outcome({"active": arguments.token_name}, f"{arguments.token_name} is the active token")


def _token(_arguments: argparse.Namespace) -> Outcome:
    found = get_token()
    if found is None:
        return Outcome({"token": None}, "not logged in", code=1)
    return Outcome({"token": found}, found)


def add_to(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the actions of `auth`."""
    commands = _parser.group(parser, name)
    made = _parser.action(
        commands,
        "login",
        _login,
        "store a token and make it the active one",
        "  hfhub auth login\n  hfhub auth login --token - < token.txt",
    )
    made.add_argument("--token", help="- reads it from stdin; when absent: by browser, or pasted at a terminal")
    made.add_argument("--add-to-git-credential", action="store_true", help="git's credential helpers get it too")
    made.add_argument("--force", action="store_true", help="also when there is a token already")
    made = _parser.action(
        commands, "logout", _logout, "forget stored tokens", "  hfhub auth logout\n  hfhub auth logout --token-name ci"
    )
    made.add_argument("--token-name", metavar="NAME", help="this one only (default: all)")
    made = _parser.action(commands, "whoami", _whoami, "show whose token it is", "  hfhub auth whoami --json")
    _parser.token(made)
    _parser.action(commands, "list", _list, "list the stored tokens, masked", "  hfhub auth list")
    made = _parser.action(
        commands, "switch", _switch, "make a stored token the active one", "  hfhub auth switch --token-name ci"
    )
    made.add_argument("--token-name", metavar="NAME", required=True)
    made.add_argument("--add-to-git-credential", action="store_true", help="git's credential helpers get it too")
    _parser.action(
        commands,
        "token",
        _token,
        "print the token that is sent: for scripts",
        '  curl -H "Authorization: Bearer $(hfhub auth token)" …',
    )
