"""Runs checks side by side, each with its own deadline. What can't be read is unknown, never ok.

A `Probe` is given an `Ask`, through which it reads: `Ask.of` keeps the deadline, remembers which sources
answered, and turns "no answer" and every `AgentpodError` into `SourceUnavailable`, of which the runner makes a
finding.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import NO_ANSWER, ProbeResult, UnknownCause
from bot.errors import AgentpodError, NotAllowed, TimedOut

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK = 0.3
"""Seconds between looks at what has come in, for progress."""

GRACE = 0.5
"""Seconds after the last deadline when a probe that ignores its cancellation is given up on."""


@dataclass(frozen=True)
class Source:
    """Where facts come from, and what is said when nothing comes."""

    key: str
    title: str
    silent: str
    remedy: str | None = None
    run: str | None = None


API = Source(
    "kubernetes",
    "API server",
    "the API server does not answer",
    "Check the API server and the bot's network; the pod itself may be fine.",
    "kubectl cluster-info",
)
EXEC = Source(
    "exec",
    "Commands in the pod",
    "the pod does not answer commands",
    "Check the kubelet of the pod's node; the processes may be fine.",
    "/agentpod pods",
)
GATEWAY = Source(
    "pushgateway",
    "Pushgateway",
    "the Pushgateway does not answer",
    "Check the Pushgateway itself; the jobs may be fine.",
    "/agentpod heartbeats",
)


class SourceUnavailable(Exception):
    """A source gave nothing: ``error`` says why, None for no answer within the deadline."""

    def __init__(self, source: Source, waited: float, error: AgentpodError | None = None) -> None:
        """``waited`` is the deadline in seconds."""
        super().__init__(source.key)
        self.source = source
        self.waited = waited
        self.error = error

    @property
    def is_silence(self) -> bool:
        """Whether nothing came at all, as opposed to an error."""
        return self.error is None or isinstance(self.error, TimedOut)


class Blocked(Exception):
    """A check makes no sense because of what another one found; ``reason`` says it in words."""

    def __init__(self, probe: str, reason: str) -> None:
        """``probe`` is the id of the other one."""
        super().__init__(reason)
        self.probe = probe
        self.reason = reason


@dataclass
class Ask:
    """How one probe reads: with its deadline (seconds from its start)."""

    seconds: float
    deadline: float
    answered: set[str] = field(default_factory=set)
    asking: Source | None = None
    """The source whose answer it waits for, or waited for last."""

    def within(self, seconds: float) -> Ask:
        """The same with less time: ``seconds`` from now."""
        deadline = asyncio.get_running_loop().time() + seconds
        return replace(self, seconds=min(seconds, self.seconds), deadline=min(deadline, self.deadline))

    async def of(self, source: Source, reading: Awaitable[T]) -> T:
        """Wait for an answer until the probe's deadline. Raises `SourceUnavailable`."""
        self.asking = source
        try:
            async with asyncio.timeout_at(self.deadline):
                answer = await reading
        except TimeoutError as error:
            raise SourceUnavailable(source, self.seconds) from error
        except AgentpodError as error:
            raise SourceUnavailable(source, self.seconds, error) from error
        self.answered.add(source.key)
        return answer


@dataclass(frozen=True)
class Probe:
    """One check: ``run`` gives its finding."""

    id: str
    title: str
    run: Callable[[Ask], Awaitable[Finding]]
    seconds: float | None = None
    """A deadline of its own; None takes the runner's."""


ProbeProgress = Callable[[Sequence[ProbeResult], Sequence[str]], Awaitable[None]]
"""Is given what has come in and the titles of what has not."""


