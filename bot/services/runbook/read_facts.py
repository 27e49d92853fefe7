"""Reads facts: each kind has a reader, and each fact is read once for all that ask for it together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bot.domain.core.outside import LARGE, Outside
from bot.domain.core.registry import Registry, found_in
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.facts.check import CheckFact
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactSettings, FactUse
from bot.domain.runbook.record import Record, bounded
from bot.errors import NotAllowed, NotFound
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.file.judge import judge_check
from bot.runbook.file.known import Fact, Unread
from bot.services.health.reads import Reads
from bot.services.health.sources import API, EXEC, Blocked, Source, SourceUnavailable, cause_of, unread_finding
from bot.services.runbook import own_checks
from bot.services.runbook.fact_reader import FactReader, container_name

T = TypeVar("T")
READERS: Registry[FactReader] = Registry("reader", found_in("bot.services.runbook.readers", FactReader))
"""All readers: each is a module in ``readers``."""
PER_LINE = 50
"""Characters that a line counts for besides its own: loops take as long for short lines as for long ones."""
OF_A_CHECK = 0.1
"""Seconds that a check is awaited longer than the facts that it reads, to hear which of them gave nothing."""
CHECK = Source("check", "Check", "the check gives no answer")


def rights_of(uses: Iterable[FactUse], target: Target) -> list[Right]:
    """Return the Kubernetes rights that facts need, each once."""
    return list(dict.fromkeys(right for use in uses for right in _rights(use, target)))


def _rights(use: FactUse, target: Target) -> Sequence[Right]:
    """Those of one fact; a check's facts are among the uses themselves (`all_facts`)."""
    if isinstance(use.settings, CheckFact):
        return own_checks.rights(use.settings.name, target)
    return READERS[use.kind.name].rights(target, use.settings)


def all_facts(book: CompiledRunbook, uses: Iterable[FactUse]) -> Iterator[FactUse]:
    """Yield facts, and those of the checks among them."""
    for use in uses:
        yield use
        if isinstance(use.settings, CheckFact):
            yield from all_facts(book, book.checks[use.settings.name].entry.facts.values())


async def read_facts(reads: Reads, uses: Mapping[str, FactUse]) -> dict[str, Fact]:
    """Read facts side by side. One that can't be read says why."""
    found = await asyncio.gather(*(_fact(reads, use) for use in uses.values()))
    return dict(zip(uses, found, strict=True))


async def _fact(reads: Reads, use: FactUse) -> Fact:
    key = f"{use.kind.name} {_as_read(use.settings)!r}"
    is_check = isinstance(use.settings, CheckFact)
    source, waiting = (CHECK, reads.later(OF_A_CHECK)) if is_check else (READERS[use.kind.name].source, reads)
    try:
        return await waiting.once(key, source, lambda: _record(reads, use))
    except SourceUnavailable as error:
        unread = _to_blame(reads, error)
        finding = unread_finding("", "", unread)
        reason = unread.source.silent if unread.is_silence else finding.summary
        remedy, not_allowed = finding.remedy or "", isinstance(unread.error, NotAllowed)
        cause = None if isinstance(unread.error, NotFound) else cause_of(unread)
        return Unread(reason, remedy, not_allowed, cause, whole=cause is not None)
    except Blocked as blocked:
        return Unread(blocked.reason, whole=True)


def _to_blame(reads: Reads, unread: SourceUnavailable) -> SourceUnavailable:
    """Return the same, of the API server where a command waited for the pods: it was not even sent."""
    waited = unread.is_silence and unread.source is EXEC and reads.awaits_pods
    return SourceUnavailable(API, unread.waited) if waited else unread


def _as_read(settings: FactSettings) -> FactSettings:
    """The settings without what only says how the fact is judged: one that is read alike is read once."""
    return settings.model_copy(update={"ok": ()}) if isinstance(settings, Exec) else settings


async def _record(reads: Reads, use: FactUse) -> Record:
    """Read one fact within its own deadline, and redact it before anything else sees it."""
    within = use.settings.timeout is not None or not isinstance(use.settings, CheckFact)
    async with asyncio.timeout(seconds_of(use, reads.ctx.probe_timeout) if within else None):
        if isinstance(use.settings, CheckFact):
            record = await _check(reads, use.settings)
        else:
            record = await READERS[use.kind.name].read(reads, use.settings)
    clean = await unblocked(record.lines, lambda: _clean(reads.ctx.outside, record, use))
    return replace(clean, kind=use.kind.name, source=_source(reads.target, use, clean), at=reads.ctx.clock.now())


def _clean(outside: Outside, record: Record, use: FactUse) -> Record:
    """Redact a record, and only then search and cut it."""
    outcome = {name: outside.text(value) for name, value in record.outcome.items()}
    clean = replace(record, lines=outside.lines(record.lines).lines, outcome=outcome)
    if not isinstance(use.settings, CheckFact):
        clean = READERS[use.kind.name].searched(use.settings, clean)
    lines, more = bounded(clean.lines)
    return replace(clean, lines=lines, truncated=clean.truncated or more)


def _source(target: Target, use: FactUse, record: Record) -> str:
    """Where a fact comes from; with the container's name, also where the file gives none."""
    if getattr(use.settings, "container", None) != "":
        return use.source
    name = record.outcome.get("container") or container_name(target, "")
    return use.settings.model_copy(update={"container": name}).describe()


async def unblocked(lines: Iterable[str], work: Callable[[], T]) -> T:
    """Run ``work`` on lines: in a thread where they are so long that others would wait for it."""
    return await asyncio.to_thread(work) if sum(len(line) + PER_LINE for line in lines) > LARGE else work()


def all_lines(facts: Mapping[str, Fact]) -> Iterator[str]:
    """Yield the lines of all facts that were read."""
    for fact in facts.values():
        if isinstance(fact, Record):
            yield from fact.lines


async def _check(reads: Reads, settings: CheckFact) -> Record:
    """Make another check of the runbook."""
    check = reads.ctx.book.checks.get(settings.name) if reads.ctx.book is not None else None
    if check is None:
        raise NotFound(f"The runbook has no check {settings.name}.")
    wrong, facts = await asyncio.gather(
        own_checks.wrong(reads, settings.name), read_facts(reads, check.entry.facts)
    )
    finding = await unblocked(all_lines(facts), lambda: judge_check(check, facts, reads.ctx.clock.now()))
    finding = own_checks.called_as(finding, wrong)
    return Record("check", (f"{finding.verdict.value}: {finding.summary}",))


def seconds_of(use: FactUse, usual: float) -> float:
    """Return a fact's deadline in seconds, where ``usual`` is that of all checks."""
    return use.settings.timeout.total_seconds() if use.settings.timeout is not None else usual
