"""Makes the checks that raise alerts, each at its own interval: the runbook's, and some built-in ones.

A check that can't tell raises no incident and resolves none: that the API server or the inside of the pod can't be
read is an incident of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.actions.registry import is_set_up
from bot.domain.core.change import ARGOCD, pairs
from bot.domain.core.look import Look
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Severity, Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_argocd
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.check import CHECK
from bot.errors import AgentpodError
from bot.services.health.check import Check, rights_of, run_checks
from bot.services.health.checks.addresses import AddressesCheck
from bot.services.health.checks.argocd import ArgocdCheck
from bot.services.health.checks.egress import EgressCheck
from bot.services.health.checks.external_secrets import ExternalSecretsCheck
from bot.services.health.reads import CheckContext
from bot.services.incidents.incident_cache import TargetWatch

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledCheck, CompiledRunbook

logger = logging.getLogger("agentpod.watch")

LONGEST_PAUSE = timedelta(seconds=30)
"""Longest time between two looks at which checks are due."""
TOGETHER = timedelta(seconds=1)
"""Checks that are due within this time are made in one round, so that they share their reads."""
BUILTIN: tuple[type[Check], ...] = (AddressesCheck, ArgocdCheck, EgressCheck, ExternalSecretsCheck)
"""Built-in checks that alert here; for the others, the watchers of the pod, of its inside and of the jobs do."""


RESTART = "restart"
"""The offer of the bot's own repair."""


@dataclass(frozen=True)
class Alarm:
    """A check that raises alerts, and how. The defaults are those of built-in ones."""

    check: Check
    every: timedelta = timedelta(minutes=1)
    hold: timedelta = timedelta(minutes=5)
    """How long it must fail before that is an incident."""
    severity: Severity = "critical"
    verdicts: frozenset[Verdict] = frozenset({Verdict.FAIL})
    """The verdicts that are a problem."""
    issue: str = ""
    advice: str = "status"
    """The command line for the diagnosis."""
    restart: bool = False
    """Whether a restart of the pod is offered."""
    offer: str = ""
    """The command line of another repair that is offered."""


def alarms(ctx: CheckContext) -> dict[str, Alarm]:
    """Return the checks of a target that raise alerts, by name."""
    made = (check for kind in BUILTIN for check in kind.of(ctx))
    found = {check.id: built_in(check) for check in made}
    if ctx.book is not None:
        found |= {name: _declared(ctx, ctx.book, check) for name, check in _alerting(ctx.book).items()}
    return found


def built_in(check: Check) -> Alarm:
    """A policy that a repair left missing doesn't come back by itself: that is an incident at once."""
    if isinstance(check, EgressCheck):
        return Alarm(check, hold=timedelta(0), advice=check.steps[0][1], offer=EGRESS_REPAIR.name)
    return Alarm(check, advice=check.steps[0][1])


def names(target: Target, book: CompiledRunbook | None) -> frozenset[str]:
    """Return the names of a target's checks that raise alerts."""
    found = {ExternalSecretsCheck.id, *(_alerting(book) if book is not None else ())}
    found |= {AddressesCheck.id} if target.services else set()
    found |= {ArgocdCheck.id} if target.argocd is not None else set()
    found |= {EgressCheck.id} if target.egress is not None else set()
    return frozenset(found)


def _alerting(book: CompiledRunbook) -> Mapping[str, CompiledCheck]:
    return {name: check for name, check in book.checks.items() if check.entry.alert is not None}


def _declared(ctx: CheckContext, book: CompiledRunbook, check: CompiledCheck) -> Alarm:
    from bot.services.runbook.declared_check import DeclaredCheck

    entry, alert = check.entry, check.entry.alert
    if alert is None:
        raise ValueError(f"{check.name} raises no alerts")
    return Alarm(
        DeclaredCheck(check, ctx.probe_timeout),
        alert.every,
        alert.for_,
        alert.severity or entry.fails.severity,
        frozenset({Verdict.FAIL, Verdict.WARN}),
        alert.issue or "",
        "diagnose" if book.diagnoses and not entry.status else "status",
        check.offer == RESTART,
        check.offer if check.offer != RESTART and is_set_up(check.offer, ctx.target) else "",
    )


