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
from functools import partial
from typing import Any, TypeVar

from pydantic import SecretStr

from bot.domain.approvals import message_keys
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import (
    ApprovalPolicy,
    State,
    may_start,
    start_by,
)
from bot.domain.approvals.repair import (
    ExecutionResult,
    Look,
    RepairRequest,
    Wait,
)
from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import rollout
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.errors import AgentpodError, Conflict, NotFound, Transient, Uncertain
from bot.ports.clock import (
    Clock,
)
from bot.ports.cluster import (
    Cluster,
)
from bot.ports.ledger import (
    Ledger,
)
from bot.services.approvals import request_log
from bot.services.approvals.changes import (
    BOT,
    HOLD,
    owe_news,
    owe_progress,
)
from bot.services.approvals.early_refusals import SETTLING, Doubt
from bot.services.approvals.secret_writer import (
    STOPPED,
    UNSURE,
    Holder,
    SecretWriter,
)

logger = logging.getLogger("agentpod.repairs")

T = TypeVar("T")
TICK = 2.0
"""Seconds between two looks while nothing changes."""
RENEW = HOLD / 3
RETRY = 1.0
"""Seconds before something that may pass is tried again."""
AHEAD = 3.0
"""Seconds for which what an approver is told waits at most for the look at the target, and the call after it."""
_NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was done"


async def look_at(cluster: Cluster, target: Target) -> Look:
    """Read the Deployment and its pods side by side. Raises as the cluster does."""
    deployment, pods = await asyncio.gather(cluster.deployment(target.deployment), cluster.pods(target.selector))
    return Look(deployment, tuple(pods))


Seen = tuple[Deployment, Sequence[Pod], Sequence[Event]]


class Lost(Exception):
    """Another process has taken the case over: leave it alone."""


