"""A change of a file in the container, approved by people, under the admission policies."""

from __future__ import annotations

import pytest

from sandbox.cluster.files import CRONTAB
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import admission
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.test_admission import BOOK
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World
from tests.scenarios.test_crontab_changes import opened, submitted

FILE = "/home/claude/.crontab"


@pytest.mark.timeout(240)
async def test_a_crontab_is_changed_and_changed_back(agent_pod: AgentPod) -> None:
    target = agent_pod.where() | {"argocd": None}
    settings = {"probes": {"timeout": "15s"}}
    with admission(agent_pod, BOOK):
        async with Sandbox(
            rate_limits=False, kubeconfig=agent_pod.kubeconfig(), target=target, settings=settings
        ) as sandbox:
            world = World(sandbox, await sandbox.start_bot())
            await world.ask("cron")  # what reads it is loaded, so that a form opens within Slack's three seconds
            new = CRONTAB.replace("*/5 *", "*/10 *")
            repair = await submitted(world, *await opened(world), new, "less often")
            await repair.click(seed.PRIYA)
            await repair.shows("✅")
            assert agent_pod.file(FILE) == new
            repair = await asked(world, "cron undo --reason back")
            await repair.click(seed.PRIYA)
            await repair.shows("✅")
            assert agent_pod.file(FILE) == CRONTAB
