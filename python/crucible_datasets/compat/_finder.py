"""The finder on `sys.meta_path` that answers for `datasets` and its submodules."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import ModuleType

import crucible_datasets
from crucible_datasets.compat._facade import Facade, facade, missing
from crucible_datasets.compat._names import API_VERSION, MODULES, NAME
from crucible_datasets.errors import NotOfferedError


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return facade(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: names are looked up when they are used."""


class _Metadata(Distribution):
    """What `importlib.metadata` says of `datasets`: libraries ask for its version before they import it."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        text = "`datasets`, as crucible_datasets offers it"
        return f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {API_VERSION}\nSummary: {text}\n"

    def locate_file(self, path: object) -> Path:
        return Path(str(crucible_datasets.__file__)).parents[1] / str(path)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module that stands in.

        Raises:
            NotOfferedError: a module or name of `datasets` that is not offered. (`from datasets import name` comes
                here for names that are no attributes.)
        """
        del path, target
        if fullname.partition(".")[0] != NAME:
            return None
        if fullname in MODULES:
            spec = ModuleSpec(fullname, _LOADER, origin=crucible_datasets.__file__, is_package=True)
            spec.submodule_search_locations = []
            return spec
        parent, _, name = fullname.rpartition(".")
        if not isinstance(sys.modules.get(parent), Facade):
            return None
        raise NotOfferedError(missing(parent, name), name=fullname)

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """The metadata of `datasets`, when it is asked for by name."""
        if context.name is not None and context.name.lower() == NAME:
            yield _Metadata()


_LOADER = _Loader()
FINDER = _Finder()
