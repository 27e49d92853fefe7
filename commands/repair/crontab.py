"""Reads the crontab for its changes, and says on the card what a change means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.approvals.crontab_change import previous_of
from bot.domain.core import words
from bot.domain.core.cron.crontab import Crontab, read_crontab
from bot.domain.core.cron.edit import lines_of
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.core.reply import Excerpt, Reply
from bot.domain.core.target import CrontabSpec
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod
from bot.domain.heartbeats import crontab_changes, judge_crontab
from bot.domain.heartbeats.crontab_changes import NamedJob
from bot.errors import Refused, UsageError
from bot.runbook.context import Context
from bot.services.approvals.crontab_file import CrontabFiles
from commands.shared import requests, shape

MOST_CHANGES, MOST_WARNINGS, MOST_RUNS, MOST_ERRORS = 6, 4, 3, 10
"""How many of each are on the card, or in the answer."""


@dataclass(frozen=True)
class CrontabRead:
    """The pod's crontab, and the version before."""

    pod: Pod
    container: str
    path: str
    digest: str
    text: str
    values: frozenset[str]
    """The values of the pod's Secrets, to redact."""
    previous: str = ""
    """The digest of the version before; empty where there is none, or it was not asked for."""
    previous_text: str = ""

    def shown(self, ctx: Context, text: str | None = None) -> list[str]:
        """The lines, redacted."""
        given = lines_of(self.text if text is None else text)
        return [line.replace("\t", " ") for line in ctx.outside.lines(given, self.values).lines]


def spec_of(ctx: Context) -> CrontabSpec:
    """Where the crontab is. Raises `UsageError` where there is none."""
    if ctx.target.crontab is None:
        raise UsageError("The settings say that this target has no crontab (crontab: null).")
    return ctx.target.crontab


def off(ctx: Context) -> str:
    """The setting that is missing where the target has no crontab."""
    return "" if ctx.target.crontab is not None else "targets[].crontab"


async def read(ctx: Context, *, previous: bool = False) -> CrontabRead:
    """Read the crontab, and the version before where that is asked for.

    Raises `Refused` where it can't be changed, and as the cluster does.
    """
    requests.ledger(ctx)
    spec, first = spec_of(ctx), ctx.target.containers[0]
    path = spec.path(first.home)
    pods, values = await asyncio.gather(
        ctx.cluster.pods(ctx.target.selector), ctx.cluster.secret_values(ctx.target.secrets)
    )
    pod = running(ctx, judge_pod.current(pods))
    files = CrontabFiles(ctx.cluster, pod.name, first.name)
    before = previous_of(path)
    if ctx.dry_run:
        await files.plan_reads(path, *([before] if previous else []))
        return CrontabRead(pod, first.name, path, "", "", values)
    found, plain = await asyncio.gather(
        files.contents(path, *([before] if previous else [])), files.require_plain(path), return_exceptions=True
    )
    if isinstance(found, BaseException):
        raise found
    if path not in found:
        raise Refused(f"There is no crontab at {path}.", remedy=ctx.target.remedies.crontab)
    if isinstance(plain, BaseException):
        raise plain
    (digest, text), (old_digest, old) = found[path], found.get(before, ("", ""))
    return CrontabRead(pod, first.name, path, digest, text, values, old_digest, old)


def running(ctx: Context, pod: Pod | None) -> Pod:
    """The pod, in which the first container runs. Raises `Refused` otherwise."""
    name = ctx.target.container().name
    if pod is None:
        raise Refused("No pod is running, so nothing can be done in it.", remedy=f"{ctx.prefix} status says why.")
    container = pod.container(name)
    if container is None or container.state != "running":
        state = (
            "is not in the pod" if container is None else f"does not run ({container.reason or container.state})"
        )
        raise Refused(f"{name} {state}, so nothing can be done in it.", remedy=f"{ctx.prefix} status says why.")
    return pod


