"""Carries out `restart --container`: sends the command that ends the main process, and follows the restart count.

The command is recorded in the ledger before it is sent, and never sent again. Its connection often dies with the
container, and a bot that died meanwhile knows nothing of its end: so only the container's restart count tells
whether it was restarted, whichever process follows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.approvals.actions.container_restart import CONTAINER_RESTART, command_of, plan, snapshot
from bot.domain.approvals.approval import RequestState, Snapshot, may_start
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.approvals.steps import Plan, StepLog, StepRun, log_of, plan_of, with_log
from bot.domain.core import words
from bot.domain.core.stored import Unreadable
from bot.domain.core.target import Target
from bot.domain.health import judge_pod
from bot.domain.health.container_restart import ContainerProgress, Stage, progress
from bot.domain.rbac.exec_forms import ExecForm
from bot.errors import AgentpodError, Transient, Uncertain
from bot.services.approvals import request_log
from bot.services.approvals.actions.execution import Execution, defect, inner, read
from bot.services.approvals.early_refusals import EarlyRefusals
from bot.services.approvals.lease_holder import LeaseHolder, LeaseLost

logger = logging.getLogger("agentpod.repairs")
NOBODY_KNOWS = "nobody knows whether it ran"
LEFT_OUT = "what it says is left out, since something in it looks like a secret"
_NEVER_RAN = (126, 127)
"""Exit codes of a program that was not started."""
_WITH_IT = (137, 143)
"""Exit codes of a command that the container's end took with it."""
_REFUSED = timedelta(seconds=10)
"""How long a restart is waited for after a command that ended with an error."""
CRASHES = 3
"""With this many restarts a container that is not ready is not expected to recover."""


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare the commands that end the main processes of the containers that the settings name."""
    return [ExecForm(one.name, one.stop) for one in target.containers]


class RestartContainer(Execution):
    """See the module."""

    action = CONTAINER_RESTART

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return None if plan_of(repair.details) is None else _look(repair, holder)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`: the command, and one round of following it."""
        planned, cluster = plan_of(repair.details), holder.cluster_of(repair.target)
        if planned is None:
            return
        await _look(repair, holder)
        [step], pod = planned.steps, repair.request.snapshot.pods[0][0]
        await cluster.run_once(pod, step.container, step.argv, seconds=step.seconds)
        await cluster.pods(holder.targets[repair.target].selector)

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,
        *,
        sent: bool,  # noqa: ARG002 - the record of the command says whether it may have been sent
    ) -> None:
        """See `Execution`."""
        planned, log = plan_of(repair.details), _log(repair)
        if planned is None or log is None:
            text = f"this version can't read what was to be done; {NOBODY_KNOWS}"
            await holder.end(repair, RequestState.FAILED, text)
            return
        restart = _Restart(holder, planned)
        if not log.runs:
            repair = await restart.begin(repair, look)
        if not repair.state.final:
            await restart.follow(repair)


def _log(repair: RepairRequest) -> StepLog | None:
    try:
        return log_of(repair.details)
    except Unreadable:
        return None


async def _look(repair: RepairRequest, holder: LeaseHolder) -> Snapshot:
    """Read the pod. Raises as `Cluster` does."""
    target = holder.targets[repair.target]
    pod = judge_pod.current(await holder.cluster_of(repair.target).pods(target.selector))
    approved = plan_of(repair.details)
    if pod is None or approved is None:
        return snapshot(approved, None) if approved is not None else repair.request.snapshot
    now = plan(command_of(target, repair.subject), pod)
    return snapshot(replace(now, within=approved.within), pod)


