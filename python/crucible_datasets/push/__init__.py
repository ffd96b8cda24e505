"""What an upload writes into the repository besides the data files."""

from __future__ import annotations

from crucible_datasets.push._card import updated_card
from crucible_datasets.push._configs import MetadataConfigs

__all__ = ["MetadataConfigs", "updated_card"]
