"""The API's JSON as types with only the fields that are used; fields that a server may omit are optional.

Source: the Kubernetes API reference (core/v1, discovery.k8s.io/v1, authorization.k8s.io/v1) and
Argo CD's Application CRD (argoproj.io/v1alpha1).
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

T = TypeVar("T")
Time = Annotated[datetime, msgspec.Meta(tz=True)]


def api_name(field: str) -> str:
    """Convert a field's name to the API's: ``pod_ip`` to ``podIP``, ``node_name`` to ``nodeName``."""
    first, *rest = field.split("_")
    return first + "".join(_INITIALS.get(word) or word.capitalize() for word in rest)


_INITIALS = {"ip": "IP", "id": "ID", "ips": "IPs", "pid": "PID"}


class Shape(Struct, rename=api_name):
    """The base class: snake_case fields for the API's camelCase.

    A time without a zone or outside 1900 to 9000 is an error, as a wrong type is.
    """

    def __post_init__(self) -> None:
        """Refuse times near the limits of datetime, where arithmetic would raise OverflowError."""
        for name in _times(type(self)):
            value = getattr(self, name)
            if value is not None and not 1900 <= value.year <= 9000:
                raise ValueError(f"{name} is in the year {value.year}")


@cache
def _times(shape: type[Shape]) -> tuple[str, ...]:
    return tuple(name for name, kind in shape.__annotations__.items() if str(kind).startswith("Time"))


class ObjectRef(Shape):
    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    api_version: str | None = None


class Managed(Shape):
    manager: str | None = None
    time: Time | None = None
    fields_v1: dict[str, Any] | None = None


class ObjectMeta(Shape):
    name: str = ""
    uid: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: list[str] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    resource_version: str = ""
    generation: int = 0
    managed_fields: list[Managed] | None = None
    owner_references: list[ObjectRef] | None = None


class Items(Shape, Generic[T]):
    items: list[T] | None = None
    metadata: ObjectMeta | None = None


class Condition(Shape):
    type: str
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: Time | None = None


class StateDetails(Shape):
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class ContainerState(Shape):
    running: StateDetails | None = None
    waiting: StateDetails | None = None
    terminated: StateDetails | None = None


class Resources(Shape):
    limits: dict[str, str | int | float] | None = None


class ContainerStatus(Shape):
    name: str
    image: str = ""
    image_id: str = ""
    ready: bool = False
    restart_count: int = 0
    started: bool | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None
    resources: Resources | None = None


class NamedReference(Shape):
    """A reference to a Secret, a ConfigMap or a claim, by whichever of the API's names for it."""

    name: str | None = None
    secret_name: str | None = None
    claim_name: str | None = None
    optional: bool | None = None


class Projection(Shape):
    secret: NamedReference | None = None
    config_map: NamedReference | None = None


class Projected(Shape):
    sources: list[Projection] | None = None


class Volume(Projection):
    name: str = ""
    persistent_volume_claim: NamedReference | None = None
    ephemeral: dict[str, Any] | None = None
    projected: Projected | None = None


class EnvironmentSource(Shape):
    secret_ref: NamedReference | None = None
    config_map_ref: NamedReference | None = None


class EnvironmentValue(Shape):
    secret_key_ref: NamedReference | None = None
    config_map_key_ref: NamedReference | None = None


class EnvironmentVariable(Shape):
    value_from: EnvironmentValue | None = None


class Container(Shape):
    name: str
    image: str = ""
    env: list[EnvironmentVariable] | None = None
    env_from: list[EnvironmentSource] | None = None
    restart_policy: str | None = None
    image_pull_policy: str | None = None
    termination_message_policy: str | None = None
    resources: Resources | None = None


class ReadinessGate(Shape):
    condition_type: str


class PodSpec(Shape):
    volumes: list[Volume] | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None
    readiness_gates: list[ReadinessGate] | None = None
    resources: Resources | None = None
    restart_policy: str | None = None
    termination_grace_period_seconds: int | None = None
    share_process_namespace: bool | None = None
    host_pid: bool | None = None


class PodStatus(Shape):
    phase: str = "Unknown"
    pod_ip: str | None = None
    start_time: Time | None = None
    reason: str | None = None
    message: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(Shape):
    metadata: ObjectMeta
    spec: PodSpec | None = None
    status: PodStatus | None = None


class WatchEvent(Shape):
    type: str
    object: Raw


class PodTemplate(Shape):
    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None


