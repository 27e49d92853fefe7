"""The workshop: carries out what is approved and claimed, once, and follows it to its end.

The call is idempotent by what it says: a restart's patch has the same content whoever sends it (the approval's id
and the time of the claim), and is bound to the Deployment as it was looked at. So a process that takes over from
one that died may look and, where nothing has changed since the request, send it again: it changes nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bot.domain import rollout, words
from bot.domain.approval import ApprovalPolicy, State
from bot.domain.repair import Action, Case, Look, Outcome
from bot.domain.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.domain.target import Target
from bot.domain.workload import Deployment, Event, Pod
from bot.errors import AgentpodError, Conflict, NotFound, Transient, Uncertain
from bot.jobs.news import BOT, HOLD, owe_news, owe_progress
from bot.jobs.values import Vault
from bot.ports import Clock, Cluster, Ledger

logger = logging.getLogger("agentpod.repairs")

TICK = 2.0
"""Seconds between two looks while nothing changes."""
RENEW = HOLD / 3
RETRY = 1.0
"""Seconds before something that may pass is tried again."""


async def look_at(cluster: Cluster, target: Target) -> Look:
    """Read the Deployment and its pods side by side. Raises as the cluster does."""
    deployment, pods = await asyncio.gather(cluster.deployment(target.deployment), cluster.pods(target.selector))
    return Look(deployment, tuple(pods))


Seen = tuple[Deployment, Sequence[Pod], Sequence[Event]]


class Lost(Exception):
    """Another process has taken the case over: leave it alone."""


@dataclass
class Workshop:
    """Carries out claimed cases in tasks of its own."""

    name: str
    """This process, as the ledger names it."""
    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    targets: Mapping[str, Target]
    cluster_of: Callable[[str], Cluster]
    vault: Vault
    changed: Callable[[], None]
    observe: Callable[[Case], None] = lambda _: None
    """Told of each case that ended."""
    tick: float = TICK
    retry: float = RETRY
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _calls: set[asyncio.Task[int | None]] = field(default_factory=set)

    def look(self, case: Case) -> asyncio.Task[Look]:
        """Begin to look at a case's target."""
        work = look_at(self.cluster_of(case.target), self.targets[case.target])
        task = asyncio.create_task(work, name=f"look-{case.id}")
        task.add_done_callback(_heard)
        return task

    def start(self, case: Case, look: asyncio.Task[Look] | None = None, *, tried: bool = False) -> None:
        """Carry out a case that this process holds; a second call while it does so changes nothing.

        ``tried``: another process may have sent the call already.
        """
        if case.id not in self._tasks:
            task = asyncio.create_task(self._guarded(case, look, tried), name=f"carry-out-{case.id}")
            self._tasks[case.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(case.id, None))

    async def store(self, case: Case, value: SecretStr) -> Case:
        """Store the value of a case that this process has claimed, and end it with what came of it."""
        return await self._conclude(case, *await self.vault.store(case, value))

    def busy(self, id_: str) -> bool:
        """Whether this process is at it."""
        return id_ in self._tasks

    async def stop(self, seconds: float) -> None:
        """Let calls that are under way come to an end, then leave the rest to whoever comes next."""
        if self._calls:
            await asyncio.wait(tuple(self._calls), timeout=seconds)
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, case: Case, look: asyncio.Task[Look] | None, tried: bool) -> None:
        try:
            if case.target not in self.targets:
                text = f"target {case.target} is no longer in the settings: look yourself whether it was done"
                await self._end(case, State.FAILED, text)
            elif case.action.restarts:
                await self._restart(case, look, tried)
            elif case.action.needs_value:  # taken over: whoever gave it, and the value, are gone
                await self._conclude(case, *await self.vault.found(case))
            else:
                await self._conclude(case, *await self.vault.keys(case))
        except Lost:
            logger.info("another process has taken it over", extra={"case": case.id})
        except asyncio.CancelledError:
            with contextlib.suppress(AgentpodError, Lost, TimeoutError):
                async with asyncio.timeout(3):
                    await self._let_go(case.id)
            raise
        except Exception:
            logger.exception("carrying out failed; it is taken up again", extra={"case": case.id})

    async def _restart(self, case: Case, look: asyncio.Task[Look] | None, tried: bool) -> None:
        made = case if case.sent_at else await self._change(case, look, tried)
        if not made.state.final:
            await self._follow(made)

    # -- the change

    async def _change(self, case: Case, look: asyncio.Task[Look] | None, tried: bool) -> Case:
        """Make the change, or find it made, or end the case where neither can be."""
        latest = self._since(case) + self.policy.start_within
        while True:
            try:
                seen = await (look or self.look(case))
                if seen.made(case, tried=tried):
                    return await self._made(case, seen.deployment.generation)
                if changes := case.request.snapshot.changes(seen.snapshot):
                    return await self._end(case, State.VOID, "; ".join(changes))
                if self.clock.now() > latest:
                    return await self._end(case, State.FAILED, _late(self.policy.start_within))
                tried = True
                return await self._made(case, await self._undisturbed(self._call(case, seen)))
            except (Conflict, Uncertain) as error:  # look again: that says whether it was done
                logger.info("look again: %s", error.message, extra={"case": case.id})
            except Transient as error:
                if self.clock.now() > latest:
                    return await self._end(case, State.FAILED, f"nothing was changed: {_inner(error)}", error)
                await asyncio.sleep(error.retry_after or self.retry)
            except AgentpodError as error:
                return await self._end(case, State.FAILED, f"nothing was changed: {_inner(error)}", error)
            look, case = None, await self._renew(case)

    def _since(self, case: Case) -> datetime:
        """When it was claimed: the same for every process that takes it over."""
        return case.held.since if case.held else self.clock.now()

    async def _undisturbed(self, call: Coroutine[Any, Any, int | None]) -> int | None:
        """A call that a stop waits for."""
        task = asyncio.create_task(call, name="the change")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await asyncio.shield(task)

    async def _call(self, case: Case, seen: Look) -> int | None:
        """The one call. Raises as the cluster does."""
        cluster = self.cluster_of(case.target)
        if case.action is Action.RESTART:
            since = self._since(case).isoformat(timespec="seconds")
            marks = {RESTARTED_ANNOTATION: since, APPROVAL_ANNOTATION: case.id}
            return (await cluster.restart(seen.deployment, marks)).generation
        wanted = {uid for _, uid in case.request.snapshot.pods}
        for pod in seen.pods:
            if pod.uid in wanted and not pod.deleting:
                with contextlib.suppress(NotFound):  # gone since the look: that very pod can't come back
                    await cluster.delete_pod(pod)
        return None

    async def _made(self, case: Case, generation: int | None) -> Case:
        """Note that the change is made, with what it will be recognised by."""
        mark = case.mark
        if mark is not None and case.action is Action.RESTART:
            mark = replace(mark, generation=generation)
        sent = replace(case, mark=mark, sent_at=self.clock.now())
        return await self._save(sent, "execution", {"sent": True}, progress=True)

    # -- following

    async def _follow(self, case: Case) -> None:
        """Watch until it is ready, failed, or the deadline is over; every step goes into the ledger."""
        until = (case.mark.started_at if case.mark else self.clock.now()) + self.policy.follow_for
        async with _Watch(self.cluster_of(case.target), self.targets[case.target]) as watch:
            while True:
                try:
                    case = await self._step(case, await watch.look())
                except NotFound as error:
                    case = await self._end(case, State.FAILED, f"the Deployment is gone: {error.message}", error)
                except AgentpodError as error:
                    if self.clock.now() > until:
                        text = f"it was sent, and could not be followed: {error.message}"
                        case = await self._end(case, State.FAILED, text)
                if case.state.final:
                    return
                case = await self._renew(case)
                await watch.wait(self.tick)

    async def _step(self, case: Case, seen: Seen) -> Case:
        """Keep what a look shows; one that shows nothing new is not worth a transaction."""
        if case.mark is None:
            raise AssertionError(f"{case.id} was claimed without a mark")
        now, before = self.clock.now(), case.progress
        progress = rollout.progress(case.mark, *seen, now, self.policy.follow_for, before)
        if progress.outcome is not rollout.Outcome.GOING:
            return await self._finish(replace(case, progress=progress), progress)
        if before is not None and _said(before) == _said(progress):
            return case
        return await self._save(replace(case, progress=progress), progress=True)

    async def _finish(self, case: Case, progress: rollout.Progress) -> Case:
        good = progress.outcome is rollout.Outcome.READY
        state = State.SUCCEEDED if good else State.FAILED
        seconds = progress.took.total_seconds() if progress.took else None
        outcome = Outcome(progress.reason, self.clock.now(), progress.evidence, progress.advice, seconds)
        return await self._conclude(case, state, outcome)

    # -- the ledger

    async def _end(self, case: Case, state: State, text: str, error: AgentpodError | None = None) -> Case:
        evidence = (error.remedy,) if error is not None and error.remedy else ()
        return await self._conclude(case, state, Outcome(text, self.clock.now(), evidence, "status"))

    async def _conclude(self, case: Case, state: State, outcome: Outcome) -> Case:
        data = {"state": state.value, "text": outcome.text, "seconds": outcome.seconds}
        ended = await self._save(case.ended(state, outcome), "outcome", data, progress=case.progress is not None)
        self.observe(ended)
        return ended

    async def _save(
        self, case: Case, kind: str = "", data: Mapping[str, Any] | None = None, *, progress: bool = False
    ) -> Case:
        """Write it down, however long the ledger is away. Raises `Lost` when another process has the case."""

        async def once() -> Case:
            async with self.ledger.writing() as tx:
                current = self._ours(await tx.case(case.id))
                saved = await tx.save(replace(self._held(case), version=current.version))
                if kind:
                    await tx.record(self.clock.now(), kind, BOT, case.id, data)
                if kind == "outcome":
                    await owe_news(tx, saved)
                if progress:
                    await owe_progress(tx, saved)
            self.changed()
            return saved

        return await self._persist(once)

    def _held(self, case: Case) -> Case:
        return case if case.state.final else case.taken(self.name, self.clock.now(), HOLD)

    def _ours(self, current: Case | None) -> Case:
        mine = current is not None and current.held is not None and current.held.by == self.name
        if current is None or not mine or current.state is not State.EXECUTING:
            raise Lost
        return current

    async def _persist(self, once: Callable[[], Coroutine[Any, Any, Case]]) -> Case:
        """Nothing else is done while the ledger is away: what is not written down did not happen for others."""
        while True:
            try:
                return await once()
            except (Transient, Conflict) as error:
                logger.warning("the ledger: %s", error.message)
                await asyncio.sleep(getattr(error, "retry_after", None) or self.retry)

    async def _renew(self, case: Case) -> Case:
        """Say that this process is still at it, well before the hold ends."""
        if case.held is None or case.held.until - self.clock.now() > HOLD - RENEW:
            return case
        return await self._save(case)

    async def _let_go(self, id_: str) -> None:
        async with self.ledger.writing() as tx:
            case = self._ours(await tx.case(id_))
            if case.held is not None:
                await tx.save(replace(case, held=replace(case.held, until=self.clock.now())))

    async def take_over(self, *, at_start: bool = False) -> int:
        """Go on with what nobody holds: a process died, or gave it up. Gives how many were taken.

        ``at_start``, on a ledger that is ours alone, whatever is held is held by a process that is gone.
        """
        now = self.clock.now()
        horizon = now + timedelta(days=36500) if at_start and self.ledger.exclusive else now
        count = 0
        for found in await self.ledger.unheld(horizon):
            if self.busy(found.id):
                continue
            case = await self._taken(found.id, horizon)
            if case is not None:
                count += 1
                self.start(case, tried=True)
        return count

    async def _taken(self, id_: str, horizon: datetime) -> Case | None:
        async with self.ledger.writing() as tx:
            case = await tx.case(id_)
            if case is None or case.state is not State.EXECUTING or (case.held and case.held.until > horizon):
                return None
            now = self.clock.now()
            before = case.held.by if case.held else ""
            await tx.record(now, "execution", BOT, id_, {"by": self.name, "taken_over_from": before})
            return await tx.save(case.taken(self.name, now, HOLD))


