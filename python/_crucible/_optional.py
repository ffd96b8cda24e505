"""The one place where optional packages are imported: late, and with an error that says what to install."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(name: str, *, extra: str, why: str) -> ModuleType:
    """Imports an optional package.

    Args:
        name: module to import.
        extra: the extra of `crucible-datasets` that brings it.
        why: what needs it, for the error text.

    Returns:
        The module.

    Raises:
        ImportError: the package is not installed; the text names the extra.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"{why}: needs the package {name!r}, which is not installed. pip install 'crucible-datasets[{extra}]'"
        raise ImportError(msg, name=name) from error
