"""Plain data classes for Kubernetes objects: what the Cluster port returns.

Times are aware datetimes in UTC; sizes are in bytes; anything the API left out is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Literal

from bot.domain.core.lazy_dataclass import dataclass

ContainerRole = Literal["main", "sidecar", "init", "ephemeral"]
"""What a container is for. A sidecar is an init container with ``restartPolicy: Always``: it keeps running."""


@dataclass(frozen=True)
class Termination:
    """How a container terminated."""

    reason: str
    exit_code: int | None = None
    finished_at: datetime | None = None
    message: str | None = None
    started_at: datetime | None = None


@dataclass(frozen=True)
class Container:
    """One container's spec and status."""

    name: str
    image: str
    image_id: str | None = None
    ready: bool = False
    restarts: int = 0
    state: str = "unknown"
    """``running``, ``waiting``, ``terminated`` or ``unknown``."""
    reason: str | None = None
    """Why it waits or terminated: ``CrashLoopBackOff``, ``ContainerCreating``, ``OOMKilled`` …"""
    message: str | None = None
    started_at: datetime | None = None
    last_termination: Termination | None = None
    """How the previous container terminated, before the last restart."""
    role: ContainerRole = "main"
    started: bool | None = None
    """Whether the startup probe, if there is one, has passed."""
    terminated: Termination | None = None
    """How the current container terminated, where ``state`` is ``terminated``."""
    memory_limit: str | None = None
    """As written in the pod's spec: ``8Gi``."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """The limits in force by resource, such as ``memory``: as the kubelet reports them, else as in the spec."""
    pull_policy: str | None = None
    """``Always``, ``IfNotPresent`` or ``Never``."""
    restart_policy: str | None = None
    """Its own ``restartPolicy``; None where the pod's holds."""

    @property
    def digest(self) -> str | None:
        """The digest of the image that it runs; None where the kubelet has not reported it."""
        found = (self.image_id or "").rpartition("@")[2]
        return found if ":" in found else None

    @property
    def ended(self) -> Termination | None:
        """Its latest termination, None where it has never terminated."""
        return self.terminated or self.last_termination

    @property
    def done(self) -> bool:
        """Whether it has completed: terminated with exit code 0."""
        return self.terminated is not None and self.terminated.exit_code == 0

    @property
    def goes_on(self) -> bool:
        """Whether it has to run as long as the pod does: a main container or a sidecar."""
        return self.role in ("main", "sidecar")


@dataclass(frozen=True)
class Condition:
    """One entry of a status's conditions."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    since: datetime | None = None
    """When its status last changed."""


@dataclass(frozen=True)
class OwnerRef:
    """An entry of an object's ``ownerReferences``."""

    kind: str
    name: str
    uid: str = ""
    api_version: str = ""


@dataclass(frozen=True)
class Uses:
    """Names of the objects that a pod mounts or reads into its environment."""

    claims: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    config_maps: frozenset[str] = frozenset()
    required_secrets: frozenset[str] = frozenset()
    """The Secrets without which the pod can't start: not each reference to them is optional."""


@dataclass(frozen=True)
class Pod:
    """One pod. Readiness is judged in `bot.domain.health.pod_state` only."""

    name: str
    uid: str
    phase: str
    node: str | None = None
    ip: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    deleting: bool = False
    reason: str | None = None
    message: str | None = None
    containers: tuple[Container, ...] = ()
    """The main containers, in the spec's order."""
    conditions: tuple[Condition, ...] = ()
    init_containers: tuple[Container, ...] = ()
    """Init containers and sidecars, in the order in which they are started."""
    ephemeral_containers: tuple[Container, ...] = ()
    """Containers that `kubectl debug` added: they don't count for the pod's health."""
    readiness_gates: tuple[str, ...] = ()
    """Types of the extra conditions that must be True before the pod is ready."""
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[OwnerRef, ...] = ()
    uses: Uses | None = None
    """None where it is not known."""
    delete_by: datetime | None = None
    """When the grace period of a pod that is being deleted ends."""
    restart_policy: str = "Always"
    """What happens to containers that end: ``Always``, ``OnFailure`` or ``Never``."""
    grace: timedelta = timedelta(seconds=30)
    """How long its containers may take to end."""
    shared_processes: str = ""
    """With whom its containers share their process ids: the ``pod``, the ``node``; empty: with nobody."""

    @property
    def over(self) -> bool:
        """Whether the pod has ended (evicted, completed, failed) and only the object is left."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def sidecars(self) -> tuple[Container, ...]:
        """The init containers that keep running."""
        return tuple(c for c in self.init_containers if c.role == "sidecar")

    @property
    def lasting(self) -> tuple[Container, ...]:
        """The containers that run as long as the pod does: those of the READY column."""
        return (*self.containers, *self.sidecars)

    @property
    def every_container(self) -> tuple[Container, ...]:
        """All containers, the main ones first."""
        inits = tuple(c for c in self.init_containers if c.role == "init")
        return (*self.lasting, *inits, *self.ephemeral_containers)

    def container(self, name: str) -> Container | None:
        """The container of that name, None where the pod has none."""
        return next((c for c in self.every_container if c.name == name), None)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, None where it is not set. Of several, one that is not True comes first."""
        found = [c for c in self.conditions if c.type == type_]
        return next((c for c in found if c.status != "True"), found[0] if found else None)

    @property
    def initialized(self) -> bool:
        """Whether the kubelet reports the pod as initialized: its init containers have completed."""
        found = self.condition("Initialized")
        return found is not None and found.status == "True"

    @property
    def ready(self) -> str:
        """The READY column of `kubectl get pods`, such as ``1/1``: what the kubelet last reported."""
        count = sum(c.ready and c.state == "running" and c.started is not False for c in self.lasting)
        return f"{count}/{len(self.lasting)}"

    @property
    def restarts(self) -> int:
        """The RESTARTS column of `kubectl get pods`: the init containers' count until the pod is initialized."""
        counted = self.lasting if self.initialized or not self._initializing else self.init_containers
        return sum(c.restarts for c in counted)

    @property
    def status(self) -> str:
        """The STATUS column of `kubectl get pods`: the most specific reason, else the phase."""
        if self.deleting and self.reason == "NodeLost":
            return "Unknown"
        if self.deleting and not self.over:
            return "Terminating"
        if self._initializing and not self.initialized:
            return self._initializing
        return self._of_main_containers

    @property
    def _initializing(self) -> str:
        """The first init container that has not completed, as kubectl prints it; empty where all have."""
        for number, container in enumerate(self.init_containers):
            if container.done or (container.role == "sidecar" and container.started):
                continue
            if container.terminated is not None:
                return f"Init:{_end(container.terminated)}"
            if container.reason and container.reason != "PodInitializing":
                return f"Init:{container.reason}"
            return f"Init:{number}/{len(self.init_containers)}" if container.state != "unknown" else ""
        return ""

    @property
    def _of_main_containers(self) -> str:
        gates = any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in self.conditions)
        for container in self.containers:
            if container.terminated is not None and not self._still_runs(container):
                return _end(container.terminated)
            if container.state in ("waiting", "terminated") and container.reason:
                return container.reason
        return self._initializing or ("SchedulingGated" if gates else self.reason or self.phase)

    def _still_runs(self, container: Container) -> bool:
        """Whether the container completed while others still run: kubectl shows such a pod as Running."""
        others = any(c.ready and c.state == "running" for c in self.containers)
        return container.done and others


def _end(ended: Termination) -> str:
    return ended.reason if ended.reason != "Unknown" else f"ExitCode:{ended.exit_code}"


