"""``logs``: a container's log, filtered; secrets are redacted before anything is searched or shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bot.domain.core import words
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Excerpt, Reply
from bot.domain.core.target import Target, parse_duration
from bot.domain.core.workload import LogText, Pod, Right
from bot.domain.follow.request import DEFAULT, MAXIMUM, TAIL
from bot.domain.health import judge_pod
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.rights import POD_READ, secret_rights
from commands.observe import follow_log, log_source
from commands.observe.grep import check_pattern, matching
from commands.shared import shape

MOST_LINES = 20_000
"""Maximum lines read, and the default of ``--tail``."""

MAX_WIDTH = 2_000
"""Maximum characters of a line that are shown."""

_LIMIT = 4_000_000
_ATTEMPTS = 4


def check_span(span: timedelta) -> timedelta:
    """Return a time for which a log may be followed. Raises ValueError beyond `MAXIMUM`."""
    if span > MAXIMUM:
        raise ValueError(f"a log is followed for {words.age(MAXIMUM)} at most")
    return span


class LogsParams(Params):
    """Which part of the log to read, and which lines of it to show."""

    grep: Annotated[str, AfterValidator(check_pattern)] | None = Field(
        default=None,
        description="Only lines that match this regular expression (RE2); a capital letter makes case matter",
        json_schema_extra={"metavar": "RE"},
    )
    since: Annotated[timedelta, BeforeValidator(parse_duration)] | None = Field(
        default=None, description="Only lines newer than this: 30s, 10m, 1h30m, 2d"
    )
    previous: bool = Field(default=False, description="The previous container's log")
    container: str | None = Field(default=None, description="The container, if not the first in the settings")
    tail: int | None = Field(
        default=None, ge=1, le=MOST_LINES, description="Read only this many of the newest lines"
    )
    follow: bool = Field(default=False, description="Show lines as they are written, in a thread")
    for_: Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(check_span)] | None = Field(
        default=None,
        description=f"How long to follow: {words.age(DEFAULT)}, or up to {words.age(MAXIMUM)}",
        json_schema_extra={"metavar": "TIME"},
    )

    @model_validator(mode="after")
    def _fit_together(self) -> LogsParams:
        """Refuse flags that contradict each other."""
        if self.follow and self.previous:
            raise ValueError(
                "--previous is the log of a run that has ended, so there is nothing to follow: leave one out"
            )
        if self.for_ is not None and not self.follow:
            raise ValueError("--for says how long to follow, so it needs --follow")
        return self


@dataclass(frozen=True)
class _Shown:
    """A log after redaction and filtering, with notes about both."""

    lines: tuple[str, ...]
    searched: int
    redacted: int
    notes: tuple[str, ...]


async def run(ctx: Context, params: LogsParams) -> Reply:
    """Read the newest lines, redact them, and only then filter them, so that no pattern can probe for a secret."""
    began = ctx.clock.monotonic()
    pods = await ctx.cluster.pods(ctx.target.selector)
    pod = judge_pod.current(pods) or (pods[-1] if pods else None)
    if pod is None:
        return log_source.no_pod(ctx, began)
    container = log_source.container_of(ctx.target, pod, params.container)
    # A log that can't be read now must not hold a turn until its deadline: other clusters share the turns.
    await ctx.cluster.logs(pod.name, container, previous=params.previous, tail=1, limit_bytes=1)
    if params.follow:
        return await follow_log.follow(ctx, pod, container, params)
    async with ctx.heavy.turn(partial(_waiting, ctx)):
        (log, short), (secrets, blind) = await asyncio.gather(
            _read(ctx, pod, container, params), log_source.secret_values(ctx)
        )
        shown = await _shown(log, ctx.outside, secrets, params.grep)
        del log
    said = (*_which(pod, pods), *short, *shown.notes, *blind)
    return _reply(ctx, params, pod, container, shown, shape.notes(ctx, began, *said))


async def _waiting(ctx: Context, before: int) -> None:
    """Show the position in the queue."""
    others = f"{words.plural(before, 'other')} before you" if before else "you are next"
    await ctx.progress(
        Reply("⏳ Waiting for a turn: logs are read two at a time", body=(f"In the queue: {others}.",))
    )


async def _read(ctx: Context, pod: Pod, container: str, params: LogsParams) -> tuple[LogText, tuple[str, ...]]:
    """Read the newest lines, fewer if they exceed the size limit: the API would cut off the newest ones."""
    wanted = params.tail or MOST_LINES
    for attempt in range(1, _ATTEMPTS + 1):
        log = await ctx.cluster.logs(
            pod.name,
            container,
            previous=params.previous,
            since=params.since,
            tail=wanted,
            limit_bytes=_LIMIT,
        )
        if not log.truncated:
            return log, _read_less(len(log.lines), wanted, params.tail)
        if attempt < _ATTEMPTS:
            wanted = max(1, min(len(log.lines), wanted) * 2 // 3)
    # Drop the last line, which may be cut: half a secret in it could not be recognised.
    said = f"The newest lines are missing: the log is over {words.size(_LIMIT)}. Use --since or a smaller --tail"
    return LogText(log.lines[:-1], truncated=True), (said,)


def _read_less(count: int, wanted: int, tail: int | None) -> tuple[str, ...]:
    if count < wanted or wanted == tail:
        return ()
    return (f"Only the newest {words.plural(count, 'line')} were read; older ones need --since and --previous",)


async def _shown(log: LogText, outside: Outside, secrets: frozenset[str], pattern: str | None) -> _Shown:
    # In a thread: redacting a full log takes a second, which would block other commands.
    clean = await asyncio.to_thread(outside.lines, log.lines, secrets)
    numbers = range(len(clean.lines)) if pattern is None else await matching(pattern, clean.lines)
    kept = [clean.lines[n] for n in numbers]
    long = sum(len(line) > MAX_WIDTH for line in kept)
    notes = [f"{words.plural(clean.count, 'secret')} redacted"] if clean.count else []
    if long:
        notes.append(f"{words.plural(long, 'line')} cut at {MAX_WIDTH:,} characters")
    return _Shown(tuple(_cut(line) for line in kept), len(clean.lines), clean.count, tuple(notes))


def _cut(line: str) -> str:
    return line if len(line) <= MAX_WIDTH else line[: MAX_WIDTH - 1] + "…"


def _which(pod: Pod, pods: Sequence[Pod]) -> tuple[str, ...]:
    others = len(pods) - 1
    if not others:
        return (f"From {pod.name}",)
    return (f"From {pod.name}, the newest that runs; there {_are(others)} besides",)


def _are(others: int) -> str:
    return "is one pod" if others == 1 else f"are {others} pods"


def _reply(
    ctx: Context, params: LogsParams, pod: Pod, container: str, shown: _Shown, notes: tuple[str, ...]
) -> Reply:
    suffix = "-previous" if params.previous else ""
    excerpt = Excerpt("\n".join(shown.lines), filename=f"{ctx.target.name}-{container}{suffix}.log", redacted=True)
    read = pod.container(container)
    restarted = read is not None and read.last_termination is not None
    before = f"logs --previous --container {container}" if params.container else "logs --previous"
    steps = [("Before the restart", before)] if restarted and not params.previous else []
    return Reply(
        _headline(params, container, shown),
        excerpts=(excerpt,) if shown.lines else (),
        buttons=shape.buttons(ctx, (*steps, ("Processes", "processes"), ("Status", "status"))),
        notes=notes,
        data={
            "pod": pod.name,
            "container": container,
            "previous": params.previous,
            "lines": len(shown.lines),
            "searched": shown.searched,
            "redacted": shown.redacted,
        },
    )


def _headline(params: LogsParams, container: str, shown: _Shown) -> str:
    of = f"{container}, the previous container" if params.previous else container
    when = f" in {words.the_last(params.since)}" if params.since else ""
    if not shown.searched:
        return f"Nothing was logged{when} by {of}"
    count = words.plural(shown.searched, "line")
    if params.grep is None:
        return f"{count}{when} from {of}"
    searched = f"{count} searched{when} in {of}"
    if not shown.lines:
        return f"No line matches {params.grep}: {searched}"
    verb = "matches" if len(shown.lines) == 1 else "match"
    return f"{words.plural(len(shown.lines), 'line')} {verb} {params.grep}: {searched}"


def rights(target: Target) -> list[Right]:
    """Return the rights to read the pod, its log, and each Secret whose values are redacted."""
    return [*POD_READ, Right("get", "pods", subresource="log"), *secret_rights(target.secrets)]


COMMAND = Command(
    name="logs",
    audited=True,
    summary="The container's log, filtered, without secrets",
    needs=Capability.READ_LOGS,
    run=run,
    params=LogsParams,
    group="Logs",
    examples=("logs", "logs --grep sshd --since 1h", "logs --previous --tail 200", "logs --follow --for 5m"),
    details=(
        f"Reads the newest lines, at most {MOST_LINES:,}. Secrets' values and whatever looks like a secret are "
        "redacted before --grep searches. The last lines are shown here and the whole is attached as a file. "
        "--follow posts a message in this channel, where everybody can read it, and shows the lines in its "
        f"thread. It begins with the last {TAIL} lines, unless --since or --tail say otherwise. It ends after "
        "--for, with the container, or when Stop is clicked, by whoever began it or may read logs. "
        "A channel that is shared with another company shows no log. "
        "In a terminal, Ctrl-C ends it."
    ),
    rights=rights,
)
