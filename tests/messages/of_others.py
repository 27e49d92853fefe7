"""Messages of other features: the digest, followed logs, times offline, and Slack's own answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

from bot.adapters.sinks.slack import COPY
from bot.adapters.slack import intake, modal_answer, request_handler, shortcuts
from bot.domain.approvals.approval import Choice
from bot.domain.core.history import HistoryEvent
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.digest.checks import ChecksRead, NotOk
from bot.domain.follow import messages as follow
from bot.domain.follow.messages import Follow
from bot.domain.follow.request import End, FollowRequest
from bot.domain.heartbeats.heartbeat import Health
from bot.domain.incidents.alerting import AlertRules
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy
from bot.services.digest.post_digest import KIND, DigestMessages, When
from bot.services.heartbeats import own_heartbeat
from bot.services.heartbeats.own_heartbeat import OfflineMessages
from bot.services.incidents.poll_coverage import heartbeat_coverage, pod_coverage
from bot.services.welcome.welcomes import Welcomes
from sandbox.slack import seed
from tests.commands.fakes import FakeClock, pod
from tests.handbook import TARGET
from tests.messages.example import NOW, Example, answer, message
from tests.scenarios.yesterday import BEATS, good, happenings
from tests.services.workbench import Bench, bench, opened

RULES = AlertRules()
WHEN = When(time(9), "UTC")
YESTERDAY = NOW.date() - timedelta(days=1)
WATCHED = TARGET.model_copy(update={"heartbeats": tuple(HeartbeatPolicy.model_validate(b) for b in BEATS)})


async def digests(folder: Path) -> AsyncIterator[Example]:
    """The digest of good and of bad days, in time and late."""
    for title, events in (
        ("a good day", good(YESTERDAY)),
        ("a bad day", happenings(YESTERDAY)),
        ("an unwatched day", []),
    ):
        place = folder / title.replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        async with opened(place) as ledger:
            one = bench(ledger)
            one.clock.time = NOW - timedelta(hours=20)
            await _prepared(one, events, bad=title == "a bad day")
            made = DigestMessages(ledger, FakeClock(), [WATCHED], WHEN, None, RULES)
            read = ChecksRead(NOW, (NotOk(TARGET.name, "disk", "Disk", Verdict.WARN, "85 % used, 3.1 GiB free"),))
            yield message(
                "Digest",
                title,
                await made.digest(YESTERDAY, read if title == "a bad day" else None),
                ("kind digest",),
            )
            late = await made._write(_outbox(KIND, f"{NOW.date()}:{NOW.date() - timedelta(days=4)}"))
            yield message("Digest", f"{title}, late and after missed days", late, ("kind digest",))
            await one.executor.stop(1)


async def _prepared(one: Bench, events: list[HistoryEvent], *, bad: bool) -> None:
    async with one.ledger.writing() as tx:
        if not events:
            return
        await tx.add_history(events)
        names = [str(beat["job"]) for beat in BEATS]
        await tx.save_job_states(TARGET.name, [JobState(n, NOW, health=Health.UP, since=NOW) for n in names])
        for looks in (heartbeat_coverage(RULES), pod_coverage(TARGET.name)):
            await tx.set_mark(looks.first, (NOW - timedelta(days=9)).isoformat())
            await tx.set_mark(looks.last, NOW.isoformat())
    if bad:
        repair = await one.ask(seed.MAYA, reason="session-manager hangs")
        await one.say(repair, Choice.APPROVE, seed.JONAS)
        await one.ended(repair)
        await one.ask(seed.MAYA, reason="another try")


def _outbox(kind: str, rest: str) -> OutboxMessage:
    return OutboxMessage(MessageKey(f"{kind}:{rest}"), seed.OPS)


async def offline() -> AsyncIterator[Example]:
    """The message about a time in which the bot was not connected."""
    since = (NOW - timedelta(hours=1)).isoformat()
    [kind] = OfflineMessages().kinds(seed.OPS)
    reply = await kind.render(_outbox(own_heartbeat.KIND, f"{since}|{NOW.isoformat()}"))
    yield message("Own state", "the bot was offline", reply, (f"kind {kind.name}",))


def follows() -> Iterator[Example]:
    """The messages above a followed log."""
    request = FollowRequest(TARGET, pod(), "kali", notes=("Only lines with sshd",))
    running = Follow("f-7kq2", request, seed.MAYA, NOW, NOW + timedelta(minutes=10))
    held = replace(running, trouble="the API server does not answer")
    end = End("kali restarted (OOMKilled, exit code 137).", previous=True)
    ended = replace(running, ended=NOW + timedelta(minutes=4), end=end, lines=1_240, skipped=300)
    stopped = replace(ended, end=End("stopped"), stopped_by=seed.JONAS)
    other = replace(running, id="f-9xw4", request=replace(running.request, container="web"), user=seed.JONAS)
    for title, reply in (
        ("running", follow.head(running)),
        ("running, no lines come", follow.head(held)),
        ("ended with its container", follow.head(ended)),
        ("stopped", follow.head(stopped)),
        ("started, to the one who asked", follow.started(running)),
        ("too many", follow.too_many([running, running], f" of {TARGET.name}", [running])),
        ("stopped, to the one who clicked", follow.stopped(stopped)),
        ("passed on to another replica", follow.passed_on("f-7kq2")),
        ("nothing to stop", follow.not_running([], None)),
        ("that one has ended", follow.not_running([running], "f-7kq2")),
        ("which one", follow.not_running([running, other], None)),
    ):
        yield message("Followed logs", title, reply, ("follow",))


def welcomes() -> Iterator[Example]:
    """The welcome of people with different roles, and of channels."""
    made = Welcomes(None, AccessPolicy(contact=seed.PRIYA), "/agentpod")  # type: ignore[arg-type]
    for role in (roles.NONE, roles.VIEWER, roles.OPERATOR, roles.APPROVER, roles.AUDITOR):
        title = f"the welcome of a person, role {role}"
        yield message("Slack", title, made.to_person(role.may), ("kind welcome",), private=True)
    for role in (roles.NONE, roles.VIEWER):
        title = f"the welcome of a channel, role {role}"
        yield message("Slack", title, made.to_channel(role.may), ("kind welcome",))


def slack() -> Iterator[Example]:
    """What the Slack adapter says itself."""
    for title, text in (
        ("a button that is not the bot's", request_handler._NOT_OURS),
        ("the same click is being answered", request_handler._RUNNING),
        ("too many commands wait", intake._TOO_MUCH),
        ("a form opened", "📝 Fill in the form that opened"),
        ("a copy may be above", COPY),
    ):
        yield message("Slack", title, Reply(text, shareable=False), ("slack",), private=True)
    elsewhere = Reply("Mon 23 Nov: no problems", body=(modal_answer.ELSEWHERE,))
    for title, line, reply in (
        ("a click in the Home tab, at first", "status", modal_answer.WAIT),
        ("an answer that does not fit above the Home tab", "digest", elsewhere),
        ("a shortcut on a message that is no alert", "", Reply(shortcuts._NO_ALERT)),
        ("a shortcut on a message about several incidents", "", Reply(shortcuts._SEVERAL)),
        ("a shortcut of an old manifest", "", Reply(shortcuts._UNKNOWN)),
    ):
        yield answer("Slack", title, line, reply, ("slack",))


async def examples(folder: Path) -> AsyncIterator[Example]:
    """All other messages."""
    async for one in digests(folder):
        yield one
    async for one in offline():
        yield one
    for each in (*follows(), *welcomes(), *slack()):
        yield each
