"""Followed logs on a scripted cluster and chat: Slack's failures, bounds, and logs that are too fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.reply import Mention, Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, LogLine, LogStart, Pod
from bot.domain.follow import pages
from bot.domain.follow.request import FollowRequest
from bot.domain.outbox.message import MessageRef
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.errors import NotAllowed, Permanent, Refused, Transient, Uncertain
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from bot.services.follow import follow_service, log_reader
from bot.services.follow.follow_service import FollowService
from bot.services.follow.log_reader import LogReader
from bot.services.follow.pace import FollowPace
from commands.observe import logs_stop
from tests.people import member
from tests.services.workbench import FakeChat

POD = Pod("pod-1", "uid", "Running", containers=(Container("kali", "kali:1", state="running"),))


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class FakeCluster:
    """A cluster whose log grows as the test writes it; ``errors`` are raised by the next streams instead."""

    found: list[Pod] = field(default_factory=lambda: [POD])
    errors: list[Exception] = field(default_factory=list)
    asked: list[LogStart] = field(default_factory=list)
    fresh: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue)
    count: int = 0

    def write(self, *lines: str) -> None:
        self.fresh.put_nowait(list(lines))

    async def pods(self, selector: str) -> Sequence[Pod]:
        return self.found

    async def follow_log(
        self, pod: str, container: str, start: LogStart, seconds: float
    ) -> AsyncGenerator[Sequence[LogLine], None]:
        self.asked.append(start)
        if self.errors:
            raise self.errors.pop(0)
        yield ()
        while True:
            yield [self._line(text) for text in await self.fresh.get()]

    def _line(self, text: str) -> LogLine:
        self.count += 1
        return LogLine(f"2026-11-23T22:41:07.{self.count:09}Z", text)


QUICK = FollowPace(
    first_look=0.01, interval=0.01, reconnect=0.01, slack=0.01, settling=0.0, role=0.0, shutdown=0.2
)
"""Short pauses: nothing here depends on their length."""


def everything(_: str) -> bool:
    """Whoever asks may read the logs of each target."""
    return True


class World:
    def __init__(self, ledger: Ledger | None = None) -> None:
        self.cluster, self.chat = FakeCluster(), FakeChat()
        cluster = cast(Cluster, self.cluster)
        self.service = FollowService(RealClock(), lambda _: cluster, Outside(), ledger, QUICK)
        self.service.chat = self.chat

    async def start(self, origin: str = "", target: str = "one", sees: Any = everything, **more: Any) -> Reply:
        request = FollowRequest(Target(name=target), POD, "kali", **more)
        return await self.service.start(request, Caller(member("U1", "C1"), "slash", origin), sees)

    def tail(self) -> str:
        """What the thread shows."""
        return "\n".join(e.text for reply in self.chat.shown.values() for e in reply.excerpts)

    def head(self) -> Reply:
        return next(iter(self.chat.shown.values()))


@asynccontextmanager
async def made() -> AsyncIterator[World]:
    world = World()
    try:
        yield world
    finally:
        await world.service.finish()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0.005)


async def test_it_ends_once_the_one_who_began_it_may_not_read_logs() -> None:
    async with made() as world:
        allowed = [True]

        async def may_read(who: Identity, _: str) -> bool:
            assert who.user == "U1"
            return allowed[0]

        world.service.may_read = may_read
        await world.start()
        world.cluster.write("before")
        await until(lambda: "before" in world.tail())
        allowed[0] = False
        await until(lambda: "may not read logs" in str(world.head().body))
        assert not world.service.running


async def test_a_role_that_can_t_be_read_ends_nothing() -> None:
    async with made() as world:
        asked = []

        async def may_read(_: Identity, __: str) -> bool:
            asked.append(1)
            raise Transient("Slack is away.")

        world.service.may_read = may_read
        await world.start()
        await until(lambda: len(asked) > 2)
        world.cluster.write("more")
        await until(lambda: "more" in world.tail())


async def test_an_unconfirmed_message_doubles_no_line() -> None:
    async with made() as world:
        await world.start()
        world.chat.errors = [Uncertain("500"), None, Uncertain("500")]
        world.cluster.write("once")
        await until(lambda: "once" in world.tail())
        assert world.tail().count("once") == 1


async def test_messages_that_slack_never_confirms_end_it() -> None:
    async with made() as world:
        await world.start()
        world.chat.errors = [Uncertain("500")] * 3
        world.cluster.write("once")
        await until(lambda: "did not confirm" in str(world.head().body))


async def test_a_refusal_of_slack_ends_it_and_a_pause_does_not() -> None:
    async with made() as world:
        await world.start()
        world.chat.errors = [Transient("429", retry_after=0.05), Transient("502")]
        world.cluster.write("first")
        await until(lambda: "first" in world.tail())
        world.chat.errors = [Permanent("Slack refused chat.update: is_archived.")]
        world.cluster.write("second")
        await until(lambda: "is_archived" in str(world.head().body))


async def test_nothing_is_followed_where_the_first_message_is_refused() -> None:
    async with made() as world:
        world.chat.refuses = "C1"
        with pytest.raises(Permanent, match="not_in_channel"):
            await world.start("origin")
        world.chat.refuses = ""
        assert "Following" in (await world.start("origin")).headline, "it can be asked for again"


async def test_a_first_message_that_may_be_there_is_not_posted_again() -> None:
    async with made() as world:
        world.chat.errors = [Uncertain("500")]
        with pytest.raises(Transient, match="may be there all the same"):
            await world.start()
        assert world.chat.said == []


async def test_a_redelivery_starts_no_second_one() -> None:
    async with made() as world:
        first, second = await world.start("event:1"), await world.start("event:1")
        assert first.data == second.data
        assert len(world.chat.said) == 1


async def test_the_number_is_bounded_by_target_and_in_all() -> None:
    async with made() as world:
        for target in ("one", "one", "two", "two"):
            assert "Following" in (await world.start(target=target)).headline
        assert "2 logs of one are" in (await world.start(target="one")).headline
        refused = await world.start(target="three")
        assert refused.headline == "Not followed: 4 logs are being followed already"
        assert len(refused.buttons) == follow_service.MOST
        refused = await world.start(target="three", sees=lambda target: target == "two")
        assert refused.headline == "Not followed: 4 logs are being followed already"
        assert [button.label for button in refused.buttons] == [
            f"Stop {one.id}" for one in world.service.running if one.request.target.name == "two"
        ]
        caller = Caller(member("U2", "C1"), "button")
        nothing = await world.service.stop(None, caller, lambda _: False)
        assert (nothing.headline, nothing.buttons) == ("Nothing to stop: no log is being followed", ())


async def test_at_its_end_the_place_is_free_again() -> None:
    async with made() as world:
        for _ in range(2):
            await world.start()
        caller = Caller(member("U2", "C1"), "button")
        stopped = await world.service.stop(world.head().buttons[0].command.split()[-1], caller, everything)
        assert stopped.posted
        await until(lambda: "Followed" in world.head().headline)
        await until(lambda: len(world.service.running) == 1)
        assert "Following" in (await world.start()).headline
        assert len(world.service.running) == 2
        assert (
            "Which one? These logs are being followed"
            in (await world.service.stop(None, caller, everything)).headline
        )


@dataclass
class SharedLedger:
    """A ledger that several replicas share; only its marks."""

    marks: dict[str, str] = field(default_factory=dict)

    async def mark(self, name: str) -> str | None:
        return self.marks.get(name)

    async def set_mark(self, name: str, value: str) -> None:
        self.marks[name] = value

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SharedLedger]:
        yield self


async def test_a_click_that_reaches_another_replica_stops_it() -> None:
    ledger = cast(Ledger, SharedLedger())
    one, other = World(ledger), World(ledger)
    await one.start()
    id_ = one.service.running[0].id
    said = await other.service.stop(id_, Caller(member("U2", "C1"), "button"), everything)
    assert "if another replica follows it" in said.headline
    await until(lambda: not one.service.running)
    assert Mention("U2") in one.head().body[0]


async def test_no_log_is_followed_where_another_company_could_read_it() -> None:
    async with made() as world:
        world.chat.shared = True
        with pytest.raises(Refused, match="shared with another company, whose people could read it"):
            await world.start()
        assert world.chat.said == []
        assert not world.service.running


async def test_no_log_is_followed_where_it_is_not_known_who_could_read_it() -> None:
    async with made() as world:
        world.chat.shared = Permanent("The app lacks the scope channels:read.", remedy="Install it again.")
        with pytest.raises(
            Refused, match="not known whether people of another company are in this channel"
        ) as caught:
            await world.start()
        assert "channels:read" in caught.value.message
        assert caught.value.remedy == "Install it again."
        assert world.chat.said == []


async def test_in_a_direct_message_nobody_else_reads_a_log() -> None:
    async with made() as world:
        world.chat.shared = True
        request = FollowRequest(Target(name="one"), POD, "kali")
        direct = member("U1", "D1")
        await world.service.start(request, Caller(direct, "slash"), everything)
        assert world.chat.said


async def test_who_stops_a_log_is_in_the_audit_trail() -> None:
    recorded: list[tuple[str, ...]] = []

    async def reads(*about: str) -> None:
        recorded.append(about)

    async with made() as world:
        await world.start()
        id_ = world.service.running[0].id
        await stop(world, "U2", id_, reads)
    [(who, name, line, target)] = recorded
    assert ("U2" in who, name, line, target) == (True, "logs stop", f"logs stop {id_}", "one")


def stopping(world: World, reads: Any = None) -> Dispatcher:
    """`logs stop` as the dispatcher runs it, where only U2 has a role."""

    def context(_: str | None, caller: Caller, *__: object) -> Context:
        found = SimpleNamespace(follows=world.service, caller=caller, access=policy, target=Target(name="one"))
        return cast(Context, found)

    policy = AccessPolicy(rules=(AccessRule(role=roles.OPERATOR, users=("U2",)),))
    return Dispatcher((logs_stop.COMMAND,), policy, context, NoMetrics(), reads=reads)


class NoMetrics:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        pass


async def no_progress(_: Reply) -> None:
    pass


async def stop(world: World, user: str, id_: str, reads: Any = None) -> str:
    caller = Caller(member(user, "C1"), "button")
    answer = await stopping(world, reads).run(f"logs stop {id_}", caller, request_id="1", progress=no_progress)
    return answer.headline


async def test_who_began_it_may_stop_it_without_a_role_and_nobody_else_may() -> None:
    async with made() as world:
        await world.start()
        id_ = world.service.running[0].id
        assert (await stop(world, "U3", id_)).startswith("You may not run logs stop")
        assert world.service.running
        assert "is not followed any more" in await stop(world, "U1", id_)
        await until(lambda: not world.service.running)
        assert (await stop(world, "U1", id_)).startswith("You may not run logs stop"), "it has ended"
        assert "Nothing to stop" in await stop(world, "U2", id_)


async def test_without_a_role_another_replica_stops_ones_own_and_no_other() -> None:
    ledger = cast(Ledger, SharedLedger())
    one, other = World(ledger), World(ledger)
    await one.start()
    id_ = one.service.running[0].id
    assert "if another replica follows it" in await stop(other, "U3", id_)
    one.cluster.write("still followed")
    await until(lambda: "still followed" in one.tail())
    assert one.service.running
    await stop(other, "U1", id_)
    await until(lambda: not one.service.running)
    assert Mention("U1") in one.head().body[0]


async def test_a_stopping_bot_says_so_and_starts_no_more() -> None:
    async with made() as world:
        await world.start()
        world.cluster.write("the last line")
        await until(lambda: "the last line" in world.tail())
        await world.service.finish()
        assert "the bot is stopping" in str(world.head().body)
        with pytest.raises(Refused):
            await world.start()


async def test_a_slack_that_hangs_does_not_hold_up_the_end_of_the_bot() -> None:
    class Hanging(FakeChat):
        async def edit(self, at: MessageRef, reply: Reply) -> None:
            await asyncio.Event().wait()

    world = World()
    world.chat = world.service.chat = Hanging()
    await world.start()
    world.cluster.write("x")
    await until(lambda: len(world.chat.said) == 2)
    async with asyncio.timeout(5):
        await world.service.finish()


async def test_secrets_of_the_target_are_redacted_before_the_search() -> None:
    async with made() as world:
        searched: list[str] = []

        async def select(lines: Sequence[str]) -> Sequence[int]:
            searched.extend(lines)
            return [n for n, line in enumerate(lines) if "keep" in line]

        await world.start(secrets=frozenset({"a-known-value"}), select=select)
        world.cluster.write("keep a-known-value", "drop this")
        await until(lambda: "keep" in world.tail())
        assert "a-known-value" not in world.tail() + "".join(searched)
        assert "drop this" not in world.tail()


async def test_the_first_lines_are_read_with_those_before_them() -> None:
    async with made() as world:
        world.cluster.write(*(f"old {n}" for n in range(30)))
        await world.start(tail=2)
        await until(lambda: "old 29" in world.tail())
        assert "old 28" in world.tail()
        assert "old 27" not in world.tail()
        assert (world.cluster.asked[0].tail or 0) > 200


async def test_a_refusal_of_the_api_server_ends_it() -> None:
    async with made() as world:
        world.cluster.errors = [NotAllowed("The bot may not get pods/log.", remedy="Grant it.")]
        await world.start()
        await until(lambda: "may not get pods/log. Grant it." in str(world.head().body))


async def test_a_log_that_is_too_fast_waits_and_then_is_read_from_its_end() -> None:
    cluster = FakeCluster()
    reader = LogReader(cast(Cluster, cluster), FollowRequest(Target(), POD, "kali"), RealClock(), QUICK)
    task = asyncio.create_task(reader.run(60))
    for _ in range(log_reader.PATIENCE):
        cluster.write("x" * (log_reader.MOST_RECEIVED + 1))
        await until(lambda: reader.window.received > log_reader.MOST_RECEIVED)
        assert cluster.fresh.empty()
        cluster.write("not read yet")
        reader.window.take(0.0)
        reader.portion_taken()
        await until(cluster.fresh.empty)
    await until(lambda: len(cluster.asked) == 2)
    assert reader.left_out
    assert cluster.asked[1].since == log_reader.NEWEST
    assert cluster.asked[1].after is None
    task.cancel()


async def test_since_goes_back_as_far_after_an_outage() -> None:
    cluster = FakeCluster(errors=[Transient("away")])
    request = FollowRequest(Target(), POD, "kali", since=timedelta(hours=1))
    task = asyncio.create_task(LogReader(cast(Cluster, cluster), request, RealClock(), QUICK).run(60))
    await until(lambda: len(cluster.asked) == 2)
    assert all(asked.since and asked.since >= timedelta(hours=1) for asked in cluster.asked)
    assert [asked.tail for asked in cluster.asked] == [None, None]
    task.cancel()


async def test_a_busy_log_edits_one_message_at_a_time() -> None:
    async with made() as world:
        await world.start()
        for _ in range(40):
            world.cluster.write(*(["y" * 300] * 60))
        await until(lambda: world.cluster.fresh.empty() and "y" in world.tail())
        assert len(world.chat.said) <= 1 + pages.MOST_PAGES
