"""The parts of one workspace, wired together, without its HTTP server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sandbox.slack import blocks, seed
from sandbox.slack.delivery import Delivery
from sandbox.slack.errors import SlackError
from sandbox.slack.executions import Execution
from sandbox.slack.faults import Faults
from sandbox.slack.files import Files
from sandbox.slack.limits import RateLimiter
from sandbox.slack.manifest import Manifest
from sandbox.slack.message import Message
from sandbox.slack.model import Channel, Json, Scheduled
from sandbox.slack.record import Record
from sandbox.slack.response_urls import ResponseUrls
from sandbox.slack.store import Clock, Store
from sandbox.slack.triggers import Triggers
from sandbox.slack.views import Views


@dataclass(slots=True)
class Options:
    """What can be set per workspace. Times in seconds."""

    rate_limits: bool = True
    file_processing_s: float = 0.3
    redelivery_s: tuple[float, ...] = (0, 60, 300)
    ack_timeout_s: float = 3.0


class Core:
    """State and services that the Web API, the page and the users' actions share."""

    def __init__(self, manifest: Manifest, content: seed.Seed, clock: Clock, options: Options) -> None:
        """Start with the seed's content alone; the server sets ``delivery`` and ``base_url``."""
        self.manifest = manifest
        self.clock = clock
        self.options = options
        self.base_url = ""
        self.delivery: Delivery
        self.issue_ticket: Callable[[], str] | None = None
        self.faults = Faults()
        self.record = Record()
        self.store = Store(content, clock)
        self.limiter = RateLimiter(clock)
        self.triggers = Triggers(clock)
        self.files = Files(clock)
        self.views = Views(self.files.get, clock)
        self.urls = ResponseUrls(clock)
        self.scheduled: dict[str, Scheduled] = {}
        self.prompts: dict[str, list[Json]] = {}
        """The suggested prompts of each assistant thread, by its ts."""
        self.executions: dict[str, Execution] = {}
        self.workflow_tokens: set[str] = set()
        self.bot_token = f"xoxb-sandbox-{secrets.token_hex(12)}"
        self.app_token = f"xapp-1-{seed.APP_ID}-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def scopes(self) -> frozenset[str]:
        """The bot token's current scopes."""
        return self.manifest.scopes - {self.faults.missing_scope}

    def require(self, scope: str) -> None:
        """Raises SlackError missing_scope, with ``needed`` and ``provided``."""
        if scope not in self.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def checked_blocks(self, value: Any) -> list[Json]:
        """A message's blocks, validated. Raises SlackError invalid_blocks, msg_blocks_too_long."""
        if value and self.faults.invalid_blocks:
            raise SlackError("invalid_blocks", ["[ERROR] refused by the sandbox's fault slack-invalid-blocks"])
        return blocks.message_blocks(value, self.files.get) if value else []

    def bot_message(self, channel: str, text: str, **fields: Any) -> Message:
        """A message by the app, not yet posted; ``fields`` are those of :class:`Message`."""
        ts = self.store.next_ts()
        return Message(channel, ts, seed.BOT_USER, text, bot_id=seed.BOT_ID, **fields)

    def is_shared(self, channel: str) -> bool:
        """Whether a channel has a member from another company."""
        place = self.store.channels.get(channel)
        people = (self.store.users.get(user) for user in (place.members if place else ()))
        return any(person is not None and person.team for person in people)

    def wire(self, message: Message) -> Json:
        """The message in Slack's wire format."""
        return message.wire(seed.TEAM_ID, seed.APP_ID, self.base_url)

    def sees(self, channel: Channel) -> bool:
        """Whether the bot can see a channel: it is public, or the bot is a member."""
        return not channel.is_private or seed.BOT_USER in channel.members

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run something in the background until the workspace stops."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel all background tasks."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
