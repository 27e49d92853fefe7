"""Converts the API's objects (`shapes`) to the domain's (`bot.domain.core.workload`). Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from msgspec import structs

from bot.adapters.kubernetes import managers, references, shapes
from bot.domain.core import quantities, workload

MIN_SECRET_LENGTH = 6
"""Shorter values are not redacted: they would blot out half of an ordinary log."""

MOST_GRACE = 3_600
"""Longest grace period that is waited for, in seconds."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def quantity(value: str | int | None) -> int | None:
    """Convert a Kubernetes quantity (``20Gi``, ``500M``, ``1e9``) to bytes; None if it is no quantity."""
    found = quantities.amount(value)
    return None if found is None else int(found)


def pod(raw: shapes.Pod) -> workload.Pod:
    """Convert a pod. Containers are in the spec's order, also those that have no status yet."""
    spec, status = raw.spec or shapes.PodSpec(), raw.status or shapes.PodStatus()
    limit = _memory_limit(spec.resources)
    return workload.Pod(
        name=raw.metadata.name,
        uid=raw.metadata.uid,
        phase=status.phase,
        node=spec.node_name or None,
        ip=status.pod_ip,
        created_at=raw.metadata.creation_timestamp,
        started_at=status.start_time,
        deleting=raw.metadata.deletion_timestamp is not None,
        reason=status.reason,
        message=status.message,
        containers=_containers(spec.containers, status.container_statuses, "main", limit),
        conditions=conditions(status.conditions),
        init_containers=_containers(spec.init_containers, status.init_container_statuses, "init", limit),
        ephemeral_containers=_containers(
            spec.ephemeral_containers, status.ephemeral_container_statuses, "ephemeral", limit
        ),
        readiness_gates=tuple(g.condition_type for g in spec.readiness_gates or ()),
        finalizers=tuple(raw.metadata.finalizers or ()),
        delete_by=raw.metadata.deletion_timestamp,
        labels=raw.metadata.labels or {},
        owners=references.owners(raw.metadata),
        uses=references.uses(raw.metadata.name, spec) if raw.spec else None,
        restart_policy=spec.restart_policy or "Always",
        grace=_grace(spec.termination_grace_period_seconds),
        shared_processes="node" if spec.host_pid else "pod" if spec.share_process_namespace else "",
    )


def _grace(seconds: int | None) -> timedelta:
    return timedelta(seconds=30 if seconds is None else min(max(seconds, 0), MOST_GRACE))


def _containers(
    specs: Iterable[shapes.Container] | None,
    statuses: Iterable[shapes.ContainerStatus] | None,
    role: workload.ContainerRole,
    limit: str | None,
) -> tuple[workload.Container, ...]:
    """Convert the spec's containers, then those with a status only. ``limit`` is the pod's own memory limit."""
    known = {c.name: c for c in statuses or ()}
    named = list(specs or ())
    unnamed = [shapes.Container(n, s.image) for n, s in known.items() if n not in {c.name for c in named}]
    return tuple(container(c, known.get(c.name), role, limit) for c in (*named, *unnamed))


def _memory_limit(resources: shapes.Resources | None) -> str | None:
    limit = (resources.limits or {}).get("memory") if resources else None
    return None if limit is None else str(limit)


def container(
    spec: shapes.Container,
    status: shapes.ContainerStatus | None,
    role: workload.ContainerRole = "main",
    limit: str | None = None,
) -> workload.Container:
    """Convert a container. An init container with restartPolicy Always is a sidecar."""
    role = "sidecar" if role == "init" and spec.restart_policy == "Always" else role
    limit = _memory_limit(spec.resources) or limit
    limits, policy = _limits(spec.resources), spec.image_pull_policy
    if status is None:
        return workload.Container(
            spec.name,
            spec.image,
            role=role,
            memory_limit=limit,
            limits=limits,
            pull_policy=policy,
            restart_policy=spec.restart_policy,
        )
    name, now = _state(status.state)
    last = status.last_state.terminated if status.last_state else None
    if name == "terminated":
        now = _without_log(now, spec)
    return workload.Container(
        name=spec.name,
        image=spec.image or status.image,
        image_id=status.image_id or None,
        ready=status.ready,
        restarts=status.restart_count,
        state=name,
        reason=now.reason,
        message=now.message,
        started_at=now.started_at,
        last_termination=_termination(_without_log(last, spec)) if last else None,
        role=role,
        started=status.started,
        terminated=_termination(now) if name == "terminated" else None,
        memory_limit=limit,
        limits=_limits(status.resources) or limits,
        pull_policy=policy,
        restart_policy=spec.restart_policy,
    )


