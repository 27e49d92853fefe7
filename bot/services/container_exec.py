"""What is read by running commands in a container: each image has other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_processes import lists_processes
from bot.errors import AgentpodError, Denied, NotAllowed, Permanent
from bot.ports.cluster import (
    Cluster,
)

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
"""For images without ps: reads the process list from /proc with what every shell has. A line feed in an argument
would begin a line of its own."""

PS_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ps", "-eo", "pid,user,etime,args", "--cols", "2048"),
    ("ps", "aux"),
    ("sh", "-c", _PROC_SCRIPT),
)


async def processes(cluster: Cluster, pod: str, container: str) -> ExecResult:
    """A list of the container's processes, for `parse_ps`. Raises as `Cluster.exec` does."""
    return await first_that_works(cluster, pod, container, PS_COMMANDS, lambda r: lists_processes(r.stdout))


async def disk(cluster: Cluster, pod: str, container: str, home: str) -> ExecResult:
    """How full the home's file system is, for `parse_df`. Raises as `Cluster.exec` does."""
    return await cluster.exec(pod, container, ("df", "-Pk", home))


async def text_file(cluster: Cluster, pod: str, container: str, path: str) -> ExecResult:
    """A file's text, at most 1 MB of it. Raises as `Cluster.exec` does; a missing file is a result."""
    return await cluster.exec(pod, container, ("cat", path))


async def first_that_works(
    cluster: Cluster,
    pod: str,
    container: str,
    commands: Sequence[Sequence[str]],
    good: Callable[[ExecResult], bool],
    seconds: float | None = None,
) -> ExecResult:
    """The first result that is ``good``, else the last one. A missing program moves on to the next command.

    Raises as the last one does, and at once for silence and refusals, which no other command mends.
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
