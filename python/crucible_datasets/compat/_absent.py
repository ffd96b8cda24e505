"""Why something of `datasets` is not offered, and what to do instead."""

from __future__ import annotations

_SCRIPTS = "code of datasets is not run; Dataset.from_generator makes a dataset of any Python code"
_INDEX = (
    "search indexes are not built; with faiss itself: faiss.IndexFlatL2(d).add(ds.with_format('numpy')['column'][:])"
)
_STREAMS = "streams are built of other parts here; use the methods of IterableDataset"
_IO = "use Dataset.from_csv, from_json, from_parquet, from_text, from_sql and the to_… methods"
_TABLES = "tables are native here; pyarrow.table(ds) and ds.data give pyarrow tables"
_FORMATS = "formats are native here; use set_format, with_format and with_transform"
_DOWNLOADS = "use hfhub (hf_hub_download, snapshot_download), or data_files= with addresses"
_GONE = "it went with datasets 4; the package `evaluate` has metrics"

_MODULES = {
    "arrow_writer": "datasets are written by save_to_disk and the to_… methods",
    "commands": "the commands are those of `python -m crucible_datasets`",
    "hub": "hfhub.delete_files deletes files of a config, hfhub.DatasetCard reads and writes the card",
    "io": _IO,
    "metric": _GONE,
    "naming": "names of cache files are different here",
    "packaged_modules": "formats are native here; load_dataset('csv', data_files=…) reads them",
    "parallel": "num_proc of map and filter makes processes",
    "search": _INDEX,
    "streaming": _STREAMS,
    "tasks": _GONE,
    "utils.deprecation_utils": "it is not about datasets",
    "utils.doc_utils": "it is not about datasets",
    "utils.extract": _DOWNLOADS,
    "utils.file_utils": _DOWNLOADS,
    "utils.filelock": "the package `filelock` has it",
    "utils.hub": _DOWNLOADS,
    "utils.json": "JSON is read natively here",
    "utils.patching": _SCRIPTS,
    "utils.sharding": _STREAMS,
    "utils.stratify": "use train_test_split(stratify_by_column=…)",
    "utils.tf_utils": "to_tf_dataset is not offered; tf.data.Dataset.from_generator takes a dataset",
    "utils.track": _STREAMS,
}
"""Modules that are not there at all."""

_NAMES = {
    "": {
        "ArrowBasedBuilder": _SCRIPTS,
        "DownloadManager": _DOWNLOADS,
        "GeneratorBasedBuilder": _SCRIPTS,
        "SplitGenerator": _SCRIPTS,
        "StreamingDownloadManager": _DOWNLOADS,
        "list_datasets": "hfhub.HfApi and huggingface_hub list the hub's datasets",
        "load_metric": _GONE,
    },
    "arrow_dataset": {
        "DatasetTransformationNotAllowedError": _INDEX,
        "get_indices_from_mask_function": "use filter",
        "transmit_format": _FORMATS,
        "update_metadata_with_features": "use Dataset.cast",
    },
    "arrow_reader": {"ArrowReader": _TABLES, "BaseReader": _TABLES, "ParquetReader": _TABLES},
    "builder": {"ArrowBasedBuilder": _SCRIPTS, "GeneratorBasedBuilder": _SCRIPTS, "Key": _SCRIPTS},
    "data_files": {},
    "download": {"DownloadManager": _DOWNLOADS, "StreamingDownloadManager": _DOWNLOADS},
    "download.download_manager": {"DownloadManager": _DOWNLOADS},
    "features.features": {
        "Array2DExtensionType": _TABLES,
        "pandas_types_mapper": "Dataset.to_pandas makes data frames",
        "register_feature": "features are native here and cannot be added",
    },
    "features.image": {
        "image_to_bytes": "Image().encode_example(image)['bytes'] does it",
        "encode_pil_image": "Image().encode_example(image) does it",
        "encode_np_array": "Image().encode_example(array) does it",
    },
    "info": {"DatasetInfosDict": "get_dataset_infos gives a dict of DatasetInfo"},
    "iterable_dataset": {},
    "load": {"dataset_module_factory": "use load_dataset_builder", "import_main_class": _SCRIPTS},
    "splits": {"SplitGenerator": _SCRIPTS, "percent": "write train[:10%] or ReadInstruction"},
    "table": {},
}
"""Names of modules that are there."""

_REST = {
    "table": _TABLES,
    "filesystems": "only folders of this machine and the hub are supported",
    "formatting": _FORMATS,
    "formatting.formatting": _FORMATS,
    "iterable_dataset": _STREAMS,
    "builder": _SCRIPTS,
    "data_files": "data_files= takes patterns",
}


def reason(module: str, name: str) -> str | None:
    """Why a name (or submodule) of a module is not offered; None where nothing is known of it."""
    inside = module.partition(".")[2]
    whole = f"{inside}.{name}" if inside else name
    return _MODULES.get(whole) or _NAMES.get(inside, {}).get(name) or _REST.get(inside)
