"""Differential fuzz of the cache: hfhub and two official clients on one folder. `python -m tests.cachefuzz SEED`."""
