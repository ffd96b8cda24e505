"""One client process: reads an operation per line, writes its result per line. Runs under either official version.

Only the standard library and the clients: the older version's environment has nothing else. Results are put into one
form (paths relative to the sequence's folder, exceptions by family), so that clients can be compared.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.file_download
from huggingface_hub.utils import logging

FAMILIES = {  # in the order they are looked for
    "LocalEntryNotFoundError": "not in the cache",
    "EntryNotFoundError": "no such file",
    "RevisionNotFoundError": "no such revision",
    "RepositoryNotFoundError": "no such repository",
    "CacheNotFound": "no cache",
    "ValueError": "refused arguments",
}


def family(error: BaseException) -> str:
    """The class of an exception, named by what all clients have in common."""
    if isinstance(error, (AttributeError, KeyError, NameError, TypeError)):
        raise error  # a mistake of the harness
    names = [c.__name__ for c in type(error).__mro__]
    return next((text for name, text in FAMILIES.items() if name in names), f"{type(error).__name__}: {error}")


def words(text: str) -> str:
    """A warning without its punctuation: the official one prints a dict of sets, whose order changes."""
    return " ".join(sorted(re.findall(r"[^\s\[\]{}().,:'\"]+", text)))


class Client:
    """One library under the names that the fuzz uses."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.official = library is huggingface_hub

    def relative(self, path: str | os.PathLike[str], root: str) -> str:
        return os.path.relpath(path, root)

    def download(self, root: str, repo: str, file: str, **options: Any) -> Any:
        return self.relative(self.library.hf_hub_download(**self.where(root, repo, options), filename=file), root)

    def snapshot(self, root: str, repo: str, **options: Any) -> Any:
        if os.environ.get("HF_HUB_DISABLE_SYMLINKS") == "1":
            # Without links the official client moves the blob of two equal files away from under its own threads.
            options["max_workers"] = 1
        return self.relative(self.library.snapshot_download(**self.where(root, repo, options)), root)

    def where(self, root: str, repo: str, options: dict[str, Any]) -> dict[str, Any]:
        kind, _, name = repo.partition("/")
        if options.pop("local", False):
            options["local_dir"] = f"{root}/local"
        return {"repo_id": name, "repo_type": kind[:-1], "cache_dir": f"{root}/cache", **options}

    def load(self, root: str, repo: str, file: str, revision: str) -> Any:
        kind, _, name = repo.partition("/")
        found = self.library.try_to_load_from_cache(
            name, file, cache_dir=f"{root}/cache", revision=revision, repo_type=kind[:-1]
        )
        if found is None:
            return None
        return self.relative(found, root) if isinstance(found, str) else "known to be absent"

    def scan(self, root: str) -> Any:
        info = self.library.scan_cache_dir(f"{root}/cache")
        return {
            "size": info.size_on_disk,
            "warnings": sorted(words(str(warning).replace(root, "")) for warning in info.warnings),
            "repos": {
                f"{repo.repo_type} {repo.repo_id}": {
                    "size": repo.size_on_disk,
                    "files": repo.nb_files,
                    "revisions": {
                        r.commit_hash: [
                            r.size_on_disk,
                            sorted(r.refs),
                            sorted(self.relative(f.file_path, str(r.snapshot_path)) for f in r.files),
                        ]
                        for r in repo.revisions
                    },
                }
                for repo in info.repos
            },
        }

    def delete(self, root: str, commits: list[str]) -> Any:
        strategy = self.library.scan_cache_dir(f"{root}/cache").delete_revisions(*commits)
        freed = strategy.expected_freed_size
        strategy.execute()
        return freed

    def prune(self, root: str) -> Any:
        """Revisions without a name and left-over partial files go, as `hf cache prune` has it."""
        if not self.official:
            return sorted(name.partition("@")[2] for name in self.library.prune(f"{root}/cache").revisions)
        info = self.library.scan_cache_dir(f"{root}/cache")
        commits = [r.commit_hash for repo in info.repos for r in repo.revisions if not r.refs]
        info.delete_revisions(*sorted(commits)).execute()
        for partial in Path(root, "cache").glob("*/blobs/*.incomplete"):
            partial.unlink()
        return sorted(commits)


def mode(clients: list[Client], umask: int, *, symlinks: bool) -> None:
    """Sets what a sequence holds fixed. The older official client has no switch against links, so its probe is set."""
    os.umask(umask)
    os.environ["HF_HUB_DISABLE_SYMLINKS"] = "0" if symlinks else "1"
    for client in clients:
        if client.official:
            probe = huggingface_hub.file_download
            probe._are_symlinks_supported_in_dir.clear()
            if hasattr(huggingface_hub.constants, "HF_HUB_DISABLE_SYMLINKS"):
                huggingface_hub.constants.HF_HUB_DISABLE_SYMLINKS = not symlinks
            elif not symlinks:
                probe.are_symlinks_supported = lambda cache_dir=None: False
            else:
                probe.are_symlinks_supported = _PROBE


_PROBE = huggingface_hub.file_download.are_symlinks_supported


def main() -> None:
    """Serves operations until the input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    warnings.simplefilter("ignore")
    logging.set_verbosity(logging.CRITICAL)
    clients = {"hub": Client(huggingface_hub)}
    if "with-hfhub" in sys.argv:
        import hfhub

        clients["hfhub"] = Client(hfhub)
    print(json.dumps(huggingface_hub.__version__), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        name, call, options = asked["client"], asked["call"], asked["options"]
        if call == "mode":
            mode(list(clients.values()), **options)
            answer: Any = {"value": None}
        else:
            client = clients[name]
            try:
                answer = {"value": getattr(client, call)(**options)}
            except Exception as error:  # noqa: BLE001  # the class is the result
                answer = {"error": family(error)}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
