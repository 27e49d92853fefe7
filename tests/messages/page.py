"""One self-contained HTML page of all examples, drawn by the sandbox page's own code."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from bot.adapters.slack import units
from sandbox.slack import seed
from tests.messages import rules
from tests.messages.example import NOW, Example

HERE = Path(__file__).parent
SANDBOX = Path(seed.__file__).parents[1] / "page"
STYLES = ("base.css", "messages.css", "blocks.css", "overlays.css")
SCRIPT, STYLE, SHELL = HERE / "page.js", HERE / "page.css", HERE / "page.html"
_IMPORT = re.compile(r'(from\s+|import\s+)"\./([\w-]+\.js)"')


def page(examples: Sequence[Example]) -> str:
    """The page: no address in it leads anywhere."""
    scripts = {name: _bare(text) for name, text in _modules("messages.js", "blocks.js", "surface.js").items()}
    imports = {f"page/{name}": _data(text, "text/javascript") for name, text in scripts.items()}
    parts = {
        "title": "All messages",
        "style": "\n".join((SANDBOX / name).read_text("utf-8") for name in STYLES) + STYLE.read_text("utf-8"),
        "imports": json.dumps({"imports": imports}),
        "data": _json(_content(examples)),
        "script": SCRIPT.read_text("utf-8"),
        "count": str(len(examples)),
    }
    text = SHELL.read_text("utf-8")
    for name, value in parts.items():
        text = text.replace(f"<!--{name}-->", html.escape(value) if name in ("title", "count") else value)
    return text


def _modules(*names: str) -> dict[str, str]:
    """The sandbox page's modules of these names, and all that they import."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (SANDBOX / name).read_text("utf-8")
            waiting += [imported for _, imported in _IMPORT.findall(found[name])]
    return found


def _bare(text: str) -> str:
    """The module with names that an import map can resolve: a data URL has no folder."""
    return _IMPORT.sub(r'\1"page/\2"', text)


def _data(text: str, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _json(value: Any) -> str:
    """JSON for a script element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _content(examples: Sequence[Example]) -> Mapping[str, Any]:
    team = seed.default_seed()
    return {
        "bot": seed.BOT_USER,
        "channel": seed.OPS,
        "now": NOW.timestamp(),
        "icon": _data((SANDBOX / "app.svg").read_text("utf-8"), "image/svg+xml"),
        "users": [
            {"id": u.id, "name": u.name, "real_name": u.real_name, "is_bot": u.is_bot, "color": u.color}
            for u in team.users
        ],
        "channels": [{"id": c.id, "name": c.name} for c in team.channels],
        "groups": [{"id": g.id, "handle": g.handle, "name": g.name} for g in team.groups],
        "features": [
            {"name": feature, "examples": [_example(one) for one in found]}
            for feature, found in groupby(examples, key=lambda one: one.feature)
        ],
    }


def _example(example: Example) -> Mapping[str, Any]:
    return {
        "title": example.title,
        "private": example.private,
        "messages": [units.joined(one) for one in example.messages],
        "covers": sorted(example.covers),
        "findings": [f"{found.rule}: {found.text}" for found in rules.check(example)],
    }
