"""What the pretend supercronic writes to the log: its runs by a crontab that was edited, and reloads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bot.domain.core.cron import next_run
from bot.domain.core.cron.crontab import JobLine, read_crontab
from sandbox.cluster.objects import HOME

FILE = f"{HOME}/.crontab"
MOST = 2_000
"""Most runs of one job that are written at once."""


def stamp(at: datetime) -> str:
    """A time as supercronic writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def runs(text: str, after: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """The lines of all runs in this time."""
    found = read_crontab(text, "supercronic")
    if found.refused:
        return
    for position, job in enumerate(found.jobs):
        at = after
        for iteration in range(MOST):
            at = next_run(job.schedule, found.zone or "UTC", at, "supercronic")
            if at > until:
                break
            yield from _run(job, position, iteration, at)


def _run(job: JobLine, position: int, iteration: int, at: datetime) -> Iterator[tuple[datetime, str]]:
    about = f'iteration={iteration} job.command="{job.command}" job.position={position}'
    for number, said in enumerate(("starting", "job succeeded")):
        then = at + timedelta(milliseconds=4 + 610 * number)
        yield then, f'time="{stamp(then)}" level=info msg="{said}" {about} job.schedule="{job.schedule}"'


def reloaded(text: str, at: datetime) -> tuple[list[str], bool]:
    """The lines when the file has changed, and whether supercronic goes on: it ends at a line that it refuses."""
    head = f'time="{stamp(at)}" level='
    said = ["received user defined signal 2, reloading crontab", "waiting for jobs to finish"]
    lines = [f'{head}info msg="{one}"' for one in (*said, f"read crontab: {FILE}")]
    refused = refusal(text)
    return ([*lines, fatal(refused, at)], False) if refused else (lines, True)


def refusal(text: str) -> str:
    """What supercronic says of the first line that it refuses; empty where it refuses none."""
    wrong = next((one for one in read_crontab(text, "supercronic").problems if one.fatal), None)
    return f"bad crontab line: '{wrong.text}' (use -debug for details)" if wrong is not None else ""


def fatal(said: str, at: datetime) -> str:
    """The last line of a supercronic that ends."""
    return f'time="{stamp(at)}" level=fatal msg="{said}"'