@dataclass
class RepairExecutor:
    """Carries out claimed cases in tasks of its own."""

    name: str
    """This process, as the ledger names it."""
    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    targets: Mapping[str, Target]
    cluster_of: Callable[[str], Cluster]
    secret_writer: SecretWriter
    changed: Callable[[], None]
    observe: Callable[[RepairRequest], None] = lambda _: None
    """Told of each case that ended."""
    tick: float = TICK
    retry: float = RETRY
    renew: float = RENEW.total_seconds()
    patience: float = AHEAD
    settling: float = SETTLING
    """Seconds for which a refusal of the API server is not believed."""
    _tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _calls: set[asyncio.Task[Any]] = field(default_factory=set)
    _called: dict[str, asyncio.Event] = field(default_factory=dict)
    _renewed: dict[str, float] = field(default_factory=dict)
    """When this process said last that it is at a case, by its own monotonic clock."""
    _waits: dict[str, Wait] = field(default_factory=dict)
    """Which cases wait, because the API server asked for it."""
    _stopped: bool = False

    def knows(self, case: RepairRequest) -> bool:
        """Whether a case's target is in the settings: it may be older than they are."""
        return case.target in self.targets

    def look(self, case: RepairRequest) -> asyncio.Task[Look]:
        """Begin to look at a case's target."""
        work = look_at(self.cluster_of(case.target), self.targets[case.target])
        task = asyncio.create_task(work, name=f"look-{case.id}")
        task.add_done_callback(_heard)
        return task

    def start(self, case: RepairRequest, look: asyncio.Task[Look] | None = None, *, sent: bool = False) -> None:
        """Carry out a case that this process holds; a second call while it does so changes nothing.

        ``sent``: another process may have sent the call already.
        """
        if case.id not in self._tasks and not self._stopped:
            self._begin(case, self._guarded(case, look, sent))

    async def store(self, case: RepairRequest, value: SecretStr) -> RepairRequest:
        """Store the value of a case that this process has claimed, and end it with what came of it.

        Raises `Lost` where another process has the case by now.
        """
        if case.id in self._tasks or self._stopped:
            raise Lost
        work = partial(self._kept, case, partial(self.secret_writer.store, case, value))
        return await self._begin(case, self._letting_go(case, work))

    def _begin(self, case: RepairRequest, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Work at a case, as the only one in this process."""
        task = asyncio.create_task(work, name=f"carry-out-{case.id}")
        self._tasks[case.id], self._called[case.id] = task, asyncio.Event()
        self._renewed[case.id] = self.clock.monotonic()  # it was claimed or taken a moment ago
        task.add_done_callback(lambda _: self._over(case.id))
        return task

    def _over(self, id_: str) -> None:
        self._tasks.pop(id_, None)
        self._renewed.pop(id_, None)
        self._waits.pop(id_, None)
        self._called.pop(id_).set()

    async def ahead(self, case: RepairRequest) -> bool:
        """Wait until the first call of a started case is answered, or the case is over; says whether that came.

        Before that nobody knows whether it is carried out: the target may have changed since the request.
        """
        if called := self._called.get(case.id):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    await called.wait()
            return called.is_set()
        return True

    def busy(self, id_: str) -> bool:
        """Whether this process is at it."""
        return id_ in self._tasks

    async def stop(self, seconds: float) -> None:
        """Let calls under way come to an end, then leave the rest to whoever comes next. Nothing begins."""
        self._stopped = True
        if self._calls:
            await asyncio.wait(tuple(self._calls), timeout=seconds)
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, case: RepairRequest, look: asyncio.Task[Look] | None, sent: bool) -> None:
        try:
            await self._letting_go(case, partial(self._carry_out, case, look, sent))
        except Lost:
            logger.info("another process has taken it over", extra={"repair": case.id})
        except Exception:
            logger.exception("carrying out failed; it is taken up again", extra={"repair": case.id})

    async def _letting_go(self, case: RepairRequest, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work that, when it is stopped, leaves the case to whoever comes next."""
        try:
            return await work()
        except asyncio.CancelledError:
            with contextlib.suppress(AgentpodError, Lost, TimeoutError):
                async with asyncio.timeout(3):
                    await self._let_go(case.id)
            raise

    async def _carry_out(self, case: RepairRequest, look: asyncio.Task[Look] | None, sent: bool) -> None:
        if case.wait is not None:  # another process was asked to wait
            case = await self._wait(case, case.wait)
        if not self.knows(case):
            text = f"target {case.target} is no longer in the settings: look yourself whether it was done"
            await self._end(case, State.FAILED, text)
        elif case.action.restarts:
            await self._restart(case, look, sent)
        elif case.action.needs_value:  # taken over: whoever gave it, and the value, are gone
            why = STOPPED if self.ledger.exclusive else UNSURE
            await self._kept(case, lambda holder: self.secret_writer.found(case, holder, why))
        else:
            await self._kept(case, lambda holder: self.secret_writer.keys(case, holder, sent=sent))

    async def _kept(
        self, case: RepairRequest, work: Callable[[Holder], Coroutine[Any, Any, tuple[State, ExecutionResult]]]
    ) -> RepairRequest:
        """End a case with what comes of some work; it is ours for as long as that takes."""
        state, outcome = await self._ours_meanwhile(case, work(_Ours(self, case)))
        return await self._conclude(case, state, outcome)

    async def _ours_meanwhile(self, case: RepairRequest, work: Coroutine[Any, Any, T]) -> T:
        """Some work, however long it takes: the lease is renewed until it is done. A stop waits for it."""
        holding = asyncio.create_task(self._hold(case), name=f"hold-{case.id}")
        try:
            return await self._undisturbed(work)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    async def _hold(self, case: RepairRequest) -> None:
        """Say again and again that this process is at it, until it is not."""
        while True:
            await asyncio.sleep(self.renew)
            await self._save(case)

    async def _restart(self, case: RepairRequest, look: asyncio.Task[Look] | None, sent: bool) -> None:
        made = case if case.sent_at else await self._change(case, look, sent)
        if not made.state.final:
            await self._follow(made)

    # -- the change

    async def _change(self, case: RepairRequest, look: asyncio.Task[Look] | None, sent: bool) -> RepairRequest:
        """Make the change, or find it made, or end the case where neither can be.

        ``sent``: a call may have gone out whose answer nobody has.
        """
        doubt = Doubt(self.settling)
        while True:
            try:
                seen = await (look or self.look(case))
                made, against = _is_made(seen, case, sent), self._against(case, seen, sent)
                generation: int | None = seen.deployment.generation
                if not made and against is None:
                    case = await self._renew(case)  # the last thing before the call: it is ours still
                    try:
                        generation = await self._ours_meanwhile(case, self._call(case, seen))
                    finally:
                        self._called[case.id].set()
            except (Conflict, Uncertain) as error:  # look again: that says whether it was done
                sent = sent or isinstance(error, Uncertain)
                self._look_again(case, error)
            except AgentpodError as error:
                passing = isinstance(error, Transient) or doubt.of(error)
                if not passing or self._given_up(case, sent):
                    return await self._end(case, State.FAILED, *_unmade(error, sent))
                case = await self._rest(case, error, sent)
            else:
                if against is not None and not made:
                    return await self._end(case, *against)
                return await self._made(case, seen, generation)
            look, case = None, await self._renew(case)

    async def _rest(self, case: RepairRequest, error: AgentpodError, sent: bool) -> RepairRequest:
        """Wait before the next try, not past the moment at which it is given up; the case stays ours meanwhile."""
        wanted = getattr(error, "retry_after", None) or self.retry
        left = (self._last_try(case, sent) - self.clock.now()).total_seconds()
        pause = min(wanted, max(left, 0.0) + self.retry)
        if pause > self.retry:
            return await self._pause(case, pause, error.message)
        return await self._sleep(case, pause)

    async def _pause(self, case: RepairRequest, seconds: float, why: str) -> RepairRequest:
        """Wait because the API server asked for it."""
        request_log.waits(case, seconds, why)
        now = self.clock.now()
        return await self._wait(case, Wait(now, now + timedelta(seconds=seconds)))

    async def _wait(self, case: RepairRequest, wait: Wait) -> RepairRequest:
        """Wait until the end of a pause; the card says so until then."""
        self._waits[case.id] = wait
        left = min(wait.until - self.clock.now(), wait.until - wait.since).total_seconds()
        if left > 0:
            case = await self._sleep(await self._save(case), left)
        self._waits.pop(case.id)
        return await self._save(case)

    async def _sleep(self, case: RepairRequest, seconds: float) -> RepairRequest:
        """Let some time pass; the case stays ours meanwhile."""
        until = _seconds() + seconds
        while (still := until - _seconds()) > 0:
            await asyncio.sleep(min(still, self.renew))
            case = await self._renew(case)
        return case

    def _look_again(self, case: RepairRequest, error: AgentpodError) -> None:
        """A look says whether it was done."""
        if isinstance(error, Uncertain):
            request_log.unsure(case, error.message)
        else:
            logger.debug("look again: %s", error.message, extra={"repair": case.id})

    def _against(self, case: RepairRequest, seen: Look, sent: bool) -> tuple[State, str] | None:
        """What a look shows to be in the way of a change that is not there; None where it may be made."""
        if changes := case.action.changes(case.request.snapshot, seen.snapshot):
            text = "; ".join(changes)
            return (State.FAILED, f"{_NOBODY_KNOWS}: {text}") if sent else (State.VOID, text)
        if may_start(case.request, self.policy, self.clock.now()):
            return None
        return State.FAILED, _late(self.policy.start_within, sent)

    def _given_up(self, case: RepairRequest, sent: bool) -> bool:
        """Whether it is not tried any more."""
        more = self.policy.follow_for if sent else timedelta()
        return not may_start(case.request, self.policy, self.clock.now() - more)

    def _last_try(self, case: RepairRequest, sent: bool) -> datetime:
        """Until when it is tried. What may be done is looked for as long as it would be followed."""
        more = self.policy.follow_for if sent else timedelta()
        return start_by(case.request, self.policy) + more

    def _since(self, case: RepairRequest) -> datetime:
        """When it was claimed: the same for every process that takes it over."""
        return case.held.since if case.held else self.clock.now()

    async def _undisturbed(self, call: Coroutine[Any, Any, T]) -> T:
        """A call that a stop waits for before it ends it."""
        task = asyncio.create_task(call, name="the change")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await task

    async def _call(self, case: RepairRequest, seen: Look) -> int | None:
        """The one call. Raises as the cluster does."""
        cluster = self.cluster_of(case.target)
        if case.action is RESTART:
            marks = {RESTARTED_ANNOTATION: self._restarted(case), APPROVAL_ANNOTATION: case.id}
            return (await cluster.restart(seen.deployment, marks)).generation
        await self._delete(cluster, case, seen)
        return None

    async def _delete(self, cluster: Cluster, case: RepairRequest, seen: Look) -> None:
        """Delete those very pods. One that is gone since the look can't come back."""
        wanted = {uid for _, uid in case.request.snapshot.pods}
        gone = 0
        for pod in seen.pods:
            if pod.uid not in wanted or pod.deleting or pod.over:
                continue
            try:
                await cluster.delete_pod(pod)
            except NotFound:
                pass
            except AgentpodError as error:
                if gone:
                    raise Uncertain(f"{pod.name} was not deleted, others were: {_inner(error)}.") from error
                raise
            gone += 1

    async def _made(self, case: RepairRequest, seen: Look, generation: int | None) -> RepairRequest:
        """Note that the change is made, with what it will be recognised by."""
        mark = case.mark
        if mark is not None and case.action is RESTART:
            mark = replace(mark, generation=generation, restarted=self._restarted(case))
        elif mark is not None:
            mark = replace(mark, restarted=seen.deployment.template_annotations.get(RESTARTED_ANNOTATION, ""))
        sent = replace(case, mark=mark, sent_at=self.clock.now())
        saved = await self._save(sent, "execution", {"sent": True}, progress=True)
        request_log.sent(saved)
        return saved

    def _restarted(self, case: RepairRequest) -> str:
        """What a restart writes as its time: the same for every process that sends it."""
        return self._since(case).isoformat(timespec="seconds")

    # -- following

    async def _follow(self, case: RepairRequest) -> None:
        """Watch until it is ready, failed, or the deadline is over; every step goes into the ledger."""
        until = (case.mark.started_at if case.mark else self.clock.now()) + self.policy.follow_for
        async with _Watch(self.cluster_of(case.target), self.targets[case.target]) as watch:
            while True:
                try:
                    seen = await watch.look()
                except NotFound as error:
                    case = await self._end(
                        case, State.FAILED, f"the Deployment is gone: {error.message}", error.remedy
                    )
                except AgentpodError as error:
                    if self.clock.now() > until:
                        text = f"it was sent, and could not be followed: {error.message}"
                        case = await self._end(case, State.FAILED, text)
                else:
                    case = await self._step(case, seen)
                if case.state.final:
                    return
                case = await self._renew(case)
                await watch.wait(self.tick)

    async def _step(self, case: RepairRequest, seen: Seen) -> RepairRequest:
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

    async def _finish(self, case: RepairRequest, progress: rollout.RolloutProgress) -> RepairRequest:
        good = progress.outcome is rollout.Outcome.READY
        state = State.SUCCEEDED if good else State.FAILED
        seconds = progress.took.total_seconds() if progress.took else None
        outcome = ExecutionResult(progress.reason, self.clock.now(), progress.evidence, progress.advice, seconds)
        return await self._conclude(case, state, outcome)

    # -- the ledger

    async def _end(self, case: RepairRequest, state: State, text: str, remedy: str | None = None) -> RepairRequest:
        evidence = (remedy,) if remedy else ()
        return await self._conclude(case, state, ExecutionResult(text, self.clock.now(), evidence, "status"))

    async def _conclude(self, case: RepairRequest, state: State, outcome: ExecutionResult) -> RepairRequest:
        data = {"state": state.value, "text": outcome.text, "seconds": outcome.seconds}
        ended = await self._save(case.ended(state, outcome), "outcome", data, progress=case.progress is not None)
        self.observe(ended)
        request_log.over(ended)
        return ended

    async def _save(
        self, case: RepairRequest, kind: str = "", data: Mapping[str, Any] | None = None, *, progress: bool = False
    ) -> RepairRequest:
        """Write it down, however long the ledger is away. Raises `Lost` when another process has the case."""

        async def once() -> RepairRequest:
            async with self.ledger.writing() as tx:
                current = self._ours(await tx.case(case.id))
                held = self._held(case, await tx.now(self.clock.now()))
                wait = None if case.state.final else self._waits.get(case.id)
                saved = await tx.save(replace(held, version=current.version, wait=wait))
                if saved.wait != current.wait:
                    await tx.enqueue(message_keys.card(case.id), case.channel)
                if kind:
                    await tx.record(self.clock.now(), kind, BOT, case.id, data)
                if kind == "outcome":
                    await owe_news(tx, saved)
                if progress:
                    await owe_progress(tx, saved)
            self.changed()
            return saved

        began = self.clock.monotonic()
        saved = await self._persist(once)
        if case.id in self._tasks:
            self._renewed[case.id] = began
        return saved

    def _held(self, case: RepairRequest, now: datetime) -> RepairRequest:
        return case if case.state.final else case.taken(self.name, now, HOLD)

    def _ours(self, current: RepairRequest | None) -> RepairRequest:
        mine = current is not None and current.held is not None and current.held.by == self.name
        if current is None or not mine or current.state is not State.EXECUTING:
            raise Lost
        return current

    async def _persist(self, once: Callable[[], Coroutine[Any, Any, RepairRequest]]) -> RepairRequest:
        """Nothing else is done while the ledger is away: what is not written down did not happen for others."""
        while True:
            try:
                return await once()
            except (Transient, Conflict) as error:
                logger.warning("the ledger: %s", error.message)
                await asyncio.sleep(getattr(error, "retry_after", None) or self.retry)

    async def _renew(self, case: RepairRequest) -> RepairRequest:
        """Say that this process is still at it, well before the hold ends, whatever the clocks say."""
        since = self.clock.monotonic() - self._renewed.get(case.id, float("-inf"))
        if case.held is None or 0 <= since < RENEW.total_seconds():
            return case
        return await self._save(case)

    async def _let_go(self, id_: str) -> None:
        async with self.ledger.writing() as tx:
            case = self._ours(await tx.case(id_))
            if case.held is not None:
                until = await tx.now(self.clock.now())
                await tx.save(replace(case, held=replace(case.held, until=until)))

    async def take_over(self, *, at_start: bool = False) -> int:
        """Go on with what nobody holds: a process died, or gave it up. Gives how many were taken.

        ``at_start``, on a ledger that is ours alone, whatever is held is held by a process that is gone.
        """
        now = await self.ledger.now(self.clock.now())
        horizon = now + timedelta(days=36500) if at_start and self.ledger.exclusive else now
        count = 0
        for found in await self.ledger.unheld(horizon):
            if self.busy(found.id) or self._stopped:
                continue
            case = await self._taken(found.id, now if _is_by(found, self.name) else horizon)
            if case is not None:
                count += 1
                self.start(case, sent=True)
        return count

    async def _taken(self, id_: str, horizon: datetime) -> RepairRequest | None:
        async with self.ledger.writing() as tx:
            case = await tx.case(id_)
            if case is None or case.state is not State.EXECUTING or (case.held and case.held.until > horizon):
                return None
            now = self.clock.now()
            before = case.held.by if case.held else ""
            await tx.record(now, "execution", BOT, id_, {"by": self.name, "taken_over_from": before})
            taken = await tx.save(case.taken(self.name, await tx.now(now), HOLD))
        request_log.taken_over(taken, self.name, before)
        return taken


@dataclass(frozen=True)
class _Ours:
    """This process as the holder of a case."""

    executor: RepairExecutor
    case: RepairRequest

    async def still(self) -> object:
        return await self.executor._renew(self.case)

    async def wait(self, seconds: float, why: str) -> object:
        return await self.executor._pause(self.case, seconds, why)


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


def _seconds() -> float:
    """The time by which the event loop's deadlines go."""
    return asyncio.get_running_loop().time()


def _is_by(case: RepairRequest, name: str) -> bool:
    """Whether that process holds it, or did last."""
    return case.held is not None and case.held.by == name


def _inner(error: AgentpodError) -> str:
    """An error's sentence within another one."""
    return words.lower_first(error.message).rstrip(".")


def _heard(task: asyncio.Task[Look]) -> None:
    """A look that nobody waited for may fail without being reported as forgotten."""
    if not task.cancelled():
        task.exception()


def _is_made(seen: Look, case: RepairRequest, tried: bool) -> bool:
    """Whether the change that the case is about is there: a restart by its mark, a deletion by what is gone.

    A pod that is gone says nothing of who deleted it: it counts only where the call was ``tried``.
    """
    if case.action is RESTART:
        return seen.deployment.template_annotations.get(APPROVAL_ANNOTATION) == case.id
    there = {p.uid for p in seen.pods if not p.deleting}
    return tried and not any(uid in there for _, uid in case.request.snapshot.pods)


def _late(within: timedelta, sent: bool) -> str:
    minutes = round(within.total_seconds() / 60)
    if sent:
        return (
            f"it may have been sent, and has done nothing {minutes} min after the approval: it is not sent again"
        )
    return f"it was not begun within {minutes} min of the approval: nothing was changed"


def _unmade(error: AgentpodError, sent: bool) -> tuple[str, str | None]:
    """What is said of a change that failed, and what to do."""
    if sent:
        return f"{_NOBODY_KNOWS}: {_inner(error)}", "Look before you ask again: status shows how old the pod is."
    return f"nothing was changed: {_inner(error)}", error.remedy


def _said(progress: rollout.RolloutProgress) -> tuple[object, ...]:
    """What of it people see: times and ages aside."""
    stages = tuple(step.stage for step in progress.steps)
    shown = (progress.doing, progress.replaced, progress.trouble, progress.stalled, progress.pod)
    return stages, progress.outcome, progress.reason, *shown