def _limits(resources: shapes.Resources | None) -> dict[str, str]:
    found = (resources.limits or {}) if resources else {}
    return {name: str(value) for name, value in found.items()}


def _without_log(ended: shapes.StateDetails, spec: shapes.Container) -> shapes.StateDetails:
    """How a container ended, without a message that may be of its log, which not everybody may read."""
    may_be_log = spec.termination_message_policy == "FallbackToLogsOnError" and ended.exit_code != 0
    return structs.replace(ended, message=None) if may_be_log else ended


def _termination(state: shapes.StateDetails) -> workload.Termination:
    reason = state.reason or "Unknown"
    return workload.Termination(reason, state.exit_code, state.finished_at, state.message, state.started_at)


def _state(state: shapes.ContainerState | None) -> tuple[str, shapes.StateDetails]:
    """Return the state's name and details; an empty state means waiting (core/v1, ContainerState)."""
    for name in ("running", "waiting", "terminated"):
        found = getattr(state, name, None)
        if found is not None:
            return name, found
    return "waiting", shapes.StateDetails()


def conditions(
    raw: Iterable[shapes.Condition] | None, unstated: str = "Unknown"
) -> tuple[workload.Condition, ...]:
    """Convert conditions. ``unstated`` is the status of those without one: Argo CD's hold if they are there."""
    return tuple(
        workload.Condition(c.type, c.status or unstated, c.reason, c.message, c.last_transition_time)
        for c in raw or ()
    )


def deployment(raw: shapes.Deployment) -> workload.Deployment:
    """Convert a Deployment. ``replicas`` defaults to 1 (apps/v1)."""
    spec, status = raw.spec or shapes.DeploymentSpec(), raw.status or shapes.DeploymentStatus()
    template = spec.template or shapes.PodTemplate()
    pod_spec, pod_meta = template.spec or shapes.PodSpec(), template.metadata or shapes.ObjectMeta()
    return workload.Deployment(
        name=raw.metadata.name,
        uid=raw.metadata.uid,
        resource_version=raw.metadata.resource_version,
        generation=raw.metadata.generation,
        observed_generation=status.observed_generation,
        wanted=1 if spec.replicas is None else spec.replicas,
        current=status.replicas,
        updated=status.updated_replicas,
        ready=status.ready_replicas,
        available=status.available_replicas,
        paused=spec.paused,
        strategy=(spec.strategy.type if spec.strategy else None) or "RollingUpdate",
        max_unavailable=_max_unavailable(spec),
        images={c.name: c.image for c in pod_spec.containers or ()},
        template=(
            *_containers(pod_spec.containers, (), "main", None),
            *_containers(pod_spec.init_containers, (), "init", None),
        ),
        template_annotations=pod_meta.annotations or {},
        created_at=raw.metadata.creation_timestamp,
        uses=references.uses("", pod_spec) if template.spec else None,
        conditions=conditions(status.conditions),
        architecture=(pod_spec.node_selector or {}).get("kubernetes.io/arch", ""),
        managers=managers.template_managers(raw.metadata),
        instance=(raw.metadata.labels or {}).get("app.kubernetes.io/instance", ""),
    )


def _max_unavailable(spec: shapes.DeploymentSpec) -> int:
    """Resolve ``maxUnavailable`` as the Deployment's controller does: one where neither field lets it begin."""
    wanted = 1 if spec.replicas is None else spec.replicas
    rolling = (spec.strategy.rolling_update if spec.strategy else None) or shapes.RollingUpdate()
    unavailable = _share(rolling.max_unavailable, wanted, math.floor)
    return unavailable or int(_share(rolling.max_surge, wanted, math.ceil) == 0)


def _share(given: int | str | None, wanted: int, rounded: Callable[[float], int]) -> int:
    """A number of pods, or a share of those that are wanted such as ``25%``, which is the default."""
    if isinstance(given, int):
        return given
    percent = (given or "25%").removesuffix("%")
    return rounded(int(percent) * wanted / 100) if percent.isdecimal() else 0


def oldest_first(pods: Iterable[workload.Pod]) -> list[workload.Pod]:
    """Sort pods by creation, then name."""
    return sorted(pods, key=lambda p: (p.created_at or _LONG_AGO, p.name))


def event(raw: shapes.Event) -> workload.Event:
    """Convert an event of either API generation: with a count of its own, or with a series."""
    series, about = raw.series or shapes.Series(), raw.involved_object or shapes.ObjectRef()
    made = raw.metadata.creation_timestamp if raw.metadata else None
    return workload.Event(
        type=raw.type or "Normal",
        reason=raw.reason or "",
        message=(raw.message or "").strip(),
        object=f"{(about.kind or 'object').lower()}/{about.name or ''}",
        count=max(1, series.count or raw.count or 1),
        first_seen=raw.first_timestamp or raw.event_time or made,
        last_seen=series.last_observed_time or raw.last_timestamp or raw.event_time or raw.first_timestamp or made,
        source=raw.reporting_component or (raw.source.component if raw.source else None) or None,
        uid=about.uid or None,
    )


