"""Model-based test of repairs: any order of requests, decisions, outages, crashes, changes and clock jumps.

Nothing is done twice, or without approval, and each outcome is true.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState, Rule
from bot.domain.approvals.repair import RepairRequest
from bot.errors import Conflict, Denied, NotAllowed, Permanent, Refused, Transient, Uncertain
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from tests.services.mortal import Died, Life, Mortal, MortalLedger
from tests.services.workbench import JONAS, MAYA, PRIYA, Bench, FakeCluster, bench, opened

T = TypeVar("T")
PEOPLE = st.sampled_from([MAYA, JONAS, PRIYA])
Errors = Sequence[Exception | None]
Trouble = tuple[Errors, Errors, Errors]
AWAY, LOST = Transient("away"), Uncertain("no answer")
TROUBLE: st.SearchStrategy[Trouble] = st.one_of(
    st.just(((), (), ())),
    st.just(((), (), (LOST,))),  # the change took effect, and the answer is lost
    st.lists(st.sampled_from((LOST, Conflict("changed"), AWAY)), max_size=3).map(lambda lost: ((), lost, ())),
    st.sampled_from((Denied("a quota"), NotAllowed("no right"), Permanent("paused"))).map(
        lambda e: ((), (e,), ())
    ),
    st.tuples(st.integers(1, 6), st.integers(0, 2)).map(lambda n: ((AWAY,) * n[0], (AWAY,) * n[1], ())),
    st.just(((), (LOST, AWAY), (LOST,))),
    st.just(((None, NotAllowed("no right")), (), (LOST,))),  # and the result can't be read
)
"""Errors of the reads, of the changes before they take effect, and after they took effect."""
NOTHING = (RequestState.DENIED, RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.VOID)
"""States that mean that nothing was changed."""


class Repairs(RuleBasedStateMachine):
    """The real approval service, executor and ledger; a cluster that counts what took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.approved: set[str] = set()
        self.known: list[RepairRequest] = []
        self.ended: set[str] = set()
        """Requests whose outcome was compared with what took effect."""
        self.life = Life()
        self.one: Bench

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(needed=st.integers(1, 2))
    def opens(self, needed: int) -> None:
        self.starts(policy=ApprovalPolicy(needed=needed, break_glass=(PRIYA,)))

    def starts(self, **more: Any) -> None:
        """Start a process on the same ledger and cluster."""
        ledger = self.run(self.stack.enter_async_context(opened(Path(self.folder.name))))
        life = self.life = Life()
        self.one = bench(cast("Ledger", MortalLedger(ledger, life)), **more)
        self.one.ledger = ledger  # the test's own reads are no steps of the process
        cluster = self.one.cluster
        self.one.executor.cluster_of = lambda _: cast("Cluster", Mortal(cluster, life))

    def starts_again(self) -> None:
        """Drop all tasks of the old process, and start a new one."""

        async def drop() -> None:
            tasks = tuple(self.one.executor._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stack.aclose()

        self.run(drop())
        old = self.one
        self.starts(name=f"bot-{old.executor.name}", like=old)
        self.known = list(self.run(self.one.ledger.requests(states=frozenset(RequestState), limit=1000)))
        self.run(self.one.executor.take_over(at_start=True))

    def teardown(self) -> None:
        if self.life.dead:
            self.starts_again()
        self.run(self._settle())
        repairs = self.run(self._all())
        for repair in repairs:
            assert repair.state.final or repair.state is RequestState.OPEN, f"{repair.id} is left {repair.state}"
            if repair.state is RequestState.SUCCEEDED:
                assert repair.id in self.approved
        self.run(self.one.trail())
        self.run(self.one.executor.stop(1))
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    async def _all(self) -> list[RepairRequest]:
        return [await self.one.now(c) for c in self.known]

    async def _settle(self) -> None:
        self.life.lives_on()
        self.one.cluster.before, self.one.cluster.after, self.one.cluster.reads = [], [], []
        self.one.clock.pass_(minutes=1)
        await self.one.executor.take_over(at_start=True)
        for repair in self.known:
            if (await self.one.now(repair)).state is RequestState.EXECUTING:
                await self.one.ended(repair)

    def _ask(self, who: str, force: bool) -> RepairRequest | None:
        try:
            repair = self.run(self.one.ask(who, force=force))
        except (Refused, Died):
            return None
        if repair.id not in {c.id for c in self.known}:
            self.known.append(repair)
        return repair

    def _say(self, repair: RepairRequest, choice: Choice, who: str) -> None:
        before = self.run(self.one.now(repair)).state
        try:
            said = self.run(self.one.say(repair, choice, who, "because"))[0].rule
        except Died:  # perhaps after the commit
            said = Rule.APPROVED if self.run(self.one.now(repair)).approved else Rule.NOT_OPEN
        if said in (Rule.APPROVED, Rule.GLASS_BROKEN) and repair.id not in self.approved:
            assert before is RequestState.OPEN
            self.approved.add(repair.id)

    @rule(who=PEOPLE, force=st.booleans())
    def asks(self, who: str, force: bool) -> None:
        self._ask(who, force)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 9), who=PEOPLE, choice=st.sampled_from(list(Choice)))
    def decides(self, which: int, who: str, choice: Choice) -> None:
        # no draw depends on how far the tasks have come
        self._say(self.known[which % len(self.known)], choice, who)

    @rule(
        force=st.booleans(),
        changed=st.none() | st.booleans(),
        trouble=TROUBLE,
        dies_after=st.none() | st.integers(0, 25),
    )
    def is_approved_in_a_bad_moment(
        self, force: bool, changed: bool | None, trouble: Trouble, dies_after: int | None
    ) -> None:
        """Request, perhaps change the target, and approve fully, with errors from then on."""
        repair = self._ask(MAYA, force)
        if changed is not None:
            self.somebody_changes_it(changed)
        self.the_api_server(trouble)
        if dies_after is not None:
            self.life.ends_after(dies_after)
        for who in (JONAS, PRIYA):
            if repair is not None and not self.life.dead:
                self._say(repair, Choice.APPROVE, who)

    @rule(trouble=TROUBLE)
    def the_api_server(self, trouble: Trouble) -> None:
        """Set the API server's next errors: for reads, and for changes before and after they take effect."""
        cluster = self.one.cluster
        cluster.reads, cluster.before, cluster.after = (list(errors) for errors in trouble)

    @rule()
    def everything_comes_to_an_end(self) -> None:
        for repair in self.known:
            self.run(self.one.until(repair, lambda c: c.state is not RequestState.EXECUTING or self.life.dead))

    @rule(minutes=st.sampled_from((-40, -3, -1, 1, 3, 11, 40)))
    def clock(self, minutes: int) -> None:
        self.one.clock.pass_(minutes=minutes)

    @rule()
    def expires(self) -> None:
        with contextlib.suppress(Died):
            self.run(self.one.approval_service.expire())

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
    def is_stopped_and_starts_again(self) -> None:
        self.starts_again()

    @rule(steps=st.integers(0, 25))
    def dies_soon(self, steps: int) -> None:
        """Have the process die between any two of its next steps."""
        self.life.ends_after(steps)

    @invariant()
    def whoever_died_is_replaced(self) -> None:
        if self.life.dead:
            self.starts_again()

    @invariant()
    def no_approval_has_two_effects(self) -> None:
        if not hasattr(self, "one"):
            return
        marks = [r for r in self.one.cluster.rollouts if r != "deleted"]
        assert len(marks) == len(set(marks)), marks
        assert set(marks) <= self.approved
        assert len(self.one.cluster.rollouts) <= len(self.approved)
        assert set(self.one.cluster.deleted) <= self._may_be_deleted()

    def _may_be_deleted(self) -> set[str]:
        """The pods of approved requests: no other pod may be deleted."""
        forced = [c for c in self.known if c.id in self.approved and c.action is not RESTART]
        return {uid for repair in forced for _, uid in repair.request.snapshot.pods}

    @invariant()
    def outcomes_are_true(self) -> None:
        """Check a request as it ends: a forced restart leaves no marker, and another may delete the same pod."""
        if not hasattr(self, "one"):
            return
        repairs = self.run(self._all())
        for repair in repairs:
            if repair.state.final and repair.id not in self.ended:
                self.ended.add(repair.id)
                others = [c for c in repairs if c.id != repair.id and not says_nothing_was_changed(c)]
                said = _as_said(repair, others, self.one.cluster)
                assert said, (repair.state, repair.outcome, self.one.cluster.rollouts)
            if says_nothing_was_changed(repair):
                assert repair.id not in self.one.cluster.rollouts, repair.outcome


def says_nothing_was_changed(repair: RepairRequest) -> bool:
    """Whether the card tells its reader that the pod was left alone."""
    return repair.state in NOTHING or (repair.outcome is not None and "nothing was changed" in repair.outcome.text)


def effects(repair: RepairRequest, cluster: FakeCluster) -> int:
    """How often it took effect, by its marker or by the deleted pods."""
    if repair.action is RESTART:
        return cluster.rollouts.count(repair.id)
    return sum(cluster.deleted.count(uid) for _, uid in repair.request.snapshot.pods)


def _as_said(repair: RepairRequest, others: Sequence[RepairRequest], cluster: FakeCluster) -> bool:
    """Whether the outcome is true. ``others``: requests that may have taken effect on the same pod."""
    if says_nothing_was_changed(repair):
        pods = set(repair.request.snapshot.pods)
        elsewhere = any(c.action is repair.action and pods & set(c.request.snapshot.pods) for c in others)
        return effects(repair, cluster) == 0 or (repair.action is not RESTART and elsewhere)
    return repair.state is not RequestState.SUCCEEDED or effects(repair, cluster) == 1


Repairs.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_nothing_is_made_twice_or_without_approval = Repairs.TestCase
