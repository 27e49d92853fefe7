"""Fixtures: a control plane, a second one to break, and agent pods in namespaces of their own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import CannotBuild, ensure
from tests.controlplane.plane import Plane
from tests.controlplane.watching import watching
from tests.scenarios.talk import World

NODE_GRACE = 12
"""Seconds until a silent node counts as lost; allows for three late lease renewals on a busy machine."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put all tests on the worker that has the control plane, except those with a group of their own."""
    for item in items:
        if "controlplane" in item.path.parts and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("controlplane"))


@pytest.fixture(scope="package")
def plane() -> Iterator[Plane]:
    """The control plane. Without its binaries these tests fail; `scripts/test.sh` leaves them out where it may."""
    try:
        binaries = ensure()
    except CannotBuild as error:
        pytest.fail(f"no control plane: {error}", pytrace=False)
    with Plane(binaries) as one:
        yield one


@pytest.fixture(scope="package")
def second_plane(plane: Plane) -> Iterator[Plane]:
    """Another control plane, for tests that break it; it notices a silent node within seconds."""
    with Plane(plane.binaries, node_grace=NODE_GRACE) as other:
        yield other


@pytest.fixture
def fragile_plane(second_plane: Plane) -> Iterator[Plane]:
    """The second control plane for one test, repaired after it without waiting until all of it works."""
    yield second_plane
    second_plane.mend()


@pytest.fixture(scope="package")
def numbers() -> Iterator[int]:
    """Numbers for unique names."""
    return itertools.count(1)


@pytest.fixture
def agent_pod(plane: Plane, numbers: Iterator[int]) -> AgentPod:
    """A healthy agent pod in a namespace of this test's own."""
    return AgentPod(plane, f"agent-{next(numbers)}").create()


@pytest.fixture(scope="module")
def shared_pod(plane: Plane, numbers: Iterator[int]) -> AgentPod:
    """A healthy agent pod for a module's read-only tests."""
    return AgentPod(plane, f"agent-{next(numbers)}").create()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_pod: AgentPod) -> AsyncIterator[World]:
    """The real bot on the module's pod, with its ServiceAccount's token alone."""
    async with watching(shared_pod) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_world(shared_pod: AgentPod) -> AsyncIterator[World]:
    """The same, where the cluster has Argo CD and Cilium's policies as well."""
    shared_pod.install_argocd()
    shared_pod.install_egress()
    sandbox = Sandbox(rate_limits=False, kubeconfig=shared_pod.kubeconfig(), target=shared_pod.where())
    async with sandbox:
        yield World(sandbox, await sandbox.start_bot())
