"""What a cache must look like after anything: the rules of the layout, checked file by file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import huggingface_hub

from faulthub.repo import git_hash

REPO = re.compile(r"(models|datasets|spaces)--.+")
INCOMPLETE = re.compile(r"[0-9a-f]{40,64}\.[0-9a-f]{8}\.incomplete")


def faults_of(cache: Path, *, opaque: frozenset[str] = frozenset(), resumable: bool = True) -> list[str]:
    """What is wrong in a cache folder; empty when all is well.

    Args:
        cache: the folder.
        opaque: etags that are no hash, whose blobs cannot be checked.
        resumable: whether an incomplete file may stay when a journal under `.locks` names it.
    """
    if not cache.exists():
        return []
    found = []
    journals = [p.read_text(errors="replace") for p in (cache / ".locks").rglob("*") if p.is_file()]
    for place in cache.iterdir():
        if REPO.fullmatch(place.name):
            found += _in_repo(place, opaque, journals if resumable else [])
        elif place.name not in ("CACHEDIR.TAG", ".locks"):
            found.append(f"a stranger in the cache: {place.name}")
    found += [f"the official scan warns: {w}" for w in huggingface_hub.scan_cache_dir(cache).warnings]
    return found


def _in_repo(repo: Path, opaque: frozenset[str], journals: list[str]) -> list[str]:
    found = [f"left over: {p}" for p in repo.rglob("*.tmp")]
    for blob in (repo / "blobs").glob("*"):
        if blob.name.endswith(".incomplete"):
            named = INCOMPLETE.fullmatch(blob.name) and any(blob.name in text for text in journals)
            found += [] if named else [f"left over: {blob.name}"]
        elif blob.name not in opaque:
            data = blob.read_bytes()
            if blob.name not in (hashlib.sha256(data).hexdigest(), git_hash("blob", data)):
                found.append(f"wrong bytes in blob {blob.name}")
    for pointer in (repo / "snapshots").rglob("*"):
        if pointer.is_symlink() and not pointer.exists():
            found.append(f"a link to nothing: {pointer}")
    for ref in (repo / "refs").rglob("*"):
        if ref.is_file() and not re.fullmatch(r"[0-9a-f]{40}", ref.read_text()):
            found.append(f"a ref that is no commit: {ref}")
    return found
