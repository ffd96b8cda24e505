"""Branches, tags and commits of a repository, with the official attribute names."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from hfhub.api._dates import parse_datetime


@dataclass
class GitRefInfo:
    """A branch, a tag or another ref.

    Attributes:
        name: short name.
        ref: full name (`refs/heads/main`).
        target_commit: the commit it points at.
    """

    name: str
    ref: str
    target_commit: str


def _refs(raw: Any) -> list[GitRefInfo]:
    items = raw if isinstance(raw, list) else []
    return [GitRefInfo(item["name"], item.get("ref", ""), item.get("targetCommit", "")) for item in items]


@dataclass
class GitRefs:
    """The refs of a repository.

    Attributes:
        branches: branches.
        converts: refs of converted data, such as `refs/convert/parquet`.
        tags: tags.
        pull_requests: pull requests; None unless they were asked for.
    """

    branches: list[GitRefInfo]
    converts: list[GitRefInfo]
    tags: list[GitRefInfo]
    pull_requests: list[GitRefInfo] | None = None

    @classmethod
    def from_raw(cls, raw: dict[str, Any], pull_requests: bool) -> GitRefs:
        """Reads the hub's answer."""
        return cls(
            _refs(raw.get("branches")),
            _refs(raw.get("converts")),
            _refs(raw.get("tags")),
            _refs(raw.get("pullRequests")) if pull_requests else None,
        )


@dataclass
class GitCommitInfo:
    """A commit.

    Attributes:
        commit_id: its hash.
        authors: names of its authors.
        created_at: when it was made, in UTC.
        title: first line of its message.
        message: the rest of its message.
        formatted_title: the title as HTML; with `formatted=True` only.
        formatted_message: the message as HTML; with `formatted=True` only.
    """

    commit_id: str
    authors: list[str]
    created_at: dt.datetime | None
    title: str
    message: str
    formatted_title: str | None
    formatted_message: str | None

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> GitCommitInfo:
        """Reads one commit of the hub's answer."""
        formatted = raw.get("formatted") or {}
        return cls(
            commit_id=raw["id"],
            authors=[author.get("user", "") for author in raw.get("authors") or []],
            created_at=parse_datetime(raw.get("date")),
            title=raw.get("title", ""),
            message=raw.get("message", ""),
            formatted_title=formatted.get("title"),
            formatted_message=formatted.get("message"),
        )
