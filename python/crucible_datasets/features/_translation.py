"""`Translation` and `TranslationVariableLanguages`: a text in several languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from crucible_datasets.features._arrow import Typed
from crucible_datasets.features._types import List, Value


@dataclass
class Translation(Typed):
    """One text for each language: a dict from language to text.

    Args:
        languages: the languages.
        id: a name of the user's own.
    """

    languages: list[str]
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    _type: str = field(default="Translation", init=False, repr=False)

    def flatten(self) -> dict[str, Value]:
        """The columns that it becomes when flattened."""
        return {language: Value("string") for language in sorted(self.languages)}


@dataclass
class TranslationVariableLanguages(Typed):
    """Texts in any of some languages: `{"language": […], "translation": […]}`, sorted.

    Args:
        languages: the languages allowed; any when absent.
        num_languages: ignored; it is the number of `languages`.
        id: a name of the user's own.
    """

    languages: Any = None
    num_languages: int | None = None
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    _type: str = field(default="TranslationVariableLanguages", init=False, repr=False)

    def __post_init__(self) -> None:
        self.languages = sorted(set(self.languages)) if self.languages else None
        self.num_languages = len(self.languages) if self.languages else None

    def encode_example(self, translation_dict: dict[str, Any]) -> dict[str, Any]:
        """Languages and texts as two lists, for a dict from language to a text or several.

        Raises:
            ValueError: a language that is not allowed.
        """
        if set(translation_dict) == {"language", "translation"}:
            return translation_dict
        unknown = sorted(set(translation_dict) - set(self.languages)) if self.languages else []
        if unknown:
            msg = (
                f"Some languages in example ({', '.join(unknown)}) are not in valid set ({', '.join(self.languages)})."
            )
            raise ValueError(msg)
        pairs = [(language, text) for language, given in translation_dict.items() for text in _texts(given)]
        pairs.sort()
        return {"language": tuple(pair[0] for pair in pairs), "translation": tuple(pair[1] for pair in pairs)}

    def flatten(self) -> dict[str, List]:
        """The columns that it becomes when flattened."""
        return {"language": List(Value("string")), "translation": List(Value("string"))}


def _texts(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
