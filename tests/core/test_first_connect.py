"""Calls of a cluster that is not connected yet."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.core.outside import Outside
from bot.errors import Transient
from bot.settings.model import Settings
from bot.wiring.clusters import Clusters


async def test_a_call_during_the_first_connect_ends_within_its_deadline() -> None:
    clusters = Clusters(Settings.model_validate({"probes": {"timeout": "50ms"}}), Outside())
    async with asyncio.timeout(5):
        with pytest.raises(Transient, match=r"The cluster is not connected yet") as caught:
            await clusters.of(clusters.links[0].targets[0].name).pods("a=b")
    assert "agentpod check" in (caught.value.remedy or "")


def test_links_of_a_target_are_those_of_its_cluster() -> None:
    west = {"name": "west", "kubeconfig": "/west"}
    targets = [{"name": "home"}, {"name": "away", "cluster": "west"}]
    clusters = Clusters(
        Settings.model_validate({"kubernetes": {"clusters": [west]}, "targets": targets}), Outside()
    )
    names = {target: [link.name for link in clusters.links_of(target)] for target in ("home", "away", "x", None)}
    assert names == {"home": [""], "away": ["west"], "x": [], None: ["", "west"]}
