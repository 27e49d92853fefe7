"""Processes and disk inside the pod: missing ones are reported, unreadable ones not; unready pods are skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import ExecResult, Pod
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient
from bot.ports.cluster import Cluster
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.incidents.watch_inside import InsideWatch
from tests.services.watchbench import Watch, down, watch
from tests.services.workbench import START, opened, pod

RUNNING = ["/usr/sbin/sshd -D", "supercronic /etc/crontab", "node /usr/bin/vibe-kanban"]


@dataclass
class Inside:
    """A cluster with a pod to run commands in."""

    pods_: list[Pod] = field(default_factory=lambda: [pod(1)])
    running: list[str] = field(default_factory=lambda: list(RUNNING))
    percent: int = 40
    inodes: str | ExecResult | Transient = "9000 900 8100 10%"
    error: AgentpodError | None = None
    defect: Exception | None = None
    """An unexpected exception that the process list raises."""
    truncated: bool = False
    asked: list[str] = field(default_factory=list)

    async def pods(self, selector: str) -> Sequence[Pod]:
        assert selector
        return self.pods_

    async def exec(self, name: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        assert (name, container) == ("pod-1", "kali")
        self.asked.append(argv[0])
        if self.error is not None:
            raise self.error
        if self.defect is not None and argv[0] != "df":
            raise self.defect
        if "-Pi" in argv:
            return self._inodes()
        if argv[0] == "df":
            line = f"/dev/x 1000 {10 * self.percent} {1000 - 10 * self.percent} {self.percent}% /home/claude"
            return ExecResult(f"Filesystem 1024-blocks Used Available Capacity Mounted\n{line}\n", "", 0)
        rows = [f"{n} claude 01:00 {command}" for n, command in enumerate(self.running, start=10)]
        return ExecResult("\n".join(["PID USER ELAPSED COMMAND", *rows]), "", 0, self.truncated)

    def _inodes(self) -> ExecResult:
        if isinstance(self.inodes, Transient):
            raise self.inodes
        if isinstance(self.inodes, ExecResult):
            return self.inodes
        head = "Filesystem Inodes IUsed IFree IUse% Mounted"
        return ExecResult(f"{head}\n/dev/x {self.inodes} /home/claude\n", "", 0)


@dataclass
class World:
    """A watcher of that pod."""

    of: Watch
    inside: Inside
    watcher: InsideWatch

    async def look(self, minutes: float = 0) -> list[str]:
        """Let time pass, poll, and return the first lines of the channel's messages."""
        self.of.clock.pass_(minutes=minutes)
        await self.watcher.look()
        await self.of.deliver()
        return self.of.first_lines()


def made(of: Watch, inside: Inside, **rules: Any) -> World:
    given = of.rules.model_copy(update=rules)
    cluster = cast("Cluster", inside)
    watcher = InsideWatch(of.target, lambda _: cluster, of.clock, given, of.incidents, Muting(given))
    return World(of, inside, watcher)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as ledger:
        found = made(watch(ledger), Inside())
        assert await found.look() == []
        yield found


async def gone(world: World) -> World:
    """VibeKanban has ended, and its alert is posted."""
    world.inside.running = RUNNING[:2]
    assert await world.look(1) == []
    assert await world.look(1) == []
    assert await world.look(1) == ["🔴 CRITICAL vibe-kanban is not running"]
    return world


async def test_missing_process_is_reported_and_resolved(world: World) -> None:
    await gone(world)
    world.inside.running = list(RUNNING)
    await world.look(1)
    assert await world.look(1) == ["✅ vibe-kanban is well again after 3 min"]


async def test_the_alert_names_the_next_step_since_the_process_did_not_come_back(world: World) -> None:
    await gone(world)
    [incident] = await world.of.ledger.incidents(live=True)
    assert dict(incident.problem.facts)["What to do"] == "Ask for a restart."


async def test_each_process_has_its_own_incident(world: World) -> None:
    world.inside.running = RUNNING[:1]
    await world.look()
    assert sorted(await world.look(2)) == [
        "🔴 CRITICAL supercronic is not running",
        "🔴 CRITICAL vibe-kanban is not running",
    ]


async def test_filling_disk_warns_and_then_turns_critical(world: World) -> None:
    world.inside.percent = 85
    await world.look(5)
    assert await world.look(5) == ["⚠️ WARNING the disk of /home/claude is 85 % full"]
    world.inside.percent = 97
    assert await world.look(5) == ["🔴 CRITICAL the disk of /home/claude is 97 % full"]
    assert world.of.thread() == ["🔺 Now critical: the disk of /home/claude is 97 % full"]
    world.inside.percent = 40
    await world.look(5)
    assert await world.look(5) == ["✅ The disk of /home/claude is well again after 15 min"]


async def test_full_disk_is_reported_during_a_restart_which_mutes_the_processes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restarting(*_: Any) -> str:
        return "it is being restarted (r-1)"

    monkeypatch.setattr(world.watcher.muting, "of_pod", restarting)
    world.inside.percent, world.inside.running = 97, []
    await world.look(5)
    assert await world.look(5) == ["🔴 CRITICAL the disk of /home/claude is 97 % full"]


