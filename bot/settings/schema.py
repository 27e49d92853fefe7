"""JSON Schemas from the models, so that editors complete and check a file; descriptions are the docstrings."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bot.settings.model import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the settings file."""
    made = Settings.model_json_schema(schema_generator=SchemaGenerator, by_alias=True)
    return {"$schema": DIALECT, "title": "agentpod's settings", **made}


def field_notes(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings under a model's fields, inherited ones included."""
    notes: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls.__module__.partition(".")[0] != "pydantic":
            notes |= _own_notes(cls)
    return notes


def plain(docstring: str) -> str:
    """Return a docstring in one line, with code marked as in Markdown."""
    return " ".join(docstring.replace("``", "`").split())


def duration_text(value: timedelta) -> str:
    """Return a duration as files write it: ``90s``, ``5m``, ``2d``."""
    seconds = value.total_seconds()
    if not seconds:
        return "0s"
    for size, unit in _UNITS:
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"


def _own_notes(cls: type[BaseModel]) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # a class that has no source, such as pydantic-settings'
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: plain(str(text.value.value))
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


class SchemaGenerator(GenerateJsonSchema):
    """Pydantic's generator, with docstrings, and durations as the files write them."""

    duration: ClassVar[JsonSchemaValue] = {
        "type": ["string", "integer"],
        "pattern": r"^\s*(0|([0-9]{1,12}(\.[0-9]{1,9})?(ms|s|m|h|d|w))+)\s*$",
        "maximum": 0,
    }
    """What a duration may be: settings take 0 for some."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        """A text such as ``5m``, and not ISO 8601's ``PT5M``."""
        return dict(self.duration)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The model with its fields' docstrings; it is known by the name of its definition."""
        made, cls = super().model_schema(schema), schema["cls"]
        made.pop("title", None)
        if "description" in made:
            made["description"] = plain(made["description"])
        notes = field_notes(cls)
        for name, info in cls.model_fields.items():
            shown = made.get("properties", {}).get(info.alias or name)
            if shown is not None and name in notes:
                shown.setdefault("description", notes[name])
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """No titles: they would repeat the names."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A section's default is that of its settings: it isn't repeated around them."""
        default = schema.get("default")
        inside = default if isinstance(default, tuple) else (default,)
        if any(isinstance(one, BaseModel) for one in inside):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        """Defaults as the files write them."""
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