@dataclass(frozen=True)
class Deployment:
    """One Deployment: its spec, and how far its controller has come."""

    name: str
    uid: str
    resource_version: str = ""
    """The version that was read: a patch that carries it is refused once anything has changed."""
    generation: int = 0
    """Number of changes to the spec."""
    observed_generation: int = 0
    """The newest generation that the controller has acted on."""
    wanted: int = 1
    """Replicas asked for."""
    current: int = 0
    updated: int = 0
    """Replicas of the current pod template."""
    ready: int = 0
    available: int = 0
    paused: bool = False
    strategy: str = "RollingUpdate"
    max_unavailable: int = 0
    """How many pods a rolling update may end before their successors are ready."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Images by container, as written in the pod template."""
    template: tuple[Container, ...] = ()
    """The pod template's containers, without a status: the main ones, then init containers and sidecars."""
    template_annotations: Mapping[str, str] = field(default_factory=dict)
    """The pod template's annotations, of which a restart sets one."""
    created_at: datetime | None = None
    uses: Uses | None = None
    """What its pods use; None where that is not known."""
    conditions: tuple[Condition, ...] = ()
    """``Progressing``, ``Available`` and ``ReplicaFailure``, where the controller has set them."""
    architecture: str = ""
    """The architecture of the nodes that its pods may run on, such as ``arm64``; empty where it asks for none."""
    managers: tuple[Manager, ...] = ()
    """Other programs that write its pod template."""
    instance: str = ""
    """Its label ``app.kubernetes.io/instance``, by which Argo CD and Helm mark what is theirs."""

    @property
    def ends_first(self) -> bool:
        """Whether a rollout may end all old pods before a new one is ready."""
        return self.strategy == "Recreate" or self.max_unavailable >= max(self.wanted, 1)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, None where the controller has not set it."""
        return next((c for c in self.conditions if c.type == type_), None)


@dataclass(frozen=True)
class Event:
    """One Kubernetes event, already aggregated by the API (``count``)."""

    type: str
    """``Normal`` or ``Warning``."""
    reason: str
    message: str
    object: str
    """``pod/secure-agent-pod-…``, ``deployment/…``: kind in lower case and name."""
    count: int = 1
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    source: str | None = None
    uid: str | None = None
    """The uid of the object, which distinguishes it from another one of the same name."""


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service."""

    port: int
    target_port: str | None = None
    name: str | None = None
    protocol: str = "TCP"


