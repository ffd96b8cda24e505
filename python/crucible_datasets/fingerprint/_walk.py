"""A digest of any Python object that is the same in every process: functions by what they do, objects by their state.

Each object is told once, numbered in order of its first visit, as pickle does. Functions and classes of the user are
told by value: bytecode, constants, defaults, closure, and the globals that they name, recursively; line numbers, file
names and comments are no part of it. Functions, classes and modules of packages are told by name and version.
"""

from __future__ import annotations

import builtins
import copyreg
import functools
import hashlib
import importlib
import importlib.util
import marshal
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crucible_datasets.fingerprint import _special
from crucible_datasets.fingerprint._code import Import, Name, nested, references
from crucible_datasets.fingerprint._errors import UnhashableError
from crucible_datasets.fingerprint._packages import compiled_digest, is_package, version_of

_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), type(Ellipsis)})
_MARSHAL = 2
"""Version of marshal: without references to shared strings, which differ between runs."""
_NO_DATA = (type(threading.Lock()), type(threading.RLock()))
_DESCRIPTORS = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
_NOT_OF_CLASSES = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "_abc_impl",
        "__annotate_func__",
        "__annotations_cache__",
        # Made of the fields, which are told; they cannot be pickled.
        "__pydantic_core_schema__",
        "__pydantic_validator__",
        "__pydantic_serializer__",
    }
)
_DYNAMIC = frozenset({"globals", "eval", "exec", "vars"})
"""Builtins that reach any global of the module."""
_ABSENT = object()


