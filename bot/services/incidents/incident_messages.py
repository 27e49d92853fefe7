"""Renders the messages about incidents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

from bot.domain.core.reply import Excerpt, Mention, Reply
from bot.domain.health import crash_log
from bot.domain.incidents import background, evidence, incident_card, message_keys
from bot.domain.incidents.alerting import REMINDERS, AlertRules, Incident
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import AgentpodError, NotFound
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.incidents import incident_links, muting
from bot.services.incidents.alert_links import AlertLinks
from bot.services.incidents.backgrounds import changed_before, ended_after
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.message_links import MessageLinks


@dataclass
class IncidentMessages:
    """Renders the messages about incidents, one method per kind."""

    ledger: Ledger
    clock: Clock
    rules: AlertRules
    several: bool = False
    """Whether the settings have several targets, so that messages name the incident's."""
    links: AlertLinks = field(default_factory=AlertLinks)
    is_shared: Callable[[str], Awaitable[bool]] | None = None
    """Whether people of another company are in a channel; raises AgentpodError where that is not known."""
    posted: MessageLinks | None = None

    def kinds(self, place: str) -> tuple[MessageKind, ...]:
        """The message kinds about incidents; ``place`` is their channel by the settings."""

        def kind(
            name: str, called: str, render: Callable[[OutboxMessage], Awaitable[Reply | None]]
        ) -> MessageKind:
            return MessageKind(name, render, partial(_described, called), place=place)

        return (
            replace(kind(message_keys.INCIDENT, "the alert", self._incident), arrived=self.arrived),
            kind(message_keys.NOTICE, "an update of the alert", self._notice),
            kind(message_keys.GROUP, "the alert about several problems", self._group),
            kind(message_keys.OVER, "the end of the alert about several problems", self._over),
        )

    async def _of(self, message: OutboxMessage) -> Incident:
        incident = await self.ledger.incident(message.key.id)
        if incident is None:
            raise NotFound(f"There is no incident {message.key.id} for the message {message.key}.")
        return self._shown(await muting.as_now(self.ledger, incident))

    async def _members(self, message: OutboxMessage) -> list[Incident]:
        """The incidents of the message's group."""
        found = await self.ledger.incidents(group=message.key.id, limit=None)
        return [self._shown(incident) for incident in found]

    def _shown(self, incident: Incident) -> Incident:
        return incident_card.with_target(incident, several=self.several)

    async def _incident(self, message: OutboxMessage) -> Reply | None:
        incident = await self._of(message)
        if _too_late(message, incident):
            return None
        called = () if incident.group and not incident.apart else self._call([incident])
        now = self.clock.now()
        after, links = await ended_after(self.ledger, incident, now), self.links.of_problem(incident.problem)
        log = await self._log(incident, message.place)
        shown = incident_card.message(incident, now, called, after, links, log)
        if message.posted is None:  # nothing can have been asked for at it
            return replace(shown, links=(*await incident_links.earlier(self.posted, incident), *shown.links))
        cards = await incident_links.of(self.posted, self.ledger, incident, to_alert=False)
        return replace(shown, links=(*cards, *shown.links))

    async def _log(self, incident: Incident, place: str) -> Excerpt | str | None:
        """The last lines of the container that crashed, where the settings have them shown in the channel."""
        line, kind = incident.problem.advice, incident.problem.kind
        is_crash = kind == POD_HEALTH.stored and crash_log.container_of(line)
        if not (self.rules.crash_log and is_crash and incident.there):
            return None
        found = evidence.crash_log(await self.ledger.evidence(incident.id), line)
        if not isinstance(found, Excerpt) or self.is_shared is None:
            return found
        try:
            shared = await self.is_shared(place)
        except AgentpodError as error:
            return f"It is not known whether this channel is shared with another company: {error.message}"
        return "This channel is shared with another company." if shared else found

    async def arrived(self, message: OutboxMessage) -> None:
        """Update the direct messages about an alert, which link it, now that it is posted."""
        incident = await self.ledger.incident(message.key.id)
        if incident is not None and incident.direct:
            async with self.ledger.writing() as tx:
                for key in incident.direct:
                    await tx.refresh(MessageKey(key))

    async def _notice(self, message: OutboxMessage) -> Reply | None:
        """An update in a thread; None where the incident resolved before its own message was posted."""
        incident, number = await self._of(message), int(message.key.more[0])
        own = await self.ledger.delivery(message_keys.incident(incident.id))
        if own is None or _too_late(own, incident) or _overtaken(incident, number):
            return None
        return incident_card.notice(incident, incident.notices[number], self._call([incident]))

    async def _group(self, message: OutboxMessage) -> Reply | None:
        mine, now = await self._members(message), self.clock.now()
        if not mine or all(_too_late(message, i) for i in mine):
            return None
        changed = await changed_before(self.ledger, mine, alone=not self.several)
        lines = background.changed_lines(*background.named(changed))
        return incident_card.group(mine, now, self._call(mine), lines)

    async def _over(self, message: OutboxMessage) -> Reply | None:
        """The end of a group, once its last incident has resolved: each one's own message shows its own end."""
        mine = await self._members(message)
        if message.posted is None and (not mine or any(i.open for i in mine)):
            return None
        return incident_card.over(mine)

    def _call(self, incidents: list[Incident]) -> tuple[Mention, ...]:
        critical = any(i.there and i.problem.severity == "critical" for i in incidents)
        return tuple(Mention(m) for m in self.rules.mention) if critical else ()


async def _described(called: str, key: MessageKey) -> str:
    return f"{called} {key.id}"


def _overtaken(incident: Incident, number: int) -> bool:
    """Whether the notice is a reminder with a later notice after it: one mention is enough."""
    return incident.notices[number].reason in REMINDERS and number + 1 < len(incident.notices)


def _too_late(message: OutboxMessage, incident: Incident) -> bool:
    """Whether the incident resolved before its message was posted: then neither start nor end is announced."""
    return not incident.open and message.posted is None and not message.unsure
