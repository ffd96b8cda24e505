"""Importing this installs the stand-in modules: workers do it before they import the main script."""

from __future__ import annotations

from crucible_datasets.compat._install import install

install()
