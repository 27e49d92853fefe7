"""The workspace's content: members, channels and messages; listeners are notified of each change."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from sandbox.slack.message import Message
from sandbox.slack.model import Channel, User, UserGroup
from sandbox.slack.seed import Seed

Change = Literal["message", "message_changed", "message_deleted"]
Listener = Callable[[Change, Message], None]
Clock = Callable[[], float]

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def new_id(prefix: str) -> str:
    """A new id in Slack's format: the prefix letters and ten of A–Z, 0–9."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(10))


class Store:
    """Members, channels, messages. Each channel keeps its last ``limit`` messages."""

    def __init__(self, seed: Seed, clock: Clock, limit: int = 5000) -> None:
        """``clock`` gives seconds since the epoch; timestamps derive from it and are unique."""
        self.users: dict[str, User] = {user.id: user for user in seed.users}
        self.channels: dict[str, Channel] = {channel.id: channel for channel in seed.channels}
        self.groups: dict[str, UserGroup] = {group.id: group for group in seed.groups}
        self.listeners: set[Listener] = set()
        self._messages: dict[str, dict[str, Message]] = {channel: {} for channel in self.channels}
        self._clock = clock
        self._limit = limit
        self._last_micros = 0

    def next_ts(self) -> str:
        """A message timestamp: unique and increasing."""
        self._last_micros = max(self._last_micros + 1, int(self._clock() * 1_000_000))
        seconds, micros = divmod(self._last_micros, 1_000_000)
        return f"{seconds}.{micros:06d}"

    def dm_of(self, user: str) -> Channel | None:
        """The direct message channel between ``user`` and the app."""
        return next((c for c in self.channels.values() if c.is_im and c.user == user), None)

    def named(self, name: str) -> Channel | None:
        """A channel by its name, with or without #."""
        wanted = name.removeprefix("#")
        return next((c for c in self.channels.values() if c.name == wanted and wanted), None)

    def add(self, message: Message) -> Message:
        """Post a message and update its thread's parent."""
        channel = self._messages[message.channel]
        channel[message.ts] = message
        if len(channel) > self._limit:
            del channel[next(iter(channel))]
        self._notify("message", message)
        if message.is_reply and message.ephemeral_for is None:
            self._count_reply(message)
        return message

    def changed(self, message: Message) -> None:
        """Notify listeners that ``message`` was changed."""
        self._notify("message_changed", message)

    def delete(self, message: Message) -> None:
        """Remove a message."""
        self._messages[message.channel].pop(message.ts, None)
        self._notify("message_deleted", message)

    def get(self, channel: str, ts: str) -> Message | None:
        """A message by its ts, ephemeral ones included."""
        return self._messages.get(channel, {}).get(ts)

    def public(self, channel: str, ts: str) -> Message | None:
        """A message that the Web API can address: not an ephemeral one."""
        message = self.get(channel, ts)
        return message if message is not None and message.ephemeral_for is None else None

    def messages(self, channel: str, user: str | None = None, thread_ts: str | None = None) -> list[Message]:
        """Messages oldest first, as ``user`` sees them (None: everything, ephemeral ones of everybody included).

        With ``thread_ts`` the parent and its replies; without, everything but replies.
        """
        return [m for m in self._select(channel, thread_ts) if m.visible_to(user)]

    def _select(self, channel: str, thread_ts: str | None) -> Iterator[Message]:
        for message in self._messages[channel].values():
            if thread_ts is None:
                if not message.is_reply or message.broadcast:
                    yield message
            elif thread_ts in (message.ts, message.thread_ts):
                yield message

    def everything(self, channel: str) -> list[Message]:
        """All messages of a channel, replies and ephemeral ones included, oldest first."""
        return list(self._messages[channel].values())

    def _count_reply(self, reply: Message) -> None:
        parent = self.public(reply.channel, reply.thread_ts or "")
        if parent is None:
            return
        parent.reply_count += 1
        parent.latest_reply = reply.ts
        if reply.user not in parent.reply_users:
            parent.reply_users.append(reply.user)
        self.changed(parent)

    def _notify(self, change: Change, message: Message) -> None:
        for listener in tuple(self.listeners):
            listener(change, message)

    def set_members(self, channel: str, members: list[str]) -> None:
        """Replace a channel's member list."""
        self.channels[channel] = replace(self.channels[channel], members=list(members))
