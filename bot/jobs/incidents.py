"""Incidents are kept with the messages that they owe, in one transaction; and what people do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain import alerting
from bot.domain.alerting import AlertRules, Incident, NotNow
from bot.errors import NotFound, Refused
from bot.ports import Clock, Ledger, Writing


@dataclass
class Incidents:
    """Keeps incidents. ``channels`` says where those of a target are told; one without a channel tells nobody."""

    ledger: Ledger
    clock: Clock
    rules: AlertRules
    channels: Mapping[str, str]
    bridged: bool = False
    """Whether the health-bridge is told as well."""
    changed: Callable[[], None] = lambda: None
    """Told when something is owed."""

    async def keep(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident]
    ) -> list[Incident]:
        """Save what changed, and owe what it makes necessary; gives the incidents as they are saved.

        ``known`` is what was known of each key before.
        """
        if not changed:
            return []
        now = self.clock.now()
        kept = await self._grouped(tx, known, changed, now)
        await tx.save_incidents(kept)
        before = {i.id: i for i in known.values()}
        owed: dict[str, tuple[str, str]] = {}
        for incident in kept:
            place = self.channels.get(incident.problem.target, "")
            if place and incident.told:
                owed.update(_owed(incident, before.get(incident.id), place))
            if self.bridged and incident.told and incident.problem.issue:
                owed[f"bridge:{incident.problem.issue}"] = ("bridge", "")
        await tx.owe_all([(key, place, under) for key, (place, under) in owed.items()])
        return kept

    async def _grouped(
        self, tx: Writing, known: Mapping[str, Incident], changed: Sequence[Incident], now: datetime
    ) -> list[Incident]:
        """Many that are told within a minute, or that Slack has not taken yet, become one message."""
        fresh = [i for i in changed if i.open and i.fired_at == now and not i.group]
        if not fresh:
            return list(changed)
        ids = {i.id for i in changed}
        earlier = [i for i in known.values() if i.open and i.told and i.id not in ids]
        waiting = await tx.unposted([_root(i) for i in earlier])
        late = [i for i in earlier if not i.group and _root(i) in waiting]
        near = [
            i
            for i in earlier
            if _root(i) in waiting or (i.fired_at and now - i.fired_at < self.rules.group_within)
        ]
        if len({i.id for i in (*fresh, *near)}) < self.rules.group_at:
            return list(changed)
        name = next((i.group for i in near if i.group), "") or alerting.new_id("g-")
        these = {i.id for i in (*fresh, *late)}
        return [replace(i, group=name) if i.id in these else i for i in (*changed, *late)]

    async def acknowledge(self, id_: str, by: str) -> Incident:
        """Somebody takes care of it. Raises `NotFound`, and `Refused` with why it does not apply."""
        return await self._do(
            id_, lambda i: alerting.acknowledged(i, by, self.rules, self.clock.now()), "acknowledged", by
        )

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        """Nobody wants to hear of it until then. Raises as :meth:`acknowledge` does."""
        now = self.clock.now()
        return await self._do(id_, lambda i: alerting.snoozed(i, by, until, now), "snoozed", by)

    async def _do(self, id_: str, change: Callable[[Incident], Incident], what: str, by: str) -> Incident:
        async with self.ledger.writing() as tx:
            before = await tx.incident(id_)
            if before is None:
                raise NotFound(f"There is no incident {id_}.", remedy="incidents lists those that are open.")
            try:
                after = change(before)
            except NotNow as error:
                raise Refused(f"Nothing to do for {id_}: {error}.") from error
            [kept] = await self.keep(tx, {before.key: before}, [after])
            await tx.record(self.clock.now(), "incident", by, id_, {"what": what})
        self.changed()
        return kept


def _root(incident: Incident) -> str:
    """The message in the channel that it is told by."""
    return f"group:{incident.group}" if incident.group else f"incident:{incident.id}"


def _owed(incident: Incident, before: Incident | None, place: str) -> dict[str, tuple[str, str]]:
    """The messages by key, with their place and thread: its own, the group's, and each new thing said."""
    group = f"group:{incident.group}" if incident.group else ""
    owed = {f"incident:{incident.id}": (place, group)}
    if group:
        owed = {group: (place, ""), **owed}
    under = group or f"incident:{incident.id}"
    said = len(before.notices) if before else 0
    for number in range(max(said, 1), len(incident.notices)):  # the first one is the message itself
        owed[f"notice:{incident.id}:{number:04}"] = (place, under)
    return owed
