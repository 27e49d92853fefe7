"""Checks of the bot that know more than a runbook's check of that name: what one finds wrong counts instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.checks.egress import EgressCheck
from bot.services.health.reads import Reads
from bot.services.health.sources import Blocked, SourceUnavailable

OWN: Mapping[str, type[Check]] = {"egress-enabled": EgressCheck, "crontab-lines": CrontabCheck}
"""By the name of the runbook's check."""
WHOLE = frozenset({"crontab-lines"})
"""Those that judge all that the runbook's check is about: their verdict counts whatever it is."""


async def wrong(reads: Reads, name: str) -> Finding | None:
    """What the bot's own check finds wrong. None where it finds nothing, can't tell, or there is none.

    One that judges the whole says what it finds, and raises what keeps it from it.
    """
    for check in OWN[name].of(reads.ctx) if name in OWN else ():
        try:
            found = await check.run(reads)
        except (SourceUnavailable, Blocked):
            if name in WHOLE:
                raise
            continue
        if name in WHOLE or found.verdict in (Verdict.FAIL, Verdict.WARN):
            return found
    return None


def called_as(declared: Finding, found: Finding | None) -> Finding:
    """What was found, as a finding of the runbook's check; that of the check itself where nothing was."""
    return replace(found, probe=declared.probe, title=declared.title) if found is not None else declared


def rights(name: str, target: Target) -> Sequence[Right]:
    """The Kubernetes rights that the bot's own check needs; none where there is none."""
    return OWN[name].rights(target) if name in OWN else ()
