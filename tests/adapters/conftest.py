"""Fixtures for the tests of the Kubernetes adapter: a pretend cluster that acts without delay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters.kubernetes import KubernetesCluster
from sandbox.cluster import PretendCluster
from tests.adapters.kube_bench import NAMESPACE


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture
async def pretend() -> AsyncIterator[PretendCluster]:
    """The pretend cluster."""
    async with PretendCluster(speed=0) as cluster:
        yield cluster


@pytest.fixture
async def admin(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubernetesCluster]:
    """The Cluster port with the administrator's rights, which exceed the shipped Role's."""
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "config", "admin")))
    found = await KubernetesCluster.connect(NAMESPACE, timeout=2.0, fingerprints=b"key")
    yield found
    await found.close()