@dataclass(frozen=True)
class Service:
    """One Service, with the endpoints behind it."""

    name: str
    type: str
    cluster_ip: str | None = None
    ingress: tuple[str, ...] = ()
    """Assigned LoadBalancer addresses (IPs or host names)."""
    ports: tuple[ServicePort, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    uid: str | None = None
    external_ips: tuple[str, ...] = ()
    """Addresses at which the cluster's nodes accept its traffic, without a load balancer."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All its addresses: LoadBalancer, external and cluster IPs."""
        return (*self.ingress, *self.external_ips, *((self.cluster_ip,) if self.cluster_ip else ()))


@dataclass(frozen=True)
class Endpoint:
    """One address behind a Service."""

    service: str
    address: str
    ready: bool
    ports: tuple[int, ...] = ()
    target: str | None = None


@dataclass(frozen=True)
class Claim:
    """One PersistentVolumeClaim."""

    name: str
    phase: str
    capacity: int | None = None
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ()
    volume: str | None = None
    created_at: datetime | None = None
    uid: str | None = None


@dataclass(frozen=True)
class SecretKey:
    """Facts about one value of a Secret that may be shown."""

    length: int
    """In bytes."""
    fingerprint: str = ""
    """Equal for equal values, and reveals nothing about the value (`Cluster.secret`). Empty: there is none."""


@dataclass(frozen=True)
class Manager:
    """Another program that manages a Secret or a Deployment."""

    by: str
    """The program: ``External Secrets``."""
    name: str
    """The program with the object that configures it: ``ExternalSecret agent-tokens``."""
    where: str
    """A sentence that says where to change the values instead."""
    undoes: bool
    """Whether it reverts changes within minutes; else at its next sync."""
    keys: frozenset[str] | None = None
    """The keys that it manages; None: all, as far as is known."""


@dataclass(frozen=True)
class SecretFacts:
    """A Secret without its values."""

    name: str
    uid: str
    resource_version: str
    keys: Mapping[str, SecretKey] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    changed_at: datetime | None = None
    """When a program that writes its values last wrote to it; None where the API server does not say."""
    changed_surely: bool = False
    """Whether ``changed_at`` is surely a change of a value: the program writes nothing else."""
    immutable: bool = False
    managers: tuple[Manager, ...] = ()
    """Other programs that write it."""
    fingerprint_key: str = ""
    """The id of the key of the values' fingerprints. Empty: the process has no lasting key, so there are none."""


@dataclass(frozen=True)
class ExternalSecret:
    """An ExternalSecret: its Ready condition, where it reads values, and which Secret it fills."""

    name: str
    secret: str
    """The Secret that it fills."""
    ready: str = "Unknown"
    reason: str | None = None
    message: str | None = None
    refreshed_at: datetime | None = None
    """When it last filled its Secret."""
    store: str | None = None
    """The store that it reads: ``ClusterSecretStore vault``. None where each of its keys names its own."""
    policy: str = "Owner"
    """Its ``creationPolicy``: ``Owner`` overwrites the Secret, ``Merge`` only its own keys."""
    others: tuple[str, ...] = ()
    """The types of other conditions that are true, such as ``Deleted``."""
    ready_since: datetime | None = None
    """When the Ready condition became what it is."""

    @property
    def synced_at(self) -> datetime | None:
        """When it is known to have been synced last; None while it is not."""
        known = [at for at in (self.ready_since, self.refreshed_at) if at is not None]
        return max(known, default=None) if self.ready == "True" else None


@dataclass(frozen=True)
class ApplicationSource:
    """One of several sources of an Argo CD Application's manifests, and the revision read there."""

    name: str
    """The chart, or the repository without its host."""
    revision: str | None = None


@dataclass(frozen=True)
class Application:
    """An Argo CD Application's status."""

    name: str
    sync: str
    health: str
    revision: str | None = None
    """None where there are several ``sources``, each with its own revision."""
    health_message: str | None = None
    finished_at: datetime | None = None
    """When the last sync operation ended."""
    operation_phase: str | None = None
    operation_message: str | None = None
    conditions: tuple[Condition, ...] = ()
    sources: tuple[ApplicationSource, ...] = ()
    """The sources, where there are several; else empty."""
    unhealthy: tuple[str, ...] = ()
    """Its resources that are not healthy for Argo CD, a phrase each."""
    deployments: frozenset[tuple[str, str]] = frozenset()
    """The Deployments among its resources, by namespace and name."""
    self_heal: bool = False
    """Whether it undoes changes of its resources by itself."""
    path: str = ""
    """The folder of its manifests in their repository; empty where there are several sources."""


@dataclass(frozen=True)
class ExecResult:
    """The result of a command in a container. ``exit_code`` is None when the API gave none.

    ``truncated``: the end of the output is missing, so that the absence of something proves nothing; of a command
    that changes something (`Cluster.run_once`) the beginning.
    No line is cut, so that a secret in it can be recognised as a whole: parsers cut (`bot.domain.core.bounds`).
    """

    stdout: str
    stderr: str
    exit_code: int | None
    truncated: bool = False


@dataclass(frozen=True)
class HttpAnswer:
    """A web server's answer. ``truncated``: whether the body was longer than what is here."""

    status: int
    text: str
    truncated: bool = False


@dataclass(frozen=True)
class LogText:
    """Lines of a container's log, oldest first. ``truncated``: whether a limit cut it."""

    lines: tuple[str, ...]
    truncated: bool = False


@dataclass(frozen=True)
class LogStart:
    """Where a log that is followed begins."""

    since: timedelta | None = None
    """Relative to now."""
    after: datetime | None = None
    """A time in whole seconds, which includes its second. It wins over ``since``."""
    tail: int | None = None
    """So many lines before; None: all."""


@dataclass(frozen=True)
class LogLine:
    """One line of a log that is followed."""

    at: str
    """When it was written, as the kubelet says it: RFC 3339 with nanoseconds."""
    text: str


@dataclass(frozen=True)
class Right:
    """A Kubernetes permission, as in a SelfSubjectAccessReview.

    ``namespace`` None means the target's own; ``""`` the whole cluster.
    """

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str | None = None

    def __str__(self) -> str:
        """``get pods/log``, ``get secrets "x"``, ``get applications.argoproj.io "x" in argocd``."""
        resource = self.resource + (f".{self.group}" if self.group else "")
        resource += f"/{self.subresource}" if self.subresource else ""
        named = f' "{self.name}"' if self.name else ""
        where = "" if self.namespace is None else f" in {self.namespace or 'the whole cluster'}"
        return f"{self.verb} {resource}{named}{where}"


@dataclass(frozen=True)
class PolicyRule:
    """One rule that the authorizer grants in a namespace, in RBAC's terms (``*``, ``pods/log``)."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Names of the objects it is limited to; empty: all objects."""


@dataclass(frozen=True)
class Rules:
    """The rules that the authorizer lists for an account in a namespace."""

    rules: tuple[PolicyRule, ...]
    incomplete: bool = False
    """Whether there may be more rules: some authorizers, such as webhooks, can't list theirs."""
    reason: str | None = None
    """Why the list is incomplete, in the authorizer's words."""


@dataclass(frozen=True)
class ClusterInfo:
    """The API server, and the account that the bot uses."""

    server: str
    version: str
    context: str | None = None
    user: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
