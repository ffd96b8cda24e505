"""The loopback hub of the hub and streaming suites, in its own process: `python -m benches.hub_server ROOT FAULT`.

FAULT is the JSON of one (see docs/server.md), or empty. Prints its address, then answers one JSON line for each line it reads: the requests since the last one, the bytes of their bodies, and the processor seconds of this process so far.
"""

from __future__ import annotations

import json
import sys
import time

from benches.harness import keep_to_cores
from hfhub import HubServer


def main(root: str, fault: str) -> None:
    keep_to_cores()
    with HubServer(root) as server:
        if fault:
            server.add_fault(fault)
        print(server.url, flush=True)
        for _line in sys.stdin:
            answers = server.answers()
            print(json.dumps([len(answers), sum(answer[4] for answer in answers), time.process_time()]), flush=True)
            server.clear_requests()


if __name__ == "__main__":
    main(*sys.argv[1:])
