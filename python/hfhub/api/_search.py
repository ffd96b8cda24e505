"""Search: lists of datasets, models and spaces. All are lazy: a page is asked for when it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from hfhub.api._repos import DatasetInfo, ModelInfo, RepoInfo, SpaceInfo
from hfhub.api._wire import Wire, query

_Info = TypeVar("_Info", bound=RepoInfo)
_SORT = {"last_modified": "lastModified", "trending_score": "trendingScore", "created_at": "createdAt"}
_NUMBER = re.compile(r"\d+\.\d+|\d+")


def _many(value: str | Iterable[str] | None) -> list[str]:
    return [] if not value else [value] if isinstance(value, str) else list(value)


def _tagged(name: str, value: str | Iterable[str] | None) -> list[str]:
    return [item if item.startswith(f"{name}:") else f"{name}:{item}" for item in _many(value)]


def _emission(info: ModelInfo) -> float | None:
    """Grams of CO2 that a model's card states: the first number of what stands there."""
    stated = None if info.card_data is None else info.card_data.get("co2_eq_emissions")
    if isinstance(stated, dict):
        stated = stated.get("emissions")
    number = _NUMBER.search(str(stated)) if stated else None
    return float(number[0]) if number else None


class SearchPart(Wire):
    """Lists of repositories."""

    def _search(
        self, cls: type[_Info], kind: str, limit: int | None, token: str | bool | None, asked: dict[str, Any]
    ) -> Iterator[_Info]:
        sort = asked.pop("sort", None)
        params = query(**asked, sort=None if sort is None else _SORT.get(sort, sort), limit=limit)
        pages = self._pages(f"/api/{kind}s", token=token, params=params)
        found = (cls(**raw) for page in pages for raw in page)
        # The hub may answer more than the limit: a page is never cut.
        return found if limit is None else islice(found, limit)

    def list_datasets(
        self,
        *,
        filter: str | Iterable[str] | None = None,
        author: str | None = None,
        benchmark: bool | str | None = None,
        dataset_name: str | None = None,
        gated: bool | None = None,
        language_creators: str | list[str] | None = None,
        language: str | list[str] | None = None,
        multilinguality: str | list[str] | None = None,
        size_categories: str | list[str] | None = None,
        task_categories: str | list[str] | None = None,
        task_ids: str | list[str] | None = None,
        search: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        expand: list[str] | str | None = None,
        full: bool | None = None,
        token: str | bool | None = None,
    ) -> Iterator[DatasetInfo]:
        """Datasets of the hub.

        Args:
            filter: tags that a dataset must have.
            author: its namespace.
            benchmark: a benchmark it belongs to; True for the official ones.
            dataset_name: a part of its name.
            gated: True for gated ones only, False for open ones only.
            language_creators: as the tag of this name; the next five too.
            language: such as `en`.
            multilinguality: such as `monolingual`.
            size_categories: such as `1K<n<10K`.
            task_categories: such as `text-classification`.
            task_ids: such as `sentiment-analysis`.
            search: a text in its id.
            sort: `created_at`, `downloads`, `last_modified`, `likes` or `trending_score`, the largest first.
            limit: how many at the most.
            expand: names of the fields to answer with; excludes `full`.
            full: whether to ask for all fields.
            token: overrides the token of this object.

        Raises:
            ValueError: `expand` with `full`.
        """
        if expand and full:
            msg = "`expand` cannot be used if `full` is passed."
            raise ValueError(msg)
        tags = _many(filter)
        tags += _tagged("language_creators", language_creators) + _tagged("language", language)
        tags += _tagged("multilinguality", multilinguality) + _tagged("size_categories", size_categories)
        tags += _tagged("task_categories", task_categories) + _tagged("task_ids", task_ids)
        if benchmark is not None:
            tags.append(f"benchmark:{'official' if benchmark is True else benchmark}")
        asked = {
            "filter": tags,
            "author": author or None,
            "gated": gated,
            "search": [text for text in (dataset_name, search) if text],
            "sort": sort,
            "expand": expand or None,
            "full": full or None,
        }
        return self._search(DatasetInfo, "dataset", limit, token, asked)

    def list_models(
        self,
        *,
        filter: str | Iterable[str] | None = None,
        author: str | None = None,
        apps: str | list[str] | None = None,
        gated: bool | None = None,
        inference: str | None = None,
        inference_provider: str | list[str] | None = None,
        trained_dataset: str | list[str] | None = None,
        search: str | None = None,
        pipeline_tag: str | None = None,
        num_parameters: str | None = None,
        emissions_thresholds: tuple[float | None, float | None] | None = None,
        sort: str | None = None,
        limit: int | None = None,
        expand: list[str] | str | None = None,
        full: bool | None = None,
        cardData: bool = False,  # noqa: N803  # the official name
        fetch_config: bool = False,
        token: str | bool | None = None,
    ) -> Iterator[ModelInfo]:
        """Models of the hub; arguments as `list_datasets`, and those that only models have.

        Args:
            filter: tags that a model must have.
            author: its namespace.
            apps: applications that can run it.
            gated: True for gated ones only, False for open ones only.
            inference: `warm` for models that a provider serves now.
            inference_provider: providers that serve it; `all` for any.
            trained_dataset: datasets it was trained on.
            search: a text in its id.
            pipeline_tag: its task.
            num_parameters: such as `min:6B,max:128B`.
            emissions_thresholds: least and most grams of CO2 that the card states; needs `cardData=True`.
            sort: `created_at`, `downloads`, `last_modified`, `likes` or `trending_score`, the largest first.
            limit: how many at the most are asked for.
            expand: names of the fields to answer with; excludes the next three.
            full: whether to ask for all fields.
            cardData: whether to ask for the cards' metadata.
            fetch_config: whether to ask for the models' configuration.
            token: overrides the token of this object.

        Raises:
            ValueError: arguments that exclude each other.
        """
        if expand and (full or cardData or fetch_config):
            msg = "`expand` cannot be used if `full`, `cardData` or `fetch_config` are passed."
            raise ValueError(msg)
        if emissions_thresholds is not None and not cardData:
            msg = "`emissions_thresholds` were passed without setting `cardData=True`."
            raise ValueError(msg)
        asked = {
            "filter": _many(filter) + _tagged("dataset", trained_dataset),
            "author": author or None,
            "apps": _many(apps),
            "gated": gated,
            "inference": inference,
            "inference_provider": inference_provider,
            "pipeline_tag": pipeline_tag or None,
            "num_parameters": num_parameters,
            "search": search or None,
            "sort": sort,
            "full": full or None,
            "config": fetch_config or None,
            "cardData": cardData or None,
            "expand": expand or None,
        }
        found = self._search(ModelInfo, "model", limit, token, asked)
        if emissions_thresholds is None:
            return found
        least, most = emissions_thresholds
        if least is None and most is None:
            msg = "Both `minimum_threshold` and `maximum_threshold` cannot both be `None`"
            raise ValueError(msg)
        low, high = (-float("inf") if least is None else least), (float("inf") if most is None else most)
        return (info for info in found if (grams := _emission(info)) is not None and low <= grams <= high)

    def list_spaces(
        self,
        *,
        filter: str | Iterable[str] | None = None,
        author: str | None = None,
        search: str | None = None,
        datasets: str | Iterable[str] | None = None,
        models: str | Iterable[str] | None = None,
        linked: bool = False,
        sort: str | None = None,
        limit: int | None = None,
        expand: list[str] | str | None = None,
        full: bool | None = None,
        token: str | bool | None = None,
    ) -> Iterator[SpaceInfo]:
        """Spaces of the hub; arguments as `list_datasets`, and those that only spaces have.

        Args:
            filter: tags that a space must have.
            author: its namespace.
            search: a text in its id.
            datasets: datasets that it uses.
            models: models that it uses.
            linked: whether it must use a dataset or model.
            sort: `created_at`, `last_modified`, `likes` or `trending_score`, the largest first.
            limit: how many at the most.
            expand: names of the fields to answer with; excludes `full`.
            full: whether to ask for all fields.
            token: overrides the token of this object.

        Raises:
            ValueError: `expand` with `full`.
        """
        if expand and full:
            msg = "`expand` cannot be used if `full` is passed."
            raise ValueError(msg)
        asked = {
            "filter": _many(filter),
            "author": author,
            "search": search,
            "datasets": _many(datasets),
            "models": _many(models),
            "linked": linked or None,
            "sort": sort,
            "full": full or None,
            "expand": expand or None,
        }
        return self._search(SpaceInfo, "space", limit, token, asked)

    def get_dataset_tags(self) -> dict[str, Any]:
        """All tags of datasets, by their type."""
        tags: dict[str, Any] = self._get("/api/datasets-tags-by-type")
        return tags

    def get_model_tags(self) -> dict[str, Any]:
        """All tags of models, by their type."""
        tags: dict[str, Any] = self._get("/api/models-tags-by-type")
        return tags
