"""Reads a container by running commands in it, with fallbacks, since each image has other programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_processes import lists_processes
from bot.domain.rbac.exec_forms import ExecForm
from bot.errors import AgentpodError, Denied, NotAllowed, Permanent
from bot.ports.cluster import Cluster

COLUMNS = 2048
"""Characters of a process's line from which on it may have been cut."""

_PROC_SCRIPT = """
echo 'PID USER COMMAND'
for d in /proc/[0-9]*; do
  p=${d#/proc/}
  [ "$p" = "$$" ] && continue
  c=$(head -c 2048 "$d/cmdline" 2>/dev/null | tr '\\000\\n' '  ') || continue
  [ -n "$c" ] && printf '%s %s %s\\n' "$p" "$(stat -c %U "$d" 2>/dev/null || echo '?')" "$c"
done
true
"""
"""Lists processes from /proc, for images without ps. Line feeds in arguments become blanks: each process must be
one line."""

PS_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ps", "-eo", "pid,user,etime,args", "--cols", str(COLUMNS)),
    ("ps", "aux"),
    ("sh", "-c", _PROC_SCRIPT),
)


INODES_WITHIN = 1.0
"""Seconds that `disk` waits for the number of inodes once it has the blocks."""


async def processes(cluster: Cluster, pod: str, container: str) -> ExecResult:
    """List the container's processes, for `parse_ps`. Raises as `Cluster.exec` does."""
    return await first_that_works(cluster, pod, container, PS_COMMANDS, lambda r: lists_processes(r.stdout))


def processes_forms(container: str) -> list[ExecForm]:
    """Declare what `processes` runs."""
    return [ExecForm(container, argv) for argv in PS_COMMANDS]


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare `processes` and `disk` in the containers that the settings name."""
    found = [form for spec in target.containers for form in processes_forms(spec.name)]
    return found + [ExecForm(s.name, ("df", unit, s.home)) for s in target.containers for unit in ("-Pk", "-Pi")]


async def disk(cluster: Cluster, pod: str, container: str, home: str) -> tuple[ExecResult, ExecResult | None]:
    """Read how full the home's file system is, in blocks and in inodes, for `parse_df`.

    The inodes are None where they can't be read, or not within `INODES_WITHIN`: not every df has ``-i``. Raises as
    `Cluster.exec` does.
    """
    inodes = asyncio.create_task(_inodes(cluster, pod, container, home), name="inodes")
    try:
        blocks = await cluster.exec(pod, container, ("df", "-Pk", home))
        await asyncio.wait((inodes,), timeout=INODES_WITHIN)
    finally:
        if not inodes.done():
            inodes.cancel()
            await asyncio.wait((inodes,))
    return blocks, None if inodes.cancelled() else inodes.result()


async def _inodes(cluster: Cluster, pod: str, container: str, home: str) -> ExecResult | None:
    try:
        return await cluster.exec(pod, container, ("df", "-Pi", home))
    except AgentpodError:
        return None


async def text_file(cluster: Cluster, pod: str, container: str, path: str) -> ExecResult:
    """Read a file's text, at most 1 MB. Raises as `Cluster.exec` does; for a missing file the exit code is set."""
    return await cluster.exec(pod, container, ("cat", path))


async def digests(cluster: Cluster, pod: str, container: str, *paths: str) -> list[str]:
    """Read the SHA-256 of files; empty for one that isn't there. Raises as `Cluster.exec` does."""
    result = await cluster.exec(pod, container, ("sha256sum", *paths))
    if result.exit_code in (126, 127):
        raise Permanent(f"There is no sha256sum in {container}.", remedy="It comes with coreutils and busybox.")
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    found = {line[1]: line[0] for line in lines if len(line) == 2}
    return [found.get(path, "") for path in paths]


async def first_that_works(
    cluster: Cluster,
    pod: str,
    container: str,
    commands: Sequence[Sequence[str]],
    good: Callable[[ExecResult], bool],
    seconds: float | None = None,
) -> ExecResult:
    """Run ``commands`` until a result is ``good``; returns it, or the last result.

    A missing program moves on to the next command. Timeouts and refusals raise at once, since no other command
    would fare better; else the last command's error is raised.
    """
    result: ExecResult | None = None
    for number, argv in enumerate(commands, start=1):
        try:
            result = await cluster.exec(pod, container, argv, seconds=seconds)
        except AgentpodError as error:
            if number == len(commands) or not _may_be_missing_program(error):
                raise
            continue
        if good(result):
            return result
    if result is None:
        raise ValueError("nothing was tried")
    return result


def _may_be_missing_program(error: AgentpodError) -> bool:
    return isinstance(error, Permanent) and not isinstance(error, NotAllowed | Denied)
