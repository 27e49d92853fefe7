"""A target's pod is not healthy; judged in `bot.domain.incidents.pod_watch`."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

POD_HEALTH = ProblemSource("pod", checks=("pod",))
