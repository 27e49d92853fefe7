"""The Pod Security Standards' levels "baseline" and "restricted" for a Linux pod, control by control.

Source: Kubernetes' documentation, "Pod Security Standards". tests/controlplane asks the real
admission; this names the wrong field without a cluster.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


@dataclass(frozen=True)
class Weakening:
    """One change that makes the bot's pod less than restricted; lists and mappings are added to, None removes."""

    where: str
    """``spec``, its ``securityContext``, the ``container``, or ``its`` securityContext."""
    field: str
    value: Any
    refused: bool = True
    """Whether the standard forbids it; only ours is the rule that each container sets every field itself."""

    def of(self, spec: Object) -> Object:
        """The pod's ``spec`` with this change."""
        changed = copy.deepcopy(spec)
        (one,) = changed["containers"]
        contexts = {"securityContext": changed["securityContext"], "its": one["securityContext"]}
        place = {"spec": changed, "container": one, **contexts}[self.where]
        if self.value is None:
            del place[self.field]
        elif isinstance(self.value, dict):
            place[self.field] = place.get(self.field, {}) | self.value
        elif isinstance(self.value, list):
            place[self.field] = [*place.get(self.field, ()), *self.value]
        else:
            place[self.field] = self.value
        return changed

    def __str__(self) -> str:
        """The change in words, for a test's name."""
        return f"{self.where}.{self.field}={self.value}"


WEAKENINGS = (
    Weakening("spec", "hostNetwork", True),
    Weakening("spec", "hostPID", True),
    Weakening("spec", "hostIPC", True),
    Weakening("spec", "volumes", [{"name": "root", "hostPath": {"path": "/"}}]),
    Weakening("spec", "initContainers", [{"name": "unsaid", "image": "unsaid"}]),
    Weakening("securityContext", "runAsNonRoot", False),
    Weakening("securityContext", "runAsUser", 0),
    Weakening("securityContext", "seccompProfile", {"type": "Unconfined"}),
    Weakening("securityContext", "sysctls", [{"name": "kernel.msgmax", "value": "65536"}]),
    Weakening("its", "runAsNonRoot", None, refused=False),
    Weakening("its", "runAsNonRoot", False),
    Weakening("its", "runAsUser", 0),
    # The API server accepts privileged only with escalation.
    Weakening("container", "securityContext", {"privileged": True, "allowPrivilegeEscalation": True}),
    Weakening("its", "allowPrivilegeEscalation", None),
    Weakening("its", "capabilities", {"drop": ["NET_RAW"]}),
    Weakening("its", "capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    Weakening("its", "seccompProfile", None, refused=False),
    Weakening("its", "seccompProfile", {"type": "Unconfined"}),
    Weakening("its", "appArmorProfile", {"type": "Unconfined"}),
    Weakening("its", "seLinuxOptions", {"user": "system_u"}),
    Weakening("container", "ports", [{"containerPort": 1, "hostPort": 1}]),
    Weakening("container", "livenessProbe", {"httpGet": {"host": "example.com", "port": 80}}),
)


def violations(pod: Object) -> list[str]:
    """The fields of a pod's ``spec`` that the level "restricted" forbids, with reasons; empty if it passes."""
    return [*_of_pod(pod), *(problem for one in _containers(pod) for problem in _of_container(one))]


def _containers(pod: Object) -> Iterator[Object]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(field, ())


def _of_pod(pod: Object) -> Iterator[str]:
    context = pod.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"{field} is true"
    for volume in pod.get("volumes", ()):
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is of kind {', '.join(kinds)}"
    if context.get("sysctls"):
        yield "sysctls are set"
    yield from _of_context("pod", context, must=False)


def _of_container(container: Object) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    if context.get("privileged"):
        yield f"{name}: privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{name}: capabilities.drop lacks ALL"
    if added := set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities.add has {', '.join(sorted(added))}"
    if context.get("procMount", "Default") != "Default":
        yield f"{name}: procMount is not Default"
    for port in container.get("ports", ()):
        if port.get("hostPort"):
            yield f"{name}: hostPort {port['hostPort']}"
    if any("host" in probe.get("httpGet", {}) for key, probe in container.items() if key.endswith("Probe")):
        yield f"{name}: a probe names a host"
    yield from _of_context(name, context, must=True)


def _of_context(name: str, context: Object, *, must: bool) -> Iterator[str]:
    """``must``: each container sets it itself, stricter than the standard, which lets the pod set it for all."""
    if (must and context.get("runAsNonRoot") is not True) or context.get("runAsNonRoot") is False:
        yield f"{name}: runAsNonRoot is not true"
    if context.get("runAsUser") == 0:
        yield f"{name}: runAsUser is 0"
    seccomp = context.get("seccompProfile", {}).get("type")
    if (must or seccomp) and seccomp not in ("RuntimeDefault", "Localhost"):
        yield f"{name}: seccompProfile.type is {seccomp}"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
        yield f"{name}: appArmorProfile is Unconfined"
    if context.get("seLinuxOptions", {}).get("user") or context.get("seLinuxOptions", {}).get("role"):
        yield f"{name}: seLinuxOptions sets a user or role"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{name}: hostProcess"
