"""Incidents are kept with the messages that they enqueue, in one transaction; and what people do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.core.frozen import replace
from bot.domain.core.outside import Outside
from bot.domain.incidents import alerting, message_keys
from bot.domain.incidents.alerting import AlertRules, Incident, NotNow
from bot.domain.incidents.problem import Reason
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import NONE
from bot.errors import NotFound, Refused
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing

_ENDS = frozenset({Reason.RESOLVED, Reason.SIGHT_REGAINED, Reason.CLOSED})


@dataclass
class IncidentService:
    """Keeps incidents. ``channels`` says where those of a target are told; one without a channel tells nobody."""

    ledger: Ledger
    clock: Clock
    rules: AlertRules
    channels: Mapping[str, str]
    bridged: bool = False
    """Whether the health-bridge is told as well."""
    changed: Callable[[], None] = lambda: None
    """Told when a message is pending."""
    outside: Outside = field(default_factory=Outside)
    """Cleans what is kept: no secret is written down."""

    async def keep(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Save what changed, and enqueue what it makes necessary; gives the incidents as they are saved.

        ``known`` holds at least the incidents that were open before, by key; ``now`` is when it was looked at.
        """
        if not changed:
            return []
        kept = await self._grouped(tx, known, self._clean(changed), now)
        await tx.save_incidents(kept)
        unseen = await self._unseen(tx, known, kept)
        pending: dict[MessageKey, tuple[str, str]] = {}
        for incident in kept:
            place = self.channels.get(incident.problem.target, "")
            if not incident.told:
                continue
            before = _before(known, incident)
            if place:
                _enqueue(pending, incident, before, place, incident.id in unseen)
            if self.bridged:
                pending.update(_bridged(incident, before))
        await tx.enqueue_all([(key, place, under) for key, (place, under) in pending.items()])
        return kept

    def _clean(self, changed: Sequence[Incident]) -> list[Incident]:
        """The same without what must not be kept of what pods, events and pushes say."""
        said = [(i.problem.summary, i.problem.facts, i.problem.meaning) for i in changed]
        clean = self.outside.of(said)
        if clean is said:
            return list(changed)
        return [
            replace(i, problem=replace(i.problem, summary=summary, facts=facts, meaning=meaning))
            for i, (summary, facts, meaning) in zip(changed, clean, strict=True)
        ]

    async def _unseen(
        self, tx: Writing, known: Mapping[str, Incident], kept: Sequence[Incident]
    ) -> frozenset[str]:
        """Those that there is a reminder of, and whose own message nobody has seen yet: that one will do."""
        again = {
            message_keys.incident(i.id): i.id
            for i in kept
            if len(i.notices) > 1
            and any(i.notices[n].reason in alerting.REMINDERS for n in _new(i, _before(known, i)))
        }
        return frozenset(again[key] for key in await tx.unposted(list(again)))

    async def _grouped(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Many that are told within a minute, or that Slack has not taken yet, become one message."""
        fresh = [i for i in changed if i.open and i.told and not _was_told(known, i)]
        if not fresh:
            return list(changed)
        ids = {i.id for i in changed}
        earlier = [i for i in known.values() if i.resolved_at is None and i.told and i.id not in ids]
        waiting = await tx.unposted([i.root for i in earlier])
        near = [i for i in earlier if i.root in waiting or _within(i, self.rules.group_within, now)]
        if len(fresh) + len(near) < self.rules.group_at:
            return list(changed)
        name = next((i.group for i in near if i.group), "") or alerting.new_id("g-")
        these = {i.id for i in fresh}
        joined = [replace(i, group=name, apart=i.root not in waiting) for i in near if not i.group]
        return [replace(i, group=name) if i.id in these else i for i in (*changed, *joined)]

    async def acknowledge(self, id_: str, by: str) -> Incident:
        """Somebody takes care of it. Raises `NotFound`, and `Refused` with why it does not apply."""
        now = self.clock.now()
        return await self._do(
            id_, lambda i: alerting.acknowledged(i, by, self.rules, now), "acknowledged", by, now
        )

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        """Nobody wants to hear of it until then. Raises as :meth:`acknowledge` does."""
        now = self.clock.now()
        return await self._do(id_, lambda i: alerting.snoozed(i, by, until, now), "snoozed", by, now)

    async def _do(
        self, id_: str, change: Callable[[Incident], Incident], what: str, by: str, now: datetime
    ) -> Incident:
        async with self.ledger.writing() as tx:
            before = await tx.incident(id_)
            if before is None:
                raise NotFound("There is no incident of that id.", remedy="incidents lists those that are open.")
            try:
                after = change(before)
            except NotNow as error:
                raise Refused(f"Nothing to do for {id_}: {error}.") from error
            [kept] = await self.keep(tx, {before.key: before}, [after], now)
            await tx.record(now, "incident", by, id_, {"what": what})
        self.changed()
        return kept


def _before(known: Mapping[str, Incident], incident: Incident) -> Incident | None:
    """The same incident as it was."""
    before = known.get(incident.key)
    return before if before is not None and before.id == incident.id else None


def _was_told(known: Mapping[str, Incident], incident: Incident) -> bool:
    before = _before(known, incident)
    return before is not None and before.told


def _within(incident: Incident, span: timedelta, now: datetime) -> bool:
    return incident.fired_at is not None and now - incident.fired_at < span


def _bridged(incident: Incident, before: Incident | None) -> dict[MessageKey, tuple[str, str]]:
    """The issue's state by key; and that of the issue which the settings named before: it may be over."""
    issues = {incident.problem.issue, before.problem.issue if before else ""}
    return {message_keys.issue(issue): ("bridge", "") for issue in sorted(issues) if issue}


def _new(incident: Incident, before: Incident | None) -> range:
    """The numbers of what is newly said in its thread: the first of all is the message itself."""
    return range(max(len(before.notices) if before else 0, 1), len(incident.notices))


def _enqueue(
    pending: dict[MessageKey, tuple[str, str]],
    incident: Incident,
    before: Incident | None,
    place: str,
    unseen: bool,
) -> None:
    """Add the messages by key, with their place and thread: its own, the group's, and each new thing said.

    ``unseen``: its own message is not there yet. Then nobody is reminded of it. In the thread of many its own
    message shows its end; it is all of them being over that is said.
    """
    group = message_keys.group(incident.group) if incident.group else NONE
    if group:
        pending[group] = (place, "")
    pending[message_keys.incident(incident.id)] = (place, "" if incident.apart else group)
    for number in _new(incident, before):
        reason = incident.notices[number].reason
        if group and reason in _ENDS:
            pending[message_keys.over(incident.group)] = (place, group)
        in_place = incident.root == group and reason in _ENDS
        if not in_place and not (unseen and reason in alerting.REMINDERS):
            pending[message_keys.notice(incident.id, number)] = (place, incident.root)
