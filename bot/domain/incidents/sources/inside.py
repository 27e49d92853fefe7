"""Commands in the pod fail, so nothing is known of its processes and its disk."""

from __future__ import annotations

from bot.domain.incidents.sources.source import UnavailableSource

INSIDE = UnavailableSource(
    "inside",
    subject="the inside of {target}",
    diagnosis="processes",
    checks=("exec", "processes", "disk"),
    remedy="See `/agentpod pods`: the node or the API server may be slow; the processes may be fine.",
    meaning="Its processes and its disk are unknown, which never counts as healthy.",
)
