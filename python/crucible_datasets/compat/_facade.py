"""Modules that stand in for those of `datasets`: a name is looked up in this library when it is first used."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import crucible_datasets
from crucible_datasets.compat._absent import reason
from crucible_datasets.compat._config import set_setting, setting, settings_names
from crucible_datasets.compat._names import API_VERSION, MODULES, NAME

_made: dict[str, Facade] = {}


class Facade(ModuleType):
    """One module of `datasets`. Pickles by its name, so that functions that use it reach any worker."""

    __all__: list[str]

    def __init__(self, name: str) -> None:
        super().__init__(name, f"`{name}` of the official library, as crucible_datasets offers it.")
        self.__file__ = crucible_datasets.__file__
        self.__path__: list[str] = []
        if name == NAME:
            self.__version__ = API_VERSION
        self.__all__ = _names(name)

    def __getattr__(self, name: str) -> Any:
        """Finds what was not used before."""
        if name.startswith("__"):
            raise AttributeError(missing(self.__name__, name))
        if name not in MODULES[self.__name__] and f"{self.__name__}.{name}" in MODULES:
            found: Any = facade(f"{self.__name__}.{name}")
            sys.modules.setdefault(found.__name__, found)
        else:
            found = _looked_up(self.__name__, name)
        self.__dict__[name] = found
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        """Importing a submodule sets it here: not over a name, as `tqdm` of `datasets.utils`, which is a class."""
        if not (isinstance(value, Facade) and name in MODULES[self.__name__]):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self.__all__})

    def __reduce__(self) -> tuple[Any, ...]:
        return (facade, (self.__name__,))


class ConfigFacade(Facade):
    """`datasets.config`: values of this moment. Setting one that counts here changes the environment."""

    def __getattr__(self, name: str) -> Any:
        """A value, not kept: the environment may change."""
        try:
            return setting(name)
        except KeyError:
            raise AttributeError(missing(self.__name__, name)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") or not set_setting(name, value):
            super().__setattr__(name, value)


def facade(name: str) -> Facade:
    """The module that stands in for one of `datasets`: the same object each time."""
    if name not in _made:
        _made[name] = (ConfigFacade if name == f"{NAME}.config" else Facade)(name)
    return _made[name]


def official_module(name: str) -> Facade | None:
    """The module that the official library has below it under a name, as `crucible_datasets` has it; None without one.

    It is `crucible_datasets.exceptions`, say, for code whose import is `import crucible_datasets as datasets`.

    Args:
        name: the name below `datasets`.
    """
    whole = f"{NAME}.{name}"
    return facade(whole) if whole in MODULES else None


def missing(module: str, name: str) -> str:
    """The text of an error for something that a module does not have."""
    why = reason(module, name)
    told = f": {why}" if why else ""
    return (
        f"{module}.{name} is not offered by crucible_datasets, which stands in for `datasets` here{told}. "
        "docs/compat.md lists what is; crucible_datasets.compat.uninstall() brings the official library back"
    )


def _names(module: str) -> list[str]:
    if module == f"{NAME}.config":
        return settings_names()
    names = set(MODULES[module])
    if module == NAME:
        names.update(crucible_datasets.__all__)
    below = {other.rpartition(".")[2] for other in MODULES if other.rpartition(".")[0] == module}
    return sorted(names | below)


def _looked_up(module: str, name: str) -> Any:
    home = MODULES[module].get(name)
    if home is None:
        if module == NAME and name in crucible_datasets.__all__:
            return getattr(crucible_datasets, name)
        raise AttributeError(missing(module, name))
    place, _, own = home.partition(":")
    found = importlib.import_module(place)
    return getattr(found, own or name) if own != "*" else found