@dataclass(frozen=True)
class _Restart:
    """One request that is carried out."""

    holder: LeaseHolder
    planned: Plan

    async def begin(self, repair: RepairRequest, look: Awaitable[Any] | None) -> RepairRequest:
        """Send the command once, or end the request where that may not be."""
        holder, refusals = self.holder, EarlyRefusals(self.holder.settling)
        while True:
            try:
                seen = await read(look or _look(repair, holder))
            except AgentpodError as error:
                why: AgentpodError | None = error
            else:
                if (against := self._against(repair, seen)) is not None:
                    return await holder.end(repair, *against)
                if look is None:  # not read at the approval, but later
                    await holder.judge_again(repair, seen)
                repair, why = await self._send(repair)
            if why is None:
                return repair
            passing = isinstance(why, Transient) or refusals.may_pass(why)
            if not passing or not self._in_time(repair):
                text = f"nothing was changed: {inner(why)}"
                return await holder.end(repair, RequestState.FAILED, text, why.remedy)
            repair = await holder.sleep(repair, getattr(why, "retry_after", None) or holder.retry)
            look, repair = None, await holder.renewed(repair)

    def _against(self, repair: RepairRequest, seen: Snapshot) -> tuple[RequestState, str] | None:
        """Why the command must not be sent, with the state to end in; None where it may."""
        if found := CONTAINER_RESTART.changes(repair.request.snapshot, seen):
            return RequestState.VOID, "; ".join(found)
        if self._in_time(repair):
            return None
        minutes = round(self.holder.policy.start_within.total_seconds() / 60)
        return RequestState.FAILED, f"it was not begun within {minutes} min of the approval: nothing was changed"

    def _in_time(self, repair: RepairRequest) -> bool:
        return may_start(repair.request, self.holder.policy, self.holder.clock.now())

    async def _send(self, repair: RepairRequest) -> tuple[RepairRequest, AgentpodError | None]:
        """Record that the command is sent, send it, and record what came of it.

        Returns the error of a command that was certainly not run.
        """
        holder, [step] = self.holder, self.planned.steps
        log = StepLog().began(holder.clock.now())
        data = {"step": 1, "container": step.container, "argv": list(step.argv), "begins": True}
        began = await holder.save(replace(repair, details=with_log(repair.details, log)), "execution", data)
        pod = repair.request.snapshot.pods[0][0]
        call = holder.cluster_of(repair.target).run_once(pod, step.container, step.argv, seconds=step.seconds)
        try:
            result = await holder.leased_during(began, call)
        except Uncertain as error:
            return await self._unsure(began, log, inner(error)), None
        except AgentpodError as error:
            unsent = replace(began, details=repair.details)
            return await holder.save(unsent, "execution", {**data, "begins": False}), error
        except LeaseLost:
            raise
        except Exception as error:
            logger.exception("the restart of a container met an unexpected error", extra={"repair": repair.id})
            return await self._unsure(began, log, defect(error)), None
        finally:
            holder.answered(repair)
        lines = [*result.stdout.split("\n"), *result.stderr.split("\n")]
        return await self._answered(began, log, result.exit_code, lines), None

    async def _unsure(self, began: RepairRequest, log: StepLog, why: str) -> RepairRequest:
        """Record that no answer says how the command ended."""
        request_log.unsure(began, why)
        return await self._answered(began, log, None, [why])

    async def _answered(
        self, began: RepairRequest, log: StepLog, exit_code: int | None, lines: list[str]
    ) -> RepairRequest:
        """Record the exit code, None where it is not known, and the end of what was printed, redacted."""
        holder, outside = self.holder, self.holder.context_of(began.target).outside
        clean, now = (await asyncio.to_thread(outside.lines, lines)).lines, holder.clock.now()
        ended = log.ended(now, exit_code, clean)
        details = with_log(began.details, ended)
        if (
            outside.of(details) != details
        ):  # the ledger would redact the record as a whole, and nobody could read it
            ended = log.ended(now, exit_code, [LEFT_OUT])
            details = with_log(began.details, ended)
        said = {"step": 1, "exit_code": exit_code, "output": list(ended.runs[0].output)}
        return await holder.save(replace(began, details=details), "execution", said)

    async def follow(self, repair: RepairRequest) -> None:
        """Follow the container by its restart count until it is ready, or has failed."""
        holder, run = self.holder, log_of(repair.details).runs[0]
        until = run.began + holder.policy.follow_for
        before, [(_, uid)] = repair.request.snapshot, repair.request.snapshot.pods
        while True:
            now = holder.clock.now()
            try:
                pods = await holder.cluster_of(repair.target).pods(holder.targets[repair.target].selector)
            except AgentpodError as error:
                if now > until:
                    text = f"{self._sent(run)}, and whether it was restarted is not known: {inner(error)}"
                    await holder.end(repair, RequestState.FAILED, text, error.remedy)
                    return
            else:
                now = holder.clock.now()
                seen = progress(uid, repair.subject, before.generation, pods, now)
                if seen.ended and repair.sent_at is None:
                    repair = await holder.sent(repair)
                if (ended := self._ended(repair, run, seen, now, until)) is not None:
                    await holder.conclude(repair, *ended)
                    return
            repair = await holder.sleep(repair, holder.tick)

    def _ended(
        self, repair: RepairRequest, run: StepRun, seen: ContainerProgress, now: datetime, until: datetime
    ) -> tuple[RequestState, ExecutionResult] | None:
        """The end of the request, by the container as it is now; None while it goes on."""
        name, before = repair.subject, repair.request.snapshot.generation
        rose = f"{before} → {seen.restarts}"
        if seen.stage is Stage.READY:
            took = (now - run.began).total_seconds()
            return RequestState.SUCCEEDED, ExecutionResult(rose, now, seconds=took)
        if seen.stage is Stage.GONE:
            return self._failed(now, f"{self._sent(run)}, and then the pod was replaced: {seen.why}")
        if seen.stage is Stage.UNSEEN:
            text = f"{self._sent(run)}, and whether {name} was restarted is not known: {seen.why}"
            return self._failed(now, text) if now > until else None
        if seen.stage is Stage.SAME:
            return self._not_ended(repair, run, now) if now > run.began + self._patience(run) else None
        if now <= until and seen.restarts - before < CRASHES:
            return None
        after = words.age(now - run.began)
        made = f"{name} was restarted ({rose})" if seen.stage is Stage.STARTED else f"{name} has ended"
        text = f"{made}, and is not ready after {after}" + (f": {seen.why}" if seen.why else "")
        return self._failed(now, text, seen.evidence, seen.log or "status")

    def _patience(self, run: StepRun) -> timedelta:
        """How long the main process may take to end."""
        within = timedelta(seconds=self.planned.within)
        if run.exit_code is None:  # it may be on its way for as long as its deadline
            return within + timedelta(seconds=self.planned.steps[0].seconds)
        if run.exit_code in _NEVER_RAN:
            return timedelta()
        return min(_REFUSED, within) if run.exit_code and run.exit_code not in _WITH_IT else within

    def _not_ended(
        self, repair: RepairRequest, run: StepRun, now: datetime
    ) -> tuple[RequestState, ExecutionResult]:
        """The end of a request whose container runs on."""
        name, [step] = repair.subject, self.planned.steps
        change = f"Set stop for {name} in the runbook's section pod, or ask for a restart of the pod: restart."
        if run.exit_code is None:
            return self._failed(now, f"{self._sent(run)}; {name} was not restarted; it is not repeated", (change,))
        if run.exit_code in _NEVER_RAN:
            return self._failed(now, f"{name} has no program {step.argv[0]}: nothing was changed", (change,))
        if run.exit_code:
            return self._failed(now, f"{self._sent(run)}, and {name} was not restarted", (change,))
        why = "A process with id 1 ignores every signal that it does not handle."
        text = f"the main process of {name} did not end within {words.age(self._patience(run))} of {step}"
        return self._failed(now, text, (f"{why} {change}",))

    def _sent(self, run: StepRun) -> str:
        """What is known of the command."""
        [step] = self.planned.steps
        if run.ended is None:
            return f"{step}: {NOBODY_KNOWS}: the bot ended before it had the result"
        if run.exit_code is None:
            return f"{step}: {NOBODY_KNOWS}: {' '.join(run.output)}"
        return f"{step}, ended with exit code {run.exit_code}"

    def _failed(
        self, now: datetime, text: str, evidence: tuple[str, ...] = (), advice: str = "status"
    ) -> tuple[RequestState, ExecutionResult]:
        return RequestState.FAILED, ExecutionResult(text, now, evidence, advice)


EXECUTION = RestartContainer()
