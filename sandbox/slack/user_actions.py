"""User actions: typing, slash commands, shortcuts, clicks, modals and the Home tab."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.slack import seed
from sandbox.slack.delivery import Ack
from sandbox.slack.errors import SlackError
from sandbox.slack.events import Events
from sandbox.slack.message import Message, find_element
from sandbox.slack.model import Channel, Json, User
from sandbox.slack.responding import respond
from sandbox.slack.response_urls import ResponseUrl
from sandbox.slack.views import View, initial_values, merged, unfilled

if TYPE_CHECKING:
    from sandbox.slack.core import Core
    from sandbox.slack.store import Store

_NO_ACK = Ack(None, 0.0)


@dataclass(slots=True)
class Interaction:
    """One command, click or submission, and how the app answered.

    ``error`` is Slack's code if it failed (``operation_timeout``, ``dispatch_failed``, …); ``ack_seconds`` the
    time to the acknowledgement; ``errors`` a modal's complaints by block_id.
    """

    ack: Ack
    payload: Json
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    url: ResponseUrl | None = None

    @property
    def ok(self) -> bool:
        """Whether the app acknowledged with a valid response."""
        return self.error is None and not self.errors

    @property
    def ack_seconds(self) -> float:
        """Seconds from delivery to acknowledgement."""
        return self.ack.seconds

    @property
    def messages(self) -> list[Message]:
        """The messages sent so far by the acknowledgement or the response URL, in their current state."""
        return self.url.messages if self.url is not None else []


class UserActions:
    """Acts as the workspace's users."""

    def __init__(self, core: Core, events: Events) -> None:
        """``events`` delivers the app's subscribed events."""
        self._core = core
        self._events = events

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Post a message as a user. Raises SlackError user_not_found, channel_not_found, not_in_channel, …"""
        self._place(user, channel)
        if not text.strip():
            raise SlackError("no_text")
        if thread_ts is not None and self._core.store.public(channel, thread_ts) is None:
            raise SlackError("thread_not_found")
        message = Message(
            channel,
            self._core.store.next_ts(),
            user,
            escape(text, self._core.store),
            thread_ts=thread_ts,
            client_msg_id=str(uuid.uuid4()),
        )
        return self._core.store.add(message)

    def relay(self, channel: str, text: str) -> Message:
        """Post as another app, as workflows and integrations do."""
        stamp = self._core.store.next_ts()
        message = Message(channel, stamp, seed.RELAY, escape(text, self._core.store), bot_id=seed.RELAY_BOT)
        return self._core.store.add(message)

    async def slash(self, user: str, channel: str, command: str, text: str) -> Interaction:
        """Run a slash command. Raises SlackError for what Slack's client would not send."""
        person, place = self._place(user, channel)
        known = self._core.manifest.command(command)
        if known is None or "commands" not in self._core.scopes:
            raise SlackError("unknown_command")
        url = self._core.urls.issue("commands", channel, user)
        payload = {
            "token": "sandbox",
            "team_id": person.team_id(seed.TEAM_ID),
            "team_domain": seed.TEAM_DOMAIN,
            "channel_id": channel,
            "channel_name": place.command_name,
            "user_id": user,
            "user_name": person.name,
            "command": command,
            "text": escape(text, self._core.store, names=known.should_escape).strip(),
            "api_app_id": seed.APP_ID,
            "is_enterprise_install": "false",
            "response_url": self._core.base_url + url.path,
            "trigger_id": self._core.triggers.issue(user),
        }
        ack = await self._core.delivery.deliver("slash_commands", payload)
        done = Interaction(ack, payload, ack.error, url=url)
        if ack.payload:
            self._answer(done, url, ack.payload)
        return done

    def _answer(self, done: Interaction, url: ResponseUrl, payload: Json) -> None:
        try:
            respond(self._core, url, payload)
        except SlackError as error:
            done.error = error.word

    def open_assistant(self, user: str) -> Message:
        """Open a thread with the assistant. Raises SlackError."""
        self._person(user)
        if not self._core.manifest.assistant:
            raise SlackError("not_enabled")
        message = self._core.store.add(self._core.bot_message(seed.DMS[user], text="New assistant thread"))
        self._events.assistant_opened(user, message.channel, message.ts)
        return message

    def invite(self, user: str, channel: str) -> None:
        """Invite the bot to a channel. Raises SlackError already_in_channel, not_in_channel, …"""
        _, place = self._place(user, channel)
        if place.is_im or seed.BOT_USER in place.members:
            raise SlackError("cant_invite" if place.is_im else "already_in_channel")
        place.members.append(seed.BOT_USER)
        self._events.joined(seed.BOT_USER, place, user)

    async def shortcut(self, user: str, callback_id: str) -> Interaction:
        """Use a shortcut of the lightning menu. Raises SlackError for what Slack's client does not offer."""
        person = self._person(user)
        self._known_shortcut("global", callback_id)
        payload = self._common("shortcut", person) | {
            "callback_id": callback_id,
            "action_ts": self._core.store.next_ts(),
        }
        return await self._interact(payload, None)

    async def message_shortcut(self, user: str, message: Message, callback_id: str) -> Interaction:
        """Use a shortcut of a message's menu, which ephemeral messages don't have. Raises SlackError."""
        person, place = self._place(user, message.channel)
        self._known_shortcut("message", callback_id)
        if message.ephemeral_for is not None or self._core.store.get(message.channel, message.ts) is not message:
            raise SlackError("message_not_found")
        url = self._core.urls.issue("app", message.channel, user)
        payload = self._common("message_action", person) | {
            "callback_id": callback_id,
            "action_ts": self._core.store.next_ts(),
            "message_ts": message.ts,
            "channel": {"id": place.id, "name": place.command_name},
            "message": self._core.wire(message),
            "response_url": self._core.base_url + url.path,
        }
        return await self._interact(payload, url)

    def _known_shortcut(self, kind: str, callback_id: str) -> None:
        if self._core.manifest.shortcut(kind, callback_id) is None or "commands" not in self._core.scopes:
            raise SlackError("unknown_shortcut")

    async def click(self, user: str, message: Message, action: Json, values: Json | None = None) -> Interaction:
        """Use an element of a message. ``action`` needs its ``action_id`` (and ``block_id``, ``selected_…``)."""
        person, place = self._place(user, message.channel)
        if self._core.store.get(message.channel, message.ts) is not message or not message.visible_to(user):
            raise SlackError("message_not_found")
        actions = [self._action(message.blocks, action)]
        url = self._core.urls.issue("actions", message.channel, user, message)
        state = merged(initial_values(message.blocks), values or {})
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": message.ephemeral_for is not None,
        }
        if message.is_reply:
            container["thread_ts"] = message.thread_ts
        payload = self._common("block_actions", person) | {
            "container": container,
            "channel": {"id": place.id, "name": place.command_name},
            "state": {"values": _with_action(state, actions[0])},
            "response_url": self._core.base_url + url.path,
            "actions": actions,
        }
        if message.ephemeral_for is None:
            payload["message"] = self._core.wire(message)
        return await self._interact(payload, url)

    async def click_view(self, user: str, view: View, action: Json, values: Json | None = None) -> Interaction:
        """Use an element of a modal or Home."""
        person = self._person(user)
        actions = [self._action(view.body["blocks"], action)]
        view.values = _with_action(merged(view.values, values or {}), actions[0])
        payload = self._common("block_actions", person, view.id) | {
            "container": {"type": "view", "view_id": view.id},
            "view": view.wire(),
            "state": {"values": view.values},
            "actions": actions,
        }
        return await self._interact(payload, None)

    async def submit(self, user: str, view: View, values: Json) -> Interaction:
        """Submit a modal; carries out the app's response_action."""
        view.values = merged(view.values, values)
        complaints = unfilled(view, view.values)
        payload = self._common("view_submission", self._person(user), view.id)
        payload |= {"view": view.wire(), "response_urls": []}
        if complaints:
            return Interaction(_NO_ACK, payload, errors=complaints)
        done = await self._interact(payload, None)
        if done.error is None:
            try:
                self._response_action(done, view, done.ack.payload or {})
            except SlackError as error:
                done.error = error.word
        return done

    def _response_action(self, done: Interaction, view: View, answer: Json) -> None:
        action = answer.get("response_action")
        if action == "errors":
            known = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
            done.errors = {str(k): str(v) for k, v in (answer.get("errors") or {}).items() if k in known}
            if not done.errors:
                raise SlackError("invalid_arguments", ["[ERROR] errors name no input block of the view"])
        elif action == "update":
            self._core.views.update(view, answer.get("view"))
        elif action == "push":
            self._core.views.push(view.user, answer.get("view"))
        elif action is None or action == "clear":
            self._core.views.close(view, whole_stack=action == "clear")
        else:
            raise SlackError("invalid_arguments", [f"[ERROR] unknown response_action {action}"])

    async def close_view(self, user: str, view: View, *, whole_stack: bool = False) -> Interaction | None:
        """Close a modal; the app is sent view_closed if it set notify_on_close."""
        self._core.views.close(view, whole_stack=whole_stack)
        if not view.body.get("notify_on_close"):
            return None
        payload = self._common("view_closed", self._person(user))
        payload.pop("trigger_id")
        return await self._interact(payload | {"view": view.wire(), "is_cleared": whole_stack}, None)

    def open_home(self, user: str) -> View | None:
        """Open the app's Home tab; what is published so far."""
        self._person(user)
        if self._core.manifest.home_tab:
            self._events.home_opened(user)
        return self._core.views.homes.get(user)

    async def _interact(self, payload: Json, url: ResponseUrl | None) -> Interaction:
        if not self._core.manifest.interactivity:
            raise SlackError("interactivity_disabled")
        ack = await self._core.delivery.deliver("interactive", payload)
        return Interaction(ack, payload, ack.error, url=url)

    def _common(self, kind: str, person: User, view_id: str | None = None) -> Json:
        return {
            "type": kind,
            "user": {
                "id": person.id,
                "username": person.name,
                "name": person.name,
                "team_id": person.team_id(seed.TEAM_ID),
            },
            "api_app_id": seed.APP_ID,
            "token": "sandbox",
            "team": {"id": seed.TEAM_ID, "domain": seed.TEAM_DOMAIN},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self._core.triggers.issue(person.id, view_id),
        }

    def _action(self, blocks: list[Json], given: Json) -> Json:
        try:
            element = find_element(blocks, str(given.get("action_id")), given.get("block_id"))
        except KeyError as error:
            raise SlackError("action_not_found", [str(error.args[0])]) from error
        shown = {
            key: element[key]
            for key in ("type", "action_id", "block_id", "text", "value", "style", "confirm", "placeholder")
            if key in element
        }
        chosen = {k: v for k, v in given.items() if k.startswith("selected_") or k in ("value", "rich_text_value")}
        if element["type"] == "button":
            chosen = {}
        return shown | chosen | {"action_ts": self._core.store.next_ts()}

    def _person(self, user: str) -> User:
        person = self._core.store.users.get(user)
        if person is None or person.is_bot:
            raise SlackError("user_not_found")
        return person

    def _place(self, user: str, channel: str) -> tuple[User, Channel]:
        person = self._person(user)
        place = self._core.store.channels.get(channel)
        if place is None:
            raise SlackError("channel_not_found")
        if user not in place.members:
            raise SlackError("not_in_channel" if not place.is_private and not place.is_im else "channel_not_found")
        return person, place


