"""`import datasets` that means this library, for code that cannot be changed.

>>> from crucible_datasets import compat
>>> compat.install()
>>> import datasets
>>> datasets.Dataset.from_list([{"a": 1}])[0]
{'a': 1}
>>> compat.uninstall()

`python -m crucible_datasets run script.py` does it for a whole script. `docs/compat.md` lists what is there.
"""

from __future__ import annotations

from crucible_datasets.compat._facade import official_module
from crucible_datasets.compat._install import install, installed, uninstall
from crucible_datasets.compat._names import API_VERSION
from crucible_datasets.errors import NotOfferedError, OfficialImportedError

__all__ = [
    "API_VERSION",
    "NotOfferedError",
    "OfficialImportedError",
    "install",
    "installed",
    "official_module",
    "uninstall",
]
