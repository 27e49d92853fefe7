"""A target's pod keeps restarting; counted in `bot.domain.incidents.pod_watch`."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

POD_RESTARTS = ProblemSource("restarts", kind="pod", checks=("pod",))
