"""What a check is, and how checks run side by side, each with its own deadline.

A check reads through `Reads` and has its judge conclude. What can't be read is unknown, never ok:
`SourceUnavailable` and `Blocked` are made findings here. A new check in `status` is one module in `checks/` and
one line in its registry.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import NO_ANSWER, NOT_MADE, ProbeResult, UnknownCause
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health import unserved
from bot.services.health.reads import CheckContext, Reads, reads_for
from bot.services.health.sources import Blocked, SourceUnavailable, cause_of, unread_finding

log = logging.getLogger(__name__)

TICK = 0.3
"""Seconds between looks at what has come in, for progress."""

GRACE = 0.5
"""Seconds after the last deadline when a check that ignores its cancellation is given up on."""

Progress = Callable[[Sequence[ProbeResult], Sequence[str]], Awaitable[None]]
"""Is given what has come in and the titles of what has not."""


class Check(ABC):
    """One check, made for one answer: the facts that it read stay in its attributes, for a command to show."""

    id: str
    """How findings and next steps name it: ``pod``."""
    title: str
    """How a person calls it: "Pod"."""
    about: str = ""
    """What it checks, as `help status` lists it: "the pod"."""
    steps: tuple[tuple[str, str], ...] = ()
    """Commands that help when it is not ok: (label, command line). None: those that help with most things."""
    seconds: float | None = None
    """A deadline of its own; None takes that of all checks."""
    brief: str = ""
    """Set by `run`: its figures where all is well, such as "disk 31 %". Empty: it has none."""
    cause: UnknownCause | None = None
    """Set by `run`, where it concludes itself that a source gave nothing: what it shares with other checks."""
    lacks_kind: bool = False
    """Set by `run`, where it concludes only that the API server does not know the kind of object."""

    @abstractmethod
    async def run(self, reads: Reads) -> Finding:
        """Read the facts and have them judged. Raises `SourceUnavailable` and `Blocked`."""

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:  # noqa: ARG003 - most checks are made of every target
        """The checks of this kind that a target needs; none where it doesn't apply."""
        return [cls()]

    @classmethod
    def left_out(cls, ctx: CheckContext) -> str:  # noqa: ARG003 - most checks are made of every target
        """What `status` says where it doesn't apply: "Argo CD (switched off in the settings)". Empty: nothing."""
        return ""

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - not each asks Kubernetes
        """What it needs of Kubernetes."""
        return ()


def rights_of(kinds: Iterable[type[Check]], target: Target) -> list[Right]:
    """What several checks need of Kubernetes, each right once."""
    return list(dict.fromkeys(right for kind in kinds for right in kind.rights(target)))


def figures(checks: Iterable[Check]) -> str:
    """The figures of checks that are all ok, in one line: "Up 6 h 51 min · 0 restarts · disk 31 %"."""
    return words.upper_first(" · ".join(check.brief for check in checks if check.brief))


async def run_checks(
    ctx: CheckContext, checks: Sequence[Check], progress: Progress | None = None
) -> list[ProbeResult]:
    """Run all checks, each until its own deadline; results come in the checks' order.

    ``progress`` is called at most once a `TICK` and only when there is something new. When the caller
    is cancelled, so are the checks, and the reads that they share.
    """
    with reads_for(ctx, [check.seconds or ctx.probe_timeout for check in checks]) as reads:
        return unserved.shared(await _all(list(zip(checks, reads, strict=True)), progress))


async def _all(checks: Sequence[tuple[Check, Reads]], progress: Progress | None) -> list[ProbeResult]:
    loop = asyncio.get_running_loop()
    tasks = {loop.create_task(_run(c, r), name=f"check {c.id}"): (c, r) for c, r in checks}
    give_up = max((r.deadline for _, r in checks), default=0.0) + GRACE
    try:
        pending: set[asyncio.Task[ProbeResult]] = set(tasks)
        shown = -1
        while pending and loop.time() < give_up:
            done, pending = await asyncio.wait(tasks, timeout=min(TICK, max(0.0, give_up - loop.time())))
            if pending and progress is not None and len(done) > shown:
                shown = len(done)
                came = [t.result() for t in tasks if t.done() and not t.cancelled()]
                await progress(came, [c.title for t, (c, _) in tasks.items() if not t.done()])
        return [t.result() if t.done() and not t.cancelled() else _no_answer(c, r) for t, (c, r) in tasks.items()]
    finally:
        for task in tasks:
            task.cancel()


async def _run(check: Check, reads: Reads) -> ProbeResult:
    began = time.monotonic()
    result = await _result(check, reads)
    finding = replace(result.finding, seconds=round(time.monotonic() - began, 3))
    return replace(result, finding=finding, answered=frozenset(reads.answered))


async def _result(check: Check, reads: Reads) -> ProbeResult:
    try:
        # A little later than the reads' own deadline, so that the read says which source was silent.
        async with asyncio.timeout_at(reads.deadline + GRACE / 2):
            finding = await check.run(reads)
            return ProbeResult(finding, check.cause, lacks_kind=check.lacks_kind)
    except SourceUnavailable as unread:
        return ProbeResult(unread_finding(check.id, check.title, unread), cause_of(unread))
    except Blocked as blocked:
        return ProbeResult(_unknown(check, f"{NOT_MADE}{blocked.reason}"), blocked_by=blocked.check)
    except TimeoutError:
        return _no_answer(check, reads)
    except Exception:
        log.exception("check %s failed", check.id)
        remedy = "This is a fault of the bot: its log has the details."
        return ProbeResult(_unknown(check, "internal error", remedy))


def _no_answer(check: Check, reads: Reads) -> ProbeResult:
    """A check that did not even end in time: the source that it was asking is to blame, where there is one."""
    if reads.asking is not None:
        unread = SourceUnavailable(reads.asking, reads.seconds)
        return ProbeResult(unread_finding(check.id, check.title, unread), cause_of(unread))
    return ProbeResult(_unknown(check, f"{NO_ANSWER} {words.seconds(reads.seconds)}"))


def _unknown(check: Check, summary: str, remedy: str | None = None) -> Finding:
    return Finding(check.id, check.title, Verdict.UNKNOWN, summary, (), remedy)
