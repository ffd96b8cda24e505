"""`python -m hfhub`."""

from __future__ import annotations

import sys

from hfhub.cli import main

sys.exit(main())
