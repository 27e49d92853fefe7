"""Short texts that differ where two entries of a runbook differ in anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from bot.domain.runbook.kind import FactKind


def fingerprint(entry: BaseModel) -> str:
    """Return a short text that is the same in every process, and differs where anything of the entry differs."""
    return hashlib.sha256(_plain(entry).encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return _plain({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, FactKind):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        return _plain({one.name: getattr(value, one.name) for one in fields(value)})
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_plain(key)}:{_plain(one)}' for key, one in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"<{','.join(sorted(map(_plain, value)))}>"
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_plain, value))}]"
    return repr(value)
