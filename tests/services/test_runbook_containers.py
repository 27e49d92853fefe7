"""A runbook may name containers that the settings don't list, such as a sidecar."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import ExecResult
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.facts.processes import Processes
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import Record
from bot.runbook.file.known import Unread
from bot.services.health.reads import reads_for
from bot.services.runbook.read_facts import read_facts
from tests.commands.fakes import World

USES = {
    "exec": FactUse(KINDS["exec"], Exec(command=("cat", "/x"), container="kali")),
    "processes": FactUse(KINDS["processes"], Processes(container="kali")),
    "absent": FactUse(KINDS["exec"], Exec(command=("cat", "/x"), container="envoy")),
}


async def test_only_the_pod_decides_which_containers_there_are() -> None:
    world = World()
    world.cluster.programs["cat"] = ExecResult("here\n", "", 0)
    target = world.target.model_copy(update={"containers": (ContainerTarget(name="other"),)})
    with reads_for(replace(world.context(), target=target), [3.0]) as [reads]:
        facts = await read_facts(reads, USES)
    assert isinstance(facts["exec"], Record)
    assert facts["exec"].lines == ("here",)
    assert isinstance(facts["processes"], Record)
    assert facts["absent"] == Unread("the pod has no container envoy", whole=True)
