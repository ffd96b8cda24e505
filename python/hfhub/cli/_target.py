"""What a command is about: a repository, perhaps with revision and path, in the forms that people write."""

from __future__ import annotations

from dataclasses import dataclass

from hfhub.fs.uri import HfUri, parse_hf_uri

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
    if text.startswith(("hf://", "http://", "https://")):
        uri = parse_hf_uri(text)
        stated: str | None = uri.type
    elif first.removesuffix("s") in KINDS and rest:
        stated = first.removesuffix("s")
        # An old name has no namespace.
        uri = parse_hf_uri(f"hf://{stated}s/{rest}") if "/" in rest else HfUri(stated, rest)
    elif not rest:
        stated, uri = None, HfUri(repo_type or "dataset", text)
    else:
        stated = None
        uri = parse_hf_uri(f"hf://{repo_type or 'dataset'}s/{text}")
    if repo_type and stated and repo_type != stated:
        msg = f"{text} names a {stated}, and --type says {repo_type}"
        raise UsageError(msg)
    if revision and uri.revision and revision != uri.revision:
        msg = f"{text} has the revision {uri.revision}, and --revision says {revision}"
        raise UsageError(msg)
    return Target(uri.type, uri.id, revision or uri.revision, uri.path_in_repo)
