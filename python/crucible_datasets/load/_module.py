"""What a path of `load_dataset` names: a format, a folder, a repository."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from crucible_datasets.errors import DatasetScriptError, UnsupportedError
from crucible_datasets.load._card import Card, Config, read_card
from crucible_datasets.load._extensions import FORMATS
from crucible_datasets.load._formats import REGISTRY
from crucible_datasets.load._place import Folder, Place, Repository

_HUB = "hf://datasets/"
_PARQUET = "refs/convert/parquet"
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass
class Module:
    """What a path names.

    Attributes:
        place: where its files are.
        card: what it says of itself.
        packaged: the format that the path names, None for a folder or repository.
    """

    place: Place
    card: Card
    packaged: str | None = None

    @property
    def dataset_name(self) -> str:
        """The last part of its path, in snake case."""
        if self.packaged:
            return self.packaged
        last = Path(self.place.root).name if isinstance(self.place, Folder) else self.place.name.rsplit("/", 1)[-1]
        return snake_case(last)

    @property
    def repo_id(self) -> str | None:
        """Id on the hub."""
        return self.place.name if isinstance(self.place, Repository) else None

    @property
    def hash(self) -> str:
        """The commit, or a digest of the path."""
        if isinstance(self.place, Repository):
            return self.place.commit
        return hashlib.sha256(self.place.shown("").encode()).hexdigest()[:16]

    @property
    def base_path(self) -> str:
        """The root's path or address."""
        return self.place.shown("").rstrip("/")

    def configs(self) -> dict[str, Config]:
        """Configs by name: the card's; else one, `default` (or the name that the card's only info has)."""
        if self.card.configs:
            return self.card.configs
        if isinstance(self.place, Repository) and self.place.revision == _PARQUET:
            tops = dict.fromkeys(p.split("/")[0] for p in self.place.paths() if p.count("/") >= 2)
            if tops:
                return {name: Config(name, data_dir=name) for name in tops}
        name = self.card.default or "default"
        return {name: Config(name)}

    def default(self) -> str | None:
        """The default config's name."""
        configs = self.configs()
        if self.card.default is not None:
            return self.card.default
        return next(iter(configs)) if len(configs) == 1 else "default" if "default" in configs else None

    def config(self, name: str | None, *, given_files: bool) -> Config:
        """The config asked for.

        Args:
            name: its name, None for the default.
            given_files: whether `data_files` or `data_dir` were given: then a new config does where there is no default.

        Raises:
            ValueError: an unknown one, or several and none asked for; with those that there are.
        """
        configs = self.configs()
        wanted = name if name is not None else self.default()
        if wanted is None:
            if given_files:
                return Config("default")
            msg = (
                f"Config name is missing.\nPlease pick one among the available configs: {list(configs)}\n"
                f"Example of usage:\n\t`load_dataset('{self.place.name}', '{next(iter(configs))}')`"
            )
            raise ValueError(msg)
        if wanted not in configs:
            msg = f"BuilderConfig '{wanted}' not found. Available: {list(configs)}"
            raise ValueError(msg)
        return configs[wanted]


def snake_case(name: str) -> str:
    """`SuperGlue` as `super_glue`."""
    return _WORDS.sub("_", name).lower()


def find_module(
    path: str, data_dir: str | None = None, revision: str | None = None, token: str | bool | None = None
) -> Module:
    """What a path names.

    Args:
        path: a dataset id, a folder, `hf://datasets/…`, or a format.
        data_dir: of a format: the folder that its files are relative to.
        revision: of a repository.
        token: of a repository.

    Raises:
        DatasetNotFoundError: no such repository or revision, or no right to see it.
        DatasetUnreachableError: the hub cannot be reached, and the cache does not have it.
        FileNotFoundError: neither a folder nor a dataset id.
        DatasetScriptError: a loading script (a RuntimeError); the text names the way around.
        ValueError: a folder of `save_to_disk`, or an absolute `data_dir`.
        UnsupportedError: a format that is not read.
    """
    remote = path.startswith(_HUB)
    path = path.removeprefix(_HUB)
    if path in REGISTRY:
        return Module(Folder(data_dir or "."), Card({}, {}), path)
    local = not remote and os.path.isdir(path)  # noqa: PTH112
    if path in FORMATS and not local:
        msg = f"Format {path!r} is not read yet; the formats are {sorted(REGISTRY)}."
        raise UnsupportedError(msg)
    if path.endswith(".py") or (local and Path(path, f"{Path(path).name}.py").is_file()):
        raise _script(Path(path).name if path.endswith(".py") else f"{Path(path).name}.py", path)
    if local:
        if Path(path, "state.json").exists():
            msg = "You are trying to load a dataset that was saved using `save_to_disk`. Please use `load_from_disk` instead."
            raise ValueError(msg)
        if data_dir and Path(data_dir).is_absolute():
            msg = f"`data_dir` must be relative to a dataset directory's root: {path}"
            raise ValueError(msg)
        folder = Folder(path)
        return Module(folder, read_card(folder))
    if path.startswith(("buckets/", "hf://buckets/")):
        msg = f"Storage buckets are not read ({path!r})."
        raise UnsupportedError(msg)
    if Path(path).is_absolute() or path.count("/") > 1 or path.startswith("."):
        msg = f"Couldn't find any data file at {path}: neither a folder nor a dataset id ('namespace/name')"
        raise FileNotFoundError(msg)
    repository = Repository(path, _decoded(revision), token)
    script = f"{path.rsplit('/', 1)[-1]}.py"
    if script in repository.paths():
        raise _script(script, path)
    return Module(repository, read_card(repository))


def _decoded(revision: str | None) -> str | None:
    return _PARQUET if revision == _PARQUET.replace("/", "%2F") else revision


def _script(script: str, path: str) -> DatasetScriptError:
    return DatasetScriptError(
        f"Dataset scripts are no longer supported, but found {script}. Load the Parquet files that the Hub made of it "
        f"instead: load_dataset({path!r}, revision={_PARQUET!r})"
    )
