"""Registers the features' message kinds and the settings' sinks, and builds the outbox worker.

The kinds are loaded at their first use, once Slack is connected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bot.domain.core.outside import Outside
from bot.domain.core.registry import Registry, found_in
from bot.domain.core.reply import Line
from bot.domain.outbox.message import OutboxMessage
from bot.ports.chat import Chat
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.people import People
from bot.ports.sinks import Sink, SinkType
from bot.services.outbox.kind import MessageKind
from bot.settings.model import Settings
from bot.wiring.channels import digest_channel, digest_time

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook
    from bot.services.digest.post_digest import DigestMessages
    from bot.services.incidents.alert_links import AlertLinks
    from bot.services.outbox.message_links import MessageLinks
    from bot.services.outbox.reroute import PendingRerouter
    from bot.services.outbox.worker import OutboxWorker

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
        books: Mapping[str, CompiledRunbook] | None = None,
    ) -> None:
        """Make no connection. ``kinds`` and ``sinks`` are added to the built-in ones;
        ``books`` are the targets' runbooks.

        Raises ValueError for a name that is taken.
        """
        self._settings, self._ledger, self._clock = settings, ledger, clock
        self._more = tuple(kinds)
        self._books = books or {}
        self._worker: OutboxWorker | None = None
        self._chat: Chat | None = None
        self.people: People | None = None
        """Looks up who gets direct messages; None before Slack is connected."""
        made = [kind.make(settings, outside) for kind in CALLED if kind.takes_messages and kind.address(settings)]
        self.sinks: Registry[Sink] = Registry("sink", (*made, *sinks))
        if self._more:
            self.kinds  # noqa: B018 - refuses a name that is taken now, not at the first message

    @cached_property
    def digests(self) -> DigestMessages:
        """Renders the digests."""
        from bot.adapters.picture import Painter
        from bot.services.digest.post_digest import DigestMessages

        settings = self._settings
        return DigestMessages(
            self._ledger,
            self._clock,
            settings.targets,
            digest_time(settings),
            Painter() if settings.digest.picture else None,
            settings.alerts,
            heartbeats=bool(settings.pushgateway.url),
            undelivered=self.undelivered,
        )

    @cached_property
    def links(self) -> AlertLinks:
        """Makes the links of alerts and answers."""
        from bot.services.incidents.alert_links import AlertLinks

        targets = {target.name: target for target in self._settings.targets}
        return AlertLinks(targets, self._settings.alerts.runbook_urls, self._books)

    @cached_property
    def message_links(self) -> MessageLinks:
        """Makes links to the bot's own messages, once it is connected."""
        from bot.services.outbox.message_links import MessageLinks

        return MessageLinks(self._ledger, self._clock)

    @cached_property
    def kinds(self) -> Registry[MessageKind]:
        """All kinds of messages."""
        from bot.services.approvals.approval_messages import RequestMessages
        from bot.services.approvals.receipts import ReceiptMessages
        from bot.services.digest.anchor_messages import AnchorMessages
        from bot.services.heartbeats.own_heartbeat import OfflineMessages
        from bot.services.incidents.direct_messages import DirectMessages
        from bot.services.incidents.incident_messages import IncidentMessages
        from bot.services.incidents.issue_messages import IssueMessages
        from bot.services.welcome.welcomes import Welcomes

        settings, ledger, clock = self._settings, self._ledger, self._clock
        several, links, posted = len(settings.targets) > 1, self.links, self.message_links
        channel = settings.slack.channel or ""
        return Registry(
            "message kind",
            (
                *RequestMessages(
                    ledger, clock, settings.approvals, settings.access, posted, lambda: self.people
                ).kinds(),
                *ReceiptMessages(ledger, clock, settings.approvals, settings.access, posted).kinds(),
                *IncidentMessages(ledger, clock, settings.alerts, several, links, self._is_shared, posted).kinds(
                    channel
                ),
                *DirectMessages(
                    ledger,
                    clock,
                    settings.access,
                    settings.target_names,
                    channel,
                    lambda: self.people,
                    links,
                    posted,
                ).kinds(),
                *IssueMessages(ledger, clock).kinds(),
                *OfflineMessages().kinds(channel),
                *self.digests.kinds(digest_channel(settings)),
                *AnchorMessages(ledger).kinds(),
                *Welcomes(ledger, settings.access, settings.slack.command).kinds(),
                *self._more,
            ),
        )

    async def undelivered(self, messages: Sequence[OutboxMessage]) -> list[Line]:
        """See `bot.ports.outbox.Undelivered`."""
        from bot.services.outbox import undelivered

        return await undelivered.lines(messages, self.kinds)

    async def _is_shared(self, place: str) -> bool:
        """Whether people of another company are in a channel; so is each while there is no chat to ask."""
        return self._chat is None or await self._chat.is_shared(place)

    def worker(self, chat: Chat, observe: Callable[[str, str], None]) -> OutboxWorker:
        """Build the worker; ``observe`` is called after each attempt."""
        from bot.adapters.sinks.slack import ReceiptSink, SlackSink
        from bot.services.outbox.worker import OutboxWorker

        self._chat = chat
        self.message_links.chat = chat
        self._worker = OutboxWorker(
            self._ledger, self._clock, self.kinds, self.sinks.with_([SlackSink(chat), ReceiptSink(chat)]), observe
        )
        return self._worker

    def rerouter(self) -> PendingRerouter:
        """Build the task that moves pending messages to the channels in the settings."""
        from bot.services.outbox.reroute import PendingRerouter

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
