"""Select the namespace's objects that belong to the target, so that only their events count. Pure.

A namespace has other objects: deleted pods, whose events remain for an hour, the bot itself, other workloads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from bot.domain.core import addresses
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.core.workload import Claim, Deployment, Event, ExternalSecret, Pod, Service, Uses
from bot.domain.health import pod_state
from bot.domain.health.judge_deployment import Owner

SERVICE, CLAIM, REPLICA_SET = "service", "persistentvolumeclaim", "replicaset"
EXTERNAL = "externalsecret"


_OF_STARTS = (
    "FailedScheduling",
    "FailedAttachVolume",
    "FailedMount",
    "FailedMapVolume",
    "FailedCreatePodSandBox",
    "NetworkNotReady",
)
"""Warnings that may only delay a pod's start: a volume that the old pod still holds, a cache that lags behind."""
_OF_CLAIMS = ("ProvisioningFailed", "FailedBinding")
"""Warnings about a claim that is not bound."""
_SOON = timedelta(minutes=10)


@dataclass(frozen=True)
class Start:
    """When a pod became ready.

    ``first``: whether this was its first start, soon and without container restarts.
    """

    ready_at: datetime
    first: bool


@dataclass(frozen=True)
class Own:
    """The target's own objects as ``kind/name``, each with its uid, or None where the uid is not known."""

    objects: Mapping[str, str | None] = field(default_factory=dict)
    beginnings: tuple[str, ...] = ()
    """Prefixes of ``kind/name`` for further own objects, whose exact names are not known."""
    starts: Mapping[str, Start] = field(default_factory=dict)
    """The start of each pod that is ready now."""
    pods: Mapping[str, Pod] = field(default_factory=dict)
    """The pods, as objects."""
    made: Mapping[str, datetime] = field(default_factory=dict)
    """When the pod was created that is ready now, by the object that created it."""
    bound: frozenset[str] = frozenset()
    """The claims that are bound, as objects."""
    synced: Mapping[str, datetime] = field(default_factory=dict)
    """When each ExternalSecret was synced last that is synced now, as objects."""

    def has(self, event: Event) -> bool:
        """Whether the event is about an own object, and not about an earlier object of the same name."""
        if event.object in self.objects:
            uid = self.objects[event.object]
            return uid is None or event.uid is None or uid == event.uid
        return event.object.startswith(self.beginnings) if self.beginnings else False

    def is_over(self, event: Event) -> bool:
        """Whether what it is about is mended since.

        The pod was created, has got further in its start or has become ready; a claim is bound; an
        ExternalSecret is synced again.
        """
        start, pod = self.starts.get(event.object), self.pods.get(event.object)
        at = event.last_seen or event.first_seen
        if pod is not None and is_past(event, pod):
            return True
        if event.object in self.bound and event.reason in _OF_CLAIMS:
            return True
        if at is not None and event.reason == "FailedCreate" and event.object in self.made:
            return at <= self.made[event.object]
        if at is not None and event.object in self.synced:
            return at <= self.synced[event.object]
        if start is None or at is None or at > start.ready_at:
            return False
        return event.reason in _OF_STARTS or (event.reason == "Unhealthy" and start.first)


def is_past(event: Event, pod: Pod) -> bool:
    """Whether the warning only delayed this pod's start: since then the pod has a node, or a container began."""
    if event.reason == "FailedScheduling":
        return pod.node is not None
    at = event.last_seen or event.first_seen
    return event.reason in _OF_STARTS and at is not None and any(at <= begun for begun in _begun(pod))


def _begun(pod: Pod) -> Iterable[datetime]:
    """When its containers began, those before their last restarts included: the volumes were mounted then."""
    for one in pod.every_container:
        ended = (end.started_at for end in (one.terminated, one.last_termination) if end is not None)
        yield from (time for time in (one.started_at, *ended) if time is not None)