async def run_probes(
    probes: Sequence[Probe], deadline: float, progress: ProbeProgress | None = None, tick: float = TICK
) -> list[ProbeResult]:
    """Run all probes side by side, each within its own deadline; outcomes come in the probes' order.

    ``progress`` is called at most once a ``tick`` and only when there is something new. When the caller
    is cancelled, so are the probes.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    asks = [Ask(p.seconds or deadline, began + (p.seconds or deadline)) for p in probes]
    pairs = zip(probes, asks, strict=True)
    tasks = {loop.create_task(_run(p, ask), name=f"probe {p.id}"): p for p, ask in pairs}
    give_up = loop.time() + max((p.seconds or deadline for p in probes), default=0.0) + GRACE
    try:
        pending: set[asyncio.Task[ProbeResult]] = set(tasks)
        shown = -1
        while pending and loop.time() < give_up:
            done, pending = await asyncio.wait(tasks, timeout=min(tick, max(0.0, give_up - loop.time())))
            if pending and progress is not None and len(done) > shown:
                shown = len(done)
                await progress(_in_order(tasks), [p.title for t, p in tasks.items() if not t.done()])
        return _in_order(tasks, late=dict(zip(tasks, asks, strict=True)))
    finally:
        for task in tasks:
            task.cancel()


def _in_order(
    tasks: dict[asyncio.Task[ProbeResult], Probe], late: dict[asyncio.Task[ProbeResult], Ask] | None = None
) -> list[ProbeResult]:
    outcomes = []
    for task, probe in tasks.items():
        if task.done() and not task.cancelled():
            outcomes.append(task.result())
        elif late:
            outcomes.append(_no_answer(probe, late[task]))
    return outcomes


async def _run(probe: Probe, ask: Ask) -> ProbeResult:
    began = time.monotonic()
    outcome = await _outcome(probe, ask)
    took = round(time.monotonic() - began, 3)
    finding = replace(outcome.finding, seconds=took)
    return replace(outcome, finding=finding, answered=frozenset(ask.answered))


async def _outcome(probe: Probe, ask: Ask) -> ProbeResult:
    try:
        # A little later than the reads' own deadline, so that the read says which source was silent.
        async with asyncio.timeout_at(ask.deadline + GRACE / 2):
            return ProbeResult(await probe.run(ask))
    except SourceUnavailable as unread:
        return ProbeResult(unread_finding(probe.id, probe.title, unread), cause_of(unread))
    except Blocked as blocked:
        finding = Finding(probe.id, probe.title, Verdict.UNKNOWN, f"not checked: {blocked.reason}")
        return ProbeResult(finding, blocked_by=blocked.probe)
    except TimeoutError:
        return _no_answer(probe, ask)
    except Exception:
        log.exception("probe %s failed", probe.id)
        remedy = "This is a fault of the bot: its log has the details."
        return ProbeResult(Finding(probe.id, probe.title, Verdict.UNKNOWN, "internal error", (), remedy))


def _no_answer(probe: Probe, ask: Ask) -> ProbeResult:
    """A probe that did not even end in time: the source that it was asking is to blame, where there is one."""
    if ask.asking is not None:
        unread = SourceUnavailable(ask.asking, ask.seconds)
        return ProbeResult(unread_finding(probe.id, probe.title, unread), cause_of(unread))
    return ProbeResult(
        Finding(probe.id, probe.title, Verdict.UNKNOWN, f"{NO_ANSWER} {words.seconds(ask.seconds)}")
    )


def unread_finding(probe: str, title: str, unread: SourceUnavailable) -> Finding:
    """The finding for a source that gave nothing: the error's own sentence and remedy, or "no answer in 3 s"."""
    source, error = unread.source, unread.error
    if error is None:
        summary = f"{NO_ANSWER} {words.seconds(unread.waited)}"
        return Finding(probe, title, Verdict.UNKNOWN, summary, (source.silent,), source.remedy, source.run)
    summary = words.lower_first(words.cut(error.message, 140))
    evidence = (words.cut(error.message, 1000),) if len(error.message) > 140 else ()
    return Finding(
        probe, title, Verdict.UNKNOWN, summary, evidence, error.remedy or source.remedy, _run_of(unread)
    )


def cause_of(unread: SourceUnavailable) -> UnknownCause:
    """What several checks have in common when one source fails them all alike."""
    source, error = unread.source, unread.error
    if error is None or unread.is_silence:
        summary = f"{NO_ANSWER} {words.seconds(unread.waited)}"
        key: tuple[str, ...] = (source.key, "silent")
    else:
        summary = words.lower_first(words.cut(error.message, 140))
        key = (source.key, type(error).__name__, error.message)
    remedy = (error.remedy if error else None) or source.remedy
    return UnknownCause(key, source.key, source.title, source.silent, summary, remedy, _run_of(unread))


def _run_of(unread: SourceUnavailable) -> str | None:
    """The source's next step; a missing right is mended by the Role that the remedy names, by no command here."""
    return None if isinstance(unread.error, NotAllowed) else unread.source.run
