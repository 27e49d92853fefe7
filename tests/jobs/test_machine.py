"""Any order of requests, decisions, deaths, changes and clocks: nothing is made twice, or without approval."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.approval import ApprovalPolicy, Choice, Rule, State
from bot.domain.repair import Case
from bot.errors import Conflict, Refused, Transient, Uncertain
from tests.jobs.workbench import JONAS, MAYA, PRIYA, Bench, bench, opened

T = TypeVar("T")
PEOPLE = st.sampled_from([MAYA, JONAS, PRIYA])
ERRORS = st.sampled_from([None, Conflict("x"), Uncertain("x"), Transient("x")])


class Repairs(RuleBasedStateMachine):
    """The real desk, workshop and ledger; a cluster that counts what took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.approved: set[str] = set()
        self.known: list[Case] = []
        self.one: Bench

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(needed=st.integers(1, 2))
    def opens(self, needed: int) -> None:
        ledger = self.run(self.stack.enter_async_context(opened(Path(self.folder.name))))
        self.one = bench(ledger, policy=ApprovalPolicy(needed=needed, break_glass=(PRIYA,)))

    def teardown(self) -> None:
        self.run(self._settle())
        cases = self.run(self._all())
        for case in cases:
            assert case.state.final or case.state is State.OPEN, f"{case.id} is left {case.state}"
            if case.state is State.SUCCEEDED:
                assert case.id in self.approved
        self.run(self.one.trail())
        self.run(self.one.workshop.stop(1))
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    async def _all(self) -> list[Case]:
        return [await self.one.now(c) for c in self.known]

    async def _settle(self) -> None:
        self.one.cluster.before, self.one.cluster.after = [], []
        self.one.clock.pass_(minutes=1)
        await self.one.workshop.take_over(at_start=True)
        for case in self.known:
            if (await self.one.now(case)).state is State.EXECUTING:
                await self.one.ended(case)

    @rule(who=PEOPLE, force=st.booleans())
    def asks(self, who: str, force: bool) -> None:
        try:
            case = self.run(self.one.ask(who, force=force))
        except Refused:
            return
        if case.id not in {c.id for c in self.known}:
            self.known.append(case)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 9), who=PEOPLE, choice=st.sampled_from(list(Choice)))
    def decides(self, which: int, who: str, choice: Choice) -> None:
        case = self.known[which % len(self.known)]  # no draw depends on how far the tasks have come
        before = self.run(self.one.now(case)).state
        ruling, _ = self.run(self.one.say(case, choice, who, "because"))
        if ruling.rule in (Rule.APPROVED, Rule.GLASS_BROKEN):
            assert before is State.OPEN
            self.approved.add(case.id)

    @rule(before=ERRORS, after=ERRORS)
    def fails(self, before: Exception | None, after: Exception | None) -> None:
        self.one.cluster.before, self.one.cluster.after = [before], [after]

    @rule(minutes=st.integers(-40, 40))
    def clock(self, minutes: int) -> None:
        self.one.clock.pass_(minutes=minutes)

    @rule()
    def expires(self) -> None:
        self.run(self.one.desk.expire())

    @rule(image=st.booleans())
    def somebody_changes_it(self, image: bool) -> None:
        self.one.cluster.change(**({"images": {"kali": f"image:{self.one.cluster.sent + 2}"}} if image else {}))

    @rule(turns=st.integers(0, 30))
    def time_for_others(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.run(turn())

    @rule()
    def dies_and_starts_again(self) -> None:
        async def die() -> None:
            for task in tuple(self.one.workshop._tasks.values()):
                task.cancel()
            await self.stack.aclose()

        self.run(die())
        old = self.one
        ledger = self.run(self.stack.enter_async_context(opened(Path(self.folder.name))))
        self.one = bench(ledger, name=f"bot-{old.workshop.name}", like=old)
        self.run(self.one.workshop.take_over(at_start=True))

    @invariant()
    def no_approval_has_two_effects(self) -> None:
        if not hasattr(self, "one"):
            return
        marks = [r for r in self.one.cluster.rollouts if r != "deleted"]
        assert len(marks) == len(set(marks)), marks
        assert set(marks) <= self.approved
        assert len(self.one.cluster.rollouts) <= len(self.approved)


Repairs.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_nothing_is_made_twice_or_without_approval = Repairs.TestCase
