"""Open incidents that no check of `status` is about: it is never green while an alert is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import ProbeResult, Unmade
from bot.domain.incidents import sources
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.check import CHECK
from bot.errors import AgentpodError
from bot.services.health.reads import CheckContext


async def incidents_of(ctx: CheckContext) -> tuple[list[Incident], Unmade | None]:
    """The target's problems that are there, those held back included; and why they are not known."""
    if ctx.ledger is None:
        return [], None
    try:
        async with asyncio.timeout(ctx.probe_timeout):
            told = await ctx.ledger.incidents(live=True, limit=None)
            held = await ctx.ledger.incidents(live=True, notified=False, limit=None)
    except (AgentpodError, TimeoutError) as error:
        why = (
            words.lower_first(error.message) if isinstance(error, AgentpodError) else "the ledger does not answer"
        )
        return [], Unmade("Open incidents", why)
    return [one for one in (*told, *held) if one.there and one.problem.target == ctx.target.name], None


def unsaid(incidents: Iterable[Incident], results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """Those that no result says: of a check that is not part of `status`, or counted over time."""
    made = {one.finding.probe for one in results}
    bad = {one.finding.probe for one in results if one.finding.verdict is not Verdict.OK}
    return [ProbeResult(_finding(one.problem)) for one in incidents if _is_missing(one, made, bad)]


def _is_missing(incident: Incident, made: set[str], bad: set[str]) -> bool:
    """Whether nothing is about it. What a check judges anew is over where that check is ok now.

    A series that is held back is none yet: its outages are the pod's own findings.
    """
    source = sources.of(incident.problem)
    about = set(source.says(incident.problem))
    series = source.series and incident.notified
    return not about & bad and (series or (source is CHECK and not about & made))


def _finding(problem: Problem) -> Finding:
    """The problem as a finding. A series is a warning: the pod is well between its outages."""
    facts, source = dict(problem.facts), sources.of(problem)
    evidence = (facts["Evidence"],) if "Evidence" in facts else ()
    critical = problem.severity == "critical" and not source.series
    verdict = Verdict.FAIL if critical else Verdict.WARN
    run = f"/agentpod {problem.advice}" if problem.advice not in ("", "status") else None
    name, title = (source.name, "Outages") if source.series else (CHECK.check_of(problem), problem.subject)
    return Finding(name, title, verdict, problem.summary, evidence, facts.get("What to do"), run)
