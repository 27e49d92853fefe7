"""The crontab can be read by the pod's cron, which runs its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.domain.core.bounds import bounded
from bot.domain.core.change import CRONTAB
from bot.domain.core.cron import Dialect
from bot.domain.core.cron.crontab import Crontab, read_crontab
from bot.domain.core.look import Look
from bot.domain.core.probes import Finding
from bot.domain.core.target import CrontabSpec, ProcessRule, Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_processes
from bot.domain.heartbeats import crontab_changes, judge_crontab
from bot.domain.heartbeats.judge_crontab import Contradiction, CronJob
from bot.domain.rbac.exec_forms import ExecForm
from bot.services.health.check import Check
from bot.services.health.gone_processes import gone_for
from bot.services.health.in_container import in_first_container
from bot.services.health.reads import CheckContext, InContainers, Reads
from bot.services.health.rights import EXEC, POD_READ
from bot.services.health.sources import Blocked, SourceUnavailable, cause_of


class CrontabCheck(Check):
    """Reads the crontab and compares it with the heartbeats' policies."""

    id, title, about = judge_crontab.PROBE, judge_crontab.TITLE, "the crontab"
    steps = (("Crontab", "cron"),)

    crontab: Crontab | None = None
    jobs: Sequence[CronJob] = ()
    against: Sequence[Contradiction] = ()
    """The heartbeats whose settings contradict it."""
    zone = "UTC"
    """The zone that the cron runs in."""
    idle = False
    """Whether no job of it runs: the cron is not running, or refuses it."""
    earlier = False
    """Whether the cron still runs with the file as it was before: which jobs that had is not known."""

    def __init__(self, spec: CrontabSpec, *, with_heartbeats: bool = False) -> None:
        """``spec`` says where it is; ``with_heartbeats``: it looks for heartbeats whose settings contradict it."""
        self.spec, self._with_heartbeats = spec, with_heartbeats

    async def run(self, reads: Reads) -> Finding:
        """Read the crontab and have it judged, in a thread, since the pod decides how long it is."""
        path = self.spec.path(reads.target.containers[0].home)
        result, lists = await asyncio.gather(in_first_container(reads, "cat", path), self._lists(reads))
        if result.exit_code != 0:
            return judge_crontab.no_crontab(path, result.stderr, reads.target)
        now = reads.ctx.clock.now()
        if reads.ctx.change_log is not None:
            reads.ctx.change_log.soon(
                partial(_look, reads, path, result.stdout, now), crontab_changes.lines_compared
            )
        finding = await asyncio.to_thread(self._judged, result.stdout, reads.target, now)
        runs, why = await asyncio.to_thread(_runs, lists, reads.target.cron)
        if self.crontab is not None and self.crontab.refused:
            self.earlier = runs and reads.target.cron == "supercronic"
            self.idle = not self.earlier
            return judge_crontab.with_earlier_file(finding) if self.earlier else finding
        if runs:
            return finding
        self.idle = not why
        gone = None if why else await _gone(reads)
        return judge_crontab.without_cron(finding, len(self.jobs), reads.target.cron, why, reads.target, gone)

    async def _lists(self, reads: Reads) -> InContainers | str:
        """The lists of processes, or why there are none."""
        try:
            return await reads.processes(await reads.pod())
        except (SourceUnavailable, Blocked) as unread:
            return unread.reason if isinstance(unread, Blocked) else cause_of(unread).summary

    def _judged(self, text: str, target: Target, now: datetime) -> Finding:
        found = read_crontab(bounded(text).text, target.cron)
        self.zone = found.zone or self.spec.timezone
        folder = self.spec.folder(target.containers[0].home)
        self.jobs = judge_crontab.jobs_of(found, target.heartbeats, folder, self.zone, target.cron, now)
        self.crontab = found
        if self._with_heartbeats and not found.refused:
            self.against = judge_crontab.contradictions(self.jobs, self.zone, target.cron, now)
        return judge_crontab.judge_crontab(found, self.jobs, target.cron, now)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where the target has a crontab."""
        return [cls(ctx.target.crontab)] if ctx.target.crontab is not None else []

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The pod, and commands in it."""
        return (*POD_READ, *EXEC) if target.crontab else ()


def _look(reads: Reads, path: str, text: str, now: datetime) -> Look | None:
    """The crontab's lines as they are compared with the last look; None without a key for fingerprints."""
    prints = reads.ctx.change_log.fingerprints if reads.ctx.change_log is not None else None
    if prints is None:
        return None
    state = crontab_changes.lines_of(path, bounded(text).text, prints.of)
    return Look(reads.target.name, CRONTAB, state, now, fingerprinted=True)


_PROGRAMS: dict[Dialect, tuple[str, ...]] = {"supercronic": ("supercronic",), "debian": ("cron", "crond")}
"""The names of the program that runs the jobs."""


def _runs(lists: InContainers | str, dialect: Dialect) -> tuple[bool, str]:
    """Whether the cron runs in a container; where none shows it, also why that may not be so."""
    if isinstance(lists, str):
        return False, lists
    rules = [ProcessRule.named(name) for name in _PROGRAMS[dialect]]
    silent = [why for _, why in lists.silent]
    for _, result in lists.answers:
        found = judge_processes.parse_ps(result.stdout)
        if any(judge_processes.matches(rule, one.command) for one in found for rule in rules):
            return True, ""
        if not found or result.truncated:
            silent.append(judge_processes.NO_LIST if not found else "the list of processes is too long")
    return False, silent[0] if silent else ""


async def _gone(reads: Reads) -> timedelta | None:
    """How long the cron has not run; None where that is not known."""
    names = _PROGRAMS[reads.target.cron]
    expected = [(c.name, p.name) for c in reads.target.containers for p in c.processes if p.name in names]
    return max((await gone_for(reads, expected)).values(), default=None)


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the crontab is read."""
    spec = target.container()
    return [ExecForm(spec.name, ("cat", target.crontab.path(spec.home)))] if target.crontab else []
