"""What a call gives, as plain data: the same code asks this library and `datasets`, each in its process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _caught(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  # its kind is the result
        return {"errors": [c.__name__ for c in type(error).__mro__], "text": str(error)}


def loaded(library: Any, path: str, call: dict[str, Any]) -> dict[str, Any]:
    """Splits, features and rows of a `load_dataset`, or the classes of its error."""

    def work() -> dict[str, Any]:
        found = library.load_dataset(path, **call)
        if isinstance(found, list):
            found = {str(i): one for i, one in enumerate(found)}
        splits = found if isinstance(found, dict) else {str(found.split): found}
        if call.get("streaming"):
            return {name: {"rows": repr(list(one)), "split": str(one.split)} for name, one in splits.items()}
        return {
            name: {
                "features": one.features.to_dict(),
                "rows": repr(one.to_list()),
                "split": str(one.split),
                "info": _named(one.info, "split" not in call),
            }
            for name, one in splits.items()
        }

    result: dict[str, Any] = _caught(work)
    return result


def _named(info: Any, sizes: bool) -> dict[str, Any]:
    """What a loaded dataset says of itself; sizes of splits where all were asked for (others are not read here)."""
    rows = {name: split.num_examples for name, split in info.splits.items()} if sizes else None
    return {
        "names": [info.builder_name, info.dataset_name, info.config_name, str(info.version)],
        "texts": [info.description, info.citation, info.homepage, info.license],
        "rows": rows,
    }


def _info(library: Any, path: str, config: str) -> dict[str, Any]:
    info = library.get_dataset_config_info(path, config)
    sizes = {name: getattr(split, "num_examples", 0) for name, split in info.splits.items()}
    files = [
        str(file) for listed in library.load_dataset_builder(path, config).config.data_files.values() for file in listed
    ]
    # Of lines in archives `datasets` tells the features before they are read, here only reading tells.
    packed = files[0].endswith(".zip")
    features = None if info.features is None or packed else info.features.to_dict()
    return {"features": features, "sizes": sizes, "config": info.config_name, "builder": info.builder_name}


def facts(library: Any, path: str) -> dict[str, Any]:
    """Configs, the default one, splits and infos, or the classes of the errors."""
    names = _caught(lambda: library.get_dataset_config_names(path))
    out = {"names": names, "default": _caught(lambda: library.get_dataset_default_config_name(path))}
    for name in names if isinstance(names, list) else []:
        out[f"splits of {name}"] = _caught(lambda name=name: library.get_dataset_split_names(path, name))
        out[f"info of {name}"] = _caught(lambda name=name: _info(library, path, name))
    return out


def asked(library: Any, job: dict[str, Any]) -> dict[str, Any]:
    """A job: a call of `load_dataset`, or what is known without loading."""
    return loaded(library, job["path"], job["call"]) if job["call"] is not None else facts(library, job["path"])


def difference(mine: Any, theirs: Any, where: str = "") -> str | None:
    """The first difference; errors are equal when ours is an instance of a class of the name of theirs."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        if "errors" in theirs and "errors" in mine:
            same = theirs["errors"][0] in mine["errors"]
            return (
                None
                if same
                else f"{where}: {mine['errors'][0]} is no {theirs['errors'][0]}: {mine['text'][:200]} / {theirs['text'][:200]}"
            )
        if list(mine) != list(theirs):
            return f"{where}: {_short(mine)} and {_short(theirs)}"
        return next((found for key in mine if (found := difference(mine[key], theirs[key], f"{where} {key}"))), None)
    return None if mine == theirs else f"{where}: {_short(mine)} and {_short(theirs)}"


def _short(value: Any) -> str:
    return str(value)[:600]
