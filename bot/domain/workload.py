"""What a cluster holds, as plain facts: the answers of the Cluster port.

Times are aware datetimes in UTC; sizes are bytes; anything the API left out is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


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


@dataclass(frozen=True)
class Condition:
    """One entry of a status's conditions."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Pod:
    """One pod."""

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
    conditions: tuple[Condition, ...] = ()

    @property
    def ready(self) -> str:
        """`kubectl get pods`' READY column, such as ``1/1``."""
        return f"{sum(c.ready for c in self.containers)}/{len(self.containers)}"

    @property
    def all_ready(self) -> bool:
        """Whether every container is ready (False for a pod without containers)."""
        return bool(self.containers) and all(c.ready for c in self.containers)

    @property
    def restarts(self) -> int:
        """Restarts of all containers since the pod was created."""
        return sum(c.restarts for c in self.containers)

    @property
    def status(self) -> str:
        """`kubectl get pods`' STATUS column: the most telling reason, else the phase."""
        if self.deleting:
            return "Terminating"
        for container in self.containers:
            if container.state in ("waiting", "terminated") and container.reason:
                return container.reason
        return self.reason or self.phase


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


@dataclass(frozen=True)
class SecretKey:
    """What may be known of one value of a Secret."""

    length: int
    """In bytes."""
    fingerprint: str
    """To compare by: the same value has the same, and nothing can be told from it (`Cluster.secret`)."""


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
    """When any of its values was last written, as far as the API server notes that."""
    immutable: bool = False


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
class Application:
    """An Argo CD Application's status."""

    name: str
    sync: str
    health: str
    revision: str | None = None
    health_message: str | None = None
    finished_at: datetime | None = None
    """When the last sync operation ended."""
    operation_phase: str | None = None
    operation_message: str | None = None
    conditions: tuple[Condition, ...] = ()


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
