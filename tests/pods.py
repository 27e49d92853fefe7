"""Pods as the API server shows them, for tests of what is concluded from them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.workload import Condition, Container

READY = tuple(
    Condition(kind, "True")
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
)


def conditions(containers: Sequence[Container]) -> tuple[Condition, ...]:
    """As the kubelet sets them for these containers."""
    if containers and all(c.ready for c in containers):
        return READY
    said = f"containers with unready status: [{' '.join(c.name for c in containers if not c.ready)}]"
    unready = [Condition(k, "False", "ContainersNotReady", said) for k in ("Ready", "ContainersReady")]
    return tuple(next((u for u in unready if u.type == c.type), c) for c in READY)
