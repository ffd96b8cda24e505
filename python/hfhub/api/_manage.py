"""Repositories, branches and tags: made, changed and deleted."""

from __future__ import annotations

import json
import time
from typing import Any

from _crucible.errors import HfHubHTTPError, RepositoryNotFoundError
from hfhub.api._account import AccountPart
from hfhub.api._commit_info import RepoUrl
from hfhub.api._info import InfoPart
from hfhub.api._wire import check_repo_id, check_repo_type, decoded, segment

_VISIBILITIES = ("public", "private", "protected")
_GATED = ("auto", "manual", False)
_SDKS = ("gradio", "streamlit", "docker", "static")
# The hub makes one repository of a user at a time.
_BUSY = "another conflicting operation is in progress"
_TRIES = 60
_BUSY_SECONDS = 0.5


def _names(repo_id: str) -> dict[str, str | None]:
    namespace, _, name = repo_id.rpartition("/")
    return {"name": name, "organization": namespace or None}


def _visibility(private: bool | None, visibility: str | None) -> str | None:
    """One of two ways to say it.

    Raises:
        ValueError: both were used, or an unknown one.
    """
    if private is not None and visibility is not None:
        msg = "Received both `private` and `visibility` arguments. Please provide only one of them."
        raise ValueError(msg)
    if visibility is not None and visibility not in _VISIBILITIES:
        msg = f"visibility must be one of {_VISIBILITIES}, got {visibility!r}"
        raise ValueError(msg)
    return visibility if private is None else "private" if private else "public"


