"""The JSON Schema of a runbook file, from the entries' models and the kinds of facts."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from bot.domain.runbook.entry import MOST, NAME
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.model import Trial
from bot.domain.runbook.pod_entry import PodEntry
from bot.runbook.file.declared_repairs import BUILTIN
from bot.runbook.file.loaded import SECTIONS
from bot.runbook.file.loader import TOP, VERSION
from bot.settings.schema import DIALECT, SchemaGenerator

Schema = dict[str, Any]
_FACT = {"$ref": "#/$defs/FactUse"}
_REPAIR: Schema = {"anyOf": [{"type": "string", "pattern": NAME, "maxLength": 60}, {"enum": sorted(BUILTIN)}]}
_OFFER: Schema = {
    "description": "A repair that is offered as a button, with its parameters.",
    "anyOf": [
        _REPAIR,
        {
            "type": "object",
            "properties": {"repair": _REPAIR},
            "required": ["repair"],
            "additionalProperties": {"type": ["string", "integer"]},
        },
    ],
}
_ABOUT = {
    "runbook": "The runbook's name.",
    "version": "The format's version.",
    "extends": "Runbooks that this one extends: names of shipped ones, or paths.",
    "pod": "What is expected of the pod; what the target's settings say comes first.",
    "checks": "By name: facts that are read, and what must be true of them.",
    "diagnoses": "By name: lists of causes, each with the line that proves it.",
    "commands": "By name: commands that read and show something.",
    "repairs": "By name: commands that change something in the pod, once they are approved.",
    "impact": "By name: what a restart would cost, shown on its card.",
    "tests": "Recorded facts and what must come out; they are run by lint and at each start of the bot.",
}


def runbook_schema() -> Schema:
    """Return the JSON Schema of a runbook file."""
    models: list[type[BaseModel]] = [*SECTIONS.values(), PodEntry, Trial, *(kind.settings for kind in KINDS)]
    refs, whole = models_json_schema([(m, "validation") for m in models], schema_generator=_Generator)
    defs = whole["$defs"]
    kinds = {kind.name: dict(refs[kind.settings, "validation"]) | {"description": kind.about} for kind in KINDS}
    for name, made in defs.items():
        defs[name] = _entry(made, kinds)
    defs["Offer"] = _OFFER
    defs["FactUse"] = {
        "description": "A fact: one kind with its settings.",
        "type": "object",
        "properties": kinds,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    top = {name: _section(refs[model, "validation"]) for name, model in SECTIONS.items()}
    words = {"type": "array", "items": {"type": "string"}}
    top |= {
        "runbook": {"type": "string", "minLength": 1},
        "version": {"type": "integer", "minimum": 1, "maximum": VERSION, "default": VERSION},
        "extends": {"anyOf": [{"type": "string"}, words]},
        "pod": {"anyOf": [refs[PodEntry, "validation"], {"type": "null"}]},
        "tests": {"type": "array", "items": refs[Trial, "validation"]},
    }
    return {
        "$schema": DIALECT,
        "title": "A runbook of agentpod",
        "type": "object",
        "properties": {
            name: {"description": _ABOUT[name]} | top[name] if name in _ABOUT else top[name] for name in TOP
        },
        "required": ["runbook"],
        "additionalProperties": False,
        "$defs": defs,
    }


class _Generator(SchemaGenerator):
    duration: ClassVar[JsonSchemaValue] = {"type": "string", "pattern": "^([0-9]{1,6}[dhms])+$"}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A fact is filled in later: the loader makes it from a kind and its settings."""
        return {} if schema["cls"] is FactUse else super().dataclass_schema(schema)


def _section(ref: Schema) -> Schema:
    """Entries by name; one that is disabled has nothing else."""
    off = {
        "type": "object",
        "description": "Removes an entry of a runbook that this one extends.",
        "properties": {"disabled": {"const": True}},
        "required": ["disabled"],
        "additionalProperties": False,
    }
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME, "maxLength": 60},
        "maxProperties": MOST,
        "additionalProperties": {"anyOf": [ref, off]},
    }


def _entry(made: Schema, kinds: Schema) -> Schema:
    """A model as the file writes it: facts that are required may be one fact, given directly by its kind."""
    properties = made.get("properties", {})
    for name, shown in list(properties.items()):
        if shown.get("additionalProperties") == _FACT and shown.get("minProperties"):
            return _with_one_fact(made, name, shown, kinds)
        if shown.get("$ref") == _FACT["$ref"]:
            facts = {"type": "object", "additionalProperties": _FACT, "minProperties": 1, "maxProperties": 1}
            return _with_one_fact(made, name, facts | {"description": shown.get("description", "")}, kinds)
    return made


def _with_one_fact(made: Schema, name: str, facts: Schema, kinds: Schema) -> Schema:
    """A model that takes ``facts``, or one fact by its kind."""
    ways = [{"required": [way]} for way in ("facts", *kinds)]
    others = {key: shown for key, shown in made["properties"].items() if key != name}
    required = [one for one in made.get("required", ()) if one != name]
    return made | {"properties": {"facts": facts} | others | kinds, "required": required, "oneOf": ways}
