"""Exception classes. Each also derives from the class that users of the official packages already catch.

An exception takes one text (so it survives a worker process that rebuilds it as `cls(text)`), carries its facts as
attributes, and pickles with them. A hint is a note (`__notes__`).
"""

from __future__ import annotations

from typing import Any


class CrucibleError(Exception):
    """Base of all errors of this project."""


class InternalError(CrucibleError, RuntimeError):
    """A bug in crucible (a Rust panic, a broken invariant). Please report it."""


# ------------------------------------------------------------------------------------------------------------- hub


class HubError(CrucibleError, OSError):
    """An operation of the hub client failed."""

    url: str | None = None
    status: int | None = None
    request_id: str | None = None
    error_code: str | None = None
    server_message: str | None = None
    repo_id: str | None = None
    revision: str | None = None
    path: str | None = None
    offset: int | None = None
    retry_after: float | None = None
    tries: int | None = None

    def __str__(self) -> str:
        """The text alone: `OSError` would print its argument the same way."""
        return str(self.args[0]) if self.args else ""


class _Headers(dict[str, str]):
    """Headers of an answer, found under their names in any case."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header, or `default`."""
        return super().get(name.lower(), default)


class ErrorResponse:
    """What is kept of an error answer, under the names that `requests` and `httpx` use.

    Attributes:
        status_code: HTTP status.
        headers: headers; names in any case.
        url: the address that answered, without its query (which may hold a signature).
        text: the server's message.
        ok: always False.
    """

    ok = False

    def __init__(self, status_code: int, headers: dict[str, str], url: str, text: str) -> None:
        self.status_code = status_code
        self.headers = _Headers(headers)
        self.url = url
        self.text = text

    def __repr__(self) -> str:
        return f"<ErrorResponse [{self.status_code}]>"


class HfHubHTTPError(HubError):
    """The hub answered with an error, or did not answer."""

    headers: dict[str, str] | None = None

    @property
    def response(self) -> ErrorResponse | None:
        """The answer's status, headers and address; None if there was no answer."""
        if self.status is None:
            return None
        return ErrorResponse(self.status, self.headers or {}, self.url or "", self.server_message or "")

    def append_to_message(self, additional_message: str) -> None:
        """Adds to the text."""
        self.args = (f"{self}{additional_message}", *self.args[1:])


class RepositoryNotFoundError(HfHubHTTPError, FileNotFoundError):
    """No such repository, or a private one that the token cannot see."""


class GatedRepoError(RepositoryNotFoundError, PermissionError):
    """The repository wants its terms accepted."""


class DisabledRepoError(HfHubHTTPError, PermissionError):
    """The repository was disabled."""


class RevisionNotFoundError(HfHubHTTPError, FileNotFoundError):
    """No such branch, tag or commit."""


class EntryNotFoundError(HubError, FileNotFoundError):
    """No such file."""


class RemoteEntryNotFoundError(HfHubHTTPError, EntryNotFoundError):
    """The hub has no such file."""


class LocalEntryNotFoundError(EntryNotFoundError):
    """Not in the cache, and the hub cannot be asked."""


class RevisionResolutionError(LocalEntryNotFoundError):
    """The commit of a revision is not cached, and the hub cannot be asked."""


class IncompleteSnapshotError(LocalEntryNotFoundError):
    """The cache holds a part of a snapshot, and the hub cannot be asked for the rest.

    Attributes:
        snapshot_path: the folder with the part.
        missing: paths of the files that are not there.
    """

    snapshot_path: str = ""
    missing: list[str] = []  # noqa: RUF012  # replaced on each object, never changed


class DryRunError(HubError):
    """What a download would do cannot be said, since the hub cannot be asked."""


class ForceDownloadError(LocalEntryNotFoundError, ValueError):
    """`force_download=True` needs the hub, and it cannot be asked."""


class BadRequestError(HfHubHTTPError, ValueError):
    """The hub did not understand the request."""