@dataclass
class CheckWatch(TargetWatch):
    """Makes one target's checks that raise alerts. One that crashes is unknown, and stops no other."""

    task = "checks"
    subject: ClassVar[str] = "the watcher of the checks of {target}"

    _next: dict[str, datetime] = field(default_factory=dict)
    """When each check is due."""

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The rights of the built-in checks; those of the runbook's follow from the runbook."""
        return rights_of(BUILTIN, target)

    async def run(self) -> None:
        """Make the checks that are due until cancelled."""
        while True:
            try:
                await self.look()
            except AgentpodError as error:
                logger.warning("checks were not judged: %s", error.message, extra={"target": self.target.name})
            await asyncio.sleep(self._pause().total_seconds())

    async def look(self) -> list[Incident]:
        """Make the checks that are due; returns the incidents that changed. Raises as the ledger does."""
        if self.context is None:
            return []
        every = await asyncio.to_thread(alarms, self.context)  # the runbook may have to be read
        now = self.clock.now()
        due = [name for name, alarm in every.items() if self._is_due(name, alarm, now)]
        self._next = {name: now + a.every if name in due else self._next[name] for name, a in every.items()}
        results = await run_checks(self.context, [every[name].check for name in due]) if due else []
        await self._note_revision([every[name].check for name in due], now)
        findings = {name: result.finding for name, result in zip(due, results, strict=True)}
        known = {name: one for name, one in findings.items() if one.verdict is not Verdict.UNKNOWN}
        return await self._update(every, known) if known else []

    async def _note_revision(self, made: Sequence[Check], now: datetime) -> None:
        """Compare the Argo CD Application's revision with the last look, where it was read."""
        for check in made:
            application = check.application if isinstance(check, ArgocdCheck) else None
            revisions = judge_argocd.revisions(application) if application is not None else {}
            if self.change_log is not None and revisions:
                await self.change_log.note(Look(self.target.name, ARGOCD, revisions, now), pairs)

    def _is_due(self, name: str, alarm: Alarm, now: datetime) -> bool:
        """Whether a check is due; also after the clock was set back."""
        at = self._next.get(name, now)
        return at <= now + TOGETHER or at > now + alarm.every + TOGETHER

    def _pause(self) -> timedelta:
        soonest = min(self._next.values(), default=None)
        left = soonest - self.clock.now() if soonest is not None else LONGEST_PAUSE
        return max(TOGETHER, min(left, LONGEST_PAUSE))

    async def _update(self, every: Mapping[str, Alarm], known: Mapping[str, Finding]) -> list[Incident]:
        now = self.clock.now()
        async with self._cache.evaluation(now) as tx:
            muted = await self.muting.of_pod(tx, self.target, now)
            problems = [
                problem(self.target, name, every[name], finding, muted, now)
                for name, finding in known.items()
                if finding.verdict in every[name].verdicts
            ]
            about = [CHECK.key(self.target.name, name) for name in known]
            return await self._cache.update(tx, problems, now, about)


def problem(target: Target, name: str, alarm: Alarm, finding: Finding, muted: str, now: datetime) -> Problem:
    """The problem that a check's finding is."""
    evidence = [("Evidence", seen) for seen in finding.evidence[:1]]
    remedy = [("What to do", finding.remedy)] if finding.remedy else []
    return Problem(
        key=CHECK.key(target.name, name),
        kind=CHECK.stored,
        target=target.name,
        subject=alarm.check.title,
        summary=finding.summary.removeprefix(f"{alarm.check.title}: "),
        severity=alarm.severity,
        since=now,
        facts=(*evidence, *remedy),
        advice=alarm.advice,
        issue=alarm.issue or target.issue,
        hold=alarm.hold,
        muted=muted,
        restart=alarm.restart,
        offer=alarm.offer,
    )
