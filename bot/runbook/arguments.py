"""What a command's parameters are called on a command line, and what each takes. Pure."""

from __future__ import annotations

import types
from datetime import timedelta
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo


def flag_of(name: str) -> str:
    """The flag of a field: ``--min-age`` for ``min_age``, ``--for`` for ``for_`` (a word of Python's own)."""
    return "--" + name.rstrip("_").replace("_", "-")


def is_positional(field_info: FieldInfo) -> bool:
    """Whether it is a word by its place, not a flag."""
    extra = field_info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("positional"))


def listed_by(field_info: FieldInfo) -> str:
    """The command that lists what may be given; empty where none does."""
    extra = field_info.json_schema_extra
    return str(extra.get("listed", "")) if isinstance(extra, dict) else ""


def may_stand_alone(field_info: FieldInfo) -> bool:
    """Whether the value of a flag may be left out, which is an empty one."""
    extra = field_info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("alone"))


def core_type(annotation: Any) -> Any:
    """``X`` for ``X | None`` and ``Annotated[X, …]``."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        return core_type(rest[0]) if len(rest) == 1 else annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def is_switch(field_info: FieldInfo) -> bool:
    """Whether it is a flag without a value."""
    return core_type(field_info.annotation) is bool


def value_name(name: str, info: FieldInfo) -> str:
    """What the value of a flag is called."""
    extra = info.json_schema_extra
    if isinstance(extra, dict) and isinstance(extra.get("metavar"), str):
        return str(extra["metavar"])
    if core_type(info.annotation) is int:
        return "N"
    return "TIME" if core_type(info.annotation) is timedelta else name.upper()


def argument_name(name: str, info: FieldInfo) -> str:
    """What a parameter is called in a usage: ``--min-age``, or ``DAY`` for one by its place."""
    return name.upper().replace("_", "-") if is_positional(info) else flag_of(name)
