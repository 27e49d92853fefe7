"""When the bot looked at a source: time without a look is time of which nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.history import SOURCE, HistoryEvent, pod_source
from bot.domain.incidents.alerting import AlertRules
from bot.ports.ledger import Ledger, Writing

GAP = timedelta(minutes=2)
KEPT_EVERY = timedelta(seconds=20)
"""A look so soon after the last one that is kept need not be kept itself."""


def longest_gap(rules: AlertRules) -> timedelta:
    """The longest time between two looks that says nothing; of a longer one nothing is known."""
    return max(GAP, 3 * rules.poll)


@dataclass(frozen=True)
class PollCoverage:
    """The looks at one source, by whatever process."""

    subject: str
    """What happens to the source is kept under it."""
    last: str
    """Under which name the time of the last look is kept."""
    first: str
    gap: timedelta = GAP

    async def note(self, tx: Writing, now: datetime) -> None:
        """The source was seen."""
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
        """When the first look was."""
        return words.moment_of(await ledger.mark(self.first))

    async def unseen(self, ledger: Ledger, now: datetime) -> list[HistoryEvent]:
        """That nobody looks since the last look, where that was long ago and the next one has not said so yet."""
        last = words.moment_of(await ledger.mark(self.last)) or now
        return [HistoryEvent("", self.subject, last, "off")] if now - last > self.gap else []


def heartbeat_looks(rules: AlertRules) -> PollCoverage:
    """The looks at the Pushgateway."""
    return PollCoverage(SOURCE, "looked", "looked-first", longest_gap(rules))


def pod_looks(target: str) -> PollCoverage:
    """The looks at a target's pod."""
    return PollCoverage(pod_source(target), f"looked:{target}", f"looked-first:{target}")
