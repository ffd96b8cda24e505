"""`python -m crucible_datasets`."""

from __future__ import annotations

import sys

from crucible_datasets.cli import main

sys.exit(main())