class ManagePart(InfoPart, AccountPart):
    """Repositories, branches and tags."""

    def _change(
        self, method: str, path: str, body: Any = None, *, token: str | bool | None = None, **about: Any
    ) -> bytes:
        """A request that changes something: one try, since a lost answer does not say whether it was done."""
        given = {} if body is None else {"body": json.dumps(body).encode(), "content_type": "application/json"}
        return self._send(method, path, token=token, retry=False, **given, **about).content

    def create_repo(
        self,
        repo_id: str,
        *,
        token: str | bool | None = None,
        private: bool | None = None,
        visibility: str | None = None,
        repo_type: str | None = None,
        exist_ok: bool = False,
        resource_group_id: str | None = None,
        region: str | None = None,
        space_sdk: str | None = None,
    ) -> RepoUrl:
        """Makes a repository.

        Args:
            repo_id: `namespace/name`; a bare name is in the namespace of the token's user.
            token: overrides the token of this object.
            private: whether only its owners see it; the namespace's default when absent.
            visibility: "public", "private" or (spaces) "protected", in place of `private`.
            repo_type: "model" (when absent), "dataset" or "space".
            exist_ok: whether it may exist already; its settings stay then.
            resource_group_id: the resource group of an enterprise organisation.
            region: where its files are stored: "us" or "eu".
            space_sdk: what a space runs: "gradio", "streamlit", "docker" or "static".

        Raises:
            HfHubHTTPError: status 409: it exists.
            ForbiddenError: the token may not make it.
            ValueError: arguments that exclude each other, or a space without `space_sdk`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        asked = {**_names(repo_id), "type": kind, "visibility": _visibility(private, visibility)}
        asked |= {"resourceGroupId": resource_group_id, "region": region}
        if kind == "space":
            if space_sdk not in _SDKS:
                msg = f"space_sdk must be one of {_SDKS} for a space, got {space_sdk!r}"
                raise ValueError(msg)
            asked["sdk"] = space_sdk
        # A model has no type here, as the official client sends it.
        body = {key: value for key, value in asked.items() if value is not None and value != "model"}
        for left in range(_TRIES, -1, -1):
            try:
                answer = self._change("POST", "/api/repos/create", body, token=token)
            except HfHubHTTPError as error:
                if error.status == 409 and _BUSY in (error.server_message or "") and left:
                    time.sleep(_BUSY_SECONDS)
                    continue
                if not exist_ok or error.status not in (401, 402, 403, 409):
                    raise
                return self._existing(repo_id, kind, token, error)
            made = decoded(answer, f"making {kind} {repo_id}")
            if not isinstance(made, dict) or "url" not in made:
                msg = f"making {kind} {repo_id}: the answer names no repository"
                raise HfHubHTTPError(msg)
            return RepoUrl(made["url"], self.endpoint)
        raise AssertionError

    def _existing(self, repo_id: str, kind: str, token: str | bool | None, refused: HfHubHTTPError) -> RepoUrl:
        """The address of a repository that could not be made, if it is there."""
        if "/" not in repo_id:
            repo_id = f"{self.whoami(token)['name']}/{repo_id}"
        try:
            found = self.repo_info(repo_id, repo_type=kind, token=token).id
        except HfHubHTTPError:
            raise refused from None
        prefix = "" if kind == "model" else f"{kind}s/"
        return RepoUrl(f"{self.endpoint}/{prefix}{found}", self.endpoint)

    def delete_repo(
        self, repo_id: str, *, token: str | bool | None = None, repo_type: str | None = None, missing_ok: bool = False
    ) -> None:
        """Deletes a repository for good.

        Args:
            repo_id: `namespace/name`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            missing_ok: whether it may be gone already.

        Raises:
            RepositoryNotFoundError: no such repository.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        body = {**_names(repo_id), "type": kind}
        try:
            self._change("DELETE", "/api/repos/delete", body, token=token, kind=kind, repo_id=repo_id)
        except RepositoryNotFoundError:
            if not missing_ok:
                raise

    def move_repo(
        self, from_id: str, to_id: str, *, repo_type: str | None = None, token: str | bool | None = None
    ) -> None:
        """Renames a repository, or moves it to another namespace. The old name leads to the new one.

        Args:
            from_id: `namespace/name` that it has.
            to_id: `namespace/name` that it shall have.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Raises:
            ValueError: an id without a namespace.
            RepositoryNotFoundError: no such repository.
        """
        kind = check_repo_type(repo_type)
        for name in (from_id, to_id):
            check_repo_id(name)
            if "/" not in name:
                msg = f"Invalid repo_id: {name}. It should have a namespace (:namespace:/:repo_name:)"
                raise ValueError(msg)
        body = {"fromRepo": from_id, "toRepo": to_id, "type": kind}
        self._change("POST", "/api/repos/move", body, token=token, kind=kind, repo_id=from_id)

    def update_repo_settings(
        self,
        repo_id: str,
        *,
        gated: str | bool | None = None,
        private: bool | None = None,
        visibility: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
    ) -> None:
        """Changes who may see a repository, or read its files.

        Args:
            repo_id: `namespace/name`.
            gated: "auto" or "manual" approval of those who accept its terms, or False.
            private: whether only its owners see it.
            visibility: "public", "private" or (spaces) "protected", in place of `private`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".

        Raises:
            ValueError: nothing to change, or an unknown value.
            RepositoryNotFoundError: no such repository.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        if gated is not None and gated not in _GATED:
            msg = f"Invalid gated status, must be one of 'auto', 'manual', or False. Got '{gated}'."
            raise ValueError(msg)
        body: dict[str, Any] = {} if gated is None else {"gated": gated}
        wanted = _visibility(private, visibility)
        if wanted is not None:
            body["visibility"] = wanted
        if not body:
            msg = "At least one setting must be updated."
            raise ValueError(msg)
        self._change("PUT", f"/api/{kind}s/{repo_id}/settings", body, token=token, kind=kind, repo_id=repo_id)

    def create_branch(
        self,
        repo_id: str,
        *,
        branch: str,
        revision: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        exist_ok: bool = False,
    ) -> None:
        """Starts a branch.

        Args:
            repo_id: `namespace/name`.
            branch: its name.
            revision: where it starts: a branch, tag or commit; `main` when absent.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            exist_ok: whether it may exist already.

        Raises:
            HfHubHTTPError: status 409: it exists.
            BadRequestError: a name that cannot be a branch's, such as `refs/pr/1`.
            RepositoryNotFoundError: no such repository.
        """
        self._named(repo_id, repo_type, "branch", branch, exist_ok, token, {"startingPoint": revision})

    def delete_branch(
        self, repo_id: str, *, branch: str, token: str | bool | None = None, repo_type: str | None = None
    ) -> None:
        """Deletes a branch.

        Args:
            repo_id: `namespace/name`.
            branch: its name.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".

        Raises:
            HfHubHTTPError: no such branch, or one that is protected, as `main`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        path = f"/api/{kind}s/{repo_id}/branch/{segment(branch)}"
        self._change("DELETE", path, token=token, kind=kind, repo_id=repo_id)

    def create_tag(
        self,
        repo_id: str,
        *,
        tag: str,
        tag_message: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        exist_ok: bool = False,
    ) -> None:
        """Names a commit.

        Args:
            repo_id: `namespace/name`.
            tag: the name.
            tag_message: a text for it.
            revision: the branch, tag or commit to name; `main` when absent.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            exist_ok: whether it may exist already; it stays where it is then.

        Raises:
            HfHubHTTPError: status 409: it exists.
            RevisionNotFoundError: no such revision.
            RepositoryNotFoundError: no such repository.
        """
        body = {"tag": tag, "message": tag_message}
        self._named(repo_id, repo_type, "tag", revision or "main", exist_ok, token, body)

    def delete_tag(
        self, repo_id: str, *, tag: str, token: str | bool | None = None, repo_type: str | None = None
    ) -> None:
        """Deletes a tag.

        Args:
            repo_id: `namespace/name`.
            tag: its name.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".

        Raises:
            RevisionNotFoundError: no such tag.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        path = f"/api/{kind}s/{repo_id}/tag/{segment(tag)}"
        self._change("DELETE", path, token=token, kind=kind, repo_id=repo_id)

    def super_squash_history(
        self,
        repo_id: str,
        *,
        branch: str | None = None,
        commit_message: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> None:
        """Makes all commits of a branch one. This cannot be undone.

        Args:
            repo_id: `namespace/name`.
            branch: the branch; `main` when absent.
            commit_message: the message of the commit that is left.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Raises:
            RevisionNotFoundError: no such branch.
            BadRequestError: a branch that cannot be squashed, as one of `refs/`.
        """
        check_repo_id(repo_id)
        kind, name = check_repo_type(repo_type), branch or "main"
        body = {"message": commit_message or f"Super-squash branch '{name}' using hfhub"}
        path = f"/api/{kind}s/{repo_id}/super-squash/{segment(name)}"
        self._change("POST", path, body, token=token, kind=kind, repo_id=repo_id, revision=name)

    def _named(
        self,
        repo_id: str,
        repo_type: str | None,
        what: str,
        name: str,
        exist_ok: bool,
        token: str | bool | None,
        body: dict[str, Any],
    ) -> None:
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        body = {key: str(value) for key, value in body.items() if value is not None}
        path = f"/api/{kind}s/{repo_id}/{what}/{segment(name)}"
        try:
            self._change("POST", path, body, token=token, kind=kind, repo_id=repo_id)
        except HfHubHTTPError as error:
            if exist_ok and (error.status == 409 or (error.status == 403 and self._has(repo_id, kind, name, token))):
                return
            raise

    def _has(self, repo_id: str, kind: str, name: str, token: str | bool | None) -> bool:
        return self.revision_exists(repo_id, name, repo_type=kind, token=token)
