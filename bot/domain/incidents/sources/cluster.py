"""The API server can't be read, so nothing is known of a target's pod."""

from __future__ import annotations

from bot.domain.incidents.sources.source import UnavailableSource

CLUSTER = UnavailableSource(
    "source:cluster",
    subject="the Kubernetes API",
    checks=("kubernetes",),
    meaning="Nothing is known of the pod: it is not called healthy. Jobs are judged by their heartbeats.",
)
