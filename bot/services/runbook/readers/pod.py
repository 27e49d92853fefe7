"""Reads the target's pod, and the events about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bot.domain.core.workload import Event, Pod, Right
from bot.domain.health import own_objects, pod_state
from bot.domain.runbook import flat
from bot.domain.runbook.facts.events import Events
from bot.domain.runbook.facts.pod import NODE, PodFact
from bot.domain.runbook.record import Record
from bot.services.health import rights
from bot.services.health.reads import Reads, or_none
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader

_NOISE = ("managedFields",)
"""Fields that say nothing about the pod's health and are most of its size."""
MOST_EVENTS = 500


async def read_pod(reads: Reads, _settings: PodFact) -> Record:
    """Read the newest pod that is not being deleted; else the newest one."""
    listing = reads.ctx.cluster.objects(Right("list", "pods"), "v1", reads.target.selector)
    listed, pods = await asyncio.gather(listing, reads.pods())
    items = [item for item in listed.get("items") or () if isinstance(item, Mapping)]
    if not items:
        return Record("pod", (), {"exists": "false"})
    newest = max(items, key=lambda item: ("deletionTimestamp" not in _meta(item), _created(item)))
    kept = {key: value for key, value in newest.items() if key in ("metadata", "spec", "status")}
    kept["metadata"] = {key: value for key, value in _meta(newest).items() if key not in _NOISE}
    pod = next((p for p in pods if p.uid == _meta(newest).get("uid")), None)
    lost = {NODE: f"{pod.node} has stopped reporting"} if pod is not None and pod_state.on_lost_node(pod) else {}
    clean = reads.ctx.outside.data(kept)
    return Record("pod", tuple(flat.flattened(clean)), _readiness(newest) | lost)


def _readiness(item: Mapping[str, Any]) -> dict[str, str]:
    """The Ready condition in one line, since its type, status and reason are three."""
    status = item.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for one in conditions if isinstance(conditions, list) else ():
        if isinstance(one, Mapping) and one.get("type") == "Ready":
            said = [str(one[key]) for key in ("status", "reason", "message") if one.get(key)]
            return {"Ready": ", ".join(said)}
    return {}


def _meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _created(item: Mapping[str, Any]) -> str:
    return str(_meta(item).get("creationTimestamp", ""))


async def read_events(reads: Reads, _settings: Events) -> Record:
    """Read the events about the target's present pods, its ReplicaSets and its Deployment.

    Left out are warnings of a start that the pod has got past: it has a node now, its container began.
    """
    name = reads.target.deployment
    events, pods = await asyncio.gather(reads.events(), or_none(reads.pods()))
    present = None if pods is None else {f"pod/{pod.name}": pod for pod in pods}
    events = [e for e in events if _about(e.object, name) and not _is_gone(e, present)]
    lines = [f"{e.type} {e.reason} {e.object}: {' '.join(e.message.split())}" for e in events[:MOST_EVENTS]]
    return Record("events", tuple(lines), truncated=len(events) > MOST_EVENTS)


def _about(subject: str, deployment: str) -> bool:
    """Whether ``pod/name`` is the Deployment or something that it made."""
    name = subject.partition("/")[2] or subject
    return name == deployment or name.startswith(f"{deployment}-")


def _is_gone(event: Event, present: Mapping[str, Pod] | None) -> bool:
    """Whether its pod does not exist any more, or has got past what it is about; ``present``: None if unknown."""
    if present is None or not event.object.startswith("pod/"):
        return False
    pod = present.get(event.object)
    return pod is None or own_objects.is_past(event, pod)


POD = FactReader("pod", API, read_pod, lambda _target, _settings: rights.POD_READ)
EVENTS = FactReader("events", API, read_events, lambda _target, _settings: (Right("list", "events"),))
