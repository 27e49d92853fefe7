"""The target's pod, as the API server describes it: each of its fields is a line."""

from __future__ import annotations

from typing import Any

from bot.domain.runbook import flat
from bot.domain.runbook.kind import FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import Record


class PodFact(FactSettings):
    """The target's current pod: the newest that is not being deleted."""

    def describe(self) -> str:
        """The kubectl line that shows it."""
        return "`kubectl get pod -o yaml`"


def values(record: Record) -> dict[str, Any]:
    """Return the object, whether it is ready, and a map of each container's state.

    ``containers`` are all containers with ``name``, ``ready``, ``restarts``, and where they apply ``waiting``,
    ``running`` and ``terminated`` (its state), ``last`` (its last termination). Raises `Unreadable` without a pod.
    """
    found = flat.inflated(record.lines)
    if not found:
        raise Unreadable("there is no pod")
    status = found.get("status")
    containers = [_container(one) for one in _statuses(status if isinstance(status, dict) else {})]
    ready = record.outcome.get("Ready", "")
    known = {"ready": ready.startswith("True"), "readiness": ready} if ready else {}
    return {"object": found, "containers": containers, "lines": list(record.lines), **known}


def _statuses(status: dict[str, Any]) -> list[dict[str, Any]]:
    lists = (status.get("initContainerStatuses"), status.get("containerStatuses"))
    return [one for found in lists if isinstance(found, list) for one in found if isinstance(one, dict)]


def _container(status: dict[str, Any]) -> dict[str, Any]:
    state = status.get("state")
    last = status.get("lastState")
    made = {"name": status.get("name", ""), "ready": status.get("ready", False)}
    made["restarts"] = status.get("restartCount", 0)
    made |= state if isinstance(state, dict) else {}
    if isinstance(last, dict) and isinstance(last.get("terminated"), dict):
        made["last"] = last["terminated"]
    return made


KIND = FactKind(
    "pod",
    "The target's current pod",
    PodFact,
    {"object": "dyn", "ready": "bool", "readiness": "string", "containers": "list(dyn)", "lines": "list(string)"},
    values,
)
