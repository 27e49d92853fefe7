"""Heartbeats by hand that were approved: pushed at most once, and every outcome is true of the Pushgateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH, details, snapshot
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.approvals.steps import log_of
from bot.domain.heartbeats.heartbeat import MANUAL, PUSHED, Group, HeartbeatPoll
from bot.errors import Permanent, Transient
from tests.services.mortal import Mortal
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, TARGET, Bench, bench, opened, said
from tests.times import utc

LABELS = {"job": "audit_digest", "context": "desk"}


@dataclass
class Gateway:
    """A Pushgateway with one group; errors are raised before or after a push takes effect."""

    gauges: dict[str, float] = field(default_factory=lambda: {PUSHED: 1000.0})
    pushed: list[Mapping[str, float]] = field(default_factory=list)
    before: list[Exception | None] = field(default_factory=list)
    after: list[Exception | None] = field(default_factory=list)
    unread: Exception | None = None

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        if self.unread is not None:
            raise self.unread
        return HeartbeatPoll([Group({"job": "other"}, {PUSHED: 1.0}), Group(LABELS, dict(self.gauges))])

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        assert dict(labels) == LABELS
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        self.pushed.append(gauges)
        self.gauges |= {**gauges, PUSHED: gauges[MANUAL]}
        if self.after and (error := self.after.pop(0)) is not None:
            raise error


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def one(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger)
        connect(made, gateway)
        yield made
        await made.executor.stop(1)


def connect(one: Bench, gateway: Any) -> None:
    """Give the executor the Pushgateway."""
    of = one.executor.check_context
    assert of is not None
    one.executor.check_context = lambda target: replace(cast("Any", of(target)), heartbeats=gateway)


async def asked(one: Bench) -> RepairRequest:
    found = snapshot(LABELS, Group(LABELS, {PUSHED: 1000.0}))
    proposal = Proposal(HEARTBEAT_PUSH, found, "why", HEARTBEAT_PUSH.effect, (), "audit_digest", details(LABELS))
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_an_approved_push_is_made_once_marked_and_read_back(one: Bench, gateway: Gateway) -> None:
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    [gauges] = gateway.pushed
    assert gauges == {MANUAL: log_of(ended.details).runs[0].began.timestamp()}
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline == "✅ Pushed a heartbeat for audit_digest by hand"
    assert "pushed at 09:00" in str(utc(shown.facts, one.clock.now()))
    data = [r.data for r in await one.trail() if r.subject == ended.id and r.data.get("by_hand")]
    assert [one_["labels"] for one_ in data] == [LABELS, LABELS], "the request and the push"


async def test_a_job_that_pushed_by_itself_voids_it(one: Bench, gateway: Gateway) -> None:
    repair = await asked(one)
    gateway.gauges[PUSHED] = 2000.0
    ended = await approved(one, repair)
    assert (ended.state, said(ended)) == (RequestState.VOID, "audit_digest has pushed a heartbeat itself since")
    assert gateway.pushed == []


async def test_a_group_that_was_deleted_voids_it_and_is_called_so(one: Bench, gateway: Gateway) -> None:
    gateway.gauges[PUSHED] = 2000.0
    repair = await asked(one)
    del gateway.gauges[PUSHED]
    ended = await approved(one, repair)
    gone = "the last success of audit_digest was deleted at the Pushgateway since"
    assert (ended.state, said(ended)) == (RequestState.VOID, gone)


async def test_a_lost_answer_is_found_at_the_pushgateway(one: Bench, gateway: Gateway) -> None:
    gateway.after = [Transient("no answer in 3 s")]
    ended = await approved(one, await asked(one))
    assert (ended.state, len(gateway.pushed)) == (RequestState.SUCCEEDED, 1)


@pytest.mark.parametrize("error", [Transient("no answer in 3 s"), Permanent("it refused"), RuntimeError("x")])
async def test_a_push_that_is_not_to_be_seen_is_not_repeated(
    one: Bench, gateway: Gateway, error: Exception
) -> None:
    gateway.before = [error]
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(
        repair, lambda found: "steps" in found.details and log_of(found.details).runs[0].ended is not None
    )
    one.clock.pass_(seconds=31)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert said(ended).startswith("unknown whether it was pushed; not repeated: ")
    assert gateway.pushed == []


async def test_a_gateway_that_can_not_be_read_gets_nothing(one: Bench, gateway: Gateway) -> None:
    repair = await asked(one)
    gateway.unread = Permanent("it refused")
    ended = await approved(one, repair)
    assert (said(ended), gateway.pushed) == ("nothing was pushed: it refused", [])


async def test_one_that_can_not_be_read_back_says_so(one: Bench, gateway: Gateway) -> None:
    repair = await asked(one)
    push = gateway.push

    async def blind(labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        await push(labels, gauges)
        gateway.unread = Transient("away")

    gateway.push = blind  # type: ignore[method-assign]
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(
        repair, lambda found: "steps" in found.details and log_of(found.details).runs[0].ended is not None
    )
    one.clock.pass_(seconds=31)
    assert said(await one.ended(repair)) == "it was pushed, and it can't be read back: away"


@pytest.mark.parametrize("steps", range(2, 32))
async def test_killed_between_any_two_steps_it_is_pushed_at_most_once(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the gateway; the next one takes over."""
    gateway = Gateway()
    async with succession(tmp_path) as both:
        one = both.one
        connect(one, Mortal(gateway, both.life))
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair, lambda two: connect(two, gateway))
        begun = "steps" in (await two.now(repair)).details
        await two.executor.take_over(at_start=True)
        if begun and not gateway.pushed:
            one.clock.pass_(seconds=31)
        ended = await two.ended(repair)
        assert len(gateway.pushed) <= 1
        if gateway.pushed:
            assert ended.state is RequestState.SUCCEEDED
        else:
            assert said(ended).startswith("unknown whether it was pushed; not repeated")
        await two.trail()
