"""Shapes of answers: JSON, errors, pages, ranges."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from faulthub.wire import Request, Response


def json_answer(value: object, headers: Sequence[tuple[str, str]] = (), code: int = 200, about: str = "") -> Response:
    """A JSON body."""
    body = json.dumps(value).encode()
    return Response(code, [("Content-Type", "application/json; charset=utf-8"), *headers], body, about)


def error(code: int, message: str, kind: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """An error as the hub gives it."""
    more = [("X-Error-Message", message), *headers]
    if kind:
        more.append(("X-Error-Code", kind))
    return json_answer({"error": message}, more, code)


def entry_not_found(commit: str | None = None) -> Response:
    """No such file."""
    return error(404, "Entry not found", "EntryNotFound", [("X-Repo-Commit", commit)] if commit else [])


def page(request: Request, base: str, items: Sequence[Any], size: int) -> Response:
    """A page of a listing, with an absolute `Link` to the next one."""
    cursor = request.argument("cursor")
    start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
    headers = []
    if start + size < len(items):
        query = [(k, v) for k, v in request.query if k != "cursor"]
        query.append(("cursor", base64.urlsafe_b64encode(str(start + size).encode()).decode()))
        headers.append(("Link", f'<{base}{request.raw_path}?{urlencode(query)}>; rel="next"'))
    return json_answer(list(items[start : start + size]), headers)


def content(request: Request, data: bytes, etag: str, headers: Sequence[tuple[str, str]], about: str) -> Response:
    """Bytes, whole or the range asked for."""
    common = [("ETag", f'"{etag}"'), ("Accept-Ranges", "bytes"), ("Content-Type", "application/octet-stream"), *headers]
    if request.headers.get("if-none-match", "").strip() in (f'"{etag}"', f'W/"{etag}"'):
        return Response(304, common, b"", about)
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    stale = request.headers.get("if-range", f'"{etag}"') != f'"{etag}"'
    if asked is None or asked[0] == "bytes=-" or stale:
        return Response(200, common, memoryview(data), about)
    if asked[1]:
        start, end = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
    else:
        start, end = max(0, len(data) - int(asked[2])), len(data) - 1
    if start >= len(data) or end < start:
        return Response(416, [*common, ("Content-Range", f"bytes */{len(data)}")], b"", about)
    common.append(("Content-Range", f"bytes {start}-{end}/{len(data)}"))
    return Response(206, common, memoryview(data)[start : end + 1], about)
