"""The headline of a healthy pod: it counts what `status` lists, so that a new check changes no test."""

from __future__ import annotations

from bot.domain.core.target import Target
from bot.services.runbook.status import StatusChecks
from tests import handbook
from tests.commands.fakes import World


def checks_made(target: Target | None = None) -> int:
    """Count the checks that `status` makes of a target; without one, of the handbook's."""
    return len(StatusChecks(World(target=target or handbook.TARGET).context()).titles)


def all_ok(checks: int) -> str:
    """The headline where that many checks are ok."""
    return f"Healthy: {checks} checks ok"


CHECKS = checks_made()
HEALTHY = all_ok(CHECKS)