def _with_action(values: Json, action: Json) -> Json:
    """The view's payload with the element's new value in ``state.values``."""
    block, name = action["block_id"], action["action_id"]
    if name not in values.get(block, {}):
        return values
    chosen = {k: v for k, v in action.items() if k == "type" or k.startswith("selected_") or k == "value"}
    return merged(values, {block: {name: chosen}})


_TOKEN = re.compile(r"<(?:@[UW][A-Z0-9]{5,}|#C[A-Z0-9]{5,}|!subteam\^S[A-Z0-9]{5,})(?:\|[^<>]*)?>")
_NAME = re.compile(r"(?<![\w&;])([@#])([a-z0-9][a-z0-9._-]*)")
_BROADCASTS = frozenset({"here", "channel", "everyone"})


def escape(text: str, store: Store, *, names: bool = True) -> str:
    """Convert typed text as Slack does: escape ``&<>``, keep mentions, and resolve @name and #name (``names``)."""
    pieces: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        pieces += [_typed(text[position : token.start()], store, names), token.group()]
        position = token.end()
    pieces.append(_typed(text[position:], store, names))
    return "".join(pieces)


def _typed(text: str, store: Store, names: bool) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if not names or ("@" not in safe and "#" not in safe):
        return safe
    return _NAME.sub(lambda match: _resolve(match, store), safe)


def _resolve(match: re.Match[str], store: Store) -> str:
    sigil, name = match.groups()
    if sigil == "#":
        channel = store.named(name)
        return f"<#{channel.id}|{channel.name}>" if channel else match.group()
    if name in _BROADCASTS:
        return f"<!{name}>"
    user = next((u for u in store.users.values() if u.name == name), None)
    if user is not None:
        return f"<@{user.id}|{user.name}>"
    group = next((g for g in store.groups.values() if g.handle == name), None)
    return f"<!subteam^{group.id}|@{group.handle}>" if group else match.group()
