"""Typed answers, with the official attribute names. What a newer hub adds is kept in `raw`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Self


def _time(text: Any) -> dt.datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


@dataclass
class RepoSibling:
    """A file of a repository, as info lists it."""

    rfilename: str
    size: int | None = None
    blob_id: str | None = None
    lfs: dict[str, Any] | None = None


@dataclass
class RepoInfo:
    """Info of a repository at a revision.

    Attributes:
        id: repository id.
        sha: commit of the revision.
        siblings: files; large repositories may list only some, `list_repo_tree` lists all.
        raw: the whole answer.
    """

    id: str
    author: str | None = None
    sha: str | None = None
    created_at: dt.datetime | None = None
    last_modified: dt.datetime | None = None
    private: bool | None = None
    gated: str | bool | None = None
    disabled: bool | None = None
    downloads: int | None = None
    likes: int | None = None
    tags: list[str] | None = None
    description: str | None = None
    citation: str | None = None
    card_data: dict[str, Any] | None = None
    siblings: list[RepoSibling] | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> Self:
        """Reads the hub's answer; every field but the id may be missing."""
        siblings = raw.get("siblings")
        return cls(
            id=str(raw.get("id", "")),
            author=raw.get("author"),
            sha=raw.get("sha"),
            created_at=_time(raw.get("createdAt")),
            last_modified=_time(raw.get("lastModified")),
            private=raw.get("private"),
            gated=raw.get("gated"),
            disabled=raw.get("disabled"),
            downloads=raw.get("downloads"),
            likes=raw.get("likes"),
            tags=raw.get("tags"),
            description=raw.get("description"),
            citation=raw.get("citation"),
            card_data=raw.get("cardData"),
            siblings=None
            if siblings is None
            else [RepoSibling(s["rfilename"], s.get("size"), s.get("blobId"), s.get("lfs")) for s in siblings],
            raw=raw,
        )


class DatasetInfo(RepoInfo):
    """Info of a dataset."""


class ModelInfo(RepoInfo):
    """Info of a model."""


class SpaceInfo(RepoInfo):
    """Info of a space."""


@dataclass
class RepoFile:
    """A file of a listing: `size` in bytes, `blob_id` the git id, `lfs` the large-file facts."""

    path: str
    size: int
    blob_id: str
    lfs: dict[str, Any] | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def rfilename(self) -> str:
        """The path, under its older name."""
        return self.path


@dataclass
class RepoFolder:
    """A folder of a listing."""

    path: str
    tree_id: str
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class HfFileMetadata:
    """What the hub says about a file before its bytes."""

    commit_hash: str | None
    etag: str | None
    location: str = field(repr=False)  # may be signed
    size: int | None
