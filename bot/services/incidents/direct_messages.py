"""Alerts by direct message: enqueued with their incidents, rendered for who may see them when they are sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import partial

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.incidents import direct, incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.concerned import concerned
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.outbox.preferences import Preferences, of
from bot.domain.rbac.access import AccessPolicy, Identity, decide_about
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.errors import Transient
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing
from bot.ports.people import People
from bot.services.incidents import incident_links, muting
from bot.services.incidents.alert_links import AlertLinks
from bot.services.incidents.backgrounds import ended_after
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.message_links import MessageLinks
from bot.services.outbox.preferences import BOT, reset

UNKNOWN = "It is not known now whether they may see it."


async def enqueue(
    tx: Writing, changed: Sequence[Incident], before: Mapping[str, Incident | None], now: datetime
) -> list[Incident]:
    """Enqueue the direct messages about changed incidents; ``before`` has each as it was, by id.

    Returns the incidents with the keys of the messages that show them. Those are updated to the end, whatever
    the preferences are by then.
    """
    people = [one for one in await tx.preferences() if one.alerts]
    return [await _enqueue(tx, i, before[i.id], people, now) if i.notified else i for i in changed]


async def _enqueue(
    tx: Writing, incident: Incident, before: Incident | None, people: Sequence[Preferences], now: datetime
) -> Incident:
    new = []
    for alert in direct.alerts(incident, before, people, now):
        key = message_keys.direct(direct.about(incident), alert.user)
        if alert.until is not None:
            key = await _pending_summary(tx, alert.user, now) or message_keys.summary(alert.user, now)
        await tx.enqueue(key, alert.user, not_before=alert.until)
        new.append(key)
    for shown in incident.direct:
        if shown not in new:
            await tx.refresh(MessageKey(shown))
    return replace(incident, direct=tuple(dict.fromkeys((*incident.direct, *new)))) if new else incident


async def _pending_summary(tx: Writing, user: str, now: datetime) -> MessageKey | None:
    return next((key for key in await tx.delayed(user, now) if key.kind == message_keys.SUMMARY), None)


@dataclass
class DirectMessages:
    """Renders alerts for one person each."""

    ledger: Ledger
    clock: Clock
    access: AccessPolicy
    targets: tuple[str, ...]
    channel: str
    """Where alerts are posted: who has a role there by name may see them in a direct message as well."""
    people: Callable[[], People | None]
    """Looks up people; None before Slack is connected."""
    links: AlertLinks = field(default_factory=AlertLinks)
    posted: MessageLinks | None = None

    def kinds(self) -> tuple[MessageKind, ...]:
        """The kinds of direct messages about incidents."""

        def kind(
            name: str, called: str, render: Callable[[OutboxMessage], Awaitable[Reply | None]]
        ) -> MessageKind:
            return MessageKind(name, render, partial(_described, called), retry_refused=False)

        return (
            kind(message_keys.DIRECT, "the direct message about", self._direct),
            kind(message_keys.SUMMARY, "the summary after the quiet hours of", self._summary),
        )

    async def _direct(self, message: OutboxMessage) -> Reply | None:
        """An alert, or the message about a group of them; None where nobody needs it, or may see it."""
        id_, user = message.key.id, message.key.more[0]
        own = await self.ledger.incident(id_)
        found = [own] if own is not None else await self.ledger.incidents(group=id_, limit=None)
        one = of(user, await self.ledger.preferences())
        posted = message.posted is not None or message.unsure
        mine = [i for i in found if posted or (i.there and direct.wanted(i, one) and direct.about(i) == id_)]
        mine = [i for i in mine if own is not None or message.key in i.direct or direct.wanted(i, one)]
        mine = await self._seen(user, mine)
        if not mine:
            return None
        if own is None:
            shown = incident_card.group(mine, self.clock.now())
            return replace(shown, body=shown.body[:1])  # without the hint at the channel's thread
        return await self._in_full(own, mine[0])

    async def _summary(self, message: OutboxMessage) -> Reply | None:
        """What quiet hours held back, however severe now; before it is sent, what had no message of its own."""
        user = message.key.id
        found = await self.ledger.incidents(since=message_keys.summary_begin(message.key), limit=None)
        held = [incident for incident in found if message.key in incident.direct]
        if message.posted is None and not message.unsure:
            if not of(user, await self.ledger.preferences()).alerts:  # switched off meanwhile
                return None
            held = [incident for incident in held if not await self._has_own(incident, user)]
        mine = await self._seen(user, held)
        if len(mine) == 1:
            own = next(incident for incident in held if incident.id == mine[0].id)
            return direct.held_back(await self._in_full(own, mine[0]))
        return direct.summary(mine, self.clock.now()) if mine else None

    async def _in_full(self, own: Incident, seen: Incident) -> Reply:
        """An alert with all its links, and what ended it. ``seen`` is the incident as its reader sees it."""
        now = self.clock.now()
        after, links = await ended_after(self.ledger, own, now), self.links.of_problem(own.problem)
        live = await muting.as_now(self.ledger, seen)
        shown = incident_card.message(live, now, (), after, links)
        return replace(shown, links=(*await incident_links.of(self.posted, self.ledger, own), *shown.links))

    async def _has_own(self, incident: Incident, user: str) -> bool:
        own = await self.ledger.delivery(message_keys.direct(direct.about(incident), user))
        return own is not None and own.posted is not None

    async def _seen(self, user: str, incidents: Sequence[Incident]) -> list[Incident]:
        """Those incidents that a user may see now, as they are shown.

        Raises Transient where that isn't known. A deactivated user's preferences are deleted.
        """
        people = self.people()
        if people is None:
            raise Transient(UNKNOWN)
        who = await people.person(user)
        if who.membership is Membership.GONE:
            await reset(self.ledger, self.clock, user, by=BOT, reason="the account is deactivated")
            return []
        several = len(self.targets) > 1
        return [incident_card.with_target(i, several=several) for i in incidents if self._may_see(who, i)]

    def _may_see(self, who: Identity, incident: Incident) -> bool:
        targets = concerned(incident, self.targets)
        places = (self.channel,) if self.channel else ()
        allowed = decide_about(self.access, who, Capability.VIEW, targets, places).allowed
        if not allowed and (who.unread_groups or who.membership in (Membership.UNKNOWN, Membership.UNREAD)):
            raise Transient(UNKNOWN)
        return allowed


async def _described(called: str, key: MessageKey) -> str:
    return f"{called} {key.id}"
