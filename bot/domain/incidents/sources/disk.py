"""The home's disk that fills up: `bot.domain.incidents.inside_watch` looks at it."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

DISK = ProblemSource("storage", kind="pod", restart=False, diagnosis="storage")
