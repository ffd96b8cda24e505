"""Fingerprints: what a result was made of. Names of `datasets.fingerprint`."""

from __future__ import annotations

from crucible_datasets.fingerprint._errors import UnhashableError
from crucible_datasets.fingerprint._hasher import (
    Hasher,
    fingerprint_of,
    generate_random_fingerprint,
    update_fingerprint,
    validate_fingerprint,
)
from crucible_datasets.fingerprint._switch import disable_caching, enable_caching, is_caching_enabled

__all__ = [
    "Hasher",
    "UnhashableError",
    "disable_caching",
    "enable_caching",
    "fingerprint_of",
    "generate_random_fingerprint",
    "is_caching_enabled",
    "update_fingerprint",
    "validate_fingerprint",
]
