"""Keeps a number and its unit on one line, such as ``6 h 51 min`` or ``31 %``. Pure.

Code, preformatted text and the values of buttons stay as they are: people paste them, and programs read them.
"""

from __future__ import annotations

import re
from typing import Any

NO_BREAK = "\u00a0"
_UNIT = r"(?:d|h|min|m?s|%|[KMGTP]iB|B)(?!\w)"
_MEASURE = re.compile(rf"\d {_UNIT}(?: \d+ {_UNIT})*")


def joined(value: Any) -> Any:
    """Return blocks, or a view, with no-break spaces in each measure of their texts."""
    if isinstance(value, list):
        return [joined(part) for part in value]
    if not isinstance(value, dict) or _is_code(value):
        return value
    return {key: _text(part) if key == "text" else joined(part) for key, part in value.items()}


def _text(text: Any) -> Any:
    if not isinstance(text, str):  # the text object of a button or a header
        return joined(text)
    return _MEASURE.sub(lambda found: found[0].replace(" ", NO_BREAK), text)


def _is_code(element: dict[str, Any]) -> bool:
    style = element.get("style")
    return element.get("type") == "rich_text_preformatted" or (isinstance(style, dict) and bool(style.get("code")))
