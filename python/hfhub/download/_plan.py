"""What a dry run returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class DryRunFileInfo:
    """What a download would do with a file.

    Attributes:
        commit_hash: commit of the file.
        file_size: bytes, None where the hub does not say.
        filename: path in the repository.
        local_path: where the file is or would be.
        is_cached: whether it is there.
        will_download: whether its bytes would be fetched.
    """

    commit_hash: str
    file_size: int | None
    filename: str
    local_path: str
    is_cached: bool
    will_download: bool
