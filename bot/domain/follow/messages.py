"""The message above a log that is followed, and what is said where none can be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime

from bot.domain.core import labels, words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Button, Line, Mention, Reply
from bot.domain.follow.request import End, FollowRequest


@dataclass(frozen=True)
class Follow:
    """A log that is followed: what, for whom, and since when."""

    id: str
    request: FollowRequest = field(repr=False)
    user: str
    began: datetime
    until: datetime
    direct: bool = False
    """Whether it is shown in a direct message."""
    trouble: str = ""
    """Why no lines come now."""
    lines: int = 0
    skipped: int = 0
    ended: datetime | None = None
    end: End | None = None
    stopped_by: str = ""


def head(follow: Follow) -> Reply:
    """The message above the log."""
    return _running(follow) if follow.end is None else _ended(follow, follow.end)


def _running(follow: Follow) -> Reply:
    request = follow.request
    since = words.clock(follow.began)
    audience = "" if follow.direct else " Everybody who can read this channel sees them."
    body: list[Line] = [
        ("For ", Mention(follow.user), f": the lines come in this message's thread.{audience}"),
    ]
    if follow.trouble:
        body.append(f"No new lines: {follow.trouble}")
    return Reply(
        f"📜 Following the log of {request.name} since {since}, ends at {_end(follow)} at the latest",
        body=tuple(body),
        notes=(*request.notes, f"{follow.id} · {request.target.name}"),
        buttons=(Button("Stop", f"logs stop {follow.id}", style="danger"),),
        shareable=False,
    )


def _ended(follow: Follow, end: End) -> Reply:
    request, ended = follow.request, follow.ended or follow.until
    why: Line = ("Stopped by ", Mention(follow.stopped_by), ".") if follow.stopped_by else end.why
    body: list[Line] = [why]
    if end.previous:
        body.append("Its last lines may be missing here: `/agentpod logs --previous` has them.")
    skipped = f", {follow.skipped:,} skipped" if follow.skipped else ""
    own = f" --container {request.container}" if request.container != request.target.container().name else ""
    before = (Button("Logs before the restart", f"logs --previous{own}"),) if end.previous else ()
    took = words.age(ended - follow.began)
    return Reply(
        f"📜 Followed the log of {request.name} for {took}: {words.plural(follow.lines, 'line')}{skipped}",
        body=tuple(body),
        notes=(
            *request.notes,
            f"{follow.id} · {request.target.name} · {words.clock(follow.began)} to {words.clock(ended)}",
        ),
        buttons=(*before, Button(labels.of("logs --follow"), request.line)),
        shareable=False,
    )


def _end(follow: Follow) -> str:
    return words.clock(follow.until)


def started(follow: Follow) -> Reply:
    """The answer to whoever asked, where Slack waits for one."""
    where = "here" if follow.direct else "in this channel"
    request = follow.request
    return replace(
        head(follow),
        headline=f"Following the log of {request.name} {where}, until {_end(follow)} at the latest",
        body=(),
        notes=(),
        buttons=(),
        posted=True,
        repeatable=False,
        data={"follow": follow.id, "pod": request.pod.name, "container": request.container},
    )


ONCE = "`/agentpod logs`, which reads once."


def too_many(running: Sequence[Follow], of: str, seen: Sequence[Follow]) -> Reply:
    """The refusal where as many logs are followed as may be; ``of`` completes "of …".

    Only those in ``seen`` are named: whoever asks may read their targets' logs.
    """
    lines: list[Line] = [
        (f"{one.request.name}, until {_end(one)}, for ", Mention(one.user), f" ({one.id})") for one in seen
    ]
    count = words.plural(len(running), "log")
    return Reply(
        f"Not followed: {count}{of} {'is' if len(running) == 1 else 'are'} being followed already",
        body=(*lines, f"Stop one, or use {ONCE}" if seen else f"Use {ONCE}"),
        buttons=tuple(Button(f"Stop {one.id}", f"logs stop {one.id}") for one in seen),
        shareable=False,
        data={"error": "TooManyFollows"},
    )


def stopped(follow: Follow) -> Reply:
    """The answer to a click on Stop."""
    return Reply(f"The log of {follow.request.name} is not followed any more", shareable=False)


def passed_on(id_: str) -> Reply:
    """The answer where another replica may follow it."""
    return Reply(
        f"{id_} is not followed here; if another replica follows it, it stops within seconds",
        shareable=False,
        repeatable=False,
    )


def not_running(running: Sequence[Follow], id_: str | None) -> Reply:
    """The answer where nothing of that id is followed, or where none was given and there are several."""
    lines: list[Line] = [
        (f"{one.id}: {one.request.name}, until {_end(one)}, for ", Mention(one.user)) for one in running
    ]
    return Reply(
        "Nothing to stop: no log is being followed"
        if not running
        else "Which one? These logs are being followed"
        if id_ is None
        else "That log is no longer followed; these are",
        body=tuple(lines),
        buttons=tuple(Button(f"Stop {one.id}", f"logs stop {one.id}") for one in running),
        shareable=False,
        repeatable=False,
    )
