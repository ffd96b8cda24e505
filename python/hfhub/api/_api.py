"""`HfApi`: its parts put together, and the module functions of the same names."""

from __future__ import annotations

from hfhub.api._account import AccountPart
from hfhub.api._dataset import DatasetPart
from hfhub.api._downloads import DownloadPart
from hfhub.api._history import HistoryPart
from hfhub.api._manage import ManagePart
from hfhub.api._search import SearchPart
from hfhub.api._upload import UploadPart


class HfApi(UploadPart, ManagePart, DatasetPart, HistoryPart, SearchPart, AccountPart, DownloadPart):
    """Questions and orders to a hub, one method each.

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
create_branch = api.create_branch
create_commit = api.create_commit
create_repo = api.create_repo
create_tag = api.create_tag
delete_branch = api.delete_branch
delete_file = api.delete_file
delete_files = api.delete_files
delete_folder = api.delete_folder
delete_repo = api.delete_repo
delete_tag = api.delete_tag
move_repo = api.move_repo
preupload_lfs_files = api.preupload_lfs_files
run_as_future = api.run_as_future
super_squash_history = api.super_squash_history
update_repo_settings = api.update_repo_settings
upload_file = api.upload_file
upload_folder = api.upload_folder
