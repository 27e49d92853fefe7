"""Which targets an incident concerns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.incidents import sources
from bot.domain.incidents.alerting import Incident


def concerned(incident: Incident, every: Sequence[str]) -> tuple[str, ...]:
    """The target that an incident is about; ``every`` one where it is about what all of them share."""
    return (incident.problem.target,) if sources.of(incident.problem).one_target else tuple(every)
