"""What `datasets` and its submodules offer here, and where it lives."""

from __future__ import annotations

NAME = "datasets"
API_VERSION = "5.2.0"
"""The version of the official library whose API this is."""

_PACKAGE = "crucible_datasets"

_FEATURES = "Array2D Array3D Array4D Array5D Audio BioSequence BioStructure ClassLabel Features Image Json LargeList List Mesh Nifti Pdf Sequence Translation TranslationVariableLanguages Value Video"
_BARS = "are_progress_bars_disabled disable_progress_bar disable_progress_bars enable_progress_bar enable_progress_bars is_progress_bar_enabled"
_BARS_OF_LOGGING = "disable_progress_bar enable_progress_bar is_progress_bar_enabled tqdm"
_INSPECT = "get_dataset_config_info get_dataset_config_names get_dataset_default_config_name get_dataset_infos get_dataset_split_names"

# module: homes and their names; "official=ours" where they differ.
_TABLE: dict[str, dict[str, str]] = {
    # Of the package itself all public names of crucible_datasets are there, too.
    "": {"iterable": "IterableColumn", "utils": "logging tqdm"},
    "arrow_dataset": {"dataset": "Column Dataset", "info": "DatasetInfoMixin=InfoMixin"},
    "arrow_reader": {"splits": "ReadInstruction"},
    "builder": {
        "load": "BuilderConfig DatasetBuilder",
        "errors": "DatasetGenerationError InvalidConfigName",
        "compat._exceptions": "DatasetGenerationCastError",
    },
    "combine": {"combine": "concatenate_datasets interleave_datasets"},
    "config": {},
    "data_files": {"errors": "EmptyDatasetError"},
    "dataset_dict": {"dataset": "DatasetDict", "iterable": "IterableDatasetDict"},
    "distributed": {"distributed": "split_dataset_by_node"},
    "download": {"load": "DownloadConfig DownloadMode"},
    "download.download_config": {"load": "DownloadConfig"},
    "download.download_manager": {"load": "DownloadMode"},
    "exceptions": {
        "errors": "CastError DataFilesNotFoundError DatasetBuildError DatasetGenerationError DatasetNotFoundError DatasetsError ExpectedMoreSplitsError FileNotFoundDatasetsError NonMatchingSplitsSizesError SplitsVerificationError UnexpectedSplitsError",
        "compat._exceptions": "ChecksumVerificationError DatasetGenerationCastError DefunctDatasetError ExpectedMoreDownloadedFilesError FileFormatError ManualDownloadError NonMatchingChecksumError UnexpectedDownloadedFileError",
    },
    "features": {"features": _FEATURES},
    "features.audio": {"features": "Audio"},
    "features.bio_sequence": {"features": "BioSequence"},
    "features.bio_structure": {"features": "BioStructure"},
    "features.features": {
        "features": "Array2D Array3D Array4D Array5D ClassLabel FeatureType=Feature Features Json LargeList List Sequence Value _align_features _check_if_features_can_be_aligned require_decoding require_storage_cast require_storage_embed",
        "compat._features": "cast_to_python_objects decode_nested_example encode_nested_example generate_from_arrow_type generate_from_dict get_nested_type string_to_arrow _visit",
    },
    "features.image": {"features": "Image"},
    "features.mesh": {"features": "Mesh"},
    "features.nifti": {"features": "Nifti"},
    "features.pdf": {"features": "Pdf"},
    "features.translation": {"features": "Translation TranslationVariableLanguages"},
    "features.video": {"features": "Video"},
    "filesystems": {"compat._utils": "is_remote_filesystem"},
    "fingerprint": {
        "fingerprint": "Hasher disable_caching enable_caching generate_random_fingerprint is_caching_enabled update_fingerprint validate_fingerprint"
    },
    "formatting": {},
    "formatting.formatting": {"dataset._call": "LazyRow"},
    "info": {"info": "DatasetInfo"},
    "inspect": {"load": _INSPECT, "errors": "SplitsNotFoundError"},
    "iterable_dataset": {"iterable": "IterableColumn IterableDataset"},
    "load": {
        "load": "load_dataset load_dataset_builder",
        "dataset": "load_from_disk",
        "errors": "DataFilesNotFoundError DatasetNotFoundError",
    },
    "splits": {"splits": "NamedSplit Split SplitDict SplitInfo SubSplitInfo"},
    "table": {
        "dataset._data": "Table=ArrowData",
        "errors": "CastError",
        "compat._tables": "cast_table_to_features cast_table_to_schema table_cast",
    },
    "utils": {"info": "Version", "load": "VerificationMode", "utils": f"{_BARS} logging tqdm"},
    "utils.info_utils": {"load": "VerificationMode"},
    "utils.logging": {
        "utils.logging": "CRITICAL DEBUG ERROR FATAL INFO NOTSET WARN WARNING disable_propagation enable_propagation get_logger get_verbosity log_levels set_verbosity set_verbosity_debug set_verbosity_error set_verbosity_info set_verbosity_warning",
        "utils": _BARS_OF_LOGGING,
    },
    "utils.metadata": {"push": "MetadataConfigs"},
    "utils.py_utils": {
        "compat._utils": "asdict convert_file_size_to_int first_non_null_value iter_batched map_nested size_str temp_seed temporary_assignment unique_values zip_dict"
    },
    "utils.tqdm": {"utils": f"{_BARS} tqdm"},
    "utils.typing": {"compat._utils": "ListLike NestedDataStructureLike PathLike"},
    "utils.version": {"info": "Version"},
}


def _places(homes: dict[str, str]) -> dict[str, str]:
    places = {}
    for home, names in homes.items():
        for name in names.split():
            official, _, own = name.partition("=")
            places[official] = f"{_PACKAGE}.{home}:{own or official}"
    return places


MODULES: dict[str, dict[str, str]] = {
    f"{NAME}.{module}" if module else NAME: _places(homes) for module, homes in _TABLE.items()
}
"""Modules that stand in: their names, each with its home as "module:name"."""
