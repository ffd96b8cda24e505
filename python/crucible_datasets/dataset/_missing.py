"""Methods of the official classes that are not built, and what to do instead."""

from __future__ import annotations

_INDEX = "search indexes are not built; give ds.with_format('numpy')['column'][:] to faiss or elasticsearch"

MISSING = {
    "add_elasticsearch_index": _INDEX,
    "add_faiss_index": _INDEX,
    "add_faiss_index_from_external_arrays": _INDEX,
    "drop_index": _INDEX,
    "get_index": _INDEX,
    "get_nearest_examples": _INDEX,
    "get_nearest_examples_batch": _INDEX,
    "is_index_initialized": _INDEX,
    "list_indexes": _INDEX,
    "load_elasticsearch_index": _INDEX,
    "load_faiss_index": _INDEX,
    "save_faiss_index": _INDEX,
    "search": _INDEX,
    "search_batch": _INDEX,
    "to_tf_dataset": "tf.data.Dataset.from_generator(lambda: ds.with_format('tensorflow'), …) reads a dataset",
}
"""By name: of `Dataset` and `DatasetDict`."""


def told(owner: str, name: str) -> str:
    """The text of an AttributeError."""
    why = MISSING.get(name)
    return f"{owner!r} object has no attribute {name!r}" + (f": {why}" if why else "")
