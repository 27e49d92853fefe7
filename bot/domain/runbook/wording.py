"""Says what is wrong with a value of a runbook file, in the file's words rather than in Python's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard, get_args

from pydantic import BaseModel

from bot.domain.core import invalid, words
from bot.domain.runbook.entry import LONGEST_NAME, NAME

NAMES = f"a name has small letters, digits and -, at most {LONGEST_NAME} of them"
"""What names are made of."""


def is_name(given: Any) -> TypeGuard[str]:
    """Whether it can name a runbook or an entry."""
    return isinstance(given, str) and len(given) <= LONGEST_NAME and re.fullmatch(NAME, given) is not None


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def wrong_variable(given: Any) -> str | None:
    """Why a fact can't be called so in expressions; None where it can."""
    if (
        not isinstance(given, str)
        or len(given) > LONGEST_NAME
        or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", given)
    ):
        return f"a fact's name has letters, digits and _, since expressions use it, and this is {shown(given)}"
    if given in RESERVED_IN_CEL:
        return f"no fact can be called {given!r}: it means something else in expressions"
    return None


RESERVED_IN_CEL = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
        "import", "let", "loop", "package", "namespace", "return", "var", "void", "while", "int", "uint", "double",
        "bool",
        "string", "bytes", "list", "map", "type", "null_type", "now", "param",
    }
)  # fmt: skip
"""Words of CEL, its types, and the variables that there are besides facts."""


def shown(given: Any) -> str:
    """A value as the file writes it, shortened."""
    if isinstance(given, bool):
        return str(given).lower()
    return repr(words.cut(given, 40)) if isinstance(given, str) else words.cut(str(given), 40)


def wrong_value(item: Mapping[str, Any]) -> str:
    """Return what is wrong, for a validation error."""
    if (item.get("ctx") or {}).get("pattern") == NAME:
        return NAMES
    return invalid.wrong(item)


def settings_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The settings of the model that ``path``, of names and numbers, leads to from ``model``."""
    return list(_fields(_model_at(model, path)))


def below(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The settings beside ``path`` that have one of its last name below them: ``fails`` for ``severity``."""
    beside = _fields(_model_at(model, path[:-1])).items()
    return [name for name, inner in beside if any(path[-1] in _fields(one) for one in _models(inner))]


def inner_settings(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The settings one level below those of the model that ``path`` leads to."""
    return [
        name
        for inner in _fields(_model_at(model, path)).values()
        for one in _models(inner)
        for name in _fields(one)
    ]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_at(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    for at, part in enumerate(path):
        if inner := next(_models(_fields(model).get(part)), None):
            return _model_at(inner, path[at + 1 :])
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as ``tuple[ContainerTarget, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
