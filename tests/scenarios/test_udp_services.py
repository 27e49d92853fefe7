"""Services over UDP and of an address alone: the real bot judges their addresses and connects to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster import kinds, objects
from sandbox.cluster.workload import sync_status
from sandbox.environment import Sandbox
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-udp")]

VPN, SPARE = "192.168.55.220", "192.168.55.221"
SERVICES = [
    {"name": "VPN", "ip": VPN, "port": 51820, "protocol": "UDP"},
    {"name": "Spare", "ip": SPARE, "check": "address"},
]


def balancer(name: str, ip: str, protocol: str, created: datetime) -> dict[str, Any]:
    """A LoadBalancer's Service with one port."""
    made = objects.service(name, ip, "10.96.41.99", ("only", 51820, 51820, 31820), created)
    made["spec"]["ports"][0]["protocol"] = protocol
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """A pod that is reached over UDP, and another address that is only reserved."""
    async with Sandbox(rate_limits=False, pod_seconds=0.0, target={"services": SERVICES}) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def put(world: World, name: str, ip: str, protocol: str = "TCP") -> None:
    store = world.sandbox.cluster.store
    store.put(kinds.SERVICE, balancer(name, ip, protocol, store.clock()))
    sync_status(store)


async def test_their_addresses_and_ports_count(world: World) -> None:
    answer = await world.ask("services")
    assert f"{VPN} (VPN) is not assigned to any Service" in answer.first_line
    put(world, "vpn", VPN)
    put(world, "spare", SPARE)
    answer = await world.ask("services")
    assert f"vpn has {VPN} but not port 51820/UDP (VPN)" in answer.first_line
    put(world, "vpn", VPN, "UDP")
    answer = await world.ask("services")
    assert "VPN and Spare have their addresses" in answer.first_line
    assert f"{VPN}:51820/UDP" in answer.text
    assert "1/1 ready" in answer.text
    status = await world.healthy()
    assert "Services" in status.text
    assert "VPN does not answer" not in status.text
