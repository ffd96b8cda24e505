"""What a code object refers to outside of itself: globals, attributes of modules, imports."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_SKIPPED = frozenset({"CACHE", "PUSH_NULL", "NOP", "EXTENDED_ARG", "RESUME"})


@dataclass(frozen=True)
class Name:
    """A global name, and the attributes that are taken from it at once (`np.linalg.norm`)."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Import:
    """An import inside of a function.

    Attributes:
        module: as it is written, "" for `from . import x`.
        level: number of dots.
        names: what is imported from it; none for `import module`.
    """

    module: str
    level: int
    names: tuple[str, ...]


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and those of the functions, classes and comprehensions in it."""
    yield code
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from nested(value)


def references(code: CodeType) -> tuple[list[Name], list[Import]]:
    """What a code object itself refers to, each once, in order."""
    names: dict[Name, None] = {}
    imports: dict[Import, None] = {}
    steps = [step for step in dis.get_instructions(code) if step.opname not in _SKIPPED]
    for at, step in enumerate(steps):
        if step.opname in _GLOBAL:
            path = []
            for later in steps[at + 1 :]:
                if later.opname not in _ATTRIBUTE:
                    break
                path.append(str(later.argval))
            names[Name(str(step.argval), tuple(path))] = None
        elif step.opname == "IMPORT_NAME":
            # The two values before it on the stack are constants: the dots, and what is taken from the module.
            level, listed = (steps[at - 2].argval, steps[at - 1].argval) if at >= 2 else (0, None)
            imports[
                Import(
                    str(step.argval),
                    level if isinstance(level, int) else 0,
                    tuple(map(str, listed)) if isinstance(listed, tuple) else (),
                )
            ] = None
    return list(names), list(imports)
