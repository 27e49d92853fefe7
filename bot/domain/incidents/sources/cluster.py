"""The API server can't be read, so nothing is known of a target's pod."""

from __future__ import annotations

from bot.domain.incidents.sources.source import UnavailableSource

CLUSTER = UnavailableSource(
    "source:cluster",
    subject="the API server",
    checks=("kubernetes",),
    meaning="The pod's state is unknown, which never counts as healthy. Jobs are still judged by heartbeats.",
    remedy="Check the API server and the bot's network; the pod itself may be fine.",
)
