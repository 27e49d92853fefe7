"""Alerts by direct message: enqueued with their incidents, rendered for who may see them when they are sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.incidents import direct, incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.concerned import concerned
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.outbox.preferences import of
from bot.domain.rbac.access import AccessPolicy, Identity, decide_about
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.errors import Transient
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing
from bot.ports.people import People
from bot.services.incidents.alert_links import AlertLinks
from bot.services.incidents.backgrounds import ended_after
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.preferences import BOT, reset

LONGEST = timedelta(hours=24)
"""How far a summary looks back where the quiet hours were changed since."""
UNKNOWN = "It is not known now whether they may see it."


async def enqueue(
    tx: Writing, saved: Sequence[Incident], before: Mapping[str, Incident | None], now: datetime
) -> None:
    """Enqueue the direct messages about changed incidents; ``before`` has each as it was, by id."""
    announced = [incident for incident in saved if incident.notified]
    people = [one for one in await tx.preferences() if one.alerts] if announced else []
    if not people:
        return
    for incident in announced:
        for message in direct.messages(incident, before[incident.id], people, now):
            if message.is_new:
                await tx.enqueue(message.key, message.user, not_before=message.not_before)
            else:
                await tx.refresh(message.key)


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
        mine = [i for i in mine if own is not None or not one.alerts or direct.wanted(i, one)]
        mine = await self._seen(user, mine)
        if not mine:
            return None
        now = self.clock.now()
        if own is None:
            shown = incident_card.group(mine, now)
            return replace(shown, body=shown.body[:1])  # without the hint at the channel's thread
        after, links = await ended_after(self.ledger, own, now), self.links.of_problem(own.problem)
        return incident_card.message(mine[0], now, (), after, links)

    async def _summary(self, message: OutboxMessage) -> Reply | None:
        """What quiet hours held back: what was announced in them and had no message of its own."""
        user, end = message.key.id, message_keys.summary_end(message.key)
        one = of(user, await self.ledger.preferences())
        period = one.quiet_period(end - timedelta(seconds=1))
        begin = max(period.begin if period is not None else end - LONGEST, one.since or end - LONGEST)
        held = [
            incident
            for incident in await self.ledger.incidents(since=begin, limit=None)
            if (direct.wanted(incident, one) or not one.alerts) and _within(incident, begin, end)
        ]
        if not one.alerts and message.posted is None:  # switched off meanwhile
            return None
        held = [incident for incident in held if not await self._has_own(incident, user)]
        mine = await self._seen(user, held)
        return direct.summary(mine, self.clock.now()) if mine else None

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


def _within(incident: Incident, begin: datetime, end: datetime) -> bool:
    at = direct.announced_at(incident)
    return at is not None and begin <= at < end


async def _described(called: str, key: MessageKey) -> str:
    return f"{called} {key.id}"
