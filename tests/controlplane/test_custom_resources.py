"""Custom resources: kind not installed, no object, no right to read, and present.

On the second control plane, since a CustomResourceDefinition affects all namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from bot.adapters.kubernetes.client import Call, Connection
from bot.domain.core.workload import Right
from bot.errors import NotAllowed, NotFound, Permanent
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.plane import Plane
from tests.controlplane.watching import HEALTHY, comes_to_say, connection, watching


@dataclass(frozen=True)
class Kind:
    """One kind of ``crds/``."""

    kind: str
    plural: str
    group: str
    version: str

    @property
    def crd(self) -> str:
        """The path of its definition."""
        return f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{self.plural}.{self.group}"

    def path(self, namespace: str) -> str:
        """The path of its objects."""
        return f"/apis/{self.group}/{self.version}/namespaces/{namespace}/{self.plural}"


KINDS = (
    Kind("Application", "applications", "argoproj.io", "v1alpha1"),
    Kind("CiliumNetworkPolicy", "ciliumnetworkpolicies", "cilium.io", "v2"),
    Kind("ExternalSecret", "externalsecrets", "external-secrets.io", "v1"),
)


@pytest.fixture
def pod(second_plane: Plane, numbers: Iterator[int]) -> Iterator[AgentPod]:
    """An agent pod on the second control plane, where none of the kinds is defined before or after."""
    made = AgentPod(second_plane, f"kinds-{next(numbers)}").create()
    made.heal()
    yield made
    for kind in KINDS:
        undefine(made, kind)


def undefine(pod: AgentPod, kind: Kind) -> None:
    """Remove a kind with all its objects, and wait until it is no longer served."""
    if not pod.gone(kind.crd):
        pod.plane.call("DELETE", kind.crd)
    pod.until(lambda: pod.gone(kind.path(pod.namespace)))


async def test_argocd_names_the_missing_kind_object_or_right(pod: AgentPod) -> None:
    async with watching(pod, argocd=True) as world:
        answer = await world.ask("status")
        assert "Could not tell: the bot may not get applications.argoproj.io" in answer.first_line
        assert f"system:serviceaccount:{pod.namespace}:agentpod the right to get applications" in answer.text

        pod.grant_argocd()
        answer = await comes_to_say(world, "does not know applications.argoproj.io")
        assert "Could not tell: the API server does not know applications.argoproj.io" in answer.first_line
        assert "Install what provides applications.argoproj.io, or leave it out of the settings." in answer.text

        pod.install_crd("applications")
        answer = await comes_to_say(world, f'applications.argoproj.io "{pod.namespace}" not found')
        assert f'no such thing: applications.argoproj.io "{pod.namespace}" not found' in answer.first_line

        pod.post_application()
        assert HEALTHY in (await world.ask("status")).first_line
        assert "Synced and Healthy" in (await world.ask("argocd")).first_line

        undefine(pod, KINDS[0])
        answer = await world.ask("status")
        assert "Could not tell: the API server does not know applications.argoproj.io" in answer.first_line


async def test_secrets_says_whether_the_operator_is_there_and_shows_what_it_does(pod: AgentPod) -> None:
    kind = KINDS[2]
    spec = {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
        "target": {"name": "agent-secrets-tier1", "creationPolicy": "Owner"},
    }
    ready = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "no such path"}
    thing = {
        "apiVersion": f"{kind.group}/{kind.version}",
        "kind": kind.kind,
        "metadata": {"name": "tokens"},
        "spec": spec,
        "status": {"conditions": [ready], "refreshTime": None},
    }
    async with watching(pod) as world:
        await world.says("secrets", "none configured: the operator is not installed")
        pod.install_crd(kind.plural)
        pod.until(lambda: not pod.gone(kind.path(pod.namespace)))
        assert "not installed" not in (await world.ask("secrets")).text
        pod.plane.call("POST", kind.path(pod.namespace), thing)
        answer = await world.says("secrets", "tokens is not synced: no such path")
        for part in ("SecretSyncedError", "ClusterSecretStore vault", "owns Secret agent-secrets-tier1", "never"):
            assert part in answer.text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_a_missing_right_kind_and_object_are_distinguished(pod: AgentPod, kind: Kind) -> None:
    """Uses the connection directly, since commands read no custom kind but Argo CD's yet."""
    right = Right("get", kind.plural, kind.group, name="one", namespace=pod.namespace)
    call = Call(right, f"{kind.path(pod.namespace)}/one")
    async with connection(pod.kubeconfig()) as reading:
        assert isinstance(await failure(reading, call), NotAllowed)
        pod.allow("get", kind.plural, kind.group)
        error = await failure(reading, call)
        assert isinstance(error, NotFound)
        assert f"does not know {kind.plural}.{kind.group}" in error.message

        pod.install_crd(kind.plural)
        error = await failure(reading, call)
        assert isinstance(error, NotFound)
        assert f'There is no such thing: {kind.plural}.{kind.group} "one" not found' in error.message

        thing = {"apiVersion": f"{kind.group}/{kind.version}", "kind": kind.kind, "metadata": {"name": "one"}}
        pod.plane.call("POST", kind.path(pod.namespace), thing)
        assert (await reading.read(call, dict[str, Any]))["kind"] == kind.kind


async def failure(reading: Connection, call: Call) -> Permanent:
    """The error that a failing read raises."""
    with pytest.raises((NotAllowed, NotFound)) as caught:
        await reading.read(call, msgspec.Raw)
    return caught.value
