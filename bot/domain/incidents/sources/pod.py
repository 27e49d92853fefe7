"""A target's pod that does not run as it should: `bot.domain.incidents.pod_watch` judges it."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

POD_HEALTH = ProblemSource("pod")