def newest_first(events: Iterable[workload.Event]) -> list[workload.Event]:
    """Sort events by when they were last seen; those without any time come last."""
    return sorted(events, key=lambda e: e.last_seen or _LONG_AGO, reverse=True)


def service(raw: shapes.Service) -> workload.Service:
    """Convert a Service. The cluster IP ``None`` is Kubernetes' value for headless."""
    spec, status = raw.spec or shapes.ServiceSpec(), raw.status or shapes.ServiceStatus()
    assigned = (status.load_balancer.ingress if status.load_balancer else None) or ()
    return workload.Service(
        name=raw.metadata.name,
        type=spec.type or "ClusterIP",
        cluster_ip=spec.cluster_ip if spec.cluster_ip not in ("", "None") else None,
        ingress=tuple(address for i in assigned for address in (i.ip, i.hostname) if address),
        ports=tuple(_port(p) for p in spec.ports or ()),
        selector=spec.selector or {},
        uid=raw.metadata.uid or None,
        external_ips=tuple(spec.external_ips or ()),
    )


def _port(raw: shapes.ServicePort) -> workload.ServicePort:
    target = None if raw.target_port is None else str(raw.target_port)
    return workload.ServicePort(raw.port, target, raw.name, raw.protocol or "TCP")


def endpoints(raw: shapes.EndpointSlice) -> list[workload.Endpoint]:
    """Return a slice's addresses. Readiness defaults to ready (discovery.k8s.io/v1)."""
    name = (raw.metadata.labels or {}).get("kubernetes.io/service-name", "")
    ports = tuple(p.port for p in raw.ports or () if p.port is not None)
    return [
        workload.Endpoint(name, address, _is_ready(e), ports, e.target_ref.name if e.target_ref else None)
        for e in raw.endpoints or ()
        for address in e.addresses or ()
    ]


def _is_ready(endpoint: shapes.SliceEndpoint) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def claim(raw: shapes.Claim) -> workload.Claim:
    """Convert a PersistentVolumeClaim."""
    spec, status = raw.spec or shapes.ClaimSpec(), raw.status or shapes.ClaimStatus()
    return workload.Claim(
        name=raw.metadata.name,
        phase=status.phase or "Pending",
        capacity=quantity((status.capacity or {}).get("storage")),
        storage_class=spec.storage_class_name,
        access_modes=tuple(spec.access_modes or ()),
        volume=spec.volume_name or None,
        created_at=raw.metadata.creation_timestamp,
        uid=raw.metadata.uid or None,
    )


MOST_SOURCES = 20
"""Maximum sources, and unhealthy resources, of one Argo CD Application."""


def application(raw: shapes.Application) -> workload.Application:
    """Convert an Argo CD Application. A missing status is ``Unknown``, Argo CD's own value."""
    status = raw.status or shapes.ApplicationStatus()
    sync, health = status.sync or shapes.Sync(), status.health or shapes.HealthStatus()
    operation = status.operation_state or shapes.Operation()
    spec, resources = raw.spec or shapes.ApplicationSpec(), status.resources or ()
    sources = _sources(spec, sync)
    automated = spec.sync_policy.automated if spec.sync_policy else None
    return workload.Application(
        name=raw.metadata.name,
        sync=sync.status or "Unknown",
        health=health.status or "Unknown",
        revision=None if sources else sync.revision or next(iter(sync.revisions or ()), None),
        health_message=health.message or None,
        finished_at=operation.finished_at,
        operation_phase=operation.phase,
        operation_message=operation.message,
        conditions=conditions(status.conditions, "True"),
        sources=sources,
        unhealthy=tuple(_unhealthy(resources)),
        deployments=frozenset((r.namespace or "", r.name or "") for r in resources if r.kind == "Deployment"),
        self_heal=bool(automated and automated.self_heal),
        path=(spec.source.path or "") if spec.source else "",
    )


def _sources(spec: shapes.ApplicationSpec, sync: shapes.Sync) -> tuple[workload.ApplicationSource, ...]:
    """Return the sources with their revisions if there are several; empty for a single source."""
    sources, revisions = spec.sources or [], sync.revisions or []
    count = min(max(len(sources), len(revisions)), MOST_SOURCES)
    if count < 2:
        return ()
    named = [_source_name(sources[n]) if n < len(sources) else "" for n in range(count)]
    return tuple(
        workload.ApplicationSource(name or f"source {n + 1}", revisions[n] if n < len(revisions) else None)
        for n, name in enumerate(named)
    )


