"""The Events API: sends the app what happens in the workspace, if it is subscribed and has the scope."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from sandbox.slack import seed
from sandbox.slack.manifest import EVENT_SCOPES
from sandbox.slack.message import Message
from sandbox.slack.model import Channel, Json
from sandbox.slack.store import Change, new_id

if TYPE_CHECKING:
    from sandbox.slack.core import Core

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_CHANNEL_TYPES = {"im": "im", "channels": "channel", "groups": "group"}


class Events:
    """Turns changes of the workspace into events for the app."""

    def __init__(self, core: Core) -> None:
        """Subscribe to the store's changes."""
        self._core = core
        core.store.listeners.add(self._on_change)

    def home_opened(self, user: str) -> None:
        """Send ``app_home_opened`` for a user."""
        view = self._core.views.homes.get(user)
        dm = self._core.store.dm_of(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": dm.id if dm else "",
            "tab": "home",
            "event_ts": self._core.store.next_ts(),
        }
        if view is not None:
            event["view"] = view.wire()
        self.send("app_home_opened", event)

    def assistant_opened(self, user: str, channel: str, thread_ts: str) -> None:
        """Send ``assistant_thread_started``."""
        thread = {"user_id": user, "context": {}, "channel_id": channel, "thread_ts": thread_ts}
        event: Json = {
            "type": "assistant_thread_started",
            "assistant_thread": thread,
            "event_ts": self._core.store.next_ts(),
        }
        self.send("assistant_thread_started", event)

    def joined(self, user: str, channel: Channel, inviter: str) -> None:
        """Send ``member_joined_channel``."""
        event: Json = {
            "type": "member_joined_channel",
            "user": user,
            "channel": channel.id,
            "channel_type": "G" if channel.is_private else "C",
            "team": seed.TEAM_ID,
            "inviter": inviter,
            "event_ts": self._core.store.next_ts(),
        }
        self.send("member_joined_channel", event)

    def reaction(self, kind: str, user: str, name: str, message: Message) -> None:
        """Send ``reaction_added`` or ``reaction_removed``."""
        event = {
            "type": kind,
            "user": user,
            "reaction": name,
            "item_user": message.user,
            "item": {"type": "message", "channel": message.channel, "ts": message.ts},
            "event_ts": self._core.store.next_ts(),
        }
        self.send(kind, event)

    def send(self, name: str, event: Json) -> None:
        """Deliver an event in the background, if the app is subscribed to ``name`` and has its scope."""
        if not self._wanted(name):
            return
        self._core.spawn(self._deliver(self._envelope(event)), f"event {name}")

    def _wanted(self, name: str) -> bool:
        scope = EVENT_SCOPES[name]
        if name == "function_executed":  # sent for the app's functions, without a subscription
            return True
        return name in self._core.manifest.events and (scope is None or scope in self._core.scopes)

    async def _deliver(self, payload: Json) -> None:
        """Deliver until acknowledged: now and then after each of the redelivery delays (Slack: 0, 60, 300 s)."""
        reason = ""
        for attempt, delay in enumerate((0.0, *self._core.options.redelivery_s)):
            if delay:
                await asyncio.sleep(delay)
            ack = await self._core.delivery.deliver("events_api", payload, retry=attempt, reason=reason)
            if ack.ok:
                return
            reason = "timeout" if ack.error == "operation_timeout" else "connection_failed"

    def _envelope(self, event: Json) -> Json:
        return {
            "token": "sandbox",
            "team_id": seed.TEAM_ID,
            "context_team_id": seed.TEAM_ID,
            "context_enterprise_id": None,
            "api_app_id": seed.APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(float(event["event_ts"])),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": seed.TEAM_ID,
                    "user_id": seed.BOT_USER,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": self._core.is_shared(str(event.get("channel", ""))),
            "event_context": f"4-{new_id('E')}",
        }

    def _on_change(self, change: Change, message: Message) -> None:
        channel = self._core.store.channels[message.channel]
        if message.ephemeral_for is not None or seed.BOT_USER not in channel.members:
            return
        kind = _CHANNEL_TYPES[channel.scope_family]
        name = "message.im" if kind == "im" else f"message.{channel.scope_family}"
        if self._wanted(name):
            self.send(name, self._message_event(change, message, kind))
        mentions_bot = kind != "im" and f"<@{seed.BOT_USER}" in message.text and message.user != seed.BOT_USER
        if change == "message" and mentions_bot:
            event = self._message_event(change, message, kind)
            event.pop("channel_type")
            self.send("app_mention", event | {"type": "app_mention"})

    def _of_another_company(self, message: Message) -> Json:
        """The fields that Slack adds to a message event if its author is from another company."""
        person = self._core.store.users.get(message.user)
        if person is None or not person.team:
            return {}
        profile = {"name": person.name, "real_name": person.real_name, "team": person.team}
        return {"user_team": person.team, "source_team": person.team, "user_profile": profile}

    def _message_event(self, change: Change, message: Message, kind: str) -> Json:
        wire = self._core.wire(message) | self._of_another_company(message)
        if message.bot_id is None:
            wire.setdefault("blocks", rich_text(message.text))
        where: Json = {"channel": message.channel, "channel_type": kind}
        if change == "message":
            if message.files:
                where["subtype"] = "file_share"
            return wire | where | {"event_ts": message.ts}
        stamp = self._core.store.next_ts()
        hidden = {"type": "message", "subtype": change, "hidden": True, "ts": stamp, "event_ts": stamp}
        if change == "message_deleted":
            return hidden | where | {"deleted_ts": message.ts, "previous_message": wire}
        return hidden | where | {"message": wire}


def rich_text(text: str) -> list[Json]:
    """The rich_text block that Slack's composer sends along with a user's plain text."""
    elements: list[Json] = []
    position = 0
    for mention in _MENTION.finditer(text):
        if mention.start() > position:
            elements.append({"type": "text", "text": text[position : mention.start()]})
        elements.append({"type": "user", "user_id": mention.group(1)})
        position = mention.end()
    if position < len(text):
        elements.append({"type": "text", "text": text[position:]})
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": new_id("")[:5], "elements": [section]}]
