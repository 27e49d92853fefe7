"""Commands in the pod fail, so nothing is known of its processes and its disk."""

from __future__ import annotations

from bot.domain.incidents.sources.source import UnavailableSource

INSIDE = UnavailableSource(
    "inside",
    subject="the inside of {target}",
    diagnosis="processes",
    checks=("exec", "processes", "disk"),
    meaning="Nothing is known of the processes and the disk named here: they are not called healthy.",
)
