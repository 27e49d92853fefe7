"""Durations as a runbook writes them: ``30s``, ``5m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_PART = re.compile(r"([0-9]{1,6})(d|h|m|s)")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def parse(value: Any) -> timedelta:
    """Parse a duration. Raises ValueError with what would be right."""
    if isinstance(value, timedelta):
        return value
    text = str(value)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("this is no duration: write it as 30s, 5m, 1h or 2d")
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())


Duration = Annotated[timedelta, BeforeValidator(parse)]