class RollingUpdate(Shape):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class Strategy(Shape):
    type: str | None = None
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Shape):
    replicas: int | None = None
    paused: bool = False
    strategy: Strategy | None = None
    template: PodTemplate | None = None


class DeploymentStatus(Shape):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: list[Condition] | None = None


class Deployment(Shape):
    metadata: ObjectMeta
    spec: DeploymentSpec | None = None
    status: DeploymentStatus | None = None


class EventSource(Shape):
    component: str | None = None


class Series(Shape):
    count: int | None = None
    last_observed_time: Time | None = None


class Event(Shape):
    metadata: ObjectMeta | None = None
    involved_object: ObjectRef | None = None
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    event_time: Time | None = None
    series: Series | None = None
    source: EventSource | None = None
    reporting_component: str | None = None


class Ingress(Shape):
    ip: str | None = None
    hostname: str | None = None


class LoadBalancer(Shape):
    ingress: list[Ingress] | None = None


class ServicePort(Shape):
    port: int
    target_port: int | str | None = None
    name: str | None = None
    protocol: str | None = None


class ServiceSpec(Shape):
    type: str | None = None
    cluster_ip: str | None = None
    external_ips: list[str] | None = None
    ports: list[ServicePort] | None = None
    selector: dict[str, str] | None = None


class ServiceStatus(Shape):
    load_balancer: LoadBalancer | None = None


class Service(Shape):
    metadata: ObjectMeta
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class EndpointConditions(Shape):
    ready: bool | None = None


class SliceEndpoint(Shape):
    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    target_ref: ObjectRef | None = None


class SlicePort(Shape):
    port: int | None = None


class EndpointSlice(Shape):
    metadata: ObjectMeta
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


class ClaimSpec(Shape):
    storage_class_name: str | None = None
    access_modes: list[str] | None = None
    volume_name: str | None = None


class ClaimStatus(Shape):
    phase: str | None = None
    capacity: dict[str, str | int] | None = None


class Claim(Shape):
    metadata: ObjectMeta
    spec: ClaimSpec | None = None
    status: ClaimStatus | None = None


class Sync(Shape):
    status: str | None = None
    revision: str | None = None
    revisions: list[str] | None = None


class HealthStatus(Shape):
    status: str | None = None
    message: str | None = None


class Operation(Shape):
    phase: str | None = None
    message: str | None = None
    finished_at: Time | None = None


class ApplicationSource(Shape):
    repo: str | None = field(default=None, name="repoURL")
    chart: str | None = None
    name: str | None = None
    ref: str | None = None
    path: str | None = None


class Automated(Shape):
    self_heal: bool | None = None


class SyncPolicy(Shape):
    automated: Automated | None = None


class ApplicationSpec(Shape):
    sources: list[ApplicationSource] | None = None
    source: ApplicationSource | None = None
    sync_policy: SyncPolicy | None = None


class ApplicationResource(Shape):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    health: HealthStatus | None = None


class ApplicationStatus(Shape):
    resources: list[ApplicationResource] | None = None
    sync: Sync | None = None
    health: HealthStatus | None = None
    operation_state: Operation | None = None
    conditions: list[Condition] | None = None


class Application(Shape):
    metadata: ObjectMeta
    spec: ApplicationSpec | None = None
    status: ApplicationStatus | None = None


class Secret(Shape):
    metadata: ObjectMeta | None = None
    data: dict[str, str] | None = None
    immutable: bool | None = None


class ExternalTarget(Shape):
    name: str | None = None
    creation_policy: str | None = None


class StoreRef(Shape):
    name: str | None = None
    kind: str | None = None


class ExternalSpec(Shape):
    target: ExternalTarget | None = None
    secret_store_ref: StoreRef | None = None


class ExternalStatus(Shape):
    conditions: list[Condition] | None = None
    refresh_time: Time | None = None


class ExternalSecret(Shape):
    metadata: ObjectMeta
    spec: ExternalSpec | None = None
    status: ExternalStatus | None = None


class ReviewStatus(Shape):
    allowed: bool = False


class AccessReview(Shape):
    status: ReviewStatus


class ResourceRule(Shape):
    verbs: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None


class RulesStatus(Shape):
    resource_rules: list[ResourceRule] | None = None
    incomplete: bool = False
    evaluation_error: str | None = None


class RulesReview(Shape):
    status: RulesStatus


class UserInfo(Shape):
    username: str | None = None


class SelfStatus(Shape):
    user_info: UserInfo | None = None


class SelfReview(Shape):
    status: SelfStatus | None = None


class Version(Shape):
    git_version: str
