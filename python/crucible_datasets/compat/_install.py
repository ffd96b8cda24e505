"""Puts the stand-in modules into Python's import system, and takes them out again."""

from __future__ import annotations

import sys

from crucible_datasets.compat._facade import Facade
from crucible_datasets.compat._finder import FINDER
from crucible_datasets.compat._names import NAME
from crucible_datasets.compat._workers import share_with_workers, share_with_workers_no_more
from crucible_datasets.errors import OfficialImportedError


def installed() -> bool:
    """Whether `import datasets` means this library."""
    return FINDER in sys.meta_path


def install() -> None:
    """Makes `import datasets` mean this library, in this process and in workers that `multiprocessing` starts.

    Submodules that people import are there too (`datasets.features`, `datasets.arrow_dataset`, …). What this library
    does not offer is an ImportError when it is imported and an AttributeError when it is looked up; both say so.
    A second call does nothing.

    Raises:
        OfficialImportedError: the official library is imported already: its classes would be mixed with these.
    """
    known = sys.modules.get(NAME)
    if known is not None and not isinstance(known, Facade):
        where = getattr(known, "__file__", None) or "an unknown place"
        msg = (
            f"`datasets` is already imported, from {where}. Call crucible_datasets.compat.install() before anything "
            "imports it, or start the script with `python -m crucible_datasets run SCRIPT`"
        )
        raise OfficialImportedError(msg)
    if not installed():
        sys.meta_path.insert(0, FINDER)
        share_with_workers()


def uninstall() -> None:
    """Ends what `install` began: the next `import datasets` finds the official library, if there is one.

    Modules and classes that were imported meanwhile stay what they are.
    """
    if not installed():
        return
    sys.meta_path.remove(FINDER)
    share_with_workers_no_more()
    for name in [name for name, module in sys.modules.items() if isinstance(module, Facade)]:
        del sys.modules[name]
