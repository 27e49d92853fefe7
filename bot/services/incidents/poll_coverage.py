"""Records when each source was polled, so that gaps in the polls show as "no data" and not as "healthy"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.history import SOURCE, HistoryEvent, pod_source
from bot.domain.heartbeats.heartbeat import POLLED
from bot.domain.incidents.alerting import AlertRules
from bot.ports.ledger import Ledger, Writing

GAP = timedelta(minutes=2)
"""Longest time between two polls that still counts as covered."""
KEPT_EVERY = timedelta(seconds=20)
"""Shortest time between two polls that are written to the ledger."""


def longest_gap(rules: AlertRules) -> timedelta:
    """The longest time between two polls of the Pushgateway that still counts as covered."""
    return max(GAP, 3 * rules.poll)


@dataclass(frozen=True)
class PollCoverage:
    """The polls of one source, by any process."""

    subject: str
    """The source's subject in the history."""
    last: str
    """Mark in the ledger: the time of the last poll."""
    first: str
    """Mark in the ledger: the time of the first poll."""
    gap: timedelta = GAP

    async def note(self, tx: Writing, now: datetime) -> None:
        """Record a successful poll, and the gap before it if it was too long."""
        kept = words.moment_of(await tx.mark(self.last))
        last = kept or now
        if now - last > self.gap:
            await tx.add_history(
                [HistoryEvent("", self.subject, last, "off"), HistoryEvent("", self.subject, now, "ok")]
            )
        if kept is None:
            await tx.set_mark(self.first, now.isoformat())
        if kept is None or now - last >= KEPT_EVERY:
            await tx.set_mark(self.last, now.isoformat())

    async def since(self, ledger: Ledger) -> datetime | None:
        """When the first poll was; None for never."""
        return words.moment_of(await ledger.mark(self.first))

    async def ongoing_gap(self, ledger: Ledger, now: datetime) -> list[HistoryEvent]:
        """The event that begins the current gap, which only the next poll records; empty where there is none."""
        last = words.moment_of(await ledger.mark(self.last)) or now
        return [HistoryEvent("", self.subject, last, "off")] if now - last > self.gap else []


def heartbeat_coverage(rules: AlertRules) -> PollCoverage:
    """The poll coverage of the Pushgateway."""
    return PollCoverage(SOURCE, POLLED, "looked-first", longest_gap(rules))


def pod_coverage(target: str) -> PollCoverage:
    """The poll coverage of a target's pod."""
    return PollCoverage(pod_source(target), f"looked:{target}", f"looked-first:{target}")