async def test_disk_without_inodes_is_reported_though_it_has_space(world: World) -> None:
    world.inside.inodes = "9000 9000 0 100%"
    await world.look()
    told = ["🔴 CRITICAL the disk of /home/claude: no inodes left (100 %)"]
    assert await world.look(5) == told
    world.inside.inodes = Transient("The channel broke.")
    await world.look(5)
    assert await world.look(5) == told, "that the bytes are well says nothing of the inodes"
    world.inside.inodes = "9000 900 8100 10%"
    await world.look(5)
    assert await world.look(5) == ["✅ The disk of /home/claude is well again after 20 min"]


async def test_df_without_inode_option_is_no_problem(world: World) -> None:
    world.inside.inodes = ExecResult("", "df: invalid option -- 'i'", 1)
    world.inside.percent = 97
    await world.look(5)
    assert await world.look(5) == ["🔴 CRITICAL the disk of /home/claude is 97 % full"]
    world.inside.percent = 40
    await world.look(5)
    assert await world.look(5) == ["✅ The disk of /home/claude is well again after 10 min"]


@pytest.mark.parametrize("error", [TimedOut("no answer"), NotAllowed("may not exec"), Permanent("no ps")])
async def test_unreadable_process_list_reports_nothing_missing(world: World, error: AgentpodError) -> None:
    world.inside.error = error
    for _ in range(10):
        assert await world.look(1) == []


async def test_truncated_process_list_reports_nothing_missing(world: World) -> None:
    world.inside.running, world.inside.truncated = RUNNING[:1], True
    for _ in range(10):
        assert await world.look(1) == []


@pytest.mark.parametrize("error", [TimedOut("no answer"), NotAllowed("may not exec"), Permanent("no ps")])
async def test_pod_unreadable_for_long_is_reported_with_the_reason(world: World, error: AgentpodError) -> None:
    world.inside.error = error
    for _ in range(15):
        await world.look(1)
    assert await world.look(1) == ["⚠️ WARNING the inside of secure-agent-pod can't be read"]
    assert f"kali: {error.message}" in str(world.of.chat.said[0][2].facts)
    world.inside.error = None
    await world.look(1)
    assert await world.look(2) == ["✅ The inside of secure-agent-pod can be read again after 16 min"]


async def test_pod_that_can_not_be_read_is_held_back_from_the_first_look(world: World) -> None:
    world.inside.error = NotAllowed("may not exec")
    await world.look(1)
    assert await held(world) == ["the inside of secure-agent-pod can't be read"]
    world.inside.error = None
    await world.look(1)
    assert await held(world) == []


async def held(world: World) -> list[str]:
    """What is wrong and raises no alert yet."""
    found = await world.of.incidents.ledger.incidents(live=True, notified=False, limit=None)
    return [one.problem.text for one in found if one.there]


async def test_process_list_that_stays_too_long_is_reported(world: World) -> None:
    world.inside.running, world.inside.truncated = RUNNING[:1], True
    for _ in range(16):
        await world.look(1)
    assert await world.look(1) == ["⚠️ WARNING the inside of secure-agent-pod can't be read"]


async def test_defect_is_reported_after_some_polls_and_the_disk_still_judged(world: World) -> None:
    world.inside.percent, world.inside.defect = 97, ValueError("invalid literal: '²'")
    for _ in range(3):
        await world.look(1)
    assert set(await world.look(1)) == {
        "🔴 CRITICAL the disk of /home/claude is 97 % full",
        "⚠️ WARNING the inside of secure-agent-pod can't be read",
    }
    assert "ValueError: invalid literal: '²'" in str(world.of.chat.said)


async def test_unreadable_process_does_not_resolve(world: World) -> None:
    await gone(world)
    world.inside.error = TimedOut("no answer")
    for _ in range(10):
        assert await world.look(1) == ["🔴 CRITICAL vibe-kanban is not running"]


async def test_unready_pod_is_not_read(world: World) -> None:
    await gone(world)
    world.inside.pods_, world.inside.asked = down(), []
    assert await world.look(5) == ["🔴 CRITICAL vibe-kanban is not running"]
    assert world.inside.asked == []


async def test_process_lost_at_shutdown_is_not_reported_for_the_next_pod(world: World) -> None:
    world.inside.running = RUNNING[:1]
    await world.look(1)
    world.inside.pods_ = []
    await world.look(1)
    world.inside.pods_ = [pod(1)]
    assert await world.look(3) == [], "its processes may still be starting"
    world.inside.running = list(RUNNING)
    assert await world.look(1) == []


async def test_maintenance_mutes_processes(tmp_path: Path) -> None:
    window = {"name": "upgrade", "start": START, "lasts": "1h"}
    async with opened(tmp_path) as ledger:
        found = made(watch(ledger, maintenance=[window]), Inside(running=RUNNING[:2]))
        for _ in range(5):
            assert await found.look(10) == []
        assert len(await found.look(10)) == 1


async def test_removed_process_is_closed_and_not_called_resolved(world: World) -> None:
    await gone(world)
    fewer = Target(node=None, containers=(ContainerTarget.model_validate({"processes": ["sshd"]}),))
    await OrphanCloser([fewer], True, world.of.clock, world.of.incidents).close()
    await world.of.deliver()
    assert world.of.first_lines() == ["⚪ vibe-kanban: closed, the process is no longer in the settings"]


async def test_only_existing_containers_are_read(world: World) -> None:
    other = replace(pod(1).containers[0], name="workspace")
    world.inside.pods_ = [replace(pod(1), containers=(other, *pod(1).containers))]
    assert await world.look(1) == []
