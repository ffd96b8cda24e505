"""The files of tokens: the active one, and the named ones, in the official format."""

from __future__ import annotations

import configparser
import contextlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _crucible._hub_settings import auth_settings
from _crucible.errors import LockTimeoutError
from hfhub.auth._sources import clean

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_LOCK_TIMEOUT = 30.0  # seconds, as the official client
_log = logging.getLogger("hfhub.auth")


def write_secret(path: Path, content: str) -> None:
    """Writes a file that only its owner can read, in a folder that only its owner can enter.

    Readers see the old content or the new one, never a part.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError, NotImplementedError):  # a file system without modes
        target.parent.chmod(0o700)


def read_tokens() -> dict[str, dict[str, str]]:
    """All named tokens with their fields: `hf_token`, and `refresh_token` and `expires_at` of browser logins."""
    path = Path(auth_settings().stored_tokens)
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (configparser.Error, UnicodeDecodeError) as error:
        # The message of a parser quotes the line, and the line may be a token.
        _log.error("The file %s cannot be read (%s): its tokens are ignored", path, type(error).__name__)
        return {}
    return {name: dict(config.items(name)) for name in config.sections()}


def write_tokens(tokens: dict[str, dict[str, str]]) -> None:
    """Writes all named tokens, sorted by name."""
    config = configparser.ConfigParser(interpolation=None)
    for name in sorted(tokens):
        config.add_section(name)
        for key, value in tokens[name].items():
            config.set(name, key, value)
    text = io.StringIO()
    config.write(text)
    write_secret(Path(auth_settings().stored_tokens), text.getvalue())


def section_name(name: str) -> str:
    """A name that can head a section: the hub chose it, and a line end in it would forge another section."""
    printable = "".join(char if char.isprintable() else " " for char in name).strip()
    return "default" if printable in ("", configparser.DEFAULTSECT) else printable


def save_token(token: str, name: str, *, refresh_token: str | None = None, expires_at: int | None = None) -> None:
    """Stores a token under a name; what was stored under it is replaced."""
    fields = {"hf_token": token}
    if refresh_token is not None:
        fields["refresh_token"] = refresh_token
    if expires_at is not None:
        fields["expires_at"] = str(expires_at)
    write_tokens({**read_tokens(), name: fields})


def get_stored_tokens() -> dict[str, str]:
    """The named tokens: token by name. A file that cannot be read counts as empty."""
    return {name: fields.get("hf_token", "") for name, fields in read_tokens().items()}


def token_named(name: str) -> str | None:
    """A named token."""
    return clean(read_tokens().get(name, {}).get("hf_token"))


def expiry(fields: dict[str, str]) -> int | None:
    """When a token expires, in seconds since 1970."""
    try:
        return int(fields["expires_at"])
    except (KeyError, ValueError):
        return None


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """The official lock of the named tokens.

    Raises:
        LockTimeoutError: another process held it for 30 s.
    """
    path = Path(auth_settings().stored_tokens + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o664)
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                msg = f"another process holds {path} for {_LOCK_TIMEOUT:.0f} s"
                raise LockTimeoutError(msg)
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)  # releases it


def _try_lock(handle: int) -> bool:
    try:
        if fcntl is None:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks: go on, the files are replaced as a whole
        return True
    return True
