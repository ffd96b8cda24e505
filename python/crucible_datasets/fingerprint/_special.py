"""Objects that are told in their own way: arrays, tensors, tokenizers, tables. Others are told as pickle sees them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from _crucible._native import Table

if TYPE_CHECKING:
    from crucible_datasets.fingerprint._walk import Walker


def tell(walker: Walker, value: Any) -> bool:
    """Takes in an object of a kind that is known here; says whether it is one."""
    kind = type(value)
    if kind is np.ndarray or kind is np.memmap:
        _array(walker, value)
    elif kind is Table:
        walker.tell("table", value.identity())
    elif hasattr(kind, "_told"):  # datasets
        walker.tell(kind.__name__)
        walker.add(value._told())
    elif _is(value, "torch", "Tensor"):
        _tensor(walker, value)
    elif _is(value, "torch", "Generator"):
        walker.tell("torch.Generator")
        _tensor(walker, value.get_state())
    elif _is(value, "transformers", "PreTrainedTokenizerBase"):
        _tokenizer(walker, value)
    else:
        return False
    return True


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class of a package, which is not imported for the question."""
    found = getattr(sys.modules.get(module), name, None)
    return isinstance(found, type) and isinstance(value, found)


def _array(walker: Walker, value: np.ndarray[Any, Any]) -> None:
    dtype = value.dtype
    walker.tell("array", repr((value.shape, dtype.descr if dtype.fields else dtype.str)))
    if dtype.hasobject:
        walker.add(value.tolist())
    elif value.size:
        walker.tell_buffer(np.ascontiguousarray(value).reshape(-1).view(np.uint8))


def _tensor(walker: Walker, value: Any) -> None:
    torch: Any = sys.modules["torch"]
    walker.tell("tensor", f"{value.dtype} {tuple(value.shape)} {value.requires_grad} {value.layout}")
    if type(value) not in {torch.Tensor, torch.nn.Parameter}:
        walker.add(type(value))
    if value.layout is not torch.strided:
        parts = value.detach().coalesce() if value.layout is torch.sparse_coo else None
        if parts is None:
            msg = f"tensors of the layout {value.layout} cannot be hashed"
            raise TypeError(msg)
        _tensor(walker, parts.indices())
        _tensor(walker, parts.values())
    elif value.numel():
        flat = value.detach().cpu().contiguous().reshape(-1)
        walker.tell_buffer(flat.view(torch.uint8).numpy())


def _tokenizer(walker: Walker, value: Any) -> None:
    """By its settings and vocabulary, without what calls leave behind: caches, truncation and padding."""
    state = {name: item for name, item in vars(value).items() if name not in {"cache", "deprecation_warnings"}}
    backend = state.pop("_tokenizer", None)
    walker.tell("tokenizer")
    walker.add(type(value))
    if backend is not None and hasattr(backend, "to_str"):
        said = json.loads(backend.to_str())
        said.pop("truncation", None)
        said.pop("padding", None)
        walker.add(said)
    else:
        walker.add(backend)
    walker.state(state)
