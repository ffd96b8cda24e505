"""`HfApi`: its parts put together, and the module functions of the same names."""

from __future__ import annotations

from hfhub.api._account import AccountPart
from hfhub.api._dataset import DatasetPart
from hfhub.api._downloads import DownloadPart
from hfhub.api._history import HistoryPart
from hfhub.api._info import InfoPart
from hfhub.api._search import SearchPart


class HfApi(InfoPart, DatasetPart, HistoryPart, SearchPart, AccountPart, DownloadPart):
    """Questions to a hub, one method a question.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none, None for the stored one if there is one.
        library_name: the library that asks, for the user agent.
        library_version: its version.
        user_agent: more for the user agent: a text, or a dict of names and values.
        headers: more headers for every request.
    """


api = HfApi()

model_info = api.model_info
dataset_info = api.dataset_info
space_info = api.space_info
repo_info = api.repo_info
repo_exists = api.repo_exists
revision_exists = api.revision_exists
file_exists = api.file_exists
hf_hub_url = api.hf_hub_url
list_repo_files = api.list_repo_files
list_repo_tree = api.list_repo_tree
get_paths_info = api.get_paths_info
list_repo_refs = api.list_repo_refs
list_repo_commits = api.list_repo_commits
list_datasets = api.list_datasets
list_models = api.list_models
list_spaces = api.list_spaces
get_dataset_tags = api.get_dataset_tags
get_model_tags = api.get_model_tags
list_dataset_parquet_files = api.list_dataset_parquet_files
dataset_configs = api.dataset_configs
dataset_splits = api.dataset_splits
parquet_files = api.parquet_files
whoami = api.whoami
auth_check = api.auth_check
get_user_overview = api.get_user_overview
get_organization_overview = api.get_organization_overview
