"""A fake pod with two containers, of which a command restarts the one that it runs in; shared by tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from bot.domain.approvals.actions.container_restart import CONTAINER_RESTART, command_of, plan, snapshot
from bot.domain.approvals.approval import Choice
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.approvals.steps import PLAN, dump_plan
from bot.domain.core.workload import Container, ExecResult, Pod, Termination
from bot.errors import NotFound
from tests.services.workbench import JONAS, MAYA, START, TARGET, Bench, FakeCluster, pod

KILL = ("kill", "1")


@dataclass
class Two(FakeCluster):
    """A pod with two containers, of which `kill` restarts the one that it runs in."""

    ran: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    deaf: bool = False
    code: int = 0
    prints: str = ""
    unready: bool = False
    """Whether a restarted container never gets ready."""
    unread: Exception | None = None
    in_step: asyncio.Event | None = None

    def __post_init__(self) -> None:
        side = Container("proxy", "proxy:1", ready=True, state="running", started_at=START, role="sidecar")
        self.pods_ = [replace(pod(1), init_containers=(side,))]

    async def pods(self, selector: str) -> Sequence[Pod]:
        if self.unread is not None:
            raise self.unread
        return await super().pods(selector)

    async def run_once(self, pod: str, container: str, argv: Sequence[str], *, seconds: float) -> ExecResult:
        self.sent += 1
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if pod not in [one.name for one in self.pods_]:
            raise NotFound("no such pod")
        self.ran.append((container, tuple(argv)))
        if not self.deaf and not self.code:
            self.end(container)
        if self.in_step is not None:
            await self.in_step.wait()
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return ExecResult("", self.prints, self.code)

    def end(self, name: str, **changes: object) -> None:
        """End a container; the kubelet starts it again."""
        [now] = self.pods_
        self.pods_ = [
            replace(
                now,
                containers=tuple(self._ended(one, name, changes) for one in now.containers),
                init_containers=tuple(self._ended(one, name, changes) for one in now.init_containers),
            )
        ]

    def _ended(self, one: Container, name: str, changes: dict[str, object]) -> Container:
        if one.name != name:
            return one
        done = Termination("Error", 143, START)
        usual = {"restarts": one.restarts + 1, "ready": not self.unready, "last_termination": done}
        return replace(one, **{**usual, **changes})  # type: ignore[arg-type]


def two(one: Bench) -> Two:
    return cast("Two", one.cluster)


async def asked(one: Bench, container: str = "kali") -> RepairRequest:
    [now] = two(one).pods_
    planned = plan(command_of(TARGET, container), now)
    details = {PLAN: dump_plan(planned)}
    proposal = Proposal(
        CONTAINER_RESTART, snapshot(planned, now), "why", "Ends it.", subject=container, details=details
    )
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)
