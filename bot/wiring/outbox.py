"""Registers the features' message kinds and the settings' sinks, and builds the outbox worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bot.adapters.picture import Painter
from bot.adapters.sinks.slack import SlackSink
from bot.domain.core.outside import Outside
from bot.domain.core.registry import Registry, found_in
from bot.domain.core.reply import Line
from bot.domain.outbox.message import OutboxMessage
from bot.ports.chat import Chat
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.sinks import Sink, SinkType
from bot.services.approvals.approval_messages import RequestMessages
from bot.services.digest.anchor_messages import AnchorMessages
from bot.services.digest.post_digest import DigestMessages
from bot.services.heartbeats.own_heartbeat import OfflineMessages
from bot.services.incidents.incident_messages import IncidentMessages
from bot.services.incidents.issue_messages import IssueMessages
from bot.services.outbox import undelivered
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.reroute import PendingRerouter
from bot.services.outbox.worker import OutboxWorker
from bot.settings.model import Settings
from bot.wiring.incidents import digest_channel, digest_time

CALLED: Registry[SinkType[Any]] = Registry("sink", found_in("bot.adapters.sinks", SinkType))
"""All optional servers that the bot calls: every `SINK` of a package there. Slack always exists."""


class Outbox:
    """The message kinds, the sinks, and the worker that delivers messages."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
        outside: Outside,
        kinds: Iterable[MessageKind] = (),
        sinks: Iterable[Sink] = (),
    ) -> None:
        """Make no connection. ``kinds`` and ``sinks`` are added to the built-in ones."""
        self._ledger, self._clock = ledger, clock
        self._worker: OutboxWorker | None = None
        self.digests = DigestMessages(
            ledger,
            clock,
            settings.targets,
            digest_time(settings),
            Painter() if settings.digest.picture else None,
            settings.alerts,
            heartbeats=bool(settings.pushgateway.url),
            undelivered=self.undelivered,
        )
        channel = settings.slack.channel or ""
        self.kinds: Registry[MessageKind] = Registry(
            "message kind",
            (
                *RequestMessages(ledger, clock, settings.approvals, settings.access).kinds(),
                *IncidentMessages(ledger, clock, settings.alerts, len(settings.targets) > 1).kinds(channel),
                *IssueMessages(ledger, clock).kinds(),
                *OfflineMessages(clock).kinds(channel),
                *self.digests.kinds(digest_channel(settings)),
                *AnchorMessages(ledger).kinds(),
                *kinds,
            ),
        )
        made = [kind.make(settings, outside) for kind in CALLED if kind.takes_messages and kind.address(settings)]
        self.sinks: Registry[Sink] = Registry("sink", (*made, *sinks))

    async def undelivered(self, messages: Sequence[OutboxMessage]) -> list[Line]:
        """See `bot.ports.outbox.Undelivered`."""
        return await undelivered.lines(messages, self.kinds)

    def worker(self, chat: Chat, observe: Callable[[str, str], None]) -> OutboxWorker:
        """Build the worker; ``observe`` is called after each attempt."""
        self._worker = OutboxWorker(
            self._ledger, self._clock, self.kinds, self.sinks.with_([SlackSink(chat)]), observe
        )
        return self._worker

    def rerouter(self) -> PendingRerouter:
        """Build the task that moves pending messages to the channels in the settings."""
        places = {kind.name: kind.place for kind in self.kinds if kind.place}
        return PendingRerouter(self._ledger, self._clock, places, self.wake)

    def wake(self) -> None:
        """Wake the worker, since a message was enqueued."""
        if self._worker is not None:
            self._worker.wake()

    async def finish(self, seconds: float) -> None:
        """Send what is due before a stop, for at most ``seconds``."""
        if self._worker is not None:
            await self._worker.finish(seconds)

    async def close(self) -> None:
        """Close the sinks' connections."""
        for sink in self.sinks:
            await sink.close()
