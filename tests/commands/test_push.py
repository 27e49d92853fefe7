"""``heartbeats push``: a real push, marked as manual, recorded first, and refused where it makes no sense."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH, details
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import MANUAL, HeartbeatPoll
from bot.domain.rbac.access import Identity
from bot.domain.rbac.roles import Capability
from bot.errors import Transient, UsageError
from bot.runbook.context import Caller
from bot.runbook.drafts import begun, drafted
from bot.runbook.grammar import parse
from bot.settings.model import Settings
from bot.wiring.parts import Parts
from commands.observe.push import needs
from commands.registry import BUILTIN
from tests.commands.fakes import FRESH, NOW, FakeHeartbeats, World, beat
from tests.commands.test_secrets import Room


@dataclass
class Book:
    """A ledger that keeps records, or can't."""

    records: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Book]:
        yield self
        if self.error is not None:
            raise self.error

    async def record(self, at: Any, kind: str, actor: str, subject: str, data: Any = None) -> None:
        self.records.append((kind, actor, subject, data))


async def say(world: World, line: str, book: Book | None = None) -> Any:
    invocation = parse(line, BUILTIN)
    ctx = replace(world.context(), ledger=book or Book())
    return await invocation.command.run(ctx, invocation.params)


async def test_a_manual_push_goes_to_the_job_s_group_and_is_marked(world: World) -> None:
    book = Book()
    reply = await say(world, "heartbeats push exercise_reminder context=desk", book)
    assert isinstance(world.heartbeats, FakeHeartbeats)
    labels = {"job": "exercise_reminder", "context": "desk"}
    assert world.heartbeats.pushed == [(labels, {MANUAL: NOW.timestamp()})]
    assert book.records == [("heartbeat", "U1", "exercise_reminder", {"labels": labels, "by_hand": True})]
    assert reply.headline == "✍️ Pushed a heartbeat for exercise_reminder (context=desk) by hand"


async def test_a_manual_push_uses_the_job_s_existing_group_name(world: World) -> None:
    book = Book()
    await say(world, "heartbeats push exercise-reminder", book)
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed[0][0] == {"job": "exercise_reminder"}
    assert book.records[0][3]["labels"] == {"job": "exercise_reminder"}
    world.heartbeats.answer = Transient("no answer in 3 s")
    await say(world, "heartbeats push exercise-reminder")
    assert world.heartbeats.pushed[1][0] == {"job": "exercise-reminder"}, "nobody can tell"


async def test_a_job_s_own_metric_is_pushed_as_well(world: World) -> None:
    world.target = Target(heartbeats=(HeartbeatPolicy(job="a-job", schedule="0 * * * *", metric="own_metric"),))
    await say(world, "heartbeats push a_job")
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed[0][1] == {MANUAL: NOW.timestamp(), "own_metric": NOW.timestamp()}


async def test_a_job_without_a_policy_is_reported_as_such(world: World) -> None:
    assert world.heartbeats is not None
    world.heartbeats.answer = HeartbeatPoll((*FRESH, beat("nobody_knows", timedelta(minutes=1))))
    reply = await say(world, "heartbeats push nobody-knows")
    assert reply.notes[0] == "No policy covers nobody-knows: no alert is raised when it stops."


@pytest.mark.parametrize(
    ("job", "remedy"),
    [("exercise_remindr", "Did you mean 'exercise_reminder'?"), ("nope", "Jobs: ")],
)
async def test_a_job_that_nobody_knows_is_not_pushed(world: World, job: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=f"There is no job '{job}'") as refused:
        await say(world, f"heartbeats push {job}")
    assert str(refused.value.remedy).startswith(remedy)
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed == []


async def test_a_mistyped_job_is_refused_where_the_pushgateway_holds_no_group(world: World) -> None:
    assert isinstance(world.heartbeats, FakeHeartbeats)
    world.heartbeats.answer = HeartbeatPoll(())
    with pytest.raises(UsageError, match="There is no job 'exercise_remindr'") as refused:
        await say(world, "heartbeats push exercise_remindr")
    assert refused.value.remedy == "Did you mean 'exercise-reminder'?", "as the settings spell it"
    world.target = Target(heartbeats=())
    with pytest.raises(UsageError) as refused:
        await say(world, "heartbeats push nope")
    assert refused.value.remedy == "Add it to targets[].heartbeats."
    world.heartbeats.answer = Transient("no answer in 3 s")
    with pytest.raises(Transient):
        await say(world, "heartbeats push nope")
    assert world.heartbeats.pushed == []


