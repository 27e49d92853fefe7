"""What a repair would end is read again before it is carried out: what nobody approved is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.forecast import Forecast
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core.workload import ExecResult
from bot.errors import TimedOut
from bot.services.runbook import impact
from bot.wiring.runbook_tools import compiled
from tests.services.workbench import JONAS, MAYA, TARGET, FakeCluster, bench, opened


@dataclass
class Sessions(FakeCluster):
    """A pod with agent sessions."""

    sessions: list[int] = field(default_factory=lambda: [7])
    unread: Exception | None = None

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        if self.unread is not None:
            raise self.unread
        lines = [f"{pid} claude 01:00 claude --print" for pid in self.sessions]
        return ExecResult("\n".join(["PID USER ELAPSED CMD", "1 claude 01:00 tini", *lines, ""]), "", 0)


@pytest.mark.parametrize(
    ("now", "unread", "state", "said"),
    [
        ([7], None, RequestState.SUCCEEDED, ""),
        ([], None, RequestState.SUCCEEDED, ""),
        ([7], TimedOut("no answer in 3 s"), RequestState.SUCCEEDED, ""),
        (
            [7, 9],
            None,
            RequestState.VOID,
            "it would end more now than when it was asked for; "
            "Agent sessions that end: 1 more (pid 9: claude --print)",
        ),
    ],
)
async def test_an_approval_is_void_where_more_would_be_lost_than_the_card_said(
    tmp_path: Path, now: list[int], unread: Exception | None, state: RequestState, said: str
) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=Sessions(), book=compiled("secure-agent-pod"))
        cluster = cast("Sessions", one.cluster)
        losses = tuple(await impact.read(one.executor.context_of(TARGET.name), ["agent-sessions"]))
        assert [loss.things for loss in losses] == [("pid 7: claude --print",)]
        look = TargetState(cluster.deployment_, tuple(cluster.pods_))
        proposal = Proposal(RESTART, look.snapshot, "why", "", forecast=Forecast(losses=losses))
        repair = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
        cluster.sessions, cluster.unread = now, unread
        await one.say(repair, Choice.APPROVE, JONAS)
        ended = await one.ended(repair)
        assert ended.state is state
        assert cluster.sent == (state is RequestState.SUCCEEDED)
        if said:
            assert ended.outcome is not None
            assert ended.outcome.in_full == said
            assert said in [record.data.get("text") for record in await one.trail()]
        await one.executor.stop(1)
