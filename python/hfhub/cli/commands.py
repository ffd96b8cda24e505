"""The commands: download, snapshot, ls, info, env, serve."""

from __future__ import annotations

import argparse
from typing import Any

from _crucible._native import HubServer, default_config
from hfhub.api import HfApi, RepoFile
from hfhub.download import hf_hub_download, snapshot_download


def line(entry: object) -> str:
    """One entry of a listing for people."""
    if isinstance(entry, dict) and "path" in entry:
        size = entry.get("size")
        return f"{'-' if size is None else size:>14}  {entry['path']}"
    return str(entry)


def _repo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repo_id", help="namespace/name")
    parser.add_argument("--repo-type", default="dataset", choices=["dataset", "model", "space"])
    parser.add_argument("--revision", help="branch, tag or commit (default: main)")
    parser.add_argument("--token", help="default: HF_TOKEN or the token file")


def _download(arguments: argparse.Namespace) -> str:
    return hf_hub_download(
        arguments.repo_id,
        arguments.filename,
        repo_type=arguments.repo_type,
        revision=arguments.revision,
        token=arguments.token,
        force_download=arguments.force,
    )


def _snapshot(arguments: argparse.Namespace) -> str:
    return snapshot_download(
        arguments.repo_id,
        repo_type=arguments.repo_type,
        revision=arguments.revision,
        token=arguments.token,
        allow_patterns=arguments.include,
        ignore_patterns=arguments.exclude,
        max_workers=arguments.max_workers,
    )


def _ls(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    entries = HfApi(token=arguments.token).list_repo_tree(
        arguments.repo_id,
        arguments.path,
        recursive=arguments.recursive,
        repo_type=arguments.repo_type,
        revision=arguments.revision,
    )
    return [{"path": e.path, "size": e.size if isinstance(e, RepoFile) else None} for e in entries]


def _info(arguments: argparse.Namespace) -> dict[str, Any]:
    info = HfApi(token=arguments.token).repo_info(
        arguments.repo_id, repo_type=arguments.repo_type, revision=arguments.revision
    )
    return info.raw


def _env(_arguments: argparse.Namespace) -> dict[str, Any]:
    return default_config()


def _serve(arguments: argparse.Namespace) -> None:
    with HubServer(arguments.root, arguments.host, arguments.port, page_size=arguments.page_size) as server:
        print(f"serving {arguments.root} at {server.url} (HF_ENDPOINT={server.url}); Ctrl-C stops", flush=True)
        server.wait()


def add_to(commands: Any) -> None:
    """Adds every command to a parser's sub-commands."""

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.set_defaults(run=run)
        return parser

    download = add("download", _download, "bring one file into the cache and print its path")
    _repo(download)
    download.add_argument("filename")
    download.add_argument("--force", action="store_true", help="fetch again what is cached")

    snapshot = add("snapshot", _snapshot, "bring all files of a revision into the cache and print the folder")
    _repo(snapshot)
    snapshot.add_argument("--include", nargs="+", metavar="PATTERN")
    snapshot.add_argument("--exclude", nargs="+", metavar="PATTERN")
    snapshot.add_argument("--max-workers", type=int, default=8)

    ls = add("ls", _ls, "list files and folders of a repository")
    _repo(ls)
    ls.add_argument("path", nargs="?")
    ls.add_argument("-r", "--recursive", action="store_true")

    _repo(add("info", _info, "print what the hub says about a repository"))
    add("env", _env, "print the settings as the environment gives them")

    serve = add("serve", _serve, "serve a folder of repositories as a read-only hub")
    serve.add_argument("root", help="folder with datasets/<org>/<name>/… and the like")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000, help="0 takes any free port")
    serve.add_argument("--page-size", type=int, default=1000, help="entries of a listing's page")
