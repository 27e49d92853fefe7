"""One Web API call: its arguments as the documented types, and the checks most methods share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.slack import seed
from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError, invalid_arguments
from sandbox.slack.model import Channel, Json

_TRUE = frozenset({"1", "true", "True"})


@dataclass(slots=True)
class Call:
    """A call with a valid token."""

    core: Core
    args: Json

    def text(self, name: str, default: str | None = None) -> str:
        """A string argument. Raises SlackError invalid_arguments if it is missing and has no default."""
        value = self.args.get(name)
        if value is None or value == "":
            if default is None:
                raise invalid_arguments(f"missing required field: {name}")
            return default
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise invalid_arguments(f"must provide a string [json-pointer:/{name}]")
        return str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean argument; forms carry them as 1/0 or true/false."""
        value = self.args.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else str(value) in _TRUE

    def number(self, name: str, default: int) -> int:
        """An integer argument."""
        value = self.args.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise invalid_arguments(f"must provide an integer [json-pointer:/{name}]") from None

    def structure(self, name: str) -> Any:
        """A JSON argument, given as JSON or as a string of JSON; None if absent."""
        value = self.args.get(name)
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                return json.loads(value)
            except ValueError:
                word = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
                raise SlackError(word, [f"[ERROR] {name} is not JSON"]) from None
        return value

    def channel(self, name: str = "channel") -> Channel:
        """A channel by id that the bot can see. Raises SlackError channel_not_found."""
        found = self.core.store.channels.get(self.text(name))
        if found is None or not self.core.sees(found):
            raise SlackError("channel_not_found")
        return found

    def destination(self, name: str = "channel") -> Channel:
        """Where to post: a channel's id or name, or a user's id for the direct message. Raises SlackError."""
        wanted = self.text(name)
        store = self.core.store
        by_id = store.dm_of(wanted) if wanted in store.users else store.channels.get(wanted)
        found = by_id or store.named(wanted)
        if found is None or not self.core.sees(found):
            raise SlackError("channel_not_found")
        if found.is_archived:
            raise SlackError("is_archived")
        if seed.BOT_USER not in found.members and "chat:write.public" not in self.core.scopes:
            raise SlackError("not_in_channel")
        return found

    def page(self, items: list[Any], default: int = 100, maximum: int = 1000) -> tuple[list[Any], Json]:
        """One page of ``items`` and the ``response_metadata`` that leads to the next."""
        limit = self.number("limit", default) or default
        if not 0 < limit <= maximum:
            raise SlackError("invalid_limit")
        cursor = self.text("cursor", "0")
        if not cursor.isdigit():
            raise SlackError("invalid_cursor")
        start = int(cursor)
        following = start + limit if start + limit < len(items) else None
        return items[start : start + limit], {"next_cursor": str(following) if following else ""}


Handler = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Method:
    """A Web API method: its handler, rate tier, scope, and the kind of token it takes."""

    handler: Handler
    tier: int
    scope: str | None = None
    app_token: bool = False
