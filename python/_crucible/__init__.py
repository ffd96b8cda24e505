"""Private: the Rust extension and what both packages share. Import `hfhub` or `crucible_datasets` instead."""
