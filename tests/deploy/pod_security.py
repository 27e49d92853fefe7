"""The Pod Security Standards' levels "baseline" and "restricted" for a Linux pod, control by control.

Source: Kubernetes' documentation, "Pod Security Standards". The real admission is asked in tests/controlplane;
this says without a cluster which field is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def violations(pod: Object) -> list[str]:
    """What in a pod's ``spec`` the level "restricted" forbids: fields and reasons; empty when it passes."""
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
    """``must``: each container says it itself: stricter than the standard, which lets a pod say it for all."""
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