def own(
    target: Target,
    pods: Sequence[Pod],
    deployment: Owner,
    services: Sequence[Service] | None,
    claims: Sequence[Claim] | None,
    external: Sequence[ExternalSecret] = (),
) -> Own:
    """Collect the pods, their owners, the objects they use, and the Services in front of them.

    ``services`` and ``claims`` are None where they are not known: then all Services count, and claims by name.
    """
    present = existing(pods)
    found: dict[str, str | None] = {f"pod/{p.name}": p.uid or None for p in present}
    found |= {f"{o.kind.lower()}/{o.name}": o.uid or None for p in present for o in p.owners}
    found[f"deployment/{target.deployment}"] = (
        (deployment.uid or None) if isinstance(deployment, Deployment) else None
    )
    found |= _used(uses(present, deployment), claims)
    found |= {f"{SERVICE}/{s.name}": s.uid for s in services or () if _in_front(s, present, target)}
    beginnings: tuple[str, ...] = () if services is not None else (f"{SERVICE}/",)
    if not any(p.owners for p in present):  # a ReplicaSet that can't create a pod is named by none
        named = _replica_set(deployment)
        found |= {f"{REPLICA_SET}/{named}": None} if named else {}
        beginnings += () if named else (f"{REPLICA_SET}/{target.deployment}-",)
    starts = {f"pod/{p.name}": start for p in present if (start := _start(p))}
    named_pods = {f"pod/{p.name}": p for p in present}
    return Own(found, beginnings, starts, named_pods, _made(present), _bound(claims), _synced(external))


def _made(pods: Sequence[Pod]) -> dict[str, datetime]:
    ready = [p for p in pods if p.created_at is not None and pod_state.is_ready(p)]
    return {
        f"{o.kind.lower()}/{o.name}": p.created_at for p in ready for o in p.owners if p.created_at is not None
    }


def _bound(claims: Sequence[Claim] | None) -> frozenset[str]:
    return frozenset(f"{CLAIM}/{c.name}" for c in claims or () if c.phase == "Bound")


def _synced(external: Sequence[ExternalSecret]) -> dict[str, datetime]:
    return {f"{EXTERNAL}/{one.name}": one.synced_at for one in external if one.synced_at is not None}


def _start(pod: Pod) -> Start | None:
    ready = pod.condition("Ready")
    if ready is None or ready.since is None or not pod_state.is_ready(pod):
        return None
    begun = max((c.started_at for c in pod.lasting if c.started_at), default=None)
    return Start(ready.since, not pod.restarts and begun is not None and ready.since - begun < _SOON)


_NAMED = re.compile(r'ReplicaSet "([^"]{1,253})"')


def _replica_set(deployment: Owner) -> str | None:
    """The current ReplicaSet, as named in the Deployment's Progressing condition."""
    progress = deployment.condition("Progressing") if isinstance(deployment, Deployment) else None
    match = _NAMED.search((progress.message or "")[:1_000]) if progress else None
    return match[1] if match else None


def existing(pods: Sequence[Pod]) -> list[Pod]:
    """The pods that are not over; all of them where every pod is over."""
    return [p for p in pods if not p.over] or list(pods)


def uses(pods: Sequence[Pod], deployment: Owner) -> Uses | None:
    """The objects that the pods use; without pods, those of the Deployment's template.

    None where neither is known.
    """
    found = [p.uses for p in pods if p.uses is not None]
    if not found and isinstance(deployment, Deployment) and deployment.uses is not None:
        found = [deployment.uses]
    if not found:
        return None
    return Uses(
        _together(u.claims for u in found),
        _together(u.secrets for u in found),
        _together(u.config_maps for u in found),
        _together(u.required_secrets for u in found),
    )


def _together(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _used(used: Uses | None, claims: Sequence[Claim] | None) -> dict[str, str | None]:
    if used is None:
        return {}
    uids = {c.name: c.uid for c in claims or ()}
    found: dict[str, str | None] = {f"{CLAIM}/{name}": uids.get(name) for name in used.claims}
    found |= {f"{kind}/{name}": None for kind in ("secret", EXTERNAL, "sealedsecret") for name in used.secrets}
    return found | {f"configmap/{name}": None for name in used.config_maps}


def _in_front(service: Service, pods: Sequence[Pod], target: Target) -> bool:
    """Whether the Service selects one of the pods, or has an address that the settings expect."""
    if any(addresses.same(spec.ip, one) for spec in target.services for one in service.addresses):
        return True
    labels = [p.labels for p in pods] or [_equalities(target.selector)]
    wanted = service.selector.items()
    return bool(wanted) and any(wanted <= one.items() for one in labels)


def _equalities(selector: str) -> dict[str, str]:
    """The labels that a selector requires by ``=``."""
    pairs = (part.replace("==", "=").partition("=") for part in selector.split(",") if "!=" not in part)
    return {name.strip(): value.strip() for name, mark, value in pairs if mark}
