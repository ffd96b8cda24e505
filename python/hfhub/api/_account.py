"""Who a token belongs to and what it may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from _crucible.errors import HfHubHTTPError, LocalTokenNotFoundError
from hfhub.api._wire import Wire, check_repo_id, check_repo_type
from hfhub.auth import get_token
from hfhub.auth._sources import environment_token, file_token


@dataclass(init=False)
class Organization:
    """An organisation of the hub.

    Attributes:
        name: its name in addresses.
        fullname: its name for people.
        avatar_url: address of its picture.
        details: what it says of itself.
    """

    avatar_url: str
    name: str
    fullname: str
    details: str | None = None
    is_verified: bool | None = None
    is_following: bool | None = None
    num_users: int | None = None
    num_models: int | None = None
    num_spaces: int | None = None
    num_datasets: int | None = None
    num_followers: int | None = None
    num_papers: int | None = None
    plan: str | None = None

    def __init__(self, **raw: Any) -> None:
        """Takes an answer as the hub sends it."""
        self.avatar_url = raw.pop("avatarUrl", "")
        self.name = raw.pop("name", "")
        self.fullname = raw.pop("fullname", "")
        self.details = raw.pop("details", None)
        self.is_verified = raw.pop("isVerified", None)
        self.is_following = raw.pop("isFollowing", None)
        self.num_users = raw.pop("numUsers", None)
        self.num_models = raw.pop("numModels", None)
        self.num_spaces = raw.pop("numSpaces", None)
        self.num_datasets = raw.pop("numDatasets", None)
        self.num_followers = raw.pop("numFollowers", None)
        self.num_papers = raw.pop("numPapers", None)
        self.plan = raw.pop("plan", None)
        self.__dict__.update(raw)


@dataclass(init=False)
class User:
    """A user of the hub.

    Attributes:
        username: name in addresses.
        fullname: name for people.
        avatar_url: address of the picture.
        details: what the user says.
        orgs: organisations the user belongs to.
    """

    username: str
    fullname: str
    avatar_url: str
    details: str | None = None
    is_following: bool | None = None
    is_pro: bool | None = None
    num_models: int | None = None
    num_datasets: int | None = None
    num_spaces: int | None = None
    num_discussions: int | None = None
    num_papers: int | None = None
    num_upvotes: int | None = None
    num_likes: int | None = None
    num_following: int | None = None
    num_followers: int | None = None
    orgs: list[Organization] = field(default_factory=list)

    def __init__(self, **raw: Any) -> None:
        """Takes an answer as the hub sends it."""
        self.username = raw.pop("user", "")
        self.fullname = raw.pop("fullname", "")
        self.avatar_url = raw.pop("avatarUrl", "")
        self.details = raw.pop("details", None)
        self.is_following = raw.pop("isFollowing", None)
        self.is_pro = raw.pop("isPro", None)
        self.num_models = raw.pop("numModels", None)
        self.num_datasets = raw.pop("numDatasets", None)
        self.num_spaces = raw.pop("numSpaces", None)
        self.num_discussions = raw.pop("numDiscussions", None)
        self.num_papers = raw.pop("numPapers", None)
        self.num_upvotes = raw.pop("numUpvotes", None)
        self.num_likes = raw.pop("numLikes", None)
        self.num_following = raw.pop("numFollowing", None)
        self.num_followers = raw.pop("numFollowers", None)
        self.user_type = raw.pop("type", None)
        self.orgs = [Organization(**org) for org in raw.pop("orgs", None) or []]
        self.__dict__.update(raw)


class AccountPart(Wire):
    """Users and rights."""

    def whoami(self, token: str | bool | None = None, *, cache: bool = False) -> dict[str, Any]:
        """The account that a token belongs to, as the hub describes it.

        Args:
            token: overrides the token of this object; the stored one when absent.
            cache: whether to answer from what this object was told before: the Hub allows few of these questions.

        Raises:
            LocalTokenNotFoundError: no token was given and none is stored.
            ValueError: `token=False`.
            UnauthorizedError: the token is not valid.
            RateLimitedError: asked too often.
        """
        chosen = self.token if token is None else token
        if chosen is False:
            msg = "whoami needs a token: token=False cannot be used"
            raise ValueError(msg)
        text = chosen if isinstance(chosen, str) else get_token()
        if text is None:
            msg = "whoami needs a token, and none was given or is stored"
            missing = LocalTokenNotFoundError(msg)
            missing.add_note("Pass token=, set HF_TOKEN, or log in: `python -m hfhub auth login`.")
            raise missing
        if cache and text in self._whoami_cache:
            return self._whoami_cache[text]
        try:
            answer: dict[str, Any] = self._get("/api/whoami-v2", token=text, retry=False)
        except HfHubHTTPError as error:
            if error.status == 401 and (source := _source(text, token)) is not None:
                error.add_note(source)
            if error.status == 429:
                error.add_note("The Hub allows few of these questions: whoami(cache=True) asks once.")
            raise
        if cache:
            self._whoami_cache[text] = answer
        return answer

    def auth_check(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        token: str | bool | None = None,
        write: bool = False,
    ) -> None:
        """Raises unless a repository may be read (or written) with the token.

        Args:
            repo_id: `namespace/name`.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.
            write: whether to check the right to write.

        Raises:
            GatedRepoError: its terms were not accepted.
            RepositoryNotFoundError: no such repository, or a private one.
            ForbiddenError: it may be read, not written.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        path = f"/api/{kind}s/{repo_id}/auth-check{'/write' if write else ''}"
        self._send("GET", path, token=token, kind=kind, repo_id=repo_id)

    def get_user_overview(self, username: str, token: str | bool | None = None) -> User:
        """What is public about a user.

        Raises:
            HfHubHTTPError: no such user.
        """
        return User(**self._get(f"/api/users/{quote(username, safe='')}/overview", token=token))

    def get_organization_overview(self, organization: str, token: str | bool | None = None) -> Organization:
        """What is public about an organisation.

        Raises:
            HfHubHTTPError: no such organisation.
        """
        path = f"/api/organizations/{quote(organization, safe='')}/overview"
        return Organization(**self._get(path, token=token))


def _source(token: str, given: str | bool | None) -> str | None:
    """Where a refused token came from."""
    if isinstance(given, str):
        return None
    if token == environment_token():
        return "The token came from HF_TOKEN, which wins over `auth login`."
    if token == file_token():
        return "The stored token is not valid: log in again (`python -m hfhub auth login`)."
    return None
