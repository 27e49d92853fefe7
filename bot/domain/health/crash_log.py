"""Choose and shorten the last log lines of a container that crashed, for an answer or an alert. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.reply import Excerpt
from bot.domain.core.workload import Container, Pod

READ = 60
"""Lines that are read: more than are shown, so that a secret that began earlier is recognised."""
LIMIT = 200_000
"""Most bytes that are read."""
SHOWN, LONGEST = 5, 160
"""Most lines that are shown, and characters of each: a phone's screen."""
_LOGS, _PREVIOUS = "logs --container ", " --previous"


def crashed(line: str, pod: Pod | None) -> tuple[Container, bool] | None:
    """The container that a ``logs`` line is about, and whether its previous run's log is; None without a crash.

    ``line`` is a command without ``/agentpod``, as the pod's finding names it.
    """
    name, previous = container_of(line), is_previous(line)
    container = pod.container(name) if pod is not None else None
    if container is None or container.ended is None:
        return None
    return (container, previous) if previous or container.state == "terminated" else None


def container_of(line: str) -> str:
    """The container that a ``logs`` line names; empty for any other line."""
    return line.removeprefix(_LOGS).removesuffix(_PREVIOUS) if line.startswith(_LOGS) else ""


def is_previous(line: str) -> bool:
    """Whether a ``logs`` line is about the run before the last restart."""
    return line.endswith(_PREVIOUS)


def excerpt(container: str, lines: Sequence[str], *, previous: bool) -> Excerpt | None:
    """The last lines of a log that is redacted already; None where it is empty."""
    last = [beginning(line, LONGEST) for line in lines if line.strip()][-SHOWN:]
    if not last:
        return None
    count = f"{len(last)} lines" if len(last) > 1 else "line"
    title = f"The last {count} of {container}'s log{' before its restart' if previous else ''}"
    return Excerpt("\n".join(last), title, f"{container}.log")


def beginning(line: str, length: int) -> str:
    """At most ``length`` characters of a line; its indent is kept, which a stack trace needs."""
    line = line.rstrip()
    return line if len(line) <= length else f"{line[: length - 1]}…"