@dataclass(frozen=True)
class Comparison:
    """Two versions of a crontab, as the target's cron reads them."""

    ctx: Context
    read: CrontabRead
    old_text: str
    new_text: str

    def crontab(self, text: str) -> Crontab:
        """One of them."""
        return read_crontab(text, self.ctx.target.cron)

    def named(self, found: Crontab) -> list[NamedJob]:
        """Its jobs with their names."""
        folder = spec_of(self.ctx).folder(self.ctx.target.containers[0].home)
        shown = self.ctx.outside.lines([job.command for job in found.jobs], self.read.values).lines
        return [
            NamedJob(job, judge_crontab.script_of(job.command, folder) or words.cut(command, 40))
            for job, command in zip(found.jobs, shown, strict=True)
        ]

    def facts(self) -> list[tuple[str, str]]:
        """What the card says: what changes, warnings, and the next runs."""
        ctx, dialect = self.ctx, self.ctx.target.cron
        old, new = self.crontab(self.old_text), self.crontab(self.new_text)
        named = self.named(new)
        changed = crontab_changes.changes(self.named(old), named, dialect)
        changed += crontab_changes.other_changes(lines_of(self.old_text), lines_of(self.new_text))
        if not changed:
            changed = ["only the order of lines, blanks, or line ends"]
        now = ctx.clock.now()
        warned = [*crontab_changes.warnings(old, new, named, dialect), *self._heartbeats(old, new, now)]
        facts = [("Change", one) for one in _bounded(changed, MOST_CHANGES)]
        facts += [("Warning", one) for one in _bounded(warned, MOST_WARNINGS)]
        return [*facts, *self._next_runs(new, now)]

    def _heartbeats(self, old: Crontab, new: Crontab, now: datetime) -> list[str]:
        """Which heartbeats' settings contradict the new crontab, and did not contradict the old one."""
        found = []
        for one in (old, new):
            jobs, zone = self._jobs(one, now)
            said = [c.said for c in judge_crontab.contradictions(jobs, zone, self.ctx.target.cron, now)]
            missing = judge_crontab.unmatched(jobs, self.ctx.target.heartbeats)
            found.append([*said, *(f"no line pushes {job} any more: its alert will fire" for job in missing)])
        return [one for one in found[1] if one not in found[0]]

    def _jobs(self, crontab: Crontab, now: datetime) -> tuple[list[judge_crontab.CronJob], str]:
        target, spec = self.ctx.target, spec_of(self.ctx)
        zone, folder = crontab.zone or spec.timezone, spec.folder(target.containers[0].home)
        runnable = Crontab(tuple(j for j in crontab.jobs), crontab.problems, crontab.zone)
        return judge_crontab.jobs_of(runnable, target.heartbeats, folder, zone, target.cron, now), zone

    def _next_runs(self, new: Crontab, now: datetime) -> list[tuple[str, str]]:
        jobs, _ = self._jobs(new, now)
        names = {named.line.number: named.name for named in self.named(new)}
        timed = sorted(((j.next_run, names[j.line.number]) for j in jobs if j.next_run), key=lambda one: one[0])
        said = [f"{name} {judge_crontab.shown_run(at, now)}" for at, name in timed[:MOST_RUNS]]
        return [("Next runs when asked", ", ".join(said))] if said else []


def _bounded(said: Sequence[str], most: int) -> list[str]:
    return [*said[:most], f"and {len(said) - most} more"] if len(said) > most else list(said)


def refusal(ctx: Context, seen: CrontabRead, text: str, began: float, again: str = "cron edit") -> Reply | None:
    """The answer where the target's cron would run no job of the text: each wrong line with a mark; else None.

    ``again`` is the line that opens the form.
    """
    found = read_crontab(text, ctx.target.cron)
    wrong = [p for p in found.problems if p.fatal]
    if found.left_out:
        raise Refused(
            f"The crontab has {words.plural(found.left_out, 'line')} more than are checked, so it is not changed.",
            remedy="Change it in the pod.",
        )
    if not wrong:
        return None
    lines = [line for problem in wrong[:MOST_ERRORS] for line in problem.lines]
    clean = ctx.outside.lines(lines, seen.values).lines
    more = f", and {words.plural(len(wrong) - 1, 'other line')}" if len(wrong) > 1 else ""
    return Reply(
        f"Line {wrong[0].number} is wrong{more}: nothing was asked for",
        excerpts=(
            Excerpt("\n".join(clean), "Errors", "crontab-errors.txt"),
            Excerpt("\n".join(seen.shown(ctx, text)), "What you entered", "crontab.txt"),
        ),
        buttons=shape.buttons(ctx, [("Open the form", again)]),
        notes=shape.notes(ctx, began),
        shareable=False,
        repeatable=False,
        data={"error": Refused.__name__},
    )


def secret_in(ctx: Context, seen: CrontabRead, added: Sequence[str], numbers: Mapping[str, int]) -> str:
    """Why new lines are refused: one looks like a secret; empty where none does."""
    clean = ctx.outside.lines(added, seen.values).lines
    for line, shown in zip(added, clean, strict=True):
        if shown.count(PLACEHOLDER) > line.count(PLACEHOLDER):
            return (
                f"Line {numbers.get(line, 0)} has something in it that looks like a secret: what is asked for is "
                "kept, so leave it out. Read it from a file or the environment in the job instead."
            )
    return ""
