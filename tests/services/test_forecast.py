"""What a repair would end is read again before it is carried out: what nobody approved is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.forecast import WARNED, WORSE, Forecast
from bot.domain.approvals.repair import Proposal, RepairRequest, TargetState
from bot.domain.core.workload import Condition, ExecResult
from bot.errors import TimedOut, Transient
from bot.services.runbook import impact
from bot.wiring.runbook_tools import compiled
from tests.services.workbench import JONAS, MAYA, TARGET, Bench, FakeCluster, bench, opened

GOOD, WRONG = "@daily /opt/a.sh\n", "5 25 * * * /opt/a.sh\n"
NO_CRON = "Won't start the cron jobs: line 1 of the crontab is wrong"


@dataclass
class Sessions(FakeCluster):
    """A pod with agent sessions."""

    sessions: list[int] = field(default_factory=lambda: [7])
    unread: Exception | None = None
    crontab: str = GOOD

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        if self.unread is not None:
            raise self.unread
        if argv[0] == "cat":
            return ExecResult(self.crontab, "", 0)
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
        repair = await asked(one, RESTART)
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


async def asked(one: Bench, action: RepairAction) -> RepairRequest:
    """Ask for a restart that ends one session."""
    cluster = one.cluster
    losses = tuple(await impact.read(one.executor.context_of(TARGET.name), ["agent-sessions"]))
    assert [loss.things for loss in losses] == [("pid 7: claude --print",)]
    look = TargetState(cluster.deployment_, tuple(cluster.pods_))
    proposal = Proposal(action, look.snapshot, "why", "", forecast=Forecast(losses=losses))
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


@dataclass
class AwayAtFirst(Sessions):
    """One whose API server answers nothing at the approval."""

    async def exec(self, pod: str, container: str, argv: Sequence[str], **more: Any) -> ExecResult:
        if self.reads:
            raise Transient("no API server")
        return await super().exec(pod, container, argv, **more)


@pytest.mark.parametrize("action", [RESTART, FORCE_RESTART], ids=repr)
@pytest.mark.parametrize("now", [[7], [7, 9]])
async def test_what_began_during_an_outage_is_not_ended_by_an_approval_from_before(
    tmp_path: Path, action: RepairAction, now: list[int]
) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=AwayAtFirst(), book=compiled("secure-agent-pod"))
        cluster = cast("AwayAtFirst", one.cluster)
        repair = await asked(one, action)
        cluster.reads, cluster.sessions = [Transient("no API server")] * 3, now
        await one.say(repair, Choice.APPROVE, JONAS)
        ended = await one.ended(repair)
        assert ended.state is (RequestState.VOID if 9 in now else RequestState.SUCCEEDED)
        assert cluster.sent == (0 if 9 in now else 1)
        if 9 in now:
            assert ended.outcome is not None
            assert ended.outcome.text == WORSE
            assert ended.outcome.evidence == ("Agent sessions that end: 1 more (pid 9: claude --print)",)
        await one.executor.stop(1)


@pytest.mark.parametrize("now", [[7], [7, 9]])
async def test_what_began_before_a_takeover_is_not_ended(tmp_path: Path, now: list[int]) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=AwayAtFirst(), book=compiled("secure-agent-pod"))
        cluster = cast("AwayAtFirst", one.cluster)
        repair = await asked(one, RESTART)
        cluster.reads = [Transient("no API server")] * 10_000
        await one.say(repair, Choice.APPROVE, JONAS)
        one.executor._tasks.pop(repair.id).cancel()
        cluster.reads, cluster.sessions = [], now
        two = bench(ledger, name="two", like=one, book=compiled("secure-agent-pod"))
        assert await two.executor.take_over(at_start=True) == 1
        ended = await two.ended(repair)
        assert ended.state is (RequestState.FAILED if 9 in now else RequestState.SUCCEEDED)
        assert cluster.sent == (0 if 9 in now else 1)
        assert ended.outcome is not None
        assert ("Agent sessions that end: 1 more" in ended.outcome.in_full) == (9 in now)
        await two.executor.stop(1)


async def test_a_crontab_that_went_wrong_during_an_outage_voids_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=AwayAtFirst(), book=compiled("secure-agent-pod"))
        cluster = cast("AwayAtFirst", one.cluster)
        repair = await asked(one, RESTART)
        cluster.crontab, cluster.reads = WRONG, [Transient("no API server")]
        await one.say(repair, Choice.APPROVE, JONAS)
        ended = await one.ended(repair)
        assert ended.outcome is not None
        assert (ended.state, cluster.sent) == (RequestState.VOID, 0)
        assert ended.outcome.in_full.startswith(f"{WARNED}; {NO_CRON}")
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
