"""The objects, their resource versions and the change history that watches read."""

from __future__ import annotations

import asyncio
import builtins
import copy
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.cluster.kinds import Kind
from sandbox.cluster.status import expired

Object = dict[str, Any]
Clock = Callable[[], datetime]
HISTORY = 4096
"""Changes kept for watches; an older resource version gets 410, as with etcd's compaction."""


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """``moment`` as ``metav1.Time`` writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_stamp(text: str) -> datetime:
    """Parse a ``metav1.Time``. Raises ValueError for anything that is not RFC 3339."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Change:
    """One write; ``before`` is what the object was, for watches whose selector it stops matching."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    kind: Kind
    object: Object
    before: Object | None


class Store:
    """Objects by kind, namespace and name.

    An object that it returns never changes and must not be changed by the reader: take a copy
    with :meth:`draft`, and :meth:`put` it back.
    """

    def __init__(self, clock: Clock = utc_now, first_version: int = 481_516) -> None:
        """An empty store whose versions start after ``first_version``."""
        self.clock = clock
        self._version = first_version
        self._oldest = first_version
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._watchers: set[asyncio.Queue[Change]] = set()

    @property
    def version(self) -> int:
        """The newest resource version."""
        return self._version

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(kind.qualified, {}).get((namespace, name))

    def list(self, kind: Kind, namespace: str = "") -> list[Object]:
        """All objects of a kind, of one namespace unless it is empty, ordered by namespace and name."""
        found = self._objects.get(kind.qualified, {})
        return [found[key] for key in sorted(found) if not namespace or key[0] == namespace]

    def draft(self, kind: Kind, namespace: str, name: str) -> Object:
        """A copy to change and :meth:`put` back. Raises KeyError when there is no such object."""
        found = self.get(kind, namespace, name)
        if found is None:
            raise KeyError(f"no {kind.qualified} {namespace}/{name}")
        return copy.deepcopy(found)

    def put(self, kind: Kind, obj: Object, *, by_client: bool = False) -> Object:
        """Store a copy of ``obj`` as a new version; fills in uid, creation time and generation."""
        new = copy.deepcopy(obj)
        meta = new.setdefault("metadata", {})
        key = (meta.get("namespace", "") if kind.namespaced else "", meta["name"])
        before = self.get(kind, *key)
        if before is not None and _unchanged(before, new):
            return before
        self._fill(kind, new, before, by_client)
        self._version += 1
        meta["resourceVersion"] = str(self._version)
        self._objects.setdefault(kind.qualified, {})[key] = new
        self._record("MODIFIED" if before else "ADDED", kind, new, before)
        return new

    def remove(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Take an object away; None when there was none."""
        before = self._objects.get(kind.qualified, {}).pop((namespace, name), None)
        if before is None:
            return None
        self._version += 1
        gone = before | {"metadata": before["metadata"] | {"resourceVersion": str(self._version)}}
        self._record("DELETED", kind, gone, before)
        return gone

    def changes_since(self, version: int) -> builtins.list[Change]:
        """The changes after ``version``. Raises ApiError 410 when they were compacted."""
        if version < self._oldest:
            raise expired(str(version), str(self._oldest))
        return [change for change in self._history if change.version > version]

    def compact(self) -> None:
        """Forget the history: a watch from any earlier version gets 410."""
        self._history.clear()
        self._oldest = self._version

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[Change]]:
        """A queue that receives every change from now on."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def _fill(self, kind: Kind, new: Object, before: Object | None, by_client: bool) -> None:
        new["apiVersion"], new["kind"] = kind.api_version, kind.kind
        meta = new["metadata"]
        old = before["metadata"] if before else {}
        meta["uid"] = old.get("uid") or meta.get("uid") or str(uuid.uuid4())
        meta["creationTimestamp"] = (
            old.get("creationTimestamp") or meta.get("creationTimestamp") or stamp(self.clock())
        )
        if before is None:
            if "spec" in new and kind.plural in _WITH_GENERATION:
                meta.setdefault("generation", 1)
        elif "generation" in old:
            meta["generation"] = old["generation"] + _raises_generation(kind, before, new, by_client)

    def _record(
        self,
        type_: Literal["ADDED", "MODIFIED", "DELETED"],
        kind: Kind,
        obj: Object,
        before: Object | None,
    ) -> None:
        if len(self._history) == HISTORY:
            self._oldest = self._history[0].version
        change = Change(self._version, type_, kind, obj, before)
        self._history.append(change)
        for queue in self._watchers:
            queue.put_nowait(change)


_WITH_GENERATION = frozenset(
    {
        "deployments",
        "replicasets",
        "pods",
        "statefulsets",
        "daemonsets",
        "endpointslices",
        "applications",
        "ciliumnetworkpolicies",
        "externalsecrets",
        "cronjobs",
        "networkpolicies",
    }
)


def _raises_generation(kind: Kind, before: Object, new: Object, by_client: bool) -> bool:
    """Whether a write raises the generation. A client's change of a Deployment's annotations does, too.

    Source: ``pkg/registry/apps/deployment/strategy.go`` of Kubernetes.
    """
    if before.get("spec") != new.get("spec"):
        return True
    told, tells = (obj["metadata"].get("annotations") or {} for obj in (before, new))
    return by_client and kind.plural == "deployments" and told != tells


def _unchanged(before: Object, new: Object) -> bool:
    """Whether a write changes nothing: such a write gets no new version, as with the real server."""
    return {k: v for k, v in before.items() if k != "metadata"} == {
        k: v for k, v in new.items() if k != "metadata"
    } and _without_version(before["metadata"]) == _without_version(new["metadata"])


def _without_version(meta: Object) -> Object:
    return {k: v for k, v in meta.items() if k != "resourceVersion"}
