"""Whose code is it: the user's, which is hashed by what it does, or a package's, which is known by name and version."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_OWN = frozenset({"_crucible", "crucible_datasets", "hfhub"})
_STDLIB = os.__file__.replace("\\", "/").rpartition("/")[0] + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_versions: dict[str, str] = {}


def is_package(module: str | None) -> bool:
    """Whether a module is the standard library's, or installed: its code is known by name and version.

    What was not installed into `site-packages` (scripts, notebooks, folders on the path, editable installs) is the
    user's, as is a module without a file.
    """
    if not module or module == "__main__":
        return False
    top = module.partition(".")[0]
    if top in _OWN or top in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or getattr(sys.modules.get(top), "__file__", None)
    if file is None:
        return top in sys.stdlib_module_names
    path = str(file).replace("\\", "/")
    return path.startswith(_STDLIB) or any(part in path for part in _INSTALLED)


def version_of(module: str) -> str:
    """The version of the package that a module belongs to."""
    top = module.partition(".")[0]
    if top not in _versions:
        _versions[top] = _version(top)
    return _versions[top]


def _version(top: str) -> str:
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return f"{sys.implementation.name} {sys.version.split()[0]}"
    said = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(said, str):
        return said
    metadata: Any = importlib.import_module("importlib.metadata")  # late: it is slow to import and seldom needed
    try:
        return str(metadata.version(top))
    except metadata.PackageNotFoundError:
        return file_digest(sys.modules.get(top))


def file_digest(module: ModuleType | None) -> str:
    """A digest of a module's file, for packages that tell no version. Empty without a file.

    Raises:
        OSError: the file cannot be read.
    """
    file: Any = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return ""
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()


def compiled_digest(module: ModuleType | None) -> str:
    """A digest of the file of a compiled module, whose code cannot be seen; empty for modules in Python.

    Raises:
        OSError: the file cannot be read.
    """
    file: Any = getattr(module, "__file__", None)
    compiled = isinstance(file, str) and file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
    return file_digest(module) if compiled else ""
