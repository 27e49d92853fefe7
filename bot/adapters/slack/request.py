"""What somebody asked for in Slack, however they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.domain.outbox.message import MessageRef
from bot.domain.rbac.membership import Claims
from bot.runbook.context import Surface

ActionKind = Literal["run", "again", "share"]


@dataclass(frozen=True)
class Action:
    """A click on one of the bot's buttons."""

    kind: ActionKind
    key: str = ""
    """The key of the shown answer in `memory.Answers`, for sharing."""


@dataclass(frozen=True)
class StepRun:
    """A run of a workflow's custom step: Slack's id of it, and which step it is."""

    execution: str
    callback: str


@dataclass(frozen=True)
class SlackRequest:
    """A user's request. ``line`` is the command line; None for a click or form that can't be read."""

    surface: Surface
    user: str
    channel: str
    line: str | None
    dedup: str
    response_url: str = ""
    thread_ts: str | None = None
    action: Action | None = None
    ephemeral: bool = False
    """Whether only the user saw the clicked message."""
    trigger: str = ""
    """Slack's trigger id, which opens one modal within three seconds."""
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """A form's values by field name."""
    sink: str = ""
    """The receiver of secret values; such a form has no command line."""
    home: bool = False
    """Whether it came from the user's Home tab, or a modal above it; the tab is then refreshed."""
    view: str = ""
    """The modal of an earlier answer in which it was clicked."""
    view_hash: str = ""
    """That modal's state when it was clicked: Slack refuses an update that names an older one."""
    edits: bool = False
    """Whether the answer to a form replaces the message that offered it."""
    claims: Claims = ()
    """What the payload says about the user's team."""
    in_thread: bool = False
    """Whether a message was written in an existing thread."""
    private: bool = False
    """Whether the answer to a public request is shown to the requester only."""
    message_ts: str = ""
    """The clicked message, of those in a conversation; of a form, that whose button opened it."""
    since: int = 0
    """When the response URL of a form was made, in seconds since the epoch; 0: now."""
    below: str = ""
    """The message in whose thread a click or a shortcut is answered for all."""
    said: str = ""
    """What is answered where there is no line to run."""
    joined: bool = False
    """Whether it is the bot that has joined the channel."""
    step: StepRun | None = None
    """The workflow's step that waits for the outcome; its ``user`` may be empty."""

    @property
    def tap(self) -> str:
        """Who clicked on which button of which message, or state of a view; empty for what is no click."""
        if self.surface != "button":
            return ""
        place = (self.view, self.view_hash) if self.view else (self.channel, self.message_ts)
        return repr((self.user, *place, self.action, self.line))

    @property
    def beside(self) -> MessageRef | None:
        """The message that it is about, as far as it is known: the first one of its thread, or the clicked one."""
        ts = self.thread_ts or ("" if self.ephemeral else self.message_ts)
        return MessageRef(self.channel, ts) if ts and self.channel else None

    @property
    def public(self) -> bool:
        """Whether others in the conversation see the answer: an answer by response URL is for the user alone."""
        direct = self.channel.startswith("D") or self.channel == self.user
        return not (self.private or direct) and (bool(self.below) or not self.response_url)
