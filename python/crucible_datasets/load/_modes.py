"""How downloads and checks go: enumerations and settings under their official names."""

from __future__ import annotations

import copy
import enum
from dataclasses import dataclass, field
from typing import Any


class DownloadMode(enum.Enum):
    """What of earlier loads is used again.

    `REUSE_DATASET_IF_EXISTS`: files and decoded tables; `REUSE_CACHE_IF_EXISTS`: files; `FORCE_REDOWNLOAD`: nothing.
    """

    REUSE_DATASET_IF_EXISTS = "reuse_dataset_if_exists"
    REUSE_CACHE_IF_EXISTS = "reuse_cache_if_exists"
    FORCE_REDOWNLOAD = "force_redownload"


class VerificationMode(enum.Enum):
    """What is checked after loading.

    `ALL_CHECKS` and `BASIC_CHECKS`: splits against what the card says of them (files of the hub are checked against
    their hashes in any case); `NO_CHECKS`: nothing.
    """

    ALL_CHECKS = "all_checks"
    BASIC_CHECKS = "basic_checks"
    NO_CHECKS = "no_checks"


@dataclass
class DownloadConfig:
    """Settings of downloads. `token`, `force_download` and `cache_dir` count; the others are taken for compatibility.

    Attributes:
        cache_dir: folder of decoded tables and of files from the web.
        force_download: whether files are downloaded again.
        token: a token, True for the stored one, False for none.
    """

    cache_dir: str | None = None
    force_download: bool = False
    resume_download: bool = False
    local_files_only: bool = False
    proxies: dict[str, Any] | None = None
    user_agent: str | None = None
    extract_compressed_file: bool = False
    force_extract: bool = False
    delete_extracted: bool = False
    extract_on_the_fly: bool = False
    use_etag: bool = True
    num_proc: int | None = None
    max_retries: int = 1
    token: str | bool | None = None
    storage_options: dict[str, Any] = field(default_factory=dict)
    download_desc: str | None = None
    disable_tqdm: bool = False

    def copy(self) -> DownloadConfig:
        """A deep copy."""
        return copy.deepcopy(self)
