"""`DatasetInfo`, `ModelInfo` and `SpaceInfo`, with the official attribute names.

Every field but the id may be missing from an answer. A field that only a newer hub knows becomes an attribute of its
own name, as in the official client.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from hfhub.api._card_data import CardData, DatasetCardData, ModelCardData, SpaceCardData
from hfhub.api._dates import parse_datetime
from hfhub.api._files import RepoSibling, siblings_of

# Keys of an answer whose attribute has another name.
_NAMES = {
    "downloadsAllTime": "downloads_all_time",
    "mainSize": "main_size",
    "trendingScore": "trending_score",
    "usedStorage": "used_storage",
    "resourceGroup": "resource_group",
    "baseModels": "base_models",
    "childrenModelCount": "children_model_count",
    "evalResults": "eval_results",
    "securityRepoStatus": "security_repo_status",
    "widgetData": "widget_data",
    "model-index": "model_index",
}


@dataclass
class TransformersInfo(dict[str, Any]):
    """How `transformers` loads a model; also a dict of the same facts."""

    auto_model: str | None = None
    custom_class: str | None = None
    pipeline_tag: str | None = None
    processor: str | None = None

    def __post_init__(self) -> None:
        self.update(vars(self))


@dataclass
class SafeTensorsInfo(dict[str, Any]):
    """Parameters of a model by type and in all; also a dict of the same facts."""

    parameters: dict[str, int]
    total: int

    def __post_init__(self) -> None:
        self.update(vars(self))


@dataclass(init=False)
class InferenceProviderMapping:
    """A provider that serves a model."""

    provider: str
    hf_model_id: str
    provider_id: str
    status: str
    task: str
    adapter: str | None = None
    adapter_weights_path: str | None = None
    type: str | None = None

    def __init__(self, **raw: Any) -> None:
        """Takes an entry as the hub sends it."""
        for name in ("provider", "hf_model_id", "status", "task"):
            setattr(self, name, raw.pop(name, ""))
        self.provider_id = raw.pop("providerId", "")
        self.adapter = raw.pop("adapter", None)
        self.adapter_weights_path = raw.pop("adapterWeightsPath", None)
        self.type = raw.pop("type", None)
        self.__dict__.update(raw)


@dataclass(init=False)
class SpaceRuntime:
    """What a space runs on.

    Attributes:
        stage: such as `RUNNING`.
        hardware: what it runs on now.
        requested_hardware: what was asked for.
        sleep_time: seconds without requests after which it sleeps.
        storage: size of its disk.
        dev_mode: whether development mode is on.
        hot_reloading: state of hot reloading, as the hub sends it.
        volumes: mounted volumes, as the hub sends them.
        raw: the whole answer.
    """

    stage: str
    hardware: str | None
    requested_hardware: str | None
    sleep_time: int | None
    storage: str | None
    dev_mode: bool
    hot_reloading: Any
    volumes: Any
    raw: dict[str, Any]

    def __init__(self, data: dict[str, Any]) -> None:
        """Takes `runtime` as the hub sends it."""
        hardware = data.get("hardware") or {}
        self.stage = data.get("stage", "")
        self.hardware = hardware.get("current")
        self.requested_hardware = hardware.get("requested")
        self.sleep_time = data.get("gcTimeout")
        self.storage = data.get("storage")
        self.dev_mode = data.get("devMode", False)
        self.hot_reloading = data.get("hotReloading")
        self.volumes = data.get("volumes")
        self.raw = data


@dataclass(init=False)
class RepoInfo:
    """What the infos of all kinds of repository share.

    Attributes:
        id: repository id.
        author: its namespace.
        card_data: the card's metadata.
        created_at: when the repository was made, in UTC.
        last_modified: when it was last changed, in UTC.
        disabled: whether it was disabled.
        gated: `"auto"`, `"manual"` or False.
        likes: likes.
        private: whether it is private.
        resource_group: the resource group of its organisation.
        sha: commit of the revision asked for.
        siblings: files; a large repository may list only some, `list_repo_tree` lists all.
        tags: tags.
        trending_score: trending score.
        used_storage: bytes of all revisions.
        raw: the whole answer.
    """

    _card: ClassVar[type[CardData]] = CardData
    raw: ClassVar[dict[str, Any]] = {}  # set on each object; no field, so that it is not printed or compared

    id: str
    author: str | None
    card_data: CardData | None
    created_at: dt.datetime | None
    last_modified: dt.datetime | None
    disabled: bool | None
    gated: str | bool | None
    likes: int | None
    private: bool | None
    resource_group: dict[str, Any] | None
    sha: str | None
    siblings: list[RepoSibling] | None
    tags: list[str] | None
    trending_score: int | None
    used_storage: int | None

    def __init__(self, **raw: Any) -> None:
        """Takes an answer as the hub sends it."""
        state = self.__dict__
        state["raw"] = dict(raw)
        state.update(dict.fromkeys(field.name for field in fields(self)))
        state["id"] = str(raw.pop("id", ""))
        self._special(raw)
        last_modified = raw.pop("lastModified", None) or raw.pop("last_modified", None)
        created_at = raw.pop("createdAt", None) or raw.pop("created_at", None)
        card = raw.pop("cardData", None) or raw.pop("card_data", None)
        state["last_modified"] = state["lastModified"] = parse_datetime(last_modified)
        state["created_at"] = parse_datetime(created_at)
        state["card_data"] = state["cardData"] = self._card(**_texts(card)) if isinstance(card, dict) else card
        state["siblings"] = siblings_of(raw.pop("siblings", None))
        for key, value in raw.items():
            name = _NAMES.get(key, key)
            state[name if name in state else key] = value

    def _special(self, raw: dict[str, Any]) -> None:
        """Takes off what only one kind has and what is no plain value."""


def _texts(card: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in card.items() if key != "ignore_metadata_errors"}


@dataclass(init=False)
class DatasetInfo(RepoInfo):
    """Info of a dataset: as `RepoInfo`, and `citation`, `description`, downloads and `main_size` (bytes of main)."""

    _card = DatasetCardData

    citation: str | None
    description: str | None
    downloads: int | None
    downloads_all_time: int | None
    main_size: int | None
    paperswithcode_id: str | None


@dataclass(init=False)
class ModelInfo(RepoInfo):
    """Info of a model: as `RepoInfo`, and what describes the weights."""

    _card = ModelCardData

    base_models: list[str] | None
    children_model_count: int | None
    config: dict[str, Any] | None
    downloads: int | None
    downloads_all_time: int | None
    eval_results: list[Any] | None
    gguf: dict[str, Any] | None
    inference: str | None
    inference_provider_mapping: list[InferenceProviderMapping] | None
    library_name: str | None
    mask_token: str | None
    model_index: Any
    pipeline_tag: str | None
    safetensors: SafeTensorsInfo | None
    security_repo_status: dict[str, Any] | None
    spaces: list[str] | None
    transformers_info: TransformersInfo | None
    widget_data: Any

    def _special(self, raw: dict[str, Any]) -> None:
        info = raw.pop("transformersInfo", None) or raw.pop("transformers_info", None)
        known = TransformersInfo.__dataclass_fields__
        named = {key: value for key, value in info.items() if key in known} if isinstance(info, dict) else {}
        self.transformers_info = TransformersInfo(**named) if named else None
        self.__dict__["transformersInfo"] = self.transformers_info
        tensors = raw.pop("safetensors", None)
        if isinstance(tensors, dict):
            self.safetensors = SafeTensorsInfo(tensors.get("parameters", {}), tensors.get("total", 0))
        mapping = raw.pop("inferenceProviderMapping", None)
        if isinstance(mapping, dict):  # one model; a listing has a list
            mapping = [{**value, "provider": provider} for provider, value in mapping.items()]
        if isinstance(mapping, list):
            self.inference_provider_mapping = [
                InferenceProviderMapping(**{**item, "hf_model_id": self.id}) for item in mapping
            ]


@dataclass(init=False)
class SpaceInfo(RepoInfo):
    """Info of a space: as `RepoInfo`, and what it runs on."""

    _card = SpaceCardData

    datasets: list[str] | None
    host: str | None
    models: list[str] | None
    region: str | None
    runtime: SpaceRuntime | None
    sdk: str | None
    subdomain: str | None

    def _special(self, raw: dict[str, Any]) -> None:
        runtime = raw.pop("runtime", None)
        self.runtime = SpaceRuntime(runtime) if isinstance(runtime, dict) and runtime else None
