"""Takes a message's texts out of its blocks, each with the part of the message that it stands in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
SPOKEN = ("headline", "prose", "note", "confirm", "label")
"""Parts whose text is in the bot's own words. Others are cells, buttons, and what programs printed."""
CODE = "`code`"
"""Stands for what is shown as code, in a text."""
DATE = "{date}"
"""Stands for a time that Slack shows in the reader's own zone."""
_MRKDWN = ((re.compile(r"<!date\^[^>]*>"), DATE), (re.compile(r"`[^`]+`"), CODE))


@dataclass(frozen=True)
class Text:
    """One text of a message: a paragraph, a fact, a cell, a button's label."""

    part: str
    text: str

    @property
    def spoken(self) -> bool:
        """Whether it is in the bot's own words."""
        return self.part in SPOKEN


def texts(message: Json) -> list[Text]:
    """All texts that a reader sees, in order; the first rich text is the headline."""
    found = [text for block in message["blocks"] for text in _block(block) if text.text.strip()]
    found += [Text("button", message[key]["text"]) for key in ("title", "submit", "close") if key in message]
    first = next((n for n, text in enumerate(found) if text.part == "prose"), None)
    if first is not None and message.get("type") != "modal":
        found[first] = Text("headline", found[first].text)
    return found


def headline(message: Json) -> str:
    """The first line."""
    return next((text.text for text in texts(message) if text.part == "headline"), "")


def _block(block: Json) -> Iterator[Text]:
    kind = block["type"]
    if kind == "rich_text":
        for element in block["elements"]:
            yield from _rich(element)
    elif kind == "table":
        for row in block["rows"]:
            yield from (Text("cell", _cell(cell)) for cell in row)
    elif kind == "context":
        yield from (Text("note", _plain(element)) for element in block["elements"])
    elif kind == "actions":
        for element in block["elements"]:
            yield from _element(element)
    elif kind == "image":
        yield Text("alt", block["alt_text"])
    elif kind == "input":
        yield from (Text("label", _plain(block[key])) for key in ("label", "hint") if key in block)
    elif kind in ("section", "header"):
        yield from (Text("prose", _plain(one)) for one in (block.get("text"), *block.get("fields", ())) if one)


def _rich(element: Json) -> Iterator[Text]:
    kind = element["type"]
    if kind == "rich_text_list":
        for each in element["elements"]:
            yield from _rich(each)
        return
    part = "prose" if kind == "rich_text_section" else "output"
    yield Text(part, "".join(_inline(one) for one in element["elements"]))


def _inline(element: Json) -> str:
    kind = element["type"]
    if kind in ("user", "usergroup", "channel", "emoji"):
        return f"@{kind}"
    if kind == "date":
        return DATE
    text = str(element.get("text", element.get("url", "")))
    return CODE if element.get("style", {}).get("code") and text.strip() else text


def _cell(cell: Json) -> str:
    if cell["type"] == "rich_text":
        return " ".join(text.text for part in cell["elements"] for text in _rich(part))
    return str(cell.get("text", ""))


def _plain(text: Json) -> str:
    found = str(text.get("text", text.get("alt_text", "")))
    for pattern, instead in _MRKDWN if text.get("type") == "mrkdwn" else ():
        found = pattern.sub(instead, found)
    return found


def _element(element: Json) -> Iterator[Text]:
    for key in ("text", "placeholder"):
        if key in element:
            yield Text("button", _plain(element[key]))
    for option in element.get("options", ()):
        yield Text("button", _plain(option["text"]))
    if "confirm" in element:
        yield Text("confirm", _plain(element["confirm"]["text"]))
