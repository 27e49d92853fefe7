"""The last log lines of a container that crashed, for answers of whoever may read logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Excerpt
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import crash_log, judge_pod
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError
from bot.runbook.context import Context
from bot.services.health.rights import secret_rights
from commands.observe import log_source
from commands.shared import shape


@dataclass(frozen=True)
class CrashLog:
    """What an answer shows of it."""

    excerpts: tuple[Excerpt, ...] = ()
    notes: tuple[str, ...] = ()
    """Why the log was not read, and which values are not known to the redaction."""


def added_to(rights: Callable[[Target], Sequence[Right]]) -> Callable[[Target], list[Right]]:
    """Return ``rights``, with those to read a log and each Secret whose values are redacted in it."""

    def of_target(target: Target) -> list[Right]:
        log = Right("get", "pods", subresource="log")
        return list(dict.fromkeys((*rights(target), log, *secret_rights(target.secrets))))

    return of_target


async def of(ctx: Context, findings: Sequence[Finding], pods: Sequence[Pod]) -> CrashLog:
    """Read the log that the pod's finding names, once; nothing where no container crashed.

    Nor is it shown to who may not read logs, or where others see the answer: the finding names the command.
    """
    line = next((f.run or "" for f in findings if f.probe == judge_pod.PROBE), "").removeprefix("/agentpod ")
    pod = judge_pod.current(pods)
    found = crash_log.crashed(line, pod)
    if pod is None or found is None or not _may_read(ctx):
        return CrashLog()
    container, previous = found
    try:
        async with asyncio.timeout(ctx.probe_timeout):
            log, (secrets, blind) = await asyncio.gather(
                ctx.cluster.logs(
                    pod.name,
                    container.name,
                    previous=previous,
                    tail=crash_log.READ,
                    limit_bytes=crash_log.LIMIT,
                ),
                log_source.secret_values(ctx),
            )
    except TimeoutError:
        return _unread(container.name, f"no answer in {words.seconds(ctx.probe_timeout)}")
    except AgentpodError as error:
        return _unread(container.name, words.lower_first(words.cut(error.message, 200)))
    whole = log.lines[:-1] if log.truncated else log.lines  # half a secret is not recognised
    clean = await asyncio.to_thread(ctx.outside.lines, whole, secrets)
    shown = crash_log.excerpt(container.name, clean.lines, previous=previous)
    if shown is None:
        return _unread(container.name, "its last line is too long" if log.truncated else "it is empty")
    return CrashLog((shown,), blind)


def _may_read(ctx: Context) -> bool:
    return not ctx.caller.public and shape.allowed(ctx, Capability.READ_LOGS, (ctx.target.name,)).allowed


def _unread(container: str, why: str) -> CrashLog:
    return CrashLog(notes=(f"Log of {container} not shown: {why}",))
