"""`hfhub cache`: ls, scan, verify, prune, rm, stats."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from hfhub.cache import (
    CachedRepoInfo,
    CachedRevisionInfo,
    HFCacheInfo,
    cache_stats,
    prune,
    scan_cache_dir,
    verify_cache,
    verify_repo_checksums,
)
from hfhub.cache._delete import DeleteCacheStrategy
from hfhub.cache._text import age_text, parse_duration, parse_size
from hfhub.cli import _parser
from hfhub.cli._report import Column, Outcome, Table, ask, size
from hfhub.cli._target import UsageError, target

Entry = tuple[CachedRepoInfo, CachedRevisionInfo | None]

_FILTER = re.compile(r"\s*(\w+)\s*(==|!=|>=|<=|>|<|=)\s*(.+?)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
_SORTS = ("accessed", "modified", "name", "size")
_SORT_NAMES = [name + order for name in _SORTS for order in ("", ":asc", ":desc")]


def _number(entry: Entry, key: str) -> float:
    repo, revision = entry
    if key == "size":
        return revision.size_on_disk if revision else repo.size_on_disk
    if key == "modified":
        return revision.last_modified if revision else repo.last_modified
    return repo.last_accessed


def _refs(entry: Entry) -> list[str]:
    repo, revision = entry
    return sorted(revision.refs if revision else repo.refs)


def _test(text: str, now: float) -> Callable[[Entry], bool]:
    """The test that a filter such as `size>1GB` means."""
    match = _FILTER.fullmatch(text)
    key = match[1].lower() if match else ""
    if match is None or key not in ("size", "modified", "accessed", "type", "refs"):
        msg = f"the filter {text!r} must be like size>1GB, accessed>7d, modified<2w, type=model or refs=main"
        raise UsageError(msg)
    operator, wanted = match[2], match[3]
    if key in ("type", "refs"):
        if operator not in ("=", "==", "!="):
            msg = f"the filter {text!r}: {key} can be compared with = and != alone"
            raise UsageError(msg)
        equal = operator != "!="
        if key == "type":
            return lambda entry: (entry[0].repo_type == wanted.lower()) == equal
        return lambda entry: (wanted.lower() in [ref.lower() for ref in _refs(entry)]) == equal
    compare = _COMPARE[operator]
    try:
        limit = parse_size(wanted) if key == "size" else parse_duration(wanted)
    except ValueError as error:
        msg = f"the filter {text!r}: {error}"
        raise UsageError(msg) from error
    if key == "size":
        return lambda entry: compare(_number(entry, "size"), limit)
    return lambda entry: compare(now - _number(entry, key), limit)


def _sorted(entries: list[Entry], order: str | None) -> list[Entry]:
    key, _, direction = (order or "name").partition(":")
    down = direction == "desc" or (not direction and key != "name")
    if key == "name":
        return sorted(entries, key=lambda e: (e[0].cache_id.lower(), e[1].commit_hash if e[1] else ""), reverse=down)
    return sorted(entries, key=lambda entry: _number(entry, key), reverse=down)


def _ls(arguments: argparse.Namespace) -> Table:
    info = scan_cache_dir(arguments.cache_dir)
    if arguments.limit is not None and arguments.limit < 0:
        msg = "--limit must be 0 or more"
        raise UsageError(msg)
    now = time.time()
    entries: list[Entry] = []
    for repo in info.repos:
        entries += [(repo, revision) for revision in repo.revisions] if arguments.revisions else [(repo, None)]
    for text in arguments.filter or []:
        test = _test(text, now)
        entries = [entry for entry in entries if test(entry)]
    entries = _sorted(entries, arguments.sort)[: arguments.limit]
    rows = []
    for entry in entries:
        repo, revision = entry
        row: dict[str, Any] = {
            "id": repo.cache_id,
            "repo_id": repo.repo_id,
            "repo_type": repo.repo_type,
            "size": _number(entry, "size"),
            "last_accessed": repo.last_accessed,
            "last_modified": _number(entry, "modified"),
            "refs": _refs(entry),
        }
        if revision is None:
            row |= {"revisions": len(repo.revisions), "files": repo.nb_files, "path": str(repo.repo_path)}
        else:
            row |= {"revision": revision.commit_hash, "files": revision.nb_files, "path": str(revision.snapshot_path)}
        rows.append(row)
    columns = [
        Column("id", "ID"),
        *([Column("revision", "REVISION")] if arguments.revisions else []),
        Column("size", "SIZE", size, right=True),
        *([] if arguments.revisions else [Column("last_accessed", "ACCESSED", age_text)]),
        Column("last_modified", "MODIFIED", age_text),
        Column("refs", "REFS", " ".join),
    ]
    everything = not arguments.filter and arguments.limit is None and not arguments.revisions
    total = info.size_on_disk if everything else sum(row["size"] for row in rows)
    what = "revisions" if arguments.revisions else "repositories"
    return Table(columns, rows, f"{len(rows)} {what}, {size(total)}", _notes(info, arguments.show_warnings))


def _notes(info: HFCacheInfo, show: bool) -> list[str]:
    notes = []
    if info.warnings:
        notes += [f"warning: {warning}" for warning in info.warnings] if show else []
        notes += [] if show else [f"{len(info.warnings)} folders are not in order; --show-warnings names them"]
    if info.incomplete_files:
        left = f"{len(info.incomplete_files)} incomplete downloads, {size(info.incomplete_size_on_disk)}"
        notes.append(f"{left}; `hfhub cache prune` removes them")
    return notes


def _scan(arguments: argparse.Namespace) -> Outcome:
    info = scan_cache_dir(arguments.cache_dir)
    facts = {
        "cache_dir": str(info.cache_dir),
        "size_on_disk": info.size_on_disk,
        "repos": [
            {
                "repo_id": repo.repo_id,
                "repo_type": repo.repo_type,
                "repo_path": str(repo.repo_path),
                "size_on_disk": repo.size_on_disk,
                "nb_files": repo.nb_files,
                "last_accessed": repo.last_accessed,
                "last_modified": repo.last_modified,
                "revisions": [
                    {
                        "commit_hash": revision.commit_hash,
                        "refs": sorted(revision.refs),
                        "size_on_disk": revision.size_on_disk,
                        "nb_files": revision.nb_files,
                        "last_modified": revision.last_modified,
                        "snapshot_path": str(revision.snapshot_path),
                    }
                    for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
                ],
            }
            for repo in sorted(info.repos, key=lambda repo: repo.cache_id)
        ],
        "incomplete_files": [
            {"path": str(file.file_path), "size_on_disk": file.size_on_disk}
            for file in sorted(info.incomplete_files, key=lambda file: file.file_path)
        ],
        "warnings": [str(warning) for warning in info.warnings],
    }
    text = info.export_as_table(verbosity=int(arguments.verbose))
    lines = [text, f"{len(info.repos)} repositories, {info.size_on_disk_str}", *_notes(info, show=True)]
    return Outcome(facts, "\n".join(lines))


def _stats(arguments: argparse.Namespace) -> Outcome:
    stats = cache_stats(arguments.cache_dir)
    sizes = {
        "size_on_disk",
        "unreferenced_size",
        "incomplete_size",
        "shared_size",
        "shared_unused_size",
        "streams_size",
        "disk_free",
    }
    lines = []
    for name, value in vars(stats).items():
        if name == "by_type":
            value = ", ".join(f"{kind} {size(number)}" for kind, number in value.items())
        elif name == "largest":
            value = "".join(f"\n  {size(number):>10}  {repo}" for repo, number in value)
        elif name in sizes:
            value = size(value)
        lines.append(f"{name}: {value}")
    return Outcome(stats, "\n".join(lines))


def _verify(arguments: argparse.Namespace) -> Outcome:
    def progress(done: int, total: int) -> None:
        print(f"\r{done} of {total} files", end="\n" if done == total else "", file=sys.stderr, flush=True)

    place = None if arguments.repo_id is None else target(arguments.repo_id, arguments.repo_type, arguments.revision)
    against_hub = arguments.remote or arguments.fail_on_missing_files or arguments.fail_on_extra_files
    if arguments.local_dir is not None and arguments.cache_dir is not None:
        msg = "give --local-dir or --cache-dir, not both"
        raise UsageError(msg)
    if place is None and (against_hub or (arguments.repair and arguments.local_dir is not None)):
        msg = "a comparison with the hub, and the repair of a --local-dir, need REPO_ID"
        raise UsageError(msg)
    report = verify_cache(
        None if place is None else place.repo_id,
        repo_type=None if place is None else place.kind,
        revision=None if place is None else place.revision,
        cache_dir=arguments.cache_dir,
        local_dir=arguments.local_dir,
        repair=arguments.repair,
        token=arguments.token,
        progress=progress if sys.stderr.isatty() and not arguments.quiet else None,
    )
    lines = []
    for name, files in (("bad", report.bad), ("repaired", report.repaired)):
        for file in files:
            where = f"{file.repo_type} {file.repo_id} " if file.repo_id else ""
            lines.append(f"{name}: {where}{', '.join(file.files) or 'unused blob'}: {file.path}")
            lines.append(f"  {file.reason}: expected {file.expected or '?'}, found {file.actual or 'nothing'}")
    lines += [f"not checked (no hash is known): {path}" for path in report.unchecked]
    good = report.checked - sum(file.reason == "hash" for file in report.bad + report.repaired)
    lines.append(
        f"{report.checked} files checked, {size(report.bytes)}: {good} good, {len(report.bad)} bad, "
        f"{len(report.repaired)} repaired"
    )
    if report.bad and not arguments.repair:
        lines.append("--repair fetches the bad ones anew")
    code = 0 if report.ok else 1
    if place is None or not against_hub:
        return Outcome(report, "\n".join(lines), code=code)
    remote = verify_repo_checksums(
        place.repo_id,
        repo_type=place.kind,
        revision=place.revision,
        cache_dir=arguments.cache_dir,
        local_dir=arguments.local_dir,
        repair=arguments.repair,
        token=arguments.token,
    )
    lines.append(f"{remote.checked_count} files compared with the hub at {remote.revision}:")
    lines += [f"  differs: {m['path']}: the hub has {m['expected']}, here is {m['actual']}" for m in remote.mismatches]
    for what, paths, fails in (
        ("missing", remote.missing_paths, arguments.fail_on_missing_files),
        ("not on the hub", remote.extra_paths, arguments.fail_on_extra_files),
    ):
        lines += [f"  {what}: {path}" for path in paths]
        code = 1 if fails and paths else code
    if remote.mismatches:
        code = 1
    elif not (remote.missing_paths or remote.extra_paths):
        lines.append("  the same on both sides")
    return Outcome({**vars(report), "remote": remote}, "\n".join(lines), code=code)


def _prune(arguments: argparse.Namespace) -> Outcome:
    try:
        limits: dict[str, Any] = {
            "older_than": None if arguments.older_than is None else parse_duration(arguments.older_than),
            "max_size": None if arguments.max_size is None else parse_size(arguments.max_size),
            "unreferenced": not arguments.keep_unreferenced,
            "incomplete": not arguments.keep_incomplete,
            "streams": arguments.streams,
        }
    except ValueError as error:
        raise UsageError(str(error)) from error
    report = prune(arguments.cache_dir, dry_run=True, **limits)
    amount = (
        len(report.revisions) + len(report.blobs) + len(report.incomplete) + len(report.shared) + len(report.streams)
    )
    lines = [
        *(f"  {name}" for name in report.revisions),
        *(f"  {path}" for path in (*report.blobs, *report.incomplete, *report.shared, *report.streams)),
    ]
    busy = [f"in use, left alone: {name}" for name in report.busy]
    if amount and not arguments.dry_run:
        print(*lines, sep="\n", file=sys.stderr)
        if not ask(f"Remove {amount} items, {size(report.freed)}?", yes=arguments.yes):
            return Outcome({"freed": 0, "cancelled": True}, "nothing was removed", code=1)
        report = prune(arguments.cache_dir, **limits)
        lines = []
    verb = "would free" if report.dry_run else "freed"
    text = f"{verb} {size(report.freed)}; {size(report.size_on_disk)} stay" if amount else "nothing to prune"
    return Outcome(report, "\n".join([*lines, *busy, text]))


def _chosen(info: HFCacheInfo, words: list[str]) -> tuple[DeleteCacheStrategy, list[str], list[str]]:
    """The plan for what was named, its labels, and what was not found."""
    labels: list[str] = []
    missing: list[str] = []
    hashes: set[str] = set()
    files = []
    commits = {revision.commit_hash for repo in info.repos for revision in repo.revisions}
    for word in words:
        if re.fullmatch(r"[0-9a-fA-F]{40}", word):
            if word.lower() in commits:
                hashes.add(word.lower())
                labels.append(word.lower())
            else:
                missing.append(word)
            continue
        place = target(word)
        if place.revision:
            msg = f"{word}: give the commit alone to delete a revision; `hfhub cache ls --revisions` has them"
            raise UsageError(msg)
        wanted = f"{place.kind}/{place.repo_id}".lower()
        found = [repo for repo in info.repos if repo.cache_id.lower() == wanted]
        matching = [
            file
            for repo in found
            for revision in repo.revisions
            for file in revision.files
            if file.file_path.relative_to(revision.snapshot_path).as_posix() == place.path
        ]
        if not found or (place.path and not matching):
            missing.append(word)
        elif place.path:
            files += matching
            labels += [str(file.file_path) for file in matching]
        else:
            hashes |= {revision.commit_hash for repo in found for revision in repo.revisions}
            labels += [repo.cache_id for repo in found]
    if files and hashes:
        msg = "delete files, or repositories and revisions: not both at once"
        raise UsageError(msg)
    return (info.delete_files(*files) if files else info.delete_revisions(*hashes)), labels, missing


def _rm(arguments: argparse.Namespace) -> Outcome:
    strategy, labels, missing = _chosen(scan_cache_dir(arguments.cache_dir), arguments.targets)
    for word in missing:
        print(f"not in the cache: {word}", file=sys.stderr)
    facts = {
        "deleted": labels,
        "missing": missing,
        "freed": strategy.expected_freed_size,
        "dry_run": arguments.dry_run,
    }
    code = 1 if missing else 0
    if not labels:
        return Outcome(facts, "nothing to delete", code=code)
    text = "\n".join([*(f"  {label}" for label in sorted(labels)), f"frees {strategy.expected_freed_size_str}"])
    if arguments.dry_run:
        return Outcome(facts, text, code=code)
    print(text, file=sys.stderr)
    if not ask(f"Delete {len(labels)} items?", yes=arguments.yes):
        return Outcome({**facts, "deleted": [], "freed": 0}, "nothing was deleted", code=1)
    strategy.execute()
    return Outcome(facts, f"freed {strategy.expected_freed_size_str}", code=code)


def add_to(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the actions of `cache`."""
    commands = _parser.group(parser, name)
    made = _parser.action(
        commands,
        "ls",
        _ls,
        "list cached repositories or revisions",
        "  hfhub cache ls\n  hfhub cache ls --filter 'size>1GB' --filter 'accessed>30d' --sort size\n"
        "  hfhub cache ls --revisions --json",
    )
    _parser.cache_dir(made)
    made.add_argument("--revisions", action="store_true", help="a line a revision")
    made.add_argument("-f", "--filter", action="append", metavar="TEST", help="size>1GB, accessed>7d, type=model, …")
    made.add_argument("--sort", choices=_SORT_NAMES, metavar="KEY", help=f"{', '.join(_SORTS)}; with :asc or :desc")
    made.add_argument("--limit", type=int, metavar="N", help="the first N")
    made.add_argument("--show-warnings", action="store_true", help="name what is not in order")
    made = _parser.action(commands, "scan", _scan, "show all that a scan finds", "  hfhub cache scan -v")
    _parser.cache_dir(made)
    made.add_argument("-v", "--verbose", action="store_true", help="a line a revision")
    made = _parser.action(
        commands,
        "verify",
        _verify,
        "hash cached files again and name what is bad; exit code 1 if anything is",
        "  hfhub cache verify\n  hfhub cache verify openai/gsm8k --repair\n  hfhub cache verify --local-dir ./gsm8k\n"
        "  hfhub cache verify openai/gsm8k --type dataset --local-dir ./gsm8k --fail-on-missing-files",
    )
    made.add_argument("repo_id", nargs="?", metavar="REPO_ID", help="default: all")
    made.add_argument("--type", "--repo-type", dest="repo_type", choices=["dataset", "model", "space"])
    made.add_argument("--revision", help="branch, tag or commit (default: all that is cached)")
    _parser.cache_dir(made)
    made.add_argument("--local-dir", help="check a folder of downloaded files in place of the cache")
    made.add_argument("--remote", action="store_true", help="compare also with the hub's listing of the revision")
    made.add_argument(
        "--fail-on-missing-files", action="store_true", help="so, and a file that only the hub has is bad"
    )
    made.add_argument("--fail-on-extra-files", action="store_true", help="so, and a file that the hub lacks is bad")
    made.add_argument("--repair", action="store_true", help="fetch what is bad anew, and nothing else")
    made.add_argument("-q", "--quiet", action="store_true", help="no progress")
    _parser.token(made)
    made = _parser.action(
        commands,
        "prune",
        _prune,
        "remove revisions without branch or tag, leftovers of downloads, and what is old or too much",
        "  hfhub cache prune --dry-run\n  hfhub cache prune -y --older-than 90d\n  hfhub cache prune -y --max-size 100GB",
    )
    _parser.cache_dir(made)
    made.add_argument("--older-than", metavar="AGE", help="remove revisions not used for so long: 30d, 12h")
    made.add_argument("--max-size", metavar="SIZE", help="remove the longest unused blobs above this: 100GB")
    made.add_argument("--keep-unreferenced", action="store_true", help="keep revisions without branch or tag")
    made.add_argument(
        "--streams", action="store_true", help="remove what streams keep of files they did not read whole"
    )
    made.add_argument("--keep-incomplete", action="store_true", help="keep leftovers of interrupted downloads")
    _parser.confirm(made)
    made = _parser.action(
        commands,
        "rm",
        _rm,
        "delete cached repositories, revisions or files",
        "  hfhub cache rm dataset/openai/gsm8k\n  hfhub cache rm hf://datasets/openai/gsm8k/README.md -y\n"
        "  hfhub cache rm 740312add88f781978c0658806c59bc2815b9866 --dry-run",
    )
    made.add_argument("targets", nargs="+", metavar="TARGET", help="type/namespace/name, hf://… or a full commit")
    _parser.cache_dir(made)
    _parser.confirm(made)
    made = _parser.action(commands, "stats", _stats, "show the cache in numbers", "  hfhub cache stats --json")
    _parser.cache_dir(made)