def _source_name(source: shapes.ApplicationSource) -> str:
    """Return a source's name, chart or repository: ``name`` of ``https://example.com/group/name.git``."""
    repository = (source.repo or "").rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    return source.name or source.chart or repository


def _unhealthy(resources: Iterable[shapes.ApplicationResource]) -> Iterator[str]:
    bad = (r for r in resources if r.health and r.health.status in ("Degraded", "Missing", "Progressing"))
    for one in islice(bad, MOST_SOURCES):
        said = f": {one.health.message}" if one.health and one.health.message else ""
        yield f"{one.kind} {one.name} is {one.health.status if one.health else ''}{said}"


def rules(raw: shapes.RulesStatus) -> workload.Rules:
    """Convert the resource rules of a SelfSubjectRulesReview."""
    return workload.Rules(
        tuple(
            workload.PolicyRule(
                tuple(r.api_groups or ()),
                tuple(r.resources or ()),
                tuple(r.verbs or ()),
                tuple(r.resource_names or ()),
            )
            for r in raw.resource_rules or ()
        ),
        raw.incomplete,
        raw.evaluation_error or None,
    )


def secret_values(secrets: Iterable[shapes.Secret]) -> frozenset[str]:
    """Return the values to redact: decoded, whole and by line, without short and binary ones."""
    found: set[str] = set()
    for encoded in (value for secret in secrets for value in (secret.data or {}).values()):
        try:
            text = base64.b64decode(encoded, validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            continue
        found |= {part for part in (text, *map(str.strip, text.splitlines())) if len(part) >= MIN_SECRET_LENGTH}
    return frozenset(found)


def secret_data(raw: shapes.Secret) -> dict[str, bytes]:
    """Decode the values of a Secret."""
    return {name: value_of(encoded) for name, encoded in (raw.data or {}).items()}


FINGERPRINT = 8
"""Hexadecimal digits of a fingerprint: enough to tell values apart, too few to recover one."""


def secret(raw: shapes.Secret, key: bytes | None) -> workload.SecretFacts:
    """Convert a Secret, without its values. ``key`` is the HMAC key of the fingerprints; None makes none."""
    meta = raw.metadata or shapes.ObjectMeta()
    newest = managers.last_write(meta)
    return workload.SecretFacts(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        keys={name: _secret_key(value, key) for name, value in sorted((raw.data or {}).items())},
        annotations=meta.annotations or {},
        created_at=meta.creation_timestamp,
        changed_at=newest.time if newest else None,
        changed_surely=newest is not None and managers.writes_values_only(newest),
        immutable=bool(raw.immutable),
        managers=managers.managers(meta),
        fingerprint_key=""
        if key is None
        else hmac.new(key, b"agentpod key id", "sha256").hexdigest()[:FINGERPRINT],
    )


def _secret_key(encoded: str, key: bytes | None) -> workload.SecretKey:
    try:
        value = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if key is None:
        return workload.SecretKey(len(value))
    return workload.SecretKey(len(value), hmac.new(key, value, "sha256").hexdigest()[:FINGERPRINT])


def value_of(encoded: str) -> bytes:
    """Decode a Secret's value; the API server accepts only valid base64."""
    return base64.b64decode(encoded)


def external_secret(raw: shapes.ExternalSecret) -> workload.ExternalSecret:
    """Convert an ExternalSecret: its conditions, last refresh, store and Secret."""
    status, spec = raw.status or shapes.ExternalStatus(), raw.spec or shapes.ExternalSpec()
    found = conditions(status.conditions)
    ready = next((c for c in found if c.type == "Ready"), None)
    target, store = spec.target or shapes.ExternalTarget(), spec.secret_store_ref
    return workload.ExternalSecret(
        name=raw.metadata.name,
        secret=target.name or raw.metadata.name,
        ready=ready.status if ready else "Unknown",
        reason=ready.reason if ready else None,
        message=ready.message if ready else None,
        ready_since=ready.since if ready else None,
        refreshed_at=status.refresh_time,
        store=f"{store.kind or 'SecretStore'} {store.name}" if store and store.name else None,
        policy=target.creation_policy or "Owner",
        others=tuple(c.type for c in found if c.type != "Ready" and c.status == "True"),
    )


def log_text(body: bytes, limit: int) -> workload.LogText:
    """Split a log into lines. A ``body`` longer than ``limit`` means that the log was truncated."""
    lines = body[:limit].decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return workload.LogText(tuple(line.removesuffix("\r") for line in lines), len(body) > limit)
