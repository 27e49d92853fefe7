"""Reads what a repair will change, end and cost, side by side, before anybody approves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.forecast import DownFor, Forecast, Loss, another_image, range_of
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core import words
from bot.domain.core.cron.in_words import in_words
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.planned import THEN
from bot.domain.health.new_pod import NewPod
from bot.domain.heartbeats.judge_crontab import CronJob
from bot.errors import AgentpodError, Conflict, Refused, Transient
from bot.ports.cluster import TrialRead
from bot.runbook.context import Context, Repairs
from bot.services.approvals import start_warnings
from bot.services.health import image_tags
from bot.services.health.check import run_checks
from bot.services.health.checks.crontab import CrontabCheck

MOST_PAST = 20
"""Past restarts from which the downtime is predicted."""
MOST_JOBS = 4
"""Cron jobs that are named."""
_NO_DRY_RUN = "does not support dry run"
"""In the API server's refusal, where an admission webhook declares side effects."""


@dataclass(frozen=True)
class _Cron:
    """What a restart does to the pod's cron."""

    jobs: Sequence[CronJob] = ()
    unknown: str = ""
    """Why its jobs are not known."""
    ends: str = ""
    """That its next start fails; see `judge_crontab.ends_cron`."""


class Costs:
    """What a repair ends, skips and takes, as it is being read."""

    def __init__(
        self, ctx: Context, action: RepairAction, impact: bool | tuple[str, ...], container: str = ""
    ) -> None:
        """Begin to read. ``impact`` are names of the runbook's entries, or whether all are read, or none.

        ``container`` is the only one that is restarted; empty for the whole pod.
        """
        self._ctx, self._restarts, self._deletes_pod = ctx, action.restarts, action.deletes_pod
        ends_cron = action.restarts and container in ("", ctx.target.container().name)
        self._losses = asyncio.create_task(_losses(ctx, impact))
        self._down_for = asyncio.create_task(_down_for(ctx, action, container))
        self._cron = asyncio.create_task(_cron(ctx, ends_cron))
        self._image: asyncio.Task[str] | None = None
        self._new_pod: asyncio.Task[NewPod] | None = None

    def ask_whether_it_starts(self, seen: TargetState, *, but_image_of: str = "") -> None:
        """Begin to find out whether a new pod would start; ``but_image_of``: this container gets another image."""
        reading = start_warnings.judged(self._ctx, seen, force=self._deletes_pod, but_image_of=but_image_of)
        self._new_pod = asyncio.create_task(reading)

    def ask_for_images(self, seen: TargetState, but: str = "") -> None:
        """Begin to ask which images a restart of the pod would start, except in the container ``but``."""
        self._image = asyncio.create_task(_image(self._ctx, seen, but))

    async def cancel(self) -> None:
        """End reads that nobody waits for any more."""
        late = [task for task in (self._image, self._new_pod) if task is not None]
        tasks = [self._losses, self._down_for, self._cron, *late]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def forecast(self, service: Repairs, proposal: Proposal, read: TrialRead | None) -> Forecast:
        """Return all of it, with the API server's dry run; ``read`` is what was read for the proposal on a trial.

        Raises `Refused` where the API server would refuse the change. What can't be read is unknown.
        """
        (changes, untried), losses, down_for, cron = await asyncio.gather(
            _tried(self._ctx, service, proposal, read), self._losses, self._down_for, self._cron
        )
        no_cron, at_risk = cron.ends if cron else "", _at_risk(self._ctx, service, cron, down_for) if cron else ""
        image = await self._image if self._image is not None else ""
        shown = () if proposal.action.names_changes else tuple(changes)
        new = await self._new_pod if self._new_pod is not None else NewPod()
        found = Forecast(
            shown,
            untried,
            tuple(losses),
            at_risk,
            None,
            image,
            self._restarts,
            new.stuck,
            no_cron,
            new.doubt,
            new.spared,
        )
        return found if found.stays_down or new.stuck else replace(found, down_for=down_for)


@asynccontextmanager
async def costs(
    ctx: Context, action: RepairAction, impact: bool | tuple[str, ...], container: str = ""
) -> AsyncIterator[Costs]:
    """Read what the repair costs while the block makes the proposal."""
    reading = Costs(ctx, action, impact, container)
    try:
        yield reading
    finally:
        await reading.cancel()


