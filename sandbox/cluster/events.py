"""Events about objects, counted when they repeat."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.cluster import kinds
from sandbox.cluster.store import Store, stamp

Object = dict[str, Any]


class Recorder:
    """Writes Events as the components of a cluster do."""

    def __init__(self, store: Store) -> None:
        """Into ``store``."""
        self._store = store

    def record(
        self,
        about: Object,
        type_: str,
        reason: str,
        message: str,
        at: datetime | None = None,
        component: str = "",
        count: int = 1,
        since: datetime | None = None,
    ) -> None:
        """Record an event, ``count`` times ``since`` then; a repeat with the same words raises the count."""
        moment = at or self._store.clock()
        meta = about["metadata"]
        source = component or {"Pod": "kubelet", "ReplicaSet": "replicaset-controller"}.get(
            about["kind"], "deployment-controller"
        )
        for event in self._store.list(kinds.EVENT, meta["namespace"]):
            if event["involvedObject"]["uid"] == meta["uid"] and event["message"] == message:
                count += event["count"]
                again = event | {"count": count, "lastTimestamp": stamp(moment)}
                self._store.put(kinds.EVENT, again)
                return
        event = _event(about, type_, reason, message, moment, source, count)
        event["firstTimestamp"] = stamp(since or moment)
        event["metadata"]["name"] = f"{meta['name']}.{self._store.version + 0x18F000000000000:x}"
        self._store.put(kinds.EVENT, event)


def _event(
    about: Object, type_: str, reason: str, message: str, moment: datetime, source: str, count: int
) -> Object:
    meta = about["metadata"]
    involved = {
        "kind": about["kind"],
        "apiVersion": about["apiVersion"],
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    if source == "kubelet":
        involved["fieldPath"] = f"spec.containers{{{about['spec']['containers'][0]['name']}}}"
    where = {"host": about["spec"].get("nodeName", "")} if source == "kubelet" else {}
    return {
        "metadata": {"namespace": meta["namespace"], "creationTimestamp": stamp(moment)},
        "involvedObject": involved,
        "type": type_,
        "reason": reason,
        "message": message,
        "firstTimestamp": stamp(moment),
        "lastTimestamp": stamp(moment),
        "count": count,
        "eventTime": None,
        "source": {"component": source, **where},
        "reportingComponent": source,
        "reportingInstance": where.get("host", ""),
    }


def as_new(event: Object) -> Object:
    """A core/v1 Event in the shape of events.k8s.io/v1."""
    return {
        "apiVersion": kinds.NEW_EVENT.api_version,
        "kind": "Event",
        "metadata": event["metadata"],
        "eventTime": event["eventTime"],
        "regarding": event["involvedObject"],
        "type": event["type"],
        "reason": event["reason"],
        "note": event["message"],
        "deprecatedFirstTimestamp": event["firstTimestamp"],
        "deprecatedLastTimestamp": event["lastTimestamp"],
        "deprecatedCount": event["count"],
        "deprecatedSource": event["source"],
        "reportingController": event["reportingComponent"],
        "reportingInstance": event["reportingInstance"],
    }