async def test_a_push_that_cannot_be_recorded_is_not_made(world: World) -> None:
    with pytest.raises(Transient):
        await say(world, "heartbeats push exercise_reminder", Book(error=Transient("the disk is full")))
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed == []


@pytest.mark.parametrize("words", ["", "x context", "x =desk", "x job=y", "x 1a=b", "x a=1 a=2", "x a-b=c"])
async def test_an_invalid_group_is_refused(world: World, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        await say(world, f"heartbeats push {words}")
    assert ("is the first word" in refused.value.message) == (words == "x job=y")


async def test_without_a_gateway_there_is_nothing_to_push_to(world: World) -> None:
    world.heartbeats = None
    with pytest.raises(UsageError, match="no Pushgateway"):
        await say(world, "heartbeats push x")


def _room(mode: str) -> Room:
    room = Room()
    room.approval_service.policy = ApprovalPolicy(heartbeats_push=mode)
    return room


async def test_by_the_settings_an_approver_decides(world: World) -> None:
    room = _room("approval")
    form = await room.say("heartbeats push exercise_reminder context=desk")
    assert form.form.command.startswith('heartbeats push "exercise_reminder" "context=desk" --target ')
    await room.say("heartbeats push exercise_reminder context=desk --reason 'it ran by hand'")
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject) == (HEARTBEAT_PUSH, "exercise_reminder (context=desk)")
    assert asked.details == {"labels": '{"job": "exercise_reminder", "context": "desk"}'}
    assert asked.facts == (("Last success", "never seen"),)
    assert asked.snapshot.version == "never"
    assert isinstance(room.heartbeats, FakeHeartbeats)
    assert room.heartbeats.pushed == []


@pytest.mark.parametrize("mode", ["approver", "operator"])
async def test_in_other_modes_it_is_pushed_at_once_with_the_reason_in_the_trail(world: World, mode: str) -> None:
    book = Book()
    invocation = parse("heartbeats push exercise_reminder --reason why", BUILTIN)
    ctx = replace(_room(mode).context(), ledger=book, repairs=_room(mode).approval_service)
    await invocation.command.run(ctx, invocation.params)
    assert book.records[0][3]["reason"] == "why"


def test_what_it_needs_follows_the_settings() -> None:
    modes = {mode: needs(ApprovalPolicy(heartbeats_push=mode)) for mode in ("approver", "operator", "approval")}
    assert modes == {
        "approver": Capability.PUSH_HEARTBEATS,
        "operator": Capability.REQUEST,
        "approval": Capability.REQUEST,
    }


@pytest.mark.parametrize("mode", ["approver", "operator", "approval"])
def test_the_bot_s_commands_have_what_the_settings_say(mode: str, tmp_path: Path) -> None:
    ledger = {"url": f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"}
    settings = Settings(approvals=ApprovalPolicy(heartbeats_push=mode), ledger=ledger)
    parts = Parts.build(settings)
    [command] = [one for one in parts.commands if one.name == "heartbeats push"]
    assert command.needs is needs(settings.approvals)


def test_the_request_can_be_made_again() -> None:
    wanted: Any = type(
        "Wanted", (), {"details": details({"job": "a b", "x": "y z"}), "reason": "r", "target": "t"}
    )
    invocation = parse(HEARTBEAT_PUSH.again_line(wanted), BUILTIN)
    assert invocation.params.model_dump() == {"job": "a b", "labels": ("x=y z",), "reason": "r"}


@pytest.mark.parametrize("words", ["", " --reason 'it ran by hand'"])
async def test_a_click_opens_the_form_with_its_reason_and_pushes_nothing(world: World, words: str) -> None:
    line = f"heartbeats push exercise_reminder context=desk{words}"
    draft = drafted(parse(line, BUILTIN), Caller(Identity("U1", "C1"), "button"))
    ctx = replace(world.context(), ledger=Book(), caller=Caller(Identity("U1", "C1"), "button"))
    reply = begun(await draft.invocation.command.run(ctx, draft.invocation.params), draft.reason)
    assert reply.form is not None
    assert reply.form.command.startswith('heartbeats push "exercise_reminder" "context=desk" --target ')
    assert reply.form.fields[0].initial == ("it ran by hand" if words else "")
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed == []
