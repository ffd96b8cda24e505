"""Hashes of functions and objects: anything that changes what a function does changes its hash, nothing else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crucible_datasets.fingerprint import (
    Hasher,
    UnhashableError,
    generate_random_fingerprint,
    update_fingerprint,
    validate_fingerprint,
)


def hash_of(source: str, name: str = "f", **names: Any) -> str:
    """The hash of a function of a script."""
    space: dict[str, Any] = {"__name__": "script_of_a_user", **names}
    exec(compile(source, "script.py", "exec", dont_inherit=True), space)
    return Hasher.hash(space[name])


# What differs between two scripts, each with a function `f` that does another thing.
OTHER = {
    "body": ("def f(x): return x + 1", "def f(x): return x - 1"),
    "constant": ("def f(x): return x + 1", "def f(x): return x + 2"),
    "constant's type": ("def f(x): return 1", "def f(x): return 1.0"),
    "true is not one": ("def f(x): return True", "def f(x): return 1"),
    "minus zero": ("def f(x): return 0.0", "def f(x): return -0.0"),
    "text and bytes": ("def f(x): return 'a'", "def f(x): return b'a'"),
    "attribute": ("def f(x): return x.a", "def f(x): return x.b"),
    "default": ("def f(x, k=1): return k", "def f(x, k=2): return k"),
    "keyword default": ("def f(x, *, k=1): return k", "def f(x, *, k=2): return k"),
    "mutable default": ("def f(x, k=[1]): return k", "def f(x, k=[2]): return k"),
    "global": ("K = 1\ndef f(x): return K", "K = 2\ndef f(x): return K"),
    "global of a list": ("K = [1, [2]]\ndef f(x): return K", "K = [1, [3]]\ndef f(x): return K"),
    "order of a dict": (
        "K = {'a': 1, 'b': 2}\ndef f(x): return list(K)",
        "K = {'b': 2, 'a': 1}\ndef f(x): return list(K)",
    ),
    "helper": ("def g(x): return 1\ndef f(x): return g(x)", "def g(x): return 2\ndef f(x): return g(x)"),
    "helper of a helper": (
        "def h(): return 1\ndef g(x): return h()\ndef f(x): return g(x)",
        "def h(): return 2\ndef g(x): return h()\ndef f(x): return g(x)",
    ),
    "helper's global": (
        "K = 1\ndef g(x): return K\ndef f(x): return g(x)",
        "K = 2\ndef g(x): return K\ndef f(x): return g(x)",
    ),
    "nested function": (
        "def f(x):\n def g(): return 1\n return g()",
        "def f(x):\n def g(): return 2\n return g()",
    ),
    "global in a nested function": (
        "K = 1\ndef f(x):\n def g(): return K\n return g()",
        "K = 2\ndef f(x):\n def g(): return K\n return g()",
    ),
    "global in a comprehension": ("K = 1\ndef f(x): return [K for _ in x]", "K = 2\ndef f(x): return [K for _ in x]"),
    "global in a lambda": ("K = 1\ndef f(x): return (lambda: K)()", "K = 2\ndef f(x): return (lambda: K)()"),
    "global in a class inside": (
        "K = 1\ndef f(x):\n class C:\n  k = K\n return C.k",
        "K = 2\ndef f(x):\n class C:\n  k = K\n return C.k",
    ),
    "closure": (
        "def m(k):\n return lambda x: k\nf = m(1)",
        "def m(k):\n return lambda x: k\nf = m(2)",
    ),
    "closure of a function": (
        "def m(k):\n return lambda x: k(x)\nf = m(lambda x: 1)",
        "def m(k):\n return lambda x: k(x)\nf = m(lambda x: 2)",
    ),
    "decorator": (
        "def d(g):\n return lambda x: g(x)\n@d\ndef f(x): return 1",
        "def d(g):\n return lambda x: -g(x)\n@d\ndef f(x): return 1",
    ),
    "wraps": (
        "import functools\ndef d(g):\n @functools.wraps(g)\n def w(x): return g(x)\n return w\n@d\ndef f(x): return 1",
        "import functools\ndef d(g):\n @functools.wraps(g)\n def w(x): return g(x)\n return w\n@d\ndef f(x): return 2",
    ),
    "cached": (
        "import functools\n@functools.lru_cache\ndef f(x): return 1",
        "import functools\n@functools.lru_cache\ndef f(x): return 2",
    ),
    "cached helper": (
        "import functools\n@functools.lru_cache\ndef g(x): return 1\ndef f(x): return g(x)",
        "import functools\n@functools.lru_cache\ndef g(x): return 2\ndef f(x): return g(x)",
    ),
    "attribute of the function": ("def f(x): return f.k\nf.k = 1", "def f(x): return f.k\nf.k = 2"),
    "attribute of an instance": (
        "class C:\n def __init__(s, k): s.k = k\n def m(s, x): return s.k\nf = C(1).m",
        "class C:\n def __init__(s, k): s.k = k\n def m(s, x): return s.k\nf = C(2).m",
    ),
    "instance that is global": (
        "class C:\n def __init__(s, k): s.k = k\no = C(1)\ndef f(x): return o.k",
        "class C:\n def __init__(s, k): s.k = k\no = C(2)\ndef f(x): return o.k",
    ),
    "slots": (
        "class C:\n __slots__ = ('k',)\n def __init__(s, k): s.k = k\no = C(1)\ndef f(x): return o.k",
        "class C:\n __slots__ = ('k',)\n def __init__(s, k): s.k = k\no = C(2)\ndef f(x): return o.k",
    ),
    "method": (
        "class C:\n def m(s, x): return 1\nf = C().m",
        "class C:\n def m(s, x): return 2\nf = C().m",
    ),
    "inherited method": (
        "class B:\n def m(s, x): return 1\nclass C(B): pass\nf = C().m",
        "class B:\n def m(s, x): return 2\nclass C(B): pass\nf = C().m",
    ),
    "method that a method calls": (
        "class C:\n def n(s): return 1\n def m(s, x): return s.n()\nf = C().m",
        "class C:\n def n(s): return 2\n def m(s, x): return s.n()\nf = C().m",
    ),
    "class attribute": (
        "class C:\n k = 1\n def m(s, x): return s.k\nf = C().m",
        "class C:\n k = 2\n def m(s, x): return s.k\nf = C().m",
    ),
    "property": (
        "class C:\n @property\n def k(s): return 1\n def m(s, x): return s.k\nf = C().m",
        "class C:\n @property\n def k(s): return 2\n def m(s, x): return s.k\nf = C().m",
    ),
    "static and class methods": (
        "class C:\n @staticmethod\n def a(x): return 1\n @classmethod\n def b(c, x): return c.a(x)\nf = C.b",
        "class C:\n @staticmethod\n def a(x): return 2\n @classmethod\n def b(c, x): return c.a(x)\nf = C.b",
    ),
    "metaclass": (
        "class M(type):\n def k(c): return 1\nclass C(metaclass=M): pass\ndef f(x): return C.k()",
        "class M(type):\n def k(c): return 2\nclass C(metaclass=M): pass\ndef f(x): return C.k()",
    ),
    "callable": (
        "class C:\n def __init__(s, k): s.k = k\n def __call__(s, x): return s.k\nf = C(1)",
        "class C:\n def __init__(s, k): s.k = k\n def __call__(s, x): return s.k\nf = C(2)",
    ),
    "body of a callable": (
        "class C:\n def __call__(s, x): return 1\nf = C()",
        "class C:\n def __call__(s, x): return 2\nf = C()",
    ),
    "partial": (
        "import functools\ndef g(x, k): return k\nf = functools.partial(g, k=1)",
        "import functools\ndef g(x, k): return k\nf = functools.partial(g, k=2)",
    ),
    "dataclass default": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n k: int = 1\ndef f(x): return C().k",
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n k: int = 2\ndef f(x): return C().k",
    ),
    "enum": (
        "import enum\nclass E(enum.Enum):\n A = 1\ndef f(x): return E.A.value",
        "import enum\nclass E(enum.Enum):\n A = 2\ndef f(x): return E.A.value",
    ),
    "pattern": (
        "import re\nR = re.compile('a')\ndef f(x): return R.sub('', x)",
        "import re\nR = re.compile('b')\ndef f(x): return R.sub('', x)",
    ),
    "array": (
        "import numpy as np\nA = np.array([1, 2])\ndef f(x): return A[x]",
        "import numpy as np\nA = np.array([1, 3])\ndef f(x): return A[x]",
    ),
    "another function of a package": (
        "import numpy as np\ndef f(x): return np.sum(x)",
        "import numpy as np\ndef f(x): return np.max(x)",
    ),
    "another package under the same name": (
        "import json as j\ndef f(x): return j.loads(x)",
        "import pickle as j\ndef f(x): return j.loads(x)",
    ),
    "another builtin": ("g = len\ndef f(x): return g(x)", "g = max\ndef f(x): return g(x)"),
    "a builtin that is overridden": ("def f(x): return len(x)", "def len(x): return 0\ndef f(x): return len(x)"),
    "a global for a local": ("x = 1\ndef f(y): return x", "x = 1\ndef f(x): return x"),
    "looked up by globals()": ("K = 1\ndef f(x): return globals()['K']", "K = 2\ndef f(x): return globals()['K']"),
    "evaluated": ("K = 1\ndef f(x): return eval('K')", "K = 2\ndef f(x): return eval('K')"),
    "async": ("async def f(x): return 1", "async def f(x): return 2"),
    "async or not": ("def f(x): return 1", "async def f(x): return 1"),
    "exception handled": (
        "def f(x):\n try: return g\n except NameError: return 1",
        "def f(x):\n try: return g\n except ValueError: return 1",
    ),
    "an object that pickle knows by name": (
        "class C:\n def __init__(s, k): s.k = k\n def __reduce__(s): return 'o'\no = C(1)\ndef f(x): return o.k",
        "class C:\n def __init__(s, k): s.k = k\n def __reduce__(s): return 'o'\no = C(2)\ndef f(x): return o.k",
    ),
    "dispatched by type": (
        "import functools\n@functools.singledispatch\ndef f(x): return 1\n@f.register(int)\ndef _(x): return 2",
        "import functools\n@functools.singledispatch\ndef f(x): return 1\n@f.register(int)\ndef _(x): return 3",
    ),
    "context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield 1\ndef f(x):\n with g() as k: return k",
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield 2\ndef f(x):\n with g() as k: return k",
    ),
    "module of the user as a value": (
        "import types\nm = types.ModuleType('made_up')\nm.k = 1\ndef f(x): return m.k",
        "import types\nm = types.ModuleType('made_up')\nm.k = 2\ndef f(x): return m.k",
    ),
    "a set of constants": ("def f(x): return x in {'a', 'b'}", "def f(x): return x in {'a', 'c'}"),
    "recursion": (
        "def f(x): return f(x - 1) if x else 0",
        "def f(x): return f(x - 1) if x else 1",
    ),
    "one of two that call each other": (
        "def f(x): return g(x - 1)\ndef g(x): return f(x) if x else 1",
        "def f(x): return g(x - 1)\ndef g(x): return f(x) if x else 2",
    ),
}


@pytest.mark.parametrize("what", list(OTHER))
def test_what_counts(what: str) -> None:
    one, other = OTHER[what]
    assert hash_of(one) == hash_of(one)
    assert hash_of(one) != hash_of(other)


SAME = {
    "comment": ("def f(x):\n return x", "# told\ndef f(x):\n # more\n return x"),
    "lines": ("def f(x): return g(x)\ndef g(x): return x", "\n\n\ndef f(x):\n\n  return g(x)\n\ndef g(x): return x"),
    "spaces": ("def f(x): return (x+1)*2", "def f( x ):\n    return ( x + 1 ) * 2"),
    "other globals": ("def f(x): return x", "K = 3\ndef g(): return K\ndef f(x): return x"),
    "an attribute of the same name": ("def f(x): return x.K", "K = 3\ndef f(x): return x.K"),
    "order in which attributes were set": (
        "class C:\n def m(s, x): return s.a\nc = C()\nc.a, c.b = 1, 2\nf = c.m",
        "class C:\n def m(s, x): return s.a\nc = C()\nc.b, c.a = 2, 1\nf = c.m",
    ),
    "order of a class's methods": (
        "class C:\n def m(s, x): return 1\n def n(s): return 2\nf = C().m",
        "class C:\n def n(s): return 2\n def m(s, x): return 1\nf = C().m",
    ),
    "order of a set": ("K = {'a', 'b', 'c'}\ndef f(x): return K", "K = {'c', 'b', 'a'}\ndef f(x): return K"),
    "lock": (
        "import threading\nL = threading.Lock()\ndef f(x):\n with L: return x",
        "import threading\nL = threading.Lock()\nL.acquire()\ndef f(x):\n with L: return x",
    ),
}


@pytest.mark.parametrize("what", list(SAME))
def test_what_does_not_count(what: str) -> None:
    one, other = SAME[what]
    assert hash_of(one) == hash_of(other)


def test_a_global_at_the_time() -> None:
    space: dict[str, Any] = {"__name__": "script"}
    exec("K = [1]\ndef f(x): K.append(x)", space)
    before = Hasher.hash(space["f"])
    space["f"](2)
    assert Hasher.hash(space["f"]) != before


# ------------------------------------------------------------------------------------------------- other processes

MODULE = """
import os, helpers, package.inner
from helpers import twice
from package import inner as other

class Model:
    words = {"a", "b", "c", "d"}
    def __init__(self): self.seen = {x: len(x) for x in ("p", "q")}
    def __call__(self, row): return helpers.add(row["x"], 1) in self.words

def plain(row): return {"y": twice(row["x"]), "z": os.path.join("a", "b")}
def by_module(row): return package.inner.value(row)
def by_name(row): return other.value(row)
def late(row):
    from helpers import add
    import package.inner
    return add(1, 2)
def whole(row):
    m = helpers
    return m.twice(row)
"""
RUN = """
import sys, json
import module
from crucible_datasets.fingerprint import Hasher
names = ["plain", "by_module", "by_name", "late", "whole"]
print(json.dumps({**{n: Hasher.hash(getattr(module, n)) for n in names}, "model": Hasher.hash(module.Model())}))
"""


def modules(folder: Path, **changes: str) -> Path:
    files = {
        "module": MODULE,
        "helpers": "K = 2\ndef twice(x): return x * K\ndef add(x, y): return x + y\n",
        "package/__init__": "",
        "package/inner": "def value(row): return 1\n",
        **changes,
    }
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def hashes(folder: Path, seed: int = 0) -> dict[str, str]:
    path = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_modules_of_the_user(tmp_path: Path) -> None:
    first = hashes(modules(tmp_path / "one"))
    assert hashes(tmp_path / "one", seed=1) == first  # now from .pyc files, with other hashes of strings
    assert len(set(first.values())) == len(first)
    moved = modules(tmp_path / "two", module="# a comment\n\n" + MODULE)
    assert hashes(moved, seed=2) == first

    def changed(name: str, **changes: str) -> set[str]:
        now = hashes(modules(tmp_path / name, **changes))
        return {key for key in first if now[key] != first[key]}

    helpers = "K = {k}\ndef twice(x): return x * K\ndef add(x, y): return {body}\n"
    assert changed("three", helpers=helpers.format(k=3, body="x + y")) == {"plain", "whole"}
    assert changed("four", helpers=helpers.format(k=2, body="x - y")) == {"model", "late", "whole"}
    inner = {"package/inner": "def value(row): return 2\n"}
    assert changed("five", **inner) == {"by_module", "by_name", "late"}


def test_version_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages" / "madeup"
    site.mkdir(parents=True)

    def with_version(version: str) -> str:
        (site / "__init__.py").write_text(f"__version__ = '{version}'\ndef g(x): return x\n")
        code = "import madeup\nfrom crucible_datasets.fingerprint import Hasher\ndef f(x): return madeup.g(x)\nprint(Hasher.hash(f))"
        path = os.pathsep.join([str(site.parent), *(entry for entry in sys.path if entry)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True, timeout=60)

    first = with_version("1.0")
    assert with_version("1.0") == first
    assert with_version("1.1") != first


def test_what_cannot_be_hashed(tmp_path: Path) -> None:
    rows = (row for row in range(3))

    def reads(x: Any) -> Any:
        return next(rows)

    with pytest.raises(UnhashableError, match=r"closure 'rows' of .*generator"):
        Hasher.hash(reads)
    with (tmp_path / "f").open("w") as file, pytest.raises(UnhashableError, match="TextIOWrapper"):
        Hasher.hash([1, {"file": file}])


def test_fingerprints() -> None:
    assert update_fingerprint("a", "t", {"x": 1}) == update_fingerprint("a", "t", {"x": 1})
    others = [("b", "t", {"x": 1}), ("a", "u", {"x": 1}), ("a", "t", {"x": 2}), ("a", "t", {"y": 1})]
    assert len({update_fingerprint(*call) for call in [("a", "t", {"x": 1}), *others]}) == 5
    assert generate_random_fingerprint() != generate_random_fingerprint()
    validate_fingerprint("a" * 64)
    for bad in ["", "a" * 65, "a/b", "a:b", None]:
        with pytest.raises(ValueError, match="Invalid fingerprint"):
            validate_fingerprint(bad)  # type: ignore[arg-type]
    hasher = Hasher()
    hasher.update(1)
    once = hasher.hexdigest()
    hasher.update(2)
    assert hasher.hexdigest() != once
    assert Hasher.hash_bytes([b"a", b"b"]) == Hasher.hash_bytes(b"ab")
