"""`hfhub repos`: repositories made and deleted, and their branches and tags."""

from __future__ import annotations

import argparse
from typing import Any

from hfhub.api import HfApi
from hfhub.cli import _parser
from hfhub.cli._report import Outcome, ask
from hfhub.cli._target import Target, target


def _place(arguments: argparse.Namespace) -> tuple[HfApi, Target]:
    return HfApi(token=arguments.token), target(arguments.repo_id, arguments.repo_type, arguments.revision)


def _create(arguments: argparse.Namespace) -> Outcome:
    api, place = _place(arguments)
    private = True if arguments.private else False if arguments.public else None
    made = api.create_repo(
        place.repo_id,
        repo_type=place.kind,
        private=private,
        exist_ok=arguments.exist_ok,
        space_sdk=arguments.sdk,
    )
    return Outcome({"repo_id": made.repo_id, "url": str(made)}, str(made))


def _delete(arguments: argparse.Namespace) -> Outcome:
    api, place = _place(arguments)
    name = f"{place.kind} {place.repo_id}"
    if arguments.dry_run or not ask(f"Delete {name} for good?", yes=arguments.yes):
        return Outcome({"deleted": []}, f"{name} stays", 0 if arguments.dry_run else 1)
    api.delete_repo(place.repo_id, repo_type=place.kind, missing_ok=arguments.missing_ok)
    return Outcome({"deleted": [place.repo_id]}, f"{name} is deleted")


def _move(arguments: argparse.Namespace) -> Outcome:
    api, place = _place(arguments)
    api.move_repo(place.repo_id, arguments.to, repo_type=place.kind)
    return Outcome({"from": place.repo_id, "to": arguments.to}, f"{place.repo_id} is {arguments.to} now")


def _branch(arguments: argparse.Namespace) -> Outcome:
    api, place = _place(arguments)
    about: dict[str, Any] = {"branch": arguments.name, "repo_type": place.kind}
    if arguments.delete:
        api.delete_branch(place.repo_id, **about)
    else:
        api.create_branch(place.repo_id, revision=place.revision, exist_ok=arguments.exist_ok, **about)
    return _named(arguments, "branch")


def _tag(arguments: argparse.Namespace) -> Outcome:
    api, place = _place(arguments)
    about: dict[str, Any] = {"tag": arguments.name, "repo_type": place.kind}
    if arguments.delete:
        api.delete_tag(place.repo_id, **about)
    else:
        message = arguments.message
        api.create_tag(
            place.repo_id, revision=place.revision, tag_message=message, exist_ok=arguments.exist_ok, **about
        )
    return _named(arguments, "tag")


def _named(arguments: argparse.Namespace, what: str) -> Outcome:
    done = "deleted" if arguments.delete else "there"
    return Outcome({what: arguments.name, "state": done}, f"{what} {arguments.name} is {done}")


def add_to(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the actions of `repos`."""
    actions = _parser.group(parser, name)
    create = _parser.action(
        actions, "create", _create, "make a repository", "  hfhub repos create me/my-data --private"
    )
    _parser.repo(create)
    shown = create.add_mutually_exclusive_group()
    shown.add_argument("--private", action="store_true", help="only its owners see it")
    shown.add_argument("--public", action="store_true", help="everybody sees it")
    create.add_argument("--exist-ok", action="store_true", help="it may be there already")
    create.add_argument("--sdk", help="what a space runs: gradio, streamlit, docker, static")
    delete = _parser.action(
        actions, "delete", _delete, "delete a repository for good", "  hfhub repos delete me/my-data --yes"
    )
    _parser.repo(delete)
    delete.add_argument("--missing-ok", action="store_true", help="it may be gone already")
    _parser.confirm(delete)
    move = _parser.action(actions, "move", _move, "rename a repository", "  hfhub repos move me/old org/new")
    _parser.repo(move)
    move.add_argument("to", metavar="NEW_ID", help="namespace/name")
    for run, what, text in ((_branch, "branch", "start or delete a branch"), (_tag, "tag", "set or delete a tag")):
        one = _parser.action(actions, what, run, text, f"  hfhub repos {what} me/my-data v1 --revision main")
        _parser.repo(one)
        one.add_argument("name", metavar=what.upper())
        one.add_argument("--delete", action="store_true", help="delete it")
        one.add_argument("--exist-ok", action="store_true", help="it may be there already")
        if what == "tag":
            one.add_argument("-m", "--message", help="a text for it")
