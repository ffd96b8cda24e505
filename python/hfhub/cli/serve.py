"""`hfhub serve`."""

from __future__ import annotations

import argparse

from hfhub.cli import _parser
from hfhub.server import HubServer


def _run(arguments: argparse.Namespace) -> None:
    with HubServer(arguments.root, arguments.host, arguments.port, page_size=arguments.page_size) as server:
        print(f"serving {arguments.root} at {server.url} (HF_ENDPOINT={server.url}); Ctrl-C stops", flush=True)
        server.wait()


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `serve`."""
    parser.add_argument("root", metavar="FOLDER", help="folder with datasets/<org>/<name>/… and the like")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port (default: 8000)")
    parser.add_argument("--page-size", type=int, default=1000, metavar="N", help="entries of a listing's page")
    _parser.examples(parser, _run, "hfhub serve ./hub --port 8000", "HF_ENDPOINT=http://127.0.0.1:8000 hfhub ls org/x")
