"""From a request to the answer that a hub without faults gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from faulthub import info, listing
from faulthub.answers import content, entry_not_found, error, json_answer, page
from faulthub.repo import PLURAL, Blob, Commit, Repository
from faulthub.wire import Request, Response

if TYPE_CHECKING:
    from faulthub.server import FaultHub

SINGULAR = {plural: kind for kind, plural in PLURAL.items()}
MAX_PATHS = 1000


class Refused(Exception):  # noqa: N818
    """Carries the error answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def answer(hub: FaultHub, request: Request) -> Response:
    """The answer of the hub's origin (or of a foreign host that plays the hub)."""
    path = request.raw_path
    if hub.prefix and not path.startswith(hub.prefix + "/"):
        return error(404, "outside of the endpoint")
    parts = request.segments[len([p for p in hub.prefix.split("/") if p]) :]
    try:
        check_token(hub, request)
        if parts[0] == "api":
            return _api(hub, request, parts[1:])
        return _file_route(hub, request, parts)
    except Refused as refused:
        return refused.response


def check_token(hub: FaultHub, request: Request) -> None:
    """A token that the hub does not know fails everything."""
    value = request.headers.get("authorization")
    if value is not None and value.removeprefix("Bearer ") not in hub.tokens:
        raise Refused(error(401, "Invalid credentials in Authorization header"))


def check_writer(hub: FaultHub, request: Request) -> None:
    """Who changes something needs a token that may."""
    if not request.token:
        raise Refused(error(401, "Invalid username or password."))
    if request.token in hub.read_only_tokens:
        raise Refused(error(403, "This token may only read: it has no write permission for this repository."))


def find(hub: FaultHub, request: Request, kind: str, repo_id: str, *, content_wanted: bool = False) -> Repository:
    """The repository, if it exists and may be seen."""
    token = request.token
    new = hub.renames.get((kind, repo_id))
    if new is not None:
        target = request.target.replace(f"{quote(repo_id)}", quote(new), 1)
        raise Refused(Response(307, [("Location", target)], f"Temporary Redirect. Redirecting to {target}".encode()))
    repo = hub.repos.get((kind, repo_id))
    if repo is None or (repo.access.private and token not in repo.access.granted):
        raise Refused(error(404 if token else 401, "Repository not found", "RepoNotFound"))
    if repo.access.disabled:
        raise Refused(error(403, "Access to this resource is disabled."))
    if content_wanted and repo.access.gated and token not in repo.access.granted:
        text = (
            f"Access to {kind} {repo_id} is restricted. You must have access to it and be authenticated to access it."
        )
        raise Refused(error(403 if token else 401, text, "GatedRepo"))
    return repo


