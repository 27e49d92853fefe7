"""A message as stored, in Slack's wire format, and in the page's format."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.model import File, Json


@dataclass(slots=True, eq=False)
class Message:
    """A posted message. ``ephemeral_for`` names the only user who sees it, or is None."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    thread_ts: str | None = None
    bot_id: str | None = None
    username: str | None = None
    ephemeral_for: str | None = None
    edited: Json | None = None
    client_msg_id: str | None = None
    metadata: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    reply_count: int = 0
    latest_reply: str | None = None
    reply_users: list[str] = field(default_factory=list)
    broadcast: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it sits in a thread below another message."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def visible_to(self, user: str | None) -> bool:
        """Whether ``user`` sees it; None stands for an observer who sees everything."""
        return user is None or self.ephemeral_for is None or self.ephemeral_for == user

    def all_text(self) -> str:
        """All text that a reader sees (fallback text, blocks, attachments, file titles), by line.

        No-break spaces are plain ones.
        """
        pieces = [self.text, *_texts(self.blocks), *_texts(self.attachments)]
        pieces += [f.title or f.name for f in self.files]
        return "\n".join(piece for piece in pieces if piece).replace("\u00a0", " ")

    def element(self, action_id: str, block_id: str | None = None) -> Json:
        """The interactive element with ``action_id``, with its ``block_id``; raises KeyError if there is none."""
        return find_element(self.blocks, action_id, block_id)

    def wire(self, team_id: str, app_id: str, base_url: str) -> Json:
        """The message as the Web API and event payloads carry it."""
        wire: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": team_id}
        if self.bot_id:
            wire |= {"bot_id": self.bot_id, "app_id": app_id}
        wire |= self._content(team_id, base_url)
        if self.thread_ts or self.reply_count:
            wire["thread_ts"] = self.thread_ts or self.ts
        if self.reply_count:
            wire |= {
                "reply_count": self.reply_count,
                "latest_reply": self.latest_reply,
                "reply_users": list(self.reply_users),
                "reply_users_count": len(self.reply_users),
            }
        return wire

    def _content(self, team_id: str, base_url: str) -> Json:
        optional = {
            "blocks": self.blocks,
            "attachments": self.attachments,
            "files": [f.wire(base_url, team_id) for f in self.files],
            "edited": self.edited,
            "client_msg_id": self.client_msg_id,
            "metadata": self.metadata,
            "username": self.username,
            "reactions": [
                {"name": name, "users": list(users), "count": len(users)} for name, users in self.reactions.items()
            ],
        }
        return {key: value for key, value in optional.items() if value}

    def page(self, base_url: str) -> Json:
        """The message in the format of PAGE_API.md."""
        return {
            "ts": self.ts,
            "thread_ts": self.thread_ts if self.is_reply else None,
            "user": self.user,
            "username": self.username,
            "text": self.text,
            "blocks": self.blocks,
            "attachments": self.attachments,
            "files": [f.page(base_url) for f in self.files],
            "ephemeral_for": self.ephemeral_for,
            "edited": self.edited,
            "reply_count": self.reply_count,
            "latest_reply": self.latest_reply,
            "broadcast": self.broadcast,
            "reactions": [{"name": name, "users": list(users)} for name, users in self.reactions.items()],
        }


def _without_dates(elements: list[Any]) -> list[Any]:
    """The elements with each date's fallback as text, in one piece with neighbours of the same style."""
    found: list[Any] = []
    last = ""
    for element in elements:
        kind = element.get("type", "") if isinstance(element, dict) else ""
        one = element
        if kind == "date":
            one = {"type": "text", "text": element.get("fallback", "")}
            one |= {"style": element["style"]} if "style" in element else {}
        if "date" in (kind, last) and {kind, last} <= {"text", "date"} and _styled_alike(found[-1:], one):
            found[-1] = {**found[-1], "text": found[-1]["text"] + one["text"]}
        else:
            found.append(one)
        last = kind
    return found


def _styled_alike(before: list[Any], element: Json) -> bool:
    return bool(before) and before[0].get("style") == element.get("style")


def find_element(blocks: list[Json], action_id: str, block_id: str | None = None) -> Json:
    """The interactive element with ``action_id`` in ``blocks``, plus its block's id. Raises KeyError."""
    for block in blocks:
        if block_id is not None and block.get("block_id") != block_id:
            continue
        for element in _elements(block):
            if element.get("action_id") == action_id:
                return {**element, "block_id": block["block_id"]}
    known = [e.get("action_id") for b in blocks for e in _elements(b) if e.get("action_id")]
    raise KeyError(f"no element with action_id {action_id!r}; there are {known}")


def _elements(block: Json) -> list[Json]:
    found = [block[key] for key in ("accessory", "element") if isinstance(block.get(key), dict)]
    elements = block.get("elements")
    return found + [e for e in elements if isinstance(e, dict)] if isinstance(elements, list) else found


_TEXT_KEYS = frozenset(
    {"text", "title", "label", "alt_text", "fallback", "pretext", "value", "hint", "placeholder"}
)


_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")


def _texts(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for item in _without_dates(node) for text in _texts(item)]
    if not isinstance(node, dict):
        return []
    found: list[str] = []
    for key, value in node.items():
        if isinstance(value, str):
            if key in _TEXT_KEYS and not (key == "value" and node.get("type") == "button"):
                found.append(_DATE.sub(r"\1", value) if node.get("type") == "mrkdwn" else value)
        else:
            found += _texts(value)
    return found
