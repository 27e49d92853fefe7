"""A target's pod that runs, and keeps being restarted: `bot.domain.incidents.pod_watch` counts."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

POD_RESTARTS = ProblemSource("restarts", kind="pod")
