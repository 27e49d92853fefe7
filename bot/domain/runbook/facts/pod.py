"""The target's pod, as the API server describes it: each of its fields is a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.health.container_state import lost_readiness
from bot.domain.runbook import flat
from bot.domain.runbook.kind import FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import Record

STEADY = timedelta(hours=1)
"""A container that has run for so long doesn't crash: what ended the one before it is history."""


UNNAMED = "a container"
"""How messages call a container whose name is not known."""
NODE = "Node"
"""The line that a reader adds for a node that has stopped reporting: ``Node: gpu-1 has stopped reporting``."""


class PodFact(FactSettings):
    """The target's current pod: the newest that is not being deleted."""

    def describe(self) -> str:
        """The kubectl line that shows it."""
        return "`kubectl get pod -o yaml`"


def values(record: Record) -> dict[str, Any]:
    """Return whether there is a pod, the object, whether it is ready, and a map of each container's state.

    ``containers`` are all containers with ``name``, ``ready`` and, if known, ``restarts``. Where they apply, each
    has ``waiting``, ``running`` or ``terminated`` (its state) and ``last`` (its last termination). ``secrets``
    names those in its environment.
    ``path`` is how its lines begin. ``down``: it does not run, and is no init container
    that has done its work; ``steady``: it has run for an hour; ``failing``: it is down, or has not run so
    long, unless it was ready in between.
    ``lost`` is the line that says that the node is gone, if there is one. Raises `Unreadable`.
    """
    found = flat.inflated(record.lines)
    if not record.lines:
        return {"exists": False}  # all else is then unknown
    if not found:
        raise Unreadable("it is no pod")
    status = found.get("status")
    secrets = dict(_secrets(found.get("spec")))
    status = status if isinstance(status, dict) else {}
    unready = _unready_since(status)
    containers = [_container(path, one, secrets, record.at, unready) for path, one in _statuses(status)]
    ready = record.outcome.get("Ready", "")
    known = {"ready": ready.startswith("True"), "readiness": ready} if ready else {}
    lost = [f"{NODE}: {record.outcome[NODE]}"] if NODE in record.outcome else []
    return {
        "exists": True,
        "object": found,
        "containers": containers,
        "lost": lost,
        "lines": list(record.lines),
        **known,
    }


def _statuses(status: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each container's status, and where it stands in the pod."""
    for key in ("initContainerStatuses", "containerStatuses"):
        found = status.get(key)
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict):
                yield f"status.{key}[{number}]", one


def _secrets(spec: Any) -> Iterator[tuple[str, list[str]]]:
    """By container the Secrets of its environment."""
    containers = spec.get("containers") if isinstance(spec, dict) else None
    for one in containers if isinstance(containers, list) else ():
        if isinstance(one, dict) and one.get("name"):
            whole = [_name(source, "secretRef") for source in one.get("envFrom") or ()]
            single = [_name(variable, "valueFrom", "secretKeyRef") for variable in one.get("env") or ()]
            yield one["name"], [name for name in (*whole, *single) if name]


def _name(found: Any, *path: str) -> str:
    for key in (*path, "name"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _container(
    path: str,
    status: dict[str, Any],
    secrets: Mapping[str, list[str]],
    at: datetime | None,
    unready: datetime | None,
) -> dict[str, Any]:
    state = status.get("state")
    last = status.get("lastState")
    name = status.get("name", "")
    made: dict[str, Any] = {"path": path, "name": name or UNNAMED, "image": status.get("image", "")}
    made |= {"restarts": status["restartCount"]} if "restartCount" in status else {}
    made |= state if isinstance(state, dict) else {}
    made["ready"] = status.get("ready", "running" in made)
    if isinstance(last, dict) and isinstance(last.get("terminated"), dict):
        made["last"] = last["terminated"]
    if name in secrets:
        made["secrets"] = secrets[name]
    runs = "running" in made or made["ready"] is True
    made["steady"] = runs and _is_long_ago(made, at)
    made["down"] = not runs and not _is_completed(path, made)
    recovered = made["ready"] is False and lost_readiness(_started(made), unready)
    made["failing"] = not made["steady"] and not recovered and not _is_completed(path, made)
    return made


def _unready_since(status: Mapping[str, Any]) -> datetime | None:
    """Since when not all containers are ready; None where they are, or where it is not known."""
    found = status.get("conditions")
    conditions = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    unready = [one for one in conditions if one.get("type") == "ContainersReady" and one.get("status") == "False"]
    return _time(unready[0].get("lastTransitionTime")) if unready else None


def _started(container: Mapping[str, Any]) -> datetime | None:
    running = container.get("running")
    return _time(running.get("startedAt")) if isinstance(running, dict) else None


def _is_long_ago(container: Mapping[str, Any], at: datetime | None) -> bool:
    """Whether it was started, or the one before it ended, longer ago than `STEADY`."""
    times = ((container.get("running"), "startedAt"), (container.get("last"), "finishedAt"))
    found = (_time(one.get(key)) for one, key in times if isinstance(one, dict))
    return at is not None and any(time is not None and at - time >= STEADY for time in found)


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _is_completed(path: str, container: Mapping[str, Any]) -> bool:
    """Whether it is an init container that has done its work."""
    ended = container.get("terminated")
    return ".init" in path and isinstance(ended, dict) and ended.get("exitCode") == 0


KIND = FactKind(
    "pod",
    "The target's current pod",
    PodFact,
    {
        "exists": "bool",
        "object": "dyn",
        "ready": "bool",
        "readiness": "string",
        "containers": "list(dyn)",
        "lost": "list(string)",
        "lines": "list(string)",
    },
    values,
    outcome=("exists", "Ready", NODE),
)
