"""An object of the Kubernetes API, or several: each of its fields is a line, such as ``status.phase: Running``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from bot.domain.runbook import flat
from bot.domain.runbook.facts.address import Name
from bot.domain.runbook.kind import Doubt, FactKind, FactSettings
from bot.domain.runbook.record import Record

Resource = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z][a-z0-9]*$")]

ABSENT = "found"
"""What begins the line about what is not there: ``found: no ciliumnetworkpolicies of cilium.io/v2 in this …``."""


CLUSTER_WIDE: Mapping[str, Sequence[str]] = {
    "": ("nodes", "namespaces", "persistentvolumes", "componentstatuses"),
    "admissionregistration.k8s.io": (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    ),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "apiregistration.k8s.io": ("apiservices",),
    "certificates.k8s.io": ("certificatesigningrequests", "clustertrustbundles"),
    "cert-manager.io": ("clusterissuers",),
    "cilium.io": ("ciliumclusterwidenetworkpolicies", "ciliumidentities", "ciliumnodes"),
    "external-secrets.io": ("clustersecretstores", "clusterexternalsecrets"),
    "flowcontrol.apiserver.k8s.io": ("flowschemas", "prioritylevelconfigurations"),
    "gateway.networking.k8s.io": ("gatewayclasses",),
    "metrics.k8s.io": ("nodes",),
    "networking.k8s.io": ("ingressclasses", "ipaddresses", "servicecidrs"),
    "node.k8s.io": ("runtimeclasses",),
    "rbac.authorization.k8s.io": ("clusterroles", "clusterrolebindings"),
    "resource.k8s.io": ("deviceclasses", "resourceslices"),
    "scheduling.k8s.io": ("priorityclasses",),
    "snapshot.storage.k8s.io": ("volumesnapshotclasses", "volumesnapshotcontents"),
    "storage.k8s.io": ("storageclasses", "volumeattachments", "csidrivers", "csinodes", "volumeattributesclasses"),
}
"""Resources that belong to no namespace, by their group: a Role can't give a right to them."""


class Kubernetes(FactSettings):
    """One object by ``name``, or those of a label ``selector``, in the target's namespace."""

    resource: Resource
    """The plural: ``pods``, ``deployments``, ``ciliumnetworkpolicies``."""
    group: str = Field(default="", max_length=253, pattern=r"^[a-z0-9.-]*$")
    """The API group; empty: the core one."""
    version: str = Field(default="v1", max_length=30, pattern=r"^v[0-9][a-z0-9]*$")
    """The version of the API group."""
    name: Name | None = None
    """The object; not set: all that match the selector."""
    selector: str | None = Field(default=None, max_length=1_000)
    """A label selector."""
    namespace: Name | None = None
    """Where it is; not set: the target's namespace."""

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        if self.name is not None and self.selector is not None:
            raise ValueError("give either name or selector")
        if self.resource == "secrets" and not self.group:
            raise ValueError("Secrets are read by the kind 'secret', which never holds their values")
        if self.resource in CLUSTER_WIDE.get(self.group, ()):
            raise ValueError(f"{self.resource} are in no namespace, and the bot has rights only within some")
        return self

    def doubt(self, record: Record) -> Doubt | None:
        """An object that is absent has neither what it should nor what it should not; a list may be empty."""
        if record.outcome.get("exists", "true") == "true":
            return None
        unless = ("exists", "absent") if self.name is not None else ("exists", "absent", "objects")
        return Doubt(f"there is {record.outcome.get(ABSENT, 'none')}", unless)

    def describe(self) -> str:
        """The kubectl line that shows it."""
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" -n {self.namespace}" if self.namespace else ""
        which = f" {self.name}" if self.name else f" -l {shlex.quote(self.selector)}" if self.selector else ""
        return f"`kubectl get {what}{which}{where}`"


def values(record: Record) -> dict[str, Any]:
    """Return ``object`` (of a single one) or ``objects``, the lines, and whether anything ``exists``.

    Where nothing does, ``absent`` is the line that says so: no object, or no such kind of object in the cluster.
    """
    found = flat.inflated(record.lines)
    items = found.get("items")
    same: dict[str, Any] = {"lines": list(record.lines)}
    same["exists"] = record.outcome.get("exists", "true") == "true"
    same["absent"] = [f"{ABSENT}: {record.outcome[ABSENT]}"] if ABSENT in record.outcome else []
    if isinstance(items, list):
        return same | {"objects": items}
    return same | {"object": found, "objects": [found] if found else []}


KIND = FactKind(
    "kubernetes",
    "An object of the Kubernetes API by name, or several by selector; never a Secret's data",
    Kubernetes,
    {
        "object": "dyn",
        "objects": "list(dyn)",
        "exists": "bool",
        "absent": "list(string)",
        "lines": "list(string)",
    },
    values,
    outcome=("exists", ABSENT),
)
