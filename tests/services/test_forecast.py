"""What a repair would end is read again before it is carried out: what nobody approved is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.forecast import WARNED, Forecast
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core.workload import Condition, ExecResult
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


REFUSED = Condition("ReplicaFailure", "True", "FailedCreate", 'admission webhook "x" denied the request')
STUCK = 'no pod can be created: admission webhook "x" denied the request'


@pytest.mark.parametrize("action", [RESTART, FORCE_RESTART], ids=repr)
@pytest.mark.parametrize(
    ("asked", "refused", "said"),
    [
        (Forecast(), False, ""),
        (Forecast(), True, f"Won't help: {STUCK}"),
        (Forecast(stuck="no pod can be created: quota"), True, ""),
        (Forecast(no_cron="Will stop every cron job: x"), False, ""),
    ],
)
async def test_an_approval_is_void_where_a_warning_is_new(
    tmp_path: Path, action: Any, asked: Forecast, refused: bool, said: str
) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=FakeCluster())
        cluster = one.cluster
        look = TargetState(cluster.deployment_, tuple(cluster.pods_))
        proposal = Proposal(action, look.snapshot, "why", "", forecast=asked)
        repair = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
        if refused:
            cluster.deployment_ = replace(cluster.deployment_, conditions=(REFUSED,))
        await one.say(repair, Choice.APPROVE, JONAS)
        ended = await one.ended(repair)
        assert ended.state is (RequestState.VOID if said else RequestState.SUCCEEDED)
        assert cluster.sent == (0 if said else 1)
        if said:
            assert ended.outcome is not None
            assert ended.outcome.in_full.startswith(f"{WARNED}; {said}")
            [fact] = card.new_since(ended)
            assert f"{fact.label}: {fact.value}".startswith(said)
            [button] = card.card(ended, one.policy).buttons
            assert button.label == "Ask again"
        await one.executor.stop(1)


async def test_a_target_that_can_not_be_read_at_once_has_no_new_warning(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=FakeCluster())
        repair = await one.ask()
        one.cluster.reads = [TimedOut("no answer in 3 s")]
        await one.say(repair, Choice.APPROVE, JONAS)
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        await one.executor.stop(1)
