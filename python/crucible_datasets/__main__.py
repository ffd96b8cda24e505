"""`python -m crucible_datasets`."""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["run"]:  # a script runs without what it does not import
    from crucible_datasets.compat._run import run

    sys.exit(run(sys.argv[2:]))

from crucible_datasets.cli import main

sys.exit(main())
