"""What writing calls return: addresses of repositories and commits, which read as text."""

from __future__ import annotations

from typing import Any, Self

from _crucible._native import default_config

_HUB = "https://huggingface.co"
_TYPES = {"datasets": "dataset", "spaces": "space", "models": "model"}


class RepoUrl(str):
    """The address of a repository.

    Args:
        url: the address, or `namespace/name`.
        endpoint: the hub's address; `HF_ENDPOINT` when absent.

    Attributes:
        endpoint: the hub's address.
        namespace: the user or organisation.
        repo_name: the name without the namespace.
        repo_id: `namespace/name`.
        repo_type: "model", "dataset" or "space".
        url: the address.

    Raises:
        ValueError: it names no repository.
    """

    endpoint: str
    namespace: str | None
    repo_name: str
    repo_id: str
    repo_type: str
    url: str

    def __new__(cls, url: Any, endpoint: str | None = None) -> Self:
        """Parses the address."""
        text, hub = str(url), endpoint or str(default_config()["endpoint"])
        if text.startswith(f"{_HUB}/"):  # a mirror hands on what the hub wrote
            text = hub + text.removeprefix(_HUB)
        made = super().__new__(cls, text)
        made.endpoint = hub
        path = text.removeprefix(made.endpoint).removeprefix("hf:/")
        path = path.partition("://")[2].partition("/")[2] if "://" in path else path
        parts = [part for part in path.split("/") if part]
        made.repo_type = _TYPES.get(parts[0], "model") if len(parts) > 1 else "model"
        if parts and parts[0] in _TYPES and len(parts) > 1:
            del parts[0]
        if len(parts) not in (1, 2):
            msg = f"{text!r} is not the address of a repository"
            raise ValueError(msg)
        made.repo_name = parts[-1]
        made.namespace = parts[0] if len(parts) == 2 else None
        made.repo_id = "/".join(parts)
        made.url = text
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (str(self), self.endpoint)

    def __repr__(self) -> str:
        return f"RepoUrl('{self}', endpoint='{self.endpoint}', repo_type='{self.repo_type}', repo_id='{self.repo_id}')"


class CommitInfo(str):
    """A commit that was made. As text it is the address of its page.

    Attributes:
        commit_url: the page of the commit.
        commit_message: the first line of its message.
        commit_description: the rest of its message.
        oid: its id.
        pr_url: the page of the pull request that it opened, None for none.
        pr_revision: its revision, `refs/pr/1`.
        pr_num: its number.
        repo_url: the repository.
    """

    commit_url: str
    commit_message: str
    commit_description: str
    oid: str
    pr_url: str | None
    pr_revision: str | None
    pr_num: int | None
    repo_url: RepoUrl

    def __new__(
        cls,
        commit_url: str,
        commit_message: str,
        commit_description: str,
        oid: str,
        _endpoint: str | None = None,
        pr_url: str | None = None,
    ) -> Self:
        """Takes the facts of the hub's answer."""
        made = super().__new__(cls, commit_url)
        made.commit_url = commit_url
        made.commit_message = commit_message
        made.commit_description = commit_description
        made.oid = oid
        made.pr_url = pr_url
        number = pr_url.rstrip("/").rpartition("/discussions/")[2] if pr_url else ""
        made.pr_num = int(number) if number.isdecimal() else None
        made.pr_revision = None if made.pr_num is None else f"refs/pr/{made.pr_num}"
        made.repo_url = RepoUrl(commit_url.partition("/commit/")[0], _endpoint)
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        facts = (self.commit_url, self.commit_message, self.commit_description, self.oid)
        return type(self), (*facts, self.repo_url.endpoint, self.pr_url)

    def __repr__(self) -> str:
        shown = ("commit_url", "commit_message", "commit_description", "oid", "pr_url", "repo_url", "pr_revision")
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in (*shown, "pr_num"))
        return f"CommitInfo({facts})"
