"""Saves incidents together with their messages in one transaction, and handles acknowledge and snooze."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from bot.domain.core.frozen import replace
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.incidents import alerting, message_keys
from bot.domain.incidents.alerting import AlertRules, Incident, NotNow
from bot.domain.incidents.problem import Reason
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import NONE
from bot.errors import Refused, UsageError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing
from bot.services.approvals import request_alerts
from bot.services.incidents.backgrounds import backgrounds

IncidentKeys = Callable[[Incident], Mapping[MessageKey, str]]
"""Incident → keys of the messages that show it to another sink, each with its place."""

_ENDS = frozenset({Reason.RESOLVED, Reason.SIGHT_REGAINED, Reason.CLOSED})


@dataclass
class IncidentService:
    """Saves incidents and enqueues their messages."""

    ledger: Ledger
    clock: Clock
    rules: AlertRules
    channels: Mapping[str, str]
    """Target name → channel for its incidents; those of other targets are posted nowhere."""
    others: Sequence[IncidentKeys] = ()
    """The messages for other sinks, also about incidents that have no channel."""
    changed: Callable[[], None] = lambda: None
    """Called after each transaction that enqueues messages."""
    outside: Outside = field(default_factory=Outside)
    """Redacts what is saved, so that no secret gets into the ledger."""
    fired: Callable[[Sequence[Incident]], None] = lambda _: None
    """Called with incidents that are announced by themselves now, before the transaction ends."""

    async def save(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Save changed incidents and enqueue the messages about them; returns the incidents as saved.

        ``known`` holds at least the incidents that were open before, by key; ``now`` is the evaluation's time.
        """
        if not changed:
            return []
        saved = await self._grouped(tx, known, self._redacted(changed), now)
        saved = await self._with_background(known, saved, now)
        saved = await self._with_direct(tx, known, saved, now)
        await tx.save_incidents(saved)
        await request_alerts.refresh(tx, [one for one in saved if _turned(_before(known, one), one)])
        unposted = await self._unposted(tx, known, saved)
        pending: dict[MessageKey, tuple[str, str]] = {}
        for incident in saved:
            place = self.channels.get(incident.problem.target, "")
            if not incident.notified:
                continue
            before = _before(known, incident)
            if place:
                _enqueue(pending, incident, before, place, incident.id in unposted)
            for keys_of in self.others:
                pending.update(_others(keys_of, incident, before))
        await tx.enqueue_all([(key, place, under) for key, (place, under) in pending.items()])
        return saved

    async def show_again(self, tx: Writing, incident: Incident) -> None:
        """Enqueue an open incident's message once more, since it shows more than the incident itself."""
        place = self.channels.get(incident.problem.target, "")
        if place and incident.open and incident.notified:
            await tx.enqueue_all([(message_keys.incident(incident.id), place, _under(incident))])

    async def _with_direct(
        self, tx: Writing, known: Mapping[str, Incident], saved: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Enqueue the direct messages to those who want such alerts, and add their keys to the incidents."""
        if not any(incident.notified for incident in saved):
            return list(saved)
        from bot.services.incidents import direct_messages  # not needed for a healthy pod

        return await direct_messages.enqueue(tx, saved, {i.id: _before(known, i) for i in saved}, now)

    def _redacted(self, changed: Sequence[Incident]) -> list[Incident]:
        """The incidents with secrets redacted from the texts of pods, events and pushes."""
        said = [(i.problem.summary, i.problem.facts, i.problem.meaning) for i in changed]
        clean = self.outside.of(said)
        if clean is said:
            return list(changed)
        return [
            replace(i, problem=replace(i.problem, summary=summary, facts=facts, meaning=meaning))
            for i, (summary, facts, meaning) in zip(changed, clean, strict=True)
        ]

    async def _unposted(
        self, tx: Writing, known: Mapping[str, Incident], saved: Sequence[Incident]
    ) -> frozenset[str]:
        """Ids of incidents with a new reminder whose own message isn't posted yet, so they need no reminder."""
        again = {
            message_keys.incident(i.id): i.id
            for i in saved
            if len(i.notices) > 1
            and any(i.notices[n].reason in alerting.REMINDERS for n in _new(i, _before(known, i)))
        }
        return frozenset(again[key] for key in await tx.unposted(list(again)))

    async def _grouped(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Put incidents into one group message where many fire within a minute or aren't posted yet."""
        fresh = [i for i in changed if i.open and i.notified and not _was_told(known, i)]
        if not fresh:
            return list(changed)
        ids = {i.id for i in changed}
        earlier = [i for i in known.values() if i.resolved_at is None and i.notified and i.id not in ids]
        waiting = await tx.unposted([i.root for i in earlier])
        near = [i for i in earlier if i.root in waiting or _within(i, self.rules.group_within, now)]
        if len(fresh) + len(near) < self.rules.group_at:
            return list(changed)
        name = next((i.group for i in near if i.group), "") or alerting.new_id("g-")
        these = {i.id for i in fresh}
        joined = [replace(i, group=name, apart=i.root not in waiting) for i in near if not i.group]
        return [replace(i, group=name) if i.id in these else i for i in (*changed, *joined)]

    async def _with_background(
        self, known: Mapping[str, Incident], saved: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Add what preceded the incidents that fire now; of a group its own message says what changed."""
        fresh = [i for i in saved if i.open and i.notified and not i.group and not _was_told(known, i)]
        if not fresh:
            return list(saved)
        self.fired(fresh)
        found = await backgrounds(self.ledger, fresh, now, alone=len(self.channels) < 2)
        return [replace(i, background=found[i.id]) if i.id in found else i for i in saved]

    async def acknowledge(self, id_: str, by: str) -> Incident:
        """Acknowledge an incident. Raises `UsageError` where there is none, else `Refused` where it can't be."""
        now = self.clock.now()
        return await self._do(
            id_, lambda i: alerting.acknowledged(i, by, self.rules, now), "acknowledged", by, now
        )

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        """Mute an incident until then. Raises as :meth:`acknowledge` does."""
        now = self.clock.now()
        return await self._do(id_, lambda i: alerting.snoozed(i, by, until, now), "snoozed", by, now)

    async def _do(
        self, id_: str, change: Callable[[Incident], Incident], what: str, by: str, now: datetime
    ) -> Incident:
        async with self.ledger.writing() as tx:
            before = await tx.incident(id_)
            if before is None:
                raise UsageError(
                    "There is no incident with that id.", remedy="/agentpod incidents lists the open ones."
                )
            try:
                after = change(before)
            except NotNow as error:
                raise Refused(
                    f"Nothing to do for {id_}: {error}.", remedy=f"/agentpod incidents {id_} shows its history."
                ) from error
            [saved] = await self.save(tx, {before.key: before}, [after], now)
            await tx.record(now, "incident", by, id_, {"what": what})
        self.changed()
        return saved


def _before(known: Mapping[str, Incident], incident: Incident) -> Incident | None:
    """The incident as it was before the change; None where it is new."""
    before = known.get(incident.key)
    return before if before is not None and before.id == incident.id else None


def _turned(before: Incident | None, incident: Incident) -> bool:
    """Whether a problem is new or back, is gone, or is over for good."""
    return before is None or (before.there, before.open) != (incident.there, incident.open)


def _was_told(known: Mapping[str, Incident], incident: Incident) -> bool:
    before = _before(known, incident)
    return before is not None and before.notified


def _within(incident: Incident, span: timedelta, now: datetime) -> bool:
    return incident.fired_at is not None and now - incident.fired_at < span


def _others(
    keys_of: IncidentKeys, incident: Incident, before: Incident | None
) -> dict[MessageKey, tuple[str, str]]:
    """The messages to enqueue for another sink, also those about the incident as it was ``before``.

    What the settings no longer send there is enqueued once more, so that its end arrives.
    """
    places = {**(keys_of(before) if before else {}), **keys_of(incident)}
    return {key: (places[key], "") for key in sorted(places)}


def _new(incident: Incident, before: Incident | None) -> range:
    """The indexes of the new notices for its thread; notice 0 is the incident's own message."""
    return range(max(len(before.notices) if before else 0, 1), len(incident.notices))


def _under(incident: Incident) -> str:
    """The message in whose thread its own is; empty for the channel."""
    return message_keys.group(incident.group) if incident.group and not incident.apart else ""


def _enqueue(
    pending: dict[MessageKey, tuple[str, str]],
    incident: Incident,
    before: Incident | None,
    place: str,
    unposted: bool,
) -> None:
    """Add an incident's messages to ``pending`` (key → place, thread): its own, its group's, and new notices.

    Reminders are left out where its own message is still ``unposted``. In a group's thread an incident's own
    message shows its end, so the thread only gets one notice, when the whole group has ended.
    """
    group = message_keys.group(incident.group) if incident.group else NONE
    if group:
        pending[group] = (place, "")
    pending[message_keys.incident(incident.id)] = (place, _under(incident))
    for number in _new(incident, before):
        reason = incident.notices[number].reason
        if group and reason in _ENDS:
            pending[message_keys.over(incident.group)] = (place, group)
        in_place = incident.root == group and reason in _ENDS
        if not in_place and not (unposted and reason in alerting.REMINDERS):
            pending[message_keys.notice(incident.id, number)] = (place, incident.root)