class UnauthorizedError(HfHubHTTPError, PermissionError):
    """The token is not valid."""


class ForbiddenError(HfHubHTTPError, PermissionError):
    """The token lacks the right to do this."""


class RateLimitedError(HfHubHTTPError, ConnectionError):
    """Too many requests; `retry_after` has the seconds to wait."""


class HubConnectionError(HfHubHTTPError, ConnectionError):
    """Refused, reset, unknown host or timeout."""


class HubTimeoutError(HubConnectionError, TimeoutError):
    """No answer, or no more of it, in time."""


class HubWarning(UserWarning):
    """The hub has something to say to its users (`X-HF-Warning`); shown once per topic."""


class OfflineModeIsEnabled(HubError, ConnectionError):  # noqa: N818  # the official name
    """A request was needed and offline mode forbids it."""


class IntegrityError(HubError):
    """Wrong length or hash; nothing was stored.

    Attributes:
        expected: the hash that was promised: sha256 with 64 digits, git's sha1 with 40; None if not a hash was wrong.
        actual: the hash of what came.
    """

    expected: str | None = None
    actual: str | None = None


class DiskFullError(HubError):
    """No space left."""


class LockTimeoutError(HubError, TimeoutError):
    """Another process holds a lock for too long."""


class HFValidationError(HubError, ValueError):
    """A repository id, revision or other argument that cannot be right."""


class HfUriError(CrucibleError, ValueError):
    """An `hf://` address that cannot be read."""

    uri: str | None = None


class ReadOnlyError(CrucibleError, NotImplementedError):
    """Writing was asked of something that is only read."""


class LocalTokenNotFoundError(HubError):
    """`token=True` was given and no token is stored."""


class OIDCError(HubError):
    """The identity of a CI job could not be exchanged for a token."""


class DeviceCodeError(HubError):
    """A login by browser, or the renewal of its token, failed; `error_code` is OAuth's word for it, if there is one."""


class CacheNotFound(HubError, FileNotFoundError):  # noqa: N818  # the official name
    """There is no cache at `cache_dir`."""

    cache_dir: object = None


class CorruptedCacheException(HubError):  # noqa: N818  # the official name
    """A part of the cache is not laid out as it must be."""


class ArchiveError(HubError, ValueError):
    """An archive that is broken, of an unknown format, or would write outside its folder; nothing was kept."""


class ArchiveLimitError(ArchiveError):
    """An archive would unpack to more than the limits allow; nothing was kept."""


# ------------------------------------------------------------------------------------------------------------ data


class DataError(CrucibleError):
    """An operation on data failed."""

    path: str | None = None
    row_group: int | None = None
    row: int | None = None
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        """The text alone: `KeyError` would print its repr."""
        return str(self.args[0]) if self.args else ""


class DecodeError(DataError, ValueError):
    """Bytes are not what their format demands."""


class LimitError(DataError, ValueError):
    """A size announced by the data is over a limit."""


class SchemaError(DataError, ValueError):
    """Types or columns do not fit."""


class CastError(SchemaError, TypeError):
    """A value is of another kind than its column."""


class MissingColumnError(DataError, KeyError):
    """A column that was asked for does not exist."""


class OutOfBoundsError(DataError, IndexError):
    """A row number is out of range."""


class UnsupportedError(DataError, ValueError, NotImplementedError):
    """A valid input that is not supported."""


class DataFileNotFoundError(DataError, FileNotFoundError):
    """A data file does not exist."""


class DataIOError(DataError, OSError):
    """Reading or writing data failed."""


def _make(name: str, message: str, facts: dict[str, Any], hint: str | None) -> CrucibleError:
    """Makes the exception `name` for the extension."""
    cls = globals().get(name, CrucibleError)
    error: CrucibleError = cls(message)
    for key, value in facts.items():
        if value is not None:
            setattr(error, key, value)
    if hint is not None:
        error.add_note(hint)
    return error
