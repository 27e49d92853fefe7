"""The disk of the home directory is filling up; judged in `bot.domain.incidents.inside_watch`."""

from __future__ import annotations

from bot.domain.incidents.sources.source import ProblemSource

DISK = ProblemSource("storage", kind="pod", restart=False, diagnosis="storage", checks=("disk",))