async def _tried(
    ctx: Context, service: Repairs, proposal: Proposal, read: TrialRead | None
) -> tuple[list[FieldChange], str]:
    """What the API server would make of the change; where it can't be asked, nothing and the reason."""
    try:
        changes = await service.tried(proposal, ctx.target.name, ctx.caller, read)
    except (Transient, Conflict) as error:
        return [], words.lower_first(error.message.rstrip("."))
    except Refused:
        raise
    except AgentpodError as error:
        if _NO_DRY_RUN in error.message:
            return [], words.lower_first(error.message.rstrip("."))
        refused = Refused(
            f"Nobody is asked, since it would fail: {words.lower_first(error.message)}", remedy=error.remedy
        )
        refused.short = error.short
        refused.rest = error.rest and f"Nobody is asked, since it would fail. {error.rest}"
        raise refused from error
    return ([], "") if changes is None or ctx.dry_run else (list(changes), "")


async def _losses(ctx: Context, wanted: bool | tuple[str, ...]) -> list[Loss]:
    """What the repair ends, by the target's runbook."""
    if ctx.book is None or not ctx.book.impact or not wanted:
        return []
    from bot.services.runbook import impact  # the engine is loaded at its first use

    found = await impact.read(ctx, None if isinstance(wanted, bool) else wanted)
    return [Loss(one.name, one.title, (THEN,)) for one in found] if ctx.dry_run else found


async def _image(ctx: Context, seen: TargetState, but: str) -> str:
    """Whether a restart of the pod starts another image, by what the tags point to now."""
    if ctx.registry is None:
        return ""
    images = [one for one in image_tags.pulled_anew(seen.deployment, seen.pods) if one.container != but]
    platform = image_tags.platform_of(seen.deployment, ctx.target)
    return another_image(await image_tags.read(ctx.registry, images, platform, ctx.probe_timeout))


async def _down_for(ctx: Context, action: RepairAction, container: str) -> DownFor | None:
    """How long the target will be down, by the last repairs of the same kind."""
    if not action.restarts or ctx.ledger is None:
        return None
    done = await ctx.ledger.requests(states={RequestState.SUCCEEDED}, target=ctx.target.name, limit=5 * MOST_PAST)
    took = [
        (one.action.name, one.outcome.seconds)
        for one in done
        if one.action.container(one) == container and one.outcome is not None and one.outcome.seconds
    ]
    own = [seconds for name, seconds in took if name == action.name]
    alike = [seconds for name, seconds in took if name in action.predicted_by]
    return range_of((own or alike)[:MOST_PAST])


async def _cron(ctx: Context, restarts: bool) -> _Cron | None:
    """The jobs that the pod's cron runs, or why they are not known; None where the repair concerns none."""
    if ctx.target.crontab is None or not restarts:
        return None
    check = CrontabCheck(ctx.target.crontab)
    [outcome] = await run_checks(ctx, [check])
    if ctx.dry_run:
        return _Cron(unknown=THEN)
    if check.crontab is None:
        return _Cron(unknown=f"unknown: {words.lower_first(outcome.finding.summary)}")
    if ends := start_warnings.end_of(ctx, check):
        return _Cron(ends=ends)
    return _Cron(() if check.idle else check.jobs)


def _at_risk(ctx: Context, service: Repairs, cron: _Cron, down_for: DownFor | None) -> str:
    """The jobs of which a run may fall into the restart, whenever it is approved; empty where all end."""
    if cron.unknown or cron.ends:
        return cron.unknown
    now = ctx.clock.now()
    until = now + service.policy.expires_after + timedelta(seconds=down_for.most if down_for else 60.0)
    due = [job for job in cron.jobs if job.next_run is not None and job.next_run <= until]
    if not due:
        return "none"
    named = [_job(ctx, job) for job in due[:MOST_JOBS]]
    more = len(due) - MOST_JOBS
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")


def _job(ctx: Context, job: CronJob) -> str:
    """The script alone, since a command may have a secret in it; its schedule, and when it runs next."""
    at = f", next when asked: {words.moment(job.next_run)}" if job.next_run is not None else ""
    return f"{job.script or f'line {job.line.number}'} ({in_words(job.line.schedule, ctx.target.cron)}{at})"
