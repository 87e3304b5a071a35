"""The file formats as JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from llmaudit.probesets.lexicons import IntersectionFile, LexiconFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def describe_format(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema of the files that a model reads.

    Parameters
    ----------
    model : type of BaseModel
    title : str
        What editors call it.
    """
    return {"$schema": _DIALECT, **model.model_json_schema(by_alias=True), "title": title}


def lexicon_format() -> dict[str, Any]:
    """Return the JSON Schema of lexicons: groups, or how those of two axes are put together."""
    either: TypeAdapter[Any] = TypeAdapter(LexiconFile | IntersectionFile)
    title = "llmaudit lexicon file"
    return {"$schema": _DIALECT, **either.json_schema(by_alias=True), "title": title}
