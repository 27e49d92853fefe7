"""The links of alerts and answers, by the settings and the targets' runbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.links import Place, filled
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Link
from bot.domain.core.target import HeartbeatPolicy, Target, canonical_job
from bot.domain.incidents import runbook_urls, sources
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.runbook_urls import RunbookUrls
from bot.domain.incidents.sources.check import CHECK
from bot.domain.incidents.sources.heartbeat import HEARTBEAT

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook

RUNBOOK = "Runbook"
"""The label of a link to a page on what to do."""
MOST_RUNBOOKS = 3
"""Most such links in one answer."""


@dataclass(frozen=True)
class AlertLinks:
    """Makes the links for an alert, and for the answers about a target."""

    targets: Mapping[str, Target] = field(default_factory=dict)
    urls: RunbookUrls = field(default_factory=RunbookUrls)
    books: Mapping[str, CompiledRunbook] = field(default_factory=dict)

    def of_target(self, name: str, place: Place) -> tuple[Link, ...]:
        """The links of a target that are shown at ``place``."""
        target = self.targets.get(name)
        if target is None:
            return ()
        found = (link for link in target.links if place in link.show_on)
        return tuple(Link(link.name, filled(link.url, _values(target))) for link in found)

    def of_problem(self, problem: Problem) -> tuple[Link, ...]:
        """The links of an alert: its runbook first."""
        target = self.targets.get(problem.target)
        if target is None:
            return ()
        url = self._url_of(problem, target)
        return (*((Link(RUNBOOK, url),) if url else ()), *self.of_target(problem.target, "alert"))

    def _url_of(self, problem: Problem, target: Target) -> str:
        source = sources.of(problem)
        if source is HEARTBEAT:
            return self._of_job(target, problem.key.removeprefix(HEARTBEAT.key(target.name, "")))
        if source is CHECK:
            return self._of_check(target, CHECK.check_of(problem))
        return self._of_kind(target, source.name)

    def _of_kind(self, target: Target, source: str, own: str = "", **more: str) -> str:
        """The URL for a source of problems: ``own``, or that of the settings; empty for none."""
        values = {**_values(target), "kind": runbook_urls.kind(source), **more}
        return filled(own or self.urls.of(source), values)

    def _of_job(self, target: Target, job: str) -> str:
        policies: dict[str, HeartbeatPolicy] = {one.canonical: one for one in target.heartbeats}
        policy = policies.get(canonical_job(job))
        named = policy.job if policy is not None else job
        return self._of_kind(target, HEARTBEAT.name, policy.runbook_url if policy is not None else "", job=named)

    def _of_check(self, target: Target, check: str) -> str:
        book = self.books.get(target.name)
        declared = book.checks.get(check) if book is not None else None
        own = declared.entry.runbook_url if declared is not None else ""
        return self._of_kind(target, CHECK.name, own, check=check)

    def of_findings(self, name: str, findings: Iterable[Finding], jobs: Sequence[str]) -> tuple[Link, ...]:
        """The runbooks of what is wrong, the first of each URL; ``jobs`` are the jobs that are."""
        target = self.targets.get(name)
        if target is None:
            return ()
        found: dict[str, str] = {}
        for finding in findings:
            if finding.verdict is not Verdict.OK:
                for title, url in self._of_finding(target, finding, jobs):
                    found.setdefault(url, title)
        named = len(found) > 1
        every = [Link(f"{RUNBOOK} for {title}" if named else RUNBOOK, url) for url, title in found.items() if url]
        return tuple(every[:MOST_RUNBOOKS])

    def of_diagnosis(self, name: str, diagnosis: str, url: str) -> tuple[Link, ...]:
        """The runbook of a diagnosis, whose URL may have placeholders; then the target's links."""
        target = self.targets.get(name)
        if target is None:
            return ()
        own = (Link(RUNBOOK, filled(url, {**_values(target), "diagnosis": diagnosis})),) if url else ()
        return (*own, *self.of_target(name, "diagnose"))

    def _of_finding(self, target: Target, finding: Finding, jobs: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield title and URL of a finding's runbooks, where it has any."""
        book = self.books.get(target.name)
        if book is not None and finding.probe in book.checks:
            yield finding.title, self._of_check(target, finding.probe)
        elif finding.probe in HEARTBEAT.checks and jobs:
            yield from ((job, self._of_job(target, job)) for job in jobs)
        else:
            saying = (one for one in sources.KNOWN if finding.probe in one.checks)
            source = min(saying, key=lambda one: len(one.checks), default=CHECK)  # the most specific one
            more = {"check": finding.probe} if source is CHECK else {"job": ""}
            yield finding.title, self._of_kind(target, source.name, **more)


def _values(target: Target) -> dict[str, str]:
    return {"target": target.name, "namespace": target.namespace, "deployment": target.deployment}