class _Watch:
    """The pods as they change, with the Deployment and the events read beside them."""

    def __init__(self, cluster: Cluster, target: Target) -> None:
        self._cluster, self._target = cluster, target
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Watch:
        self._task = asyncio.create_task(self._listen(), name="follow-pods")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        """A watch only says when to look: what is true is read anew each time."""
        while True:
            try:
                async with aclosing(self._cluster.follow(self._target.selector)) as lists:
                    async for _ in lists:
                        self._news.set()
            except AgentpodError as error:
                logger.debug("not watching: %s", error.message)
            await asyncio.sleep(TICK)

    async def look(self) -> Seen:
        """Everything as it is now. Raises as the cluster does; events that can't be read are left out."""
        self._news.clear()
        cluster, target = self._cluster, self._target
        deployment, pods, events = await asyncio.gather(
            cluster.deployment(target.deployment), cluster.pods(target.selector), self._events()
        )
        return deployment, pods, events

    async def _events(self) -> Sequence[Event]:
        with contextlib.suppress(AgentpodError):
            return await self._cluster.events()
        return ()

    async def wait(self, seconds: float) -> None:
        """Until something changed, at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


def _inner(error: AgentpodError) -> str:
    """An error's sentence within another one."""
    return words.lower_first(error.message).rstrip(".")


def _heard(task: asyncio.Task[Look]) -> None:
    """A look that nobody waited for may fail without being reported as forgotten."""
    if not task.cancelled():
        task.exception()


def _late(within: timedelta) -> str:
    return f"it was not begun within {round(within.total_seconds() / 60)} min of the approval: nothing was changed"


def _said(progress: rollout.Progress) -> tuple[object, ...]:
    """What of it people see: times and ages aside."""
    stages = tuple(step.stage for step in progress.steps)
    shown = (progress.doing, progress.replaced, progress.trouble, progress.stalled, progress.pod)
    return stages, progress.outcome, progress.reason, *shown
