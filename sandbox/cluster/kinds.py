"""The resource types that the pretend API server knows."""

from __future__ import annotations

from dataclasses import dataclass

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
ALL = (*READ, *WRITE)


@dataclass(frozen=True)
class Kind:
    """One resource type, as discovery describes it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL
    categories: tuple[str, ...] = ()
    subresources: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """``(name, kind, verbs)`` of each."""

    @property
    def singular(self) -> str:
        """The name for one, in lower case."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``pods`` or ``deployments.apps``: how error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def has_subresource(self, name: str) -> bool:
        """Whether ``name`` is one of its subresources."""
        return any(sub == name for sub, _, _ in self.subresources)


_STATUS = ("get", "patch", "update")
_CREATE = ("create",)

NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",))
NODE = Kind("", "v1", "nodes", "Node", namespaced=False, short=("no",))
POD = Kind(
    "",
    "v1",
    "pods",
    "Pod",
    short=("po",),
    categories=("all",),
    subresources=(
        ("exec", "PodExecOptions", ("create", "get")),
        ("log", "Pod", ("get",)),
        ("status", "Pod", _STATUS),
    ),
)
SERVICE = Kind("", "v1", "services", "Service", short=("svc",), categories=("all",))
ENDPOINTS = Kind("", "v1", "endpoints", "Endpoints", short=("ep",))
EVENT = Kind("", "v1", "events", "Event", short=("ev",))
PVC = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",))
PV = Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, short=("pv",))
SECRET = Kind("", "v1", "secrets", "Secret")
CONFIGMAP = Kind("", "v1", "configmaps", "ConfigMap", short=("cm",))
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",))
DEPLOYMENT = Kind(
    "apps",
    "v1",
    "deployments",
    "Deployment",
    short=("deploy",),
    categories=("all",),
    subresources=(("scale", "Scale", _STATUS), ("status", "Deployment", _STATUS)),
)
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet", short=("rs",), categories=("all",))
STATEFUL_SET = Kind("apps", "v1", "statefulsets", "StatefulSet", short=("sts",), categories=("all",))
DAEMON_SET = Kind("apps", "v1", "daemonsets", "DaemonSet", short=("ds",), categories=("all",))
JOB = Kind("batch", "v1", "jobs", "Job", categories=("all",))
CRON_JOB = Kind("batch", "v1", "cronjobs", "CronJob", short=("cj",), categories=("all",))
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
NEW_EVENT = Kind("events.k8s.io", "v1", "events", "Event", short=("ev",), verbs=READ)
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short=("netpol",))
ROLE = Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
ACCESS_REVIEW = Kind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    verbs=_CREATE,
)
RULES_REVIEW = Kind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    verbs=_CREATE,
)
TOKEN_REVIEW = Kind("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False, verbs=_CREATE)
SELF_REVIEW = Kind(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False, verbs=_CREATE
)
APPLICATION = Kind("argoproj.io", "v1alpha1", "applications", "Application", short=("app", "apps"))
CILIUM_POLICY = Kind("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy", short=("cnp", "ciliumnp"))
EXTERNAL_SECRET = Kind("external-secrets.io", "v1", "externalsecrets", "ExternalSecret", short=("es",))

KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    ENDPOINTS,
    EVENT,
    PVC,
    PV,
    SECRET,
    CONFIGMAP,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    JOB,
    CRON_JOB,
    ENDPOINT_SLICE,
    NEW_EVENT,
    LEASE,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    ACCESS_REVIEW,
    RULES_REVIEW,
    TOKEN_REVIEW,
    SELF_REVIEW,
    APPLICATION,
    CILIUM_POLICY,
    EXTERNAL_SECRET,
)
BY_PATH: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KINDS}
BY_KIND: dict[tuple[str, str], Kind] = {(k.group, k.kind): k for k in KINDS}