class Walker:
    """Takes in objects and gives their digest."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32)
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []
        self._path: list[str] = []

    def hexdigest(self) -> str:
        """The digest of all that was taken in (64 hex digits)."""
        return self._hash.hexdigest()

    def tell(self, tag: str, data: bytes | str = b"") -> None:
        """Takes in bytes under a tag."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        self._hash.update(f"{tag}\0{len(raw)}\0".encode())
        self._hash.update(raw)

    def tell_buffer(self, data: Any) -> None:
        """Takes in memory without a copy. Its length must have been told."""
        self._hash.update(data)

    def add(self, value: Any, name: str | None = None) -> None:
        """Takes in an object.

        Args:
            value: the object.
            name: what it is called, for the error.

        Raises:
            UnhashableError: its state, or that of something it holds, cannot be told.
        """
        if name is not None:
            self._path.append(name)
        try:
            self._add(value)
        except UnhashableError:
            raise
        except Exception as error:
            raise self._failed(value, error) from error
        if name is not None:
            self._path.pop()

    def _failed(self, value: Any, error: Exception) -> UnhashableError:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        place = " in ".join(reversed(self._path))
        return UnhashableError(
            f"{place + ': ' if place else ''}{kind} cannot be hashed ({type(error).__name__}: {error})"
        )

    def _add(self, value: Any) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self.tell("plain", marshal.dumps(value, _MARSHAL))
            return
        if kind in _BY_VALUE:
            _BY_VALUE[kind](self, value)
            return
        if not self._is_new(value):
            return
        told = _TYPES.get(kind)
        if told is not None:
            told(self, value)
        elif isinstance(value, type):
            self._class(value)
        elif not _special.tell(self, value):
            self._object(value)

    def _is_new(self, value: Any) -> bool:
        """Whether the object comes for the first time; else its number is told."""
        number = self._numbers.setdefault(id(value), len(self._alive))
        if number < len(self._alive):
            self.tell("again", str(number))
            return False
        self._alive.append(value)  # its id stays its own
        return True

    def each(self, values: Iterable[Any]) -> None:
        """Takes in objects one after the other."""
        for value in values:
            self._add(value)

    # ------------------------------------------------------------------------------------------------- containers

    def _tuple(self, value: tuple[Any, ...]) -> None:
        # By value, also when it is shared: whether equal constants are one object depends on how they were loaded.
        self.tell("tuple", str(len(value)))
        self.each(value)

    def _frozenset(self, value: frozenset[Any] | set[Any]) -> None:
        # The order of a set differs between processes: elements are told apart from each other, in order of digests.
        digests = []
        for item in value:
            walker = Walker()
            walker._path = self._path
            walker.add(item)
            digests.append(walker.hexdigest())
        self.tell(type(value).__name__, ",".join(sorted(digests)))

    def _list(self, value: list[Any]) -> None:
        if set(map(type, value)) <= _PLAIN:
            self.tell("plain list", marshal.dumps(value, _MARSHAL))
            return
        self.tell("list", str(len(value)))
        self.each(value)

    def _dict(self, value: Mapping[Any, Any]) -> None:
        self.tell("dict", str(len(value)))
        for key, item in value.items():
            self._add(key)
            self.add(item, str(key) if type(key) is str else None)

    def state(self, value: Mapping[Any, Any]) -> None:
        """Takes in attributes: by name, whatever the order in which they were set."""
        if not all(type(key) is str for key in value):
            self._dict(value)
            return
        self.tell("state", str(len(value)))
        for name in sorted(value):
            self.tell("name", name)
            self.add(value[name], f"attribute {name!r}")

    # ---------------------------------------------------------------------------------------------------- objects

    def _object(self, value: Any) -> None:
        kind = type(value)
        reducer = copyreg.dispatch_table.get(kind)
        try:
            reduced: Any = reducer(value) if reducer is not None else value.__reduce_ex__(4)
        except Exception as error:
            raise self._failed(value, error) from error
        self._alive.append(reduced)  # what it made now must not give its ids to others
        self._numbers[id(reduced)] = len(self._alive) - 1
        if isinstance(reduced, str):
            self.tell("named", reduced)
            self._add(kind)
            module = getattr(value, "__module__", None)
            if isinstance(module, str) and is_package(module):
                self._package(module)
            else:  # a name alone says nothing of what it stands for
                self.state(getattr(value, "__dict__", {}))
            return
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        items = None if items is None else list(items)
        pairs = None if pairs is None else list(pairs)
        self._alive.append((items, pairs))
        self.tell("object")
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            self._add(arguments[0])
            self._tuple(arguments[1:])
        else:
            self._add(make)
            self._tuple(arguments)
        if type(state) is dict:
            self.state(state)
        elif (
            isinstance(state, tuple)
            and len(state) == 2
            and type(state[1]) is dict
            and type(state[0]) in {dict, type(None)}
        ):
            self.state(state[0] or {})
            self.state(state[1])
        else:
            self._add(state)
        self._add(items)
        self._add(pairs)

    def _lock(self, value: Any) -> None:
        self.tell("lock", type(value).__name__)

    def _bound(self, value: types.MethodType) -> None:
        self.tell("method")
        self._add(value.__func__)
        self._add(value.__self__)

    def _builtin(self, value: types.BuiltinFunctionType) -> None:
        owner = value.__self__
        self.tell("builtin", value.__name__)
        if owner is None or isinstance(owner, types.ModuleType):
            module = value.__module__ or getattr(owner, "__name__", "builtins")
            self._package(module)
            if not is_package(module):
                self.tell("compiled", compiled_digest(sys.modules.get(module)))
        else:
            self._add(owner)

    def _wrapper(self, value: Any) -> None:
        self.tell("method-wrapper", value.__name__)
        self._add(value.__self__)

    def _descriptor(self, value: Any) -> None:
        self.tell("descriptor", value.__name__)
        self._add(value.__objclass__)

    def _property(self, value: property) -> None:
        self.tell("property")
        self.each((value.fget, value.fset, value.fdel))

    def _wrapped(self, value: Any) -> None:
        self.tell(type(value).__name__)
        self._add(value.__wrapped__ if hasattr(value, "cache_parameters") else value.__func__)
        if hasattr(value, "cache_parameters"):
            self._dict(value.cache_parameters())

    def _weak(self, value: Any) -> None:
        self.tell("weakref")
        self._add(value())

    def _cell(self, value: types.CellType) -> None:
        try:
            inside = value.cell_contents
        except ValueError:
            self.tell("empty cell")
            return
        self._add(inside)

    # ------------------------------------------------------------------------------------------------ definitions

    def _package(self, module: str) -> None:
        """Code that is known by name and version."""
        self.tell("package", module)
        self.tell("version", version_of(module))

    def _known(self, value: Any) -> bool:
        """Tells a function or class of a package by its name, if that name leads to it."""
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str) or not is_package(module):
            return False
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not value:
            return False
        self.tell("known", name)
        self._package(module)
        return True

    def _function(self, value: types.FunctionType) -> None:
        if self._known(value):
            return
        self.tell("function")
        self._code(value.__code__)
        self._add(value.__defaults__)
        self._add(value.__kwdefaults__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            self._path.append(f"closure {name!r} of {value.__qualname__}")
            self._cell(cell)
            self._path.pop()
        self.state(vars(value))
        home = value.__globals__.get("__name__")
        if is_package(home):
            self._package(str(home))
        else:
            self._outside(value.__code__, value.__globals__, value.__qualname__)

    def _code(self, code: types.CodeType) -> None:
        self.tell("code", sys.implementation.cache_tag or "")
        self.tell("name", code.co_name)
        self.tell("bytes", code.co_code)
        self.tell("exceptions", code.co_exceptiontable)
        self._tuple((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags))
        self.each((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        self.tell("constants", str(len(code.co_consts)))
        for value in code.co_consts:
            if isinstance(value, types.CodeType):
                self._code(value)
            else:
                self._add(value)

    def _outside(self, code: types.CodeType, names: dict[str, Any], place: str) -> None:
        """What a function and those inside of it refer to."""
        for part in nested(code):
            globals_, imports = references(part)
            for found in globals_:
                self._path.append(f"global {found.name!r} of {place}")
                self._global(found, names)
                self._path.pop()
            for wanted in imports:
                self._path.append(f"import {wanted.module!r} of {place}")
                self._import(wanted, names)
                self._path.pop()

    def _global(self, found: Name, names: dict[str, Any]) -> None:
        self.tell("global", found.name)
        value = names.get(found.name, _ABSENT)
        if value is _ABSENT:
            value = getattr(builtins, found.name, _ABSENT)
            if value is _ABSENT:
                self.tell("absent")
                return
            if found.name in _DYNAMIC:
                self._namespace(names)
        self._at(value, found.path)

    def _at(self, value: Any, path: tuple[str, ...]) -> None:
        """An attribute of a module of the user; else the whole object."""
        for part in path:
            if not isinstance(value, types.ModuleType) or is_package(value.__name__):
                break
            self.tell("attribute", part)
            value = getattr(value, part, _ABSENT)
            if value is _ABSENT:
                self.tell("absent")
                return
        self._add(value)

    def _import(self, wanted: Import, names: dict[str, Any]) -> None:
        name = "." * wanted.level + wanted.module
        self.tell("import", name)
        package = names.get("__package__") or ""
        try:
            full = importlib.util.resolve_name(name, package) if wanted.level else wanted.module
        except ImportError:
            self.tell("absent")
            return
        top = full.partition(".")[0]
        if top not in sys.modules and _installed(top):
            self._package(top)  # not imported for this: it may be large
            return
        try:
            module = importlib.import_module(full)
        except Exception as error:  # noqa: BLE001  # the function meets it when it runs
            self.tell("absent", type(error).__name__)
            return
        if is_package(full):
            self._package(full)
            return
        for part in wanted.names:
            self.tell("from", part)
            value = getattr(module, part, _ABSENT)
            if value is _ABSENT:
                try:
                    value = importlib.import_module(f"{full}.{part}")
                except ImportError:
                    self.tell("absent")
                    continue
            self._add(value)
        if not wanted.names:
            while full:
                self._add(sys.modules[full])
                full = full.rpartition(".")[0]

    def _module(self, value: types.ModuleType) -> None:
        if is_package(value.__name__):
            self._package(value.__name__)
            return
        self.tell("module")
        self.tell("compiled", compiled_digest(value))
        self._namespace(vars(value))

    def _namespace(self, names: dict[str, Any]) -> None:
        if not self._is_new(names):
            return
        for name in sorted(names):
            if not (name.startswith("__") and name.endswith("__")):
                self.tell("name", name)
                self.add(names[name], f"global {name!r}")

    def _class(self, value: type) -> None:
        if self._known(value):
            return
        self.tell("class", value.__name__)
        self.each(value.__bases__)
        if type(value) is not type:
            self._add(type(value))
        attributes = {name: item for name, item in vars(value).items() if name not in _NOT_OF_CLASSES}
        self.state(attributes)
        self.tell("compiled", compiled_digest(sys.modules.get(value.__module__)))


def _installed(top: str) -> bool:
    """Whether a module that is not imported yet is a package's."""
    if top in sys.stdlib_module_names:
        return True
    spec = importlib.util.find_spec(top)
    origin = "" if spec is None or spec.origin is None else spec.origin.replace("\\", "/")
    return "/site-packages/" in origin or "/dist-packages/" in origin


Tell = Callable[[Walker, Any], None]
_BY_VALUE: dict[type, Tell] = {tuple: Walker._tuple, frozenset: Walker._frozenset}
_TYPES: dict[type, Tell] = {
    list: Walker._list,
    dict: Walker._dict,
    set: Walker._frozenset,
    types.MappingProxyType: Walker._dict,
    types.FunctionType: Walker._function,
    types.CodeType: Walker._code,
    types.ModuleType: Walker._module,
    types.MethodType: Walker._bound,
    types.BuiltinFunctionType: Walker._builtin,
    types.MethodWrapperType: Walker._wrapper,
    types.CellType: Walker._cell,
    property: Walker._property,
    classmethod: Walker._wrapped,
    staticmethod: Walker._wrapped,
    functools._lru_cache_wrapper: Walker._wrapped,
    weakref.ref: Walker._weak,
    **dict.fromkeys(_NO_DATA, Walker._lock),
    **dict.fromkeys(_DESCRIPTORS, Walker._descriptor),
}
