"""The expected processes in each container."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import coverage, judge_processes
from bot.domain.health.judge_processes import Match, Process
from bot.services.health import rights
from bot.services.health.check import Check
from bot.services.health.gone_processes import gone_for
from bot.services.health.reads import Reads
from bot.services.health.sources import EXEC


class ProcessesCheck(Check):
    """Judges the list of processes of each container."""

    id, title, about = judge_processes.PROBE, judge_processes.TITLE, "processes"
    steps = (("All processes", "processes --all"), ("Logs", "logs"), ("Ask for a restart", "restart"))

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.processes: dict[str, Sequence[Process]] = {}
        """All that run, of each container that could list them."""
        self.matches: Sequence[Match] = ()
        self.unwatched: Sequence[str] = ()
        """A line for each container that the settings don't name."""

    async def run(self, reads: Reads) -> Finding:
        """List the processes in each container and have the lists judged."""
        pod = await reads.pod()
        self.unwatched = coverage.lines(pod, reads.target)
        found = await reads.processes(pod)
        # In a thread: whoever may start processes in the pod decides how long the list is.
        judging = (asyncio.to_thread(judge_processes.scan, spec, result) for spec, result in found.answers)
        names = (spec.name for spec, _ in found.answers)
        looked = list(zip(names, await asyncio.gather(*judging), strict=True))
        self.processes = {name: seen.processes for name, seen in looked if seen.processes}
        self.matches = [m for _, seen in looked for m in seen.matches]
        silent = [*found.silent, *((name, seen.unknown) for name, seen in looked if seen.unknown)]
        gone = await gone_for(reads, [(m.container, m.name) for m in self.matches if not m.found])
        self.matches = [replace(m, gone=gone.get((m.container, m.name))) for m in self.matches]
        return _with_silent(judge_processes.judge_processes(self.matches, reads.target, found.missing), silent)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The pod, and commands in it."""
        return (*rights.POD_READ, *rights.EXEC)


def _with_silent(finding: Finding, silent: Sequence[tuple[str, str]]) -> Finding:
    """The finding of those that answered, not healthy while some were silent, each with the reason."""
    if not silent:
        return finding
    lines = tuple(f"{name}: {why}" for name, why in silent)
    if finding.verdict is Verdict.FAIL:
        return replace(finding, evidence=(*finding.evidence, *lines))
    evidence = (*lines[1:], *finding.evidence)
    no_ps = any(why == judge_processes.NO_LIST for _, why in silent)
    remedy = "The image needs ps, or a shell with head, tr and stat to read /proc." if no_ps else EXEC.remedy
    return Finding(finding.probe, finding.title, Verdict.UNKNOWN, lines[0], evidence, remedy, EXEC.run)
