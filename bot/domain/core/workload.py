"""What a cluster holds, as plain facts: the answers of the Cluster port.

Times are aware datetimes in UTC; sizes are bytes; anything the API left out is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["main", "sidecar", "init", "ephemeral"]
"""What a container is for. A sidecar is an init container with ``restartPolicy: Always``: it goes on running."""


@dataclass(frozen=True)
class Termination:
    """How a container's run ended."""

    reason: str
    exit_code: int | None = None
    finished_at: datetime | None = None
    message: str | None = None


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
    """Why it waits or ended: ``CrashLoopBackOff``, ``ContainerCreating``, ``OOMKilled`` …"""
    message: str | None = None
    started_at: datetime | None = None
    last_termination: Termination | None = None
    """Of the run before the present one."""
    role: Role = "main"
    started: bool | None = None
    """Whether the startup probe, if there is one, has passed."""
    terminated: Termination | None = None
    """Of the present run, where ``state`` is ``terminated``."""
    memory_limit: str | None = None
    """As the pod's spec has it: ``8Gi``."""

    @property
    def ended(self) -> Termination | None:
        """How its latest run ended, None where none has ended yet."""
        return self.terminated or self.last_termination

    @property
    def done(self) -> bool:
        """Whether it has done what an init container is for."""
        return self.terminated is not None and self.terminated.exit_code == 0

    @property
    def goes_on(self) -> bool:
        """Whether it is to run as long as the pod does."""
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
    """What an object belongs to (its ``ownerReferences``)."""

    kind: str
    name: str
    uid: str = ""
    api_version: str = ""


@dataclass(frozen=True)
class Uses:
    """Objects that a pod names in its spec: mounted, or read into its environment."""

    claims: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    config_maps: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pod:
    """One pod. Whether it is ready, `bot.domain.health.pod_state` says, and nothing else does."""

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
    """The main ones, in the spec's order."""
    conditions: tuple[Condition, ...] = ()
    init_containers: tuple[Container, ...] = ()
    """Init containers and sidecars, in the order in which they are started."""
    ephemeral_containers: tuple[Container, ...] = ()
    """As `kubectl debug` adds them: they say nothing of the pod."""
    readiness_gates: tuple[str, ...] = ()
    """Types of the conditions that have to be True, besides the containers', before the pod is ready."""
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[OwnerRef, ...] = ()
    uses: Uses | None = None
    """None where that is not known."""
    delete_by: datetime | None = None
    """When the time to end is over for a pod that is being deleted."""

    @property
    def over(self) -> bool:
        """Whether it has ended as a whole (evicted, completed, failed) and only its record is left."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def sidecars(self) -> tuple[Container, ...]:
        """The init containers that go on running."""
        return tuple(c for c in self.init_containers if c.role == "sidecar")

    @property
    def lasting(self) -> tuple[Container, ...]:
        """The containers that run as long as the pod does: those of the READY column."""
        return (*self.containers, *self.sidecars)

    @property
    def every_container(self) -> tuple[Container, ...]:
        """All of them, the main ones first."""
        inits = tuple(c for c in self.init_containers if c.role == "init")
        return (*self.lasting, *inits, *self.ephemeral_containers)

    def container(self, name: str) -> Container | None:
        """The container of that name, None where the pod has none."""
        return next((c for c in self.every_container if c.name == name), None)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, None where nobody has set it."""
        found = [c for c in self.conditions if c.type == type_]
        return next((c for c in found if c.status != "True"), found[0] if found else None)

    @property
    def initialized(self) -> bool:
        """Whether the init containers are through, as the kubelet says."""
        found = self.condition("Initialized")
        return found is not None and found.status == "True"

    @property
    def ready(self) -> str:
        """`kubectl get pods`' READY column, such as ``1/1``: what the kubelet last said of the containers."""
        count = sum(c.ready and c.state == "running" and c.started is not False for c in self.lasting)
        return f"{count}/{len(self.lasting)}"

    @property
    def restarts(self) -> int:
        """`kubectl get pods`' RESTARTS column: an init container's count until the pod is initialized."""
        counted = self.lasting if self.initialized or not self._initializing else self.init_containers
        return sum(c.restarts for c in counted)

    @property
    def status(self) -> str:
        """`kubectl get pods`' STATUS column: the most telling reason, else the phase."""
        if self.deleting and self.reason == "NodeLost":
            return "Unknown"
        if self.deleting and not self.over:
            return "Terminating"
        if self._initializing and not self.initialized:
            return self._initializing
        return self._of_main_containers

    @property
    def _initializing(self) -> str:
        """The first init container that is not through, as kubectl prints it; empty where all are."""
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
        """Whether others run on beside one that has completed: kubectl calls that pod Running."""
        others = any(c.ready and c.state == "running" for c in self.containers)
        return container.done and others


def _end(ended: Termination) -> str:
    return ended.reason if ended.reason != "Unknown" else f"ExitCode:{ended.exit_code}"


@dataclass(frozen=True)
class Deployment:
    """One Deployment: what it asks for, and how far its controller has come."""

    name: str
    uid: str
    resource_version: str = ""
    """Of this very state: a patch that carries it is refused once anything has changed."""
    generation: int = 0
    """Counts changes of the spec."""
    observed_generation: int = 0
    """The newest generation that the controller has acted on."""
    wanted: int = 1
    """Replicas asked for."""
    current: int = 0
    updated: int = 0
    """Those of the present pod template."""
    ready: int = 0
    available: int = 0
    paused: bool = False
    strategy: str = "RollingUpdate"
    images: Mapping[str, str] = field(default_factory=dict)
    """By container, as the pod template names them."""
    template_annotations: Mapping[str, str] = field(default_factory=dict)
    """The pod template's: where a restart leaves its mark."""
    created_at: datetime | None = None
    uses: Uses | None = None
    """What its pods use; None where that is not known."""
    conditions: tuple[Condition, ...] = ()
    """``Progressing``, ``Available`` and ``ReplicaFailure``, those that the controller has set."""

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
    """Of the object: another one of the same name has another."""


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
    """Addresses that the cluster's nodes take its traffic at, without a load balancer."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that it has."""
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
    """What may be known of one value of a Secret."""

    length: int
    """In bytes."""
    fingerprint: str
    """To compare by: the same value has the same, and nothing can be told from it (`Cluster.secret`)."""


@dataclass(frozen=True)
class Manager:
    """Another program that writes a Secret."""

    by: str
    """The program: ``External Secrets``."""
    name: str
    """With the object that says so: ``ExternalSecret agent-tokens``."""
    where: str
    """Where to change the values instead: a sentence."""
    undoes: bool
    """Whether it writes them again within minutes; else at its next turn."""
    keys: frozenset[str] | None = None
    """The keys that are its own; None: all, as far as is known."""


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
    """When a program that writes its values last wrote anything of it; None where the API server does not say."""
    changed_surely: bool = False
    """Whether that was a value: what that program writes is nothing else."""
    immutable: bool = False
    managers: tuple[Manager, ...] = ()
    """Who else writes it."""


@dataclass(frozen=True)
class ExternalSecret:
    """An ExternalSecret's status."""

    name: str
    secret: str
    """The Secret that it fills."""
    ready: str = "Unknown"
    reason: str | None = None
    message: str | None = None
    refreshed_at: datetime | None = None


@dataclass(frozen=True)
class ApplicationSource:
    """One of several places that an Argo CD Application's manifests come from, and what was read there."""

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
    """None also where there are several ``sources``, each with its own."""
    health_message: str | None = None
    finished_at: datetime | None = None
    """When the last sync operation ended."""
    operation_phase: str | None = None
    operation_message: str | None = None
    conditions: tuple[Condition, ...] = ()
    sources: tuple[ApplicationSource, ...] = ()
    """Where there are several."""
    unhealthy: tuple[str, ...] = ()
    """Its resources that Argo CD does not call healthy, a phrase each."""


@dataclass(frozen=True)
class ExecResult:
    """What a command in a container answered. ``exit_code`` is None when the API gave none.

    ``truncated``: output is missing at its end, so that what is not in it may be there all the same. Of
    ``shortened`` lines only the beginning is kept.
    """

    stdout: str
    stderr: str
    exit_code: int | None
    truncated: bool = False
    shortened: int = 0


@dataclass(frozen=True)
class LogText:
    """Lines of a container's log, oldest first. ``truncated`` when a limit cut it."""

    lines: tuple[str, ...]
    truncated: bool = False


@dataclass(frozen=True)
class Right:
    """One right in Kubernetes' terms, as a SelfSubjectAccessReview asks for it.

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
class Rule:
    """One rule of what the authoriser grants in a namespace, in RBAC's own words (``*``, ``pods/log``)."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only these objects; empty: all of them."""


@dataclass(frozen=True)
class Rules:
    """All that the authoriser says an account may do in a namespace."""

    rules: tuple[Rule, ...]
    incomplete: bool = False
    """Whether there may be more: not every authoriser can list its rules (a webhook can't)."""
    reason: str | None = None
    """What the authoriser said about that."""


@dataclass(frozen=True)
class ClusterInfo:
    """Which API server answers, and as whom the bot speaks to it."""

    server: str
    version: str
    context: str | None = None
    user: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
