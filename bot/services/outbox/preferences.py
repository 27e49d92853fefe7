"""Changes people's preferences, each with a record in the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.preferences import REQUEST, Preferences, of
from bot.domain.rbac.membership import Membership
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing
from bot.ports.people import People

BOT = "agentpod"
"""The audit trail's actor for changes that no person made."""


async def save(ledger: Ledger, clock: Clock, wanted: Preferences) -> None:
    """Save a person's preferences; nothing is recorded where they are as before. Raises as the ledger does."""
    async with ledger.writing() as tx:
        before, now = of(wanted.user, await tx.preferences() or ()), clock.now()
        if before == wanted:
            return
        await tx.save_preferences(wanted)
        await _delay_again(tx, before, wanted, now)
        await tx.record(now, "preferences", wanted.user, wanted.user, audited(wanted))


async def reset(ledger: Ledger, clock: Clock, user: str, *, by: str = "", reason: str = "") -> bool:
    """Delete a person's preferences; returns whether there were any. Raises as the ledger does."""
    async with ledger.writing() as tx:
        known = await tx.preferences() or ()
        if user not in {one.user for one in known}:
            return False
        await tx.drop_preferences(user)
        await _delay_again(tx, of(user, known), Preferences(user), clock.now())
        more = {"reason": reason} if reason else {}
        await tx.record(clock.now(), "preferences", by or user, user, {"what": "reset", **more})
    return True


async def _delay_again(tx: Writing, before: Preferences, wanted: Preferences, now: datetime) -> None:
    """Hold back until the new quiet hours end what the old ones do, or send it now."""
    woken = wanted.wakes and not before.wakes
    for key in await tx.delayed(wanted.user, now) or ():
        if key.kind == REQUEST:
            until = wanted.requests_held_until(now)
        else:
            severity = "critical" if woken and await _has_critical(tx, key, now) else "warning"
            until = wanted.held_until(severity, now)
        await tx.delay(key, until)


async def _has_critical(tx: Writing, summary: MessageKey, now: datetime) -> bool:
    """Whether a problem that is critical, and still there, is among what a summary holds."""
    incidents = (await tx.newest_incidents(now)).values()
    return any(i.there and i.problem.severity == "critical" and summary in i.direct for i in incidents)


def audited(wanted: Preferences) -> dict[str, Any]:
    """What the audit trail keeps of a change."""
    return {
        "what": "changed",
        "alerts": list(wanted.alerts),
        "quiet": wanted.quiet,
        "zone": wanted.zone,
        "wake": wanted.wake,
        "requests": wanted.requests,
    }


@dataclass
class PreferenceRetention:
    """Deletes the preferences of people whose account is deactivated."""

    ledger: Ledger
    clock: Clock
    people: People

    async def drop(self) -> None:
        """Delete them. Raises as the ledger does; who can't be looked up now is looked up the next time."""
        for one in await self.ledger.preferences():
            try:
                who = await self.people.person(one.user)
            except AgentpodError:
                continue
            if who.membership is Membership.GONE:
                await reset(self.ledger, self.clock, one.user, by=BOT, reason="the account is deactivated")
