"""A target's pod keeps restarting; counted in `bot.domain.incidents.pod_watch`."""

from __future__ import annotations

from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


class RestartsSource(ProblemSource):
    """A pod that is no longer restarted or evicted need not be well: it may be gone, or may not start at all."""

    def recovered(self, problem: Problem) -> str:
        """See `ProblemSource`."""
        return f"{problem.subject} has settled down"


POD_RESTARTS = RestartsSource("restarts", kind="pod", checks=("pod",), series=True)