def at(repo: Repository, revision: str) -> Commit:
    """The commit of a revision."""
    commit = repo.resolve(revision)
    if commit is None:
        raise Refused(error(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
    return commit


def _api(hub: FaultHub, request: Request, parts: list[str]) -> Response:
    match parts:
        case ["whoami-v2"]:
            return _whoami(hub, request)
        case ["resolve-cache", plural, *rest] if plural in SINGULAR:
            return _resolve_cache(hub, request, SINGULAR[plural], rest)
        case [plural] if plural in SINGULAR:
            return page(request, hub.base(request), listing.search(hub, request, SINGULAR[plural]), hub.list_page)
        case ["datasets-tags-by-type" | "models-tags-by-type" as route]:
            return json_answer(listing.tags_by_type(hub, SINGULAR[route.split("-")[0]]))
        case [plural, *rest] if plural in SINGULAR:
            return _repo_route(hub, request, SINGULAR[plural], rest)
        case ["telemetry", *_]:
            return Response(200)
        case _:
            return error(404, "Sorry, we can't find the page you are looking for.")


def _whoami(hub: FaultHub, request: Request) -> Response:
    token = request.token
    if not token:
        return error(401, "Invalid username or password.")
    name = hub.tokens[token]
    role = "read" if token in hub.read_only_tokens else "write"
    access = {"displayName": f"{name}-token", "role": role, "createdAt": "2024-01-01T00:00:00.000Z"}
    return json_answer(
        {
            "type": "user",
            "id": f"id-{name}",
            "name": name,
            "fullname": name.title(),
            "email": f"{name}@example.invalid",
            "isPro": False,
            "orgs": [{"type": "org", "name": "org"}],
            "auth": {"type": "access_token", "accessToken": access},
        }
    )


KNOWN_ROUTES = {"revision", "refs", "commits", "tree", "paths-info", "auth-check", "parquet"}


def _repo_route(hub: FaultHub, request: Request, kind: str, rest: list[str]) -> Response:
    legacy = len(rest) == 1 or rest[1] in KNOWN_ROUTES
    repo_id, route = (rest[0], rest[1:]) if legacy else ("/".join(rest[:2]), rest[2:])
    if "/" in rest[0] or (not legacy and "/" in rest[1]):
        raise Refused(error(404, "Sorry, we can't find the page you are looking for."))
    repo = find(hub, request, kind, repo_id, content_wanted=route[:1] == ["auth-check"])
    about = repo.key
    match route:
        case []:
            made = info.repo_info(request, repo, at(repo, "main"))
        case ["revision", revision]:
            made = info.repo_info(request, repo, at(repo, revision))
        case ["refs"]:
            made = json_answer(info.refs(repo, pull_requests=request.argument("include_prs") == "1"))
        case ["commits", revision]:
            history = [info.commit_entry(c, request) for c in repo.history(at(repo, revision))]
            made = page(request, hub.base(request), history, hub.commit_page)
            made.set("X-Total-Count", str(len(history)))
        case ["tree", revision, *folders]:
            made = _tree(hub, request, repo, at(repo, revision), "/".join(folders))
        case ["paths-info", revision]:
            made = _paths_info(hub, request, repo, at(repo, revision))
        case ["auth-check", *rights]:
            if rights == ["write"]:
                check_writer(hub, request)
            made = json_answer({})
        case ["parquet", *where]:
            made = _parquet(hub, request, repo, where)
        case _:
            made = error(404, "Sorry, we can't find the page you are looking for.")
    made.about = made.about or about
    return made


def _tree(hub: FaultHub, request: Request, repo: Repository, commit: Commit, folder: str) -> Response:
    expand = request.argument("expand").lower() == "true"
    recursive = request.argument("recursive").lower() == "true"
    if folder not in commit.folders:
        return entry_not_found(commit.id)
    items = info.entries(repo, commit, folder, recursive=recursive, expand=expand, xet=hub.xet)
    made = page(request, hub.base(request), items, hub.tree_page_expanded if expand else hub.tree_page)
    made.set("X-Repo-Commit", commit.id)
    return made


def _paths_info(hub: FaultHub, request: Request, repo: Repository, commit: Commit) -> Response:
    if request.method != "POST":
        return error(405, "POST only")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return error(400, "paths-info takes a form")
    form = parse_qsl(request.body.decode(), keep_blank_values=True)
    paths = [v for k, v in form if k == "paths"]
    if len(paths) > MAX_PATHS:
        return error(413, "too many parameters")
    expand = dict(form).get("expand", "").lower() == "true"
    found = [info.entry(repo, commit, p.strip("/"), expand=expand, xet=hub.xet) for p in paths]
    return json_answer([f for f in found if f is not None])


def _parquet(hub: FaultHub, request: Request, repo: Repository, where: list[str]) -> Response:
    commit = at(repo, "refs/convert/parquet")
    base = f"{hub.base(request)}{hub.prefix}/api/datasets/{repo.id}/parquet"
    tree: dict[str, dict[str, list[str]]] = {}
    for path in sorted(commit.files):
        found = re.fullmatch(r"([^/]+)/([^/]+)/(\d+)\.parquet", path)
        if found:
            urls = tree.setdefault(found[1], {}).setdefault(found[2], [])
            urls.append(f"{base}/{found[1]}/{found[2]}/{len(urls)}.parquet")
    match where:
        case []:
            return json_answer(tree)
        case [config] if config in tree:
            return json_answer(tree[config])
        case [config, split] if split in tree.get(config, {}):
            return json_answer(tree[config][split])
        case [config, split, name]:
            path = f"{config}/{split}/{int(name.removesuffix('.parquet')):04}.parquet"
            if path in commit.files:
                target = f"{hub.prefix}/datasets/{repo.id}/resolve/refs%2Fconvert%2Fparquet/{path}"
                return Response(302, [("Location", target)])
    return entry_not_found(commit.id)


def _file_route(hub: FaultHub, request: Request, parts: list[str]) -> Response:
    kind = SINGULAR.get(parts[0], "model") if len(parts) > 1 else "model"
    rest = parts[1:] if parts[0] in ("datasets", "spaces") else parts
    for at_index in (1, 2):
        if len(rest) > at_index + 2 and rest[at_index] in ("resolve", "raw"):
            repo_id, verb, revision = "/".join(rest[:at_index]), rest[at_index], rest[at_index + 1]
            return _file(hub, request, kind, (repo_id, revision, "/".join(rest[at_index + 2 :])), raw=verb == "raw")
    return Response(404, [("Content-Type", "text/html")], b"<html>404</html>")


def _file(hub: FaultHub, request: Request, kind: str, what: tuple[str, str, str], *, raw: bool) -> Response:
    repo_id, revision, path = what
    repo = find(hub, request, kind, repo_id, content_wanted=True)
    commit = at(repo, revision)
    about = f"{repo.key}/{path}"
    blob = commit.files.get(path)
    if blob is None:
        missing = entry_not_found(commit.id)
        missing.about = about
        return missing
    named = [("X-Repo-Commit", commit.id)]
    if raw:
        return content(request, blob.pointer if blob.lfs else blob.data, blob.oid, named, about)
    if request.headers.get("if-none-match", "").strip('W/"') == blob.etag:
        return Response(304, [("ETag", f'"{blob.etag}"'), *named], b"", about)
    if blob.lfs:
        return _to_cdn(hub, request, repo, (commit, blob, about))
    query = f"{quote(request.raw_path, safe='')}=&etag=%22{blob.oid}%22"
    target = f"{hub.prefix}/api/resolve-cache/{repo.key}/{commit.id}/{quote(path)}?{query}"
    text = f"Temporary Redirect. Redirecting to {target}".encode()
    return Response(307, [("Location", target), ("Content-Type", "text/plain"), *named], text, about)


def _to_cdn(hub: FaultHub, request: Request, repo: Repository, what: tuple[Commit, Blob, str]) -> Response:
    commit, blob, about = what
    target = hub.sign(blob, about)
    headers = [
        ("Location", target),
        ("Content-Type", "text/plain"),
        ("X-Repo-Commit", commit.id),
        ("X-Linked-Size", str(len(blob.data))),
        ("X-Linked-ETag", f'"{blob.etag}"'),
        ("Accept-Ranges", "bytes"),
    ]
    if hub.xet:
        token = f"{hub.base(request)}{hub.prefix}/api/{repo.key}/xet-read-token/{commit.id}"
        cas = f"{hub.cdn_url}/v1/reconstructions/{blob.xet_hash}"
        headers += [
            ("X-Xet-Hash", blob.xet_hash),
            ("Link", f'<{token}>; rel="xet-auth", <{cas}>; rel="xet-reconstruction-info"'),
        ]
    return Response(302, headers, f"Found. Redirecting to {target}".encode(), about)


def _resolve_cache(hub: FaultHub, request: Request, kind: str, rest: list[str]) -> Response:
    for size in (2, 1):
        repo_id = "/".join(rest[:size])
        if (kind, repo_id) in hub.repos and len(rest) > size + 1:
            repo = find(hub, request, kind, repo_id, content_wanted=True)
            commit, path = repo.commits.get(rest[size]), "/".join(rest[size + 1 :])
            if commit is None or path not in commit.files or commit.files[path].lfs:
                break
            blob = commit.files[path]
            return content(request, blob.data, blob.oid, [("X-Repo-Commit", commit.id)], f"{repo.key}/{path}")
    return entry_not_found()
