"""What a command is about: a repository, perhaps with revision and path, in the forms that people write."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hfhub.fs.uri import HfUri

KINDS = ["dataset", "model", "space"]


class UsageError(ValueError):
    """Arguments that cannot be right: exit code 2."""


@dataclass(frozen=True)
class Target:
    """A place on the hub.

    Attributes:
        kind: "dataset", "model" or "space".
        repo_id: `namespace/name`.
        revision: None for `main`.
        path: "" for the root.
    """

    kind: str
    repo_id: str
    revision: str | None
    path: str


def _parse(text: str) -> HfUri:
    """Late: it brings the whole of `hfhub.fs`, which most commands do without."""
    uri: HfUri = importlib.import_module("hfhub.fs.uri").parse_hf_uri(text)
    return uri


def target(text: str, repo_type: str | None = None, revision: str | None = None) -> Target:
    """Reads `ns/name`, `datasets/ns/name`, `hf://datasets/ns/name@revision/path` and the like.

    Without a type it is a dataset; in `hf://` and web addresses, as everywhere, a model.

    Args:
        text: what was written.
        repo_type: the option `--type`.
        revision: the option `--revision`.

    Raises:
        UsageError: the options say something else than the text.
        HfUriError: it is no address.
    """
    first, _, rest = text.partition("/")
    stated = first.removesuffix("s") if first.removesuffix("s") in KINDS and rest else None
    name = rest if stated else text
    if text.startswith(("hf://", "http://", "https://")):
        uri = _parse(text)
        stated = uri.type
        found = Target(uri.type, uri.id, uri.revision, uri.path_in_repo)
    elif "/" not in name:  # an old name without namespace
        found = Target(stated or repo_type or "dataset", name, None, "")
    else:
        uri = _parse(f"hf://{stated or repo_type or 'dataset'}s/{name}")
        found = Target(uri.type, uri.id, uri.revision, uri.path_in_repo)
    if repo_type and stated and repo_type != stated:
        msg = f"{text} names a {stated}, and --type says {repo_type}"
        raise UsageError(msg)
    if revision and found.revision and revision != found.revision:
        msg = f"{text} has the revision {found.revision}, and --revision says {revision}"
        raise UsageError(msg)
    return replace(found, revision=revision or found.revision)
