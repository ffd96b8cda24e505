"""`python -m hfhub`."""

from __future__ import annotations

import sys

from hfhub.cli import main

if __name__ == "__main__":
    sys.exit(main())
