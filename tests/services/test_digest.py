"""The digest from the watchers' data: unavailable sources, missed days, old history, no picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.schedule import Daily, Schedule
from bot.adapters.sinks.anchor_file.file import AnchorFile
from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply, plain
from bot.domain.digest.day import Day
from bot.domain.digest.when import When
from bot.domain.incidents import alerting
from bot.domain.incidents.problem import Problem
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.domain.rbac.access import Identity
from bot.errors import NotFound, Permanent
from bot.runbook.context import Caller
from bot.services.digest.anchor_messages import FILE, AnchorMessages
from bot.services.digest.post_digest import ANCHORS, DigestMessages, DigestPost
from bot.services.digest.retention import HistoryRetention
from bot.services.incidents.poll_coverage import pod_coverage
from bot.settings.model import Settings
from bot.wiring.incidents import Watching
from bot.wiring.outbox import Outbox
from bot.wiring.parts import Parts
from bot.wiring.watchers import Watchers
from tests.services.watchbench import AWAY, Watch, policies, watch
from tests.services.workbench import OPS, START, opened, pod
from tests.times import utc

WHEN = When(time(9), "UTC")
TODAY = START.date()


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Watchers that saw both jobs and the pod at nine."""
    async with opened(tmp_path) as ledger:
        made = watch(ledger)
        made.outbox_worker.kinds = made.outbox_worker.kinds.with_(news(made).kinds(OPS))
        await look(made)
        yield made


def news(one: Watch, **more: bool) -> DigestMessages:
    return DigestMessages(one.ledger, one.clock, [one.target], WHEN, None, one.rules, **more)


def post(one: Watch) -> DigestPost:
    return DigestPost(one.ledger, one.clock, WHEN, OPS)


async def look(one: Watch) -> None:
    """Both jobs push, and the bot polls everything."""
    one.source.push("alpha")
    one.source.push("beta")
    await one.look()
    await one.see()


async def pass_(one: Watch, minutes: int, *, pod: bool = True, jobs: bool = True) -> None:
    """Let time pass, minute by minute, while the bot polls the pod, the jobs, or both."""
    for _ in range(minutes):
        one.clock.pass_(minutes=1)
        one.source.push("alpha")
        one.source.push("beta")
        one.source.error = None if jobs else AWAY
        await one.look()
        if pod:
            await one.see()


def text(reply: Reply) -> str:
    return "\n".join([reply.headline, *map(plain, reply.body), *reply.notes])


async def test_unavailable_pushgateway_leaves_the_pod_s_day_known(one: Watch) -> None:
    await pass_(one, 60, jobs=False)
    await pass_(one, 3)
    said = (await news(one).digest(TODAY)).headline
    assert "pod up 100 % of 1 h 3 min with data" in said, "from nine on"
    assert "no data on the jobs for 10 h" in said, "before nine as well"


async def test_unpolled_pod_leaves_the_jobs_day_known(one: Watch) -> None:
    await pass_(one, 60, pod=False)
    await pass_(one, 3)
    said = (await news(one).digest(TODAY)).headline
    assert "pod up 100 % of 2 min with data" in said
    assert "no data on the pod for 10 h 1 min" in said


async def test_pod_is_unknown_from_the_last_poll_on(one: Watch) -> None:
    await pass_(one, 10)
    await pass_(one, 60, pod=False)
    assert "no data on the pod for 10 h, pod up 100 % of 10 min" in (await news(one).digest(TODAY)).headline


async def test_ended_incidents_of_the_day_are_listed_but_for_those_of_jobs(one: Watch) -> None:
    await pass_(one, 60)
    for source, subject, summary in (
        ("process", "sshd", "is not running"),
        ("storage", "the disk of /home/agent", "is 97 % full"),
        ("heartbeat", "alpha", "no heartbeat since 09:00"),
    ):
        await ended(one, source, subject, summary)
    said = utc(await news(one).digest(TODAY), START).body
    assert [line for line in said if "over after" in line] == [
        "✅ 09:10 UTC, sshd is not running: over after 12 min",
        "✅ 09:10 UTC, the disk of /home/agent is 97 % full: over after 12 min",
    ]
    yesterday = (await news(one).digest(TODAY - timedelta(days=1))).body
    assert not [line for line in yesterday if "over after" in str(line)]


async def ended(one: Watch, source: str, subject: str, summary: str) -> None:
    """Save an incident that lasted from 09:10 to 09:22."""
    since, kind = START + timedelta(minutes=10), "heartbeat" if source == "heartbeat" else "pod"
    key = f"{source}:{one.target.name}:{subject}"
    problem = Problem(key, kind, one.target.name, subject, summary, "critical", since)
    incident = alerting.decide(None, problem, one.incidents.rules, since)
    for minutes in (12, 20):
        incident = alerting.decide(incident, None, one.incidents.rules, since + timedelta(minutes=minutes))
    assert incident is not None
    async with one.ledger.writing() as tx:
        await tx.save_incidents([incident])


async def test_digest_without_a_pushgateway_has_the_pod(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = watch(ledger)
        await one.see()
        for _ in range(60):
            await one.see(minutes=1)
        reply = await news(one, heartbeats=False).digest(TODAY)
    assert "no data on the pod for 9 h, pod up 100 % of 1 h with data" in reply.headline
    assert "job" not in reply.headline
    assert "of the pod only" in reply.notes[0]


async def test_not_every_poll_is_saved(one: Watch) -> None:
    before = await one.ledger.mark(pod_coverage(one.target.name).last)
    await one.see(minutes=0.1)
    assert await one.ledger.mark(pod_coverage(one.target.name).last) == before
    await one.see(minutes=0.3)
    assert await one.ledger.mark(pod_coverage(one.target.name).last) != before


async def test_paused_and_never_seen_jobs_are_not_on_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        jobs = (*policies("alpha"), *policies("beta", paused=True), *policies("gamma", required=False))
        one = watch(ledger, jobs=jobs)
        await look(one)
        one.clock.pass_(days=1)
        await look(one)
        await pass_(one, 60)
        reply = await news(one).digest(TODAY + timedelta(days=1))
    assert "⏸️ beta: paused" in text(reply)
    assert "🙈 gamma: never seen" in text(reply)


async def test_downtime_in_maintenance_is_not_counted(tmp_path: Path) -> None:
    move = {"name": "move", "start": START.isoformat(), "lasts": "2h"}
    async with opened(tmp_path) as ledger:
        one = watch(ledger, maintenance=[move])
        await look(one)
        one.cluster.pods_ = []
        for _ in range(60):
            one.clock.pass_(minutes=1)
            one.source.push("beta")
            await one.look()
            await one.see()
        one.cluster.pods_ = [pod(2)]
        await pass_(one, 120)
        assert one.chat.said == []
        reply = await news(one).digest(TODAY)
        [day] = reply.data["days"]  # type: ignore[misc]
    assert "pod up 100 % of 3 h with data outside maintenance" in reply.headline
    assert "🛠️ pod (1 h) and alpha (51 min): not up in maintenance; not counted." in reply.body
    assert [lane["down"] for lane in (day["pod"], *day["jobs"])] == [0.0, 0.0, 0.0]


async def test_job_added_later_is_not_counted_the_day_before(one: Watch) -> None:
    one.clock.pass_(hours=15)
    await pass_(one, 1)
    added = watch(one.ledger, like=one, jobs=policies("alpha", "beta", "gamma"))
    one.source.push("gamma")
    await pass_(added, 1)
    [yesterday] = (await news(added).digest(TODAY)).data["days"]  # type: ignore[misc]
    [today] = (await news(added).digest(TODAY + timedelta(days=1))).data["days"]  # type: ignore[misc]
    assert [job["name"] for job in yesterday["jobs"]] == ["alpha", "beta"]
    assert [job["name"] for job in today["jobs"]] == ["alpha", "beta", "gamma"]


# -- missed


async def test_missed_days_are_named_in_the_next_digest(one: Watch) -> None:
    await post(one).post()
    one.clock.pass_(days=3, hours=1)
    await look(one)
    assert await post(one).post()
    await one.deliver()
    assert [plain(line) for line in one.chat.said[-1][2].body[:2]] == [
        "This digest is 1 h late: it could not be posted at its time.",
        "No digest was posted for 24 and 25 November: the bot was off.",
    ]
    buttons = [b.command for b in one.chat.said[-1][2].buttons]
    assert buttons[-2:] == ["digest 2026-11-24", "digest 2026-11-25"]


async def test_bot_that_polled_is_not_called_offline(one: Watch) -> None:
    """The settings had no digest for a while."""
    await post(one).post()
    one.clock.pass_(hours=47.9)
    await pass_(one, 10)
    one.clock.pass_(hours=24)
    await post(one).post()
    await one.deliver()
    assert "No digest was posted for 24 and 25 November." in one.chat.said[-1][2].body


async def test_digest_after_a_posted_one_names_no_missed_days(one: Watch) -> None:
    await post(one).post()
    for _ in range(2):
        one.clock.pass_(days=1)
        await look(one)
        assert await post(one).post()
        await one.deliver()
    assert not any("No digest was posted" in text(reply) for _, _, reply in one.chat.said)


async def test_digest_has_an_anchor_of_the_audit_trail(one: Watch) -> None:
    await post(one).post()
    async with one.ledger.writing() as tx:
        await tx.record(one.clock.now(), "read", "U1", "logs")
    one.clock.pass_(days=1)
    await look(one)
    assert await post(one).post()
    [last] = [r async for r in one.ledger.records(newest=True, limit=1)]
    async with one.ledger.writing() as tx:
        await tx.record(one.clock.now(), "read", "U1", "after the anchor")
    await one.deliver()
    notes = one.chat.said[-1][2].notes
    count = f"{last.number:,} record{'' if last.number == 1 else 's'}"
    assert f"Audit trail: {count}, anchor {last.number}:{last.digest}" in notes
    assert Outside().of(notes) == notes, "redaction leaves it whole"


async def test_digest_of_an_empty_trail_has_no_anchor(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        made = watch(ledger)
        await post(made).post()
        made.clock.pass_(days=1)
        assert await post(made).post()
        assert await ledger.mark(ANCHORS) is None


async def test_the_anchor_is_appended_to_its_file_once_per_digest(one: Watch, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    outbox = one.outbox_worker
    outbox.kinds = outbox.kinds.with_(AnchorMessages(one.ledger).kinds())
    outbox.sinks = outbox.sinks.with_([AnchorFile(str(path))])
    job = DigestPost(one.ledger, one.clock, WHEN, OPS, anchor_to={FILE: "file"})
    await job.post()
    for day in (1, 2):
        one.clock.pass_(days=1)
        async with one.ledger.writing() as tx:
            await tx.record(one.clock.now(), "read", "U1", "logs")
        assert await job.post()
        await one.deliver()
        assert len(path.read_text().splitlines()) == day
    assert anchors.kept(path.read_text()) == anchors.kept(await one.ledger.mark(ANCHORS) or "")


class SentTo:
    """A sink of that name that keeps what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.came: list[Anchor] = []

    async def deliver(self, message: OutboxMessage, content: Anchor) -> MessageRef:
        self.came.append(content)
        return MessageRef(message.key.kind, message.key.rest)

    async def close(self) -> None:
        pass


async def test_the_settings_anchor_file_and_url_get_the_digest_s_anchor(one: Watch, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    given = {"slack": {"channel": OPS}, "ledger": {"anchor": {"file": str(path), "url": "http://h.test/"}}}
    settings, enqueued = Settings.model_validate(given), asyncio.Event()
    await post(one).post()
    one.clock.pass_(days=1)
    async with one.ledger.writing() as tx:
        await tx.record(one.clock.now(), "read", "U1", "logs")
    cluster = one.cluster
    watching = Watching(
        settings,
        one.ledger,
        one.clock,
        lambda _: cluster,  # type: ignore[arg-type,return-value]
        None,
        changed=enqueued.set,
    )
    task = asyncio.create_task(Watchers(watching).tasks(lambda: True)["digest"]())
    await asyncio.wait_for(enqueued.wait(), 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    outbox = Outbox(settings, one.ledger, one.clock, Outside())
    one.outbox_worker.kinds = outbox.kinds
    assert outbox.sinks.names == ("anchor_file", "anchor_url")
    url = SentTo("anchor_url")
    sinks = [url if sink.name == url.name else sink for sink in outbox.sinks]
    one.outbox_worker.sinks = one.outbox_worker.sinks.with_(sinks)
    await one.deliver()
    [last] = [r async for r in one.ledger.records(newest=True, limit=1)]
    [anchor] = anchors.kept(path.read_text()).anchors
    assert url.came == [anchor]
    assert (anchor.number, anchor.digest) == (last.number, last.digest)
    parts = Parts.build(settings)
    caller = Caller(Identity(user="maya", channel="terminal"), "terminal")
    store = parts.context("agentpod")(None, caller, "req-1", _silent).anchor_store
    await parts.close()
    assert store is not None
    assert (await store.anchors()).anchors == [anchor]


async def _silent(_: Reply) -> None:
    """Discard progress."""


async def test_an_anchor_that_the_ledger_has_no_more_is_given_up(one: Watch) -> None:
    for kind in AnchorMessages(one.ledger).kinds():
        with pytest.raises(NotFound, match="no anchor of '2026-01-01' any more"):
            await kind.render(OutboxMessage(MessageKey.of(kind.name, "2026-01-01"), "file"))


class Missed(Daily):
    """A schedule whose first time was two hours ago."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now - timedelta(hours=2) if previous_fire_time is None else now + timedelta(days=1)


async def test_missed_schedule_is_made_up_for() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    schedule = Schedule()
    schedule.daily("digest", Missed(time(9), "UTC"), work)
    schedule.start()
    try:
        await asyncio.wait_for(done.wait(), 5)
    finally:
        schedule.stop()


# -- old history


async def test_long_gap_stays_unknown_after_the_history_is_deleted(one: Watch) -> None:
    one.clock.pass_(days=40)
    await look(one)
    await HistoryRetention(one.ledger, one.clock).drop()
    assert "no data" in (await news(one).digest(TODAY + timedelta(days=35))).headline


async def test_old_history_is_deleted_where_no_digest_is_posted(one: Watch) -> None:
    settings = Settings.model_validate({"digest": {"at": ""}})
    watching = Watching(settings, one.ledger, one.clock, lambda _: one.cluster, None)  # type: ignore[arg-type,return-value]
    tasks = Watchers(watching).tasks(lambda: True)
    assert "digest" not in tasks
    assert "history" in tasks
    assert "retention" in tasks


# -- no picture


@dataclass
class Cannot:
    """A painter that fails."""

    error: Exception

    def day(self, day: Day, zone: str) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Permanent("Pillow is not installed.", remedy="Install it."), "Pillow is not installed. Install it."),
        (OSError("disk"), "it could not be drawn (OSError); the bot's log has more."),
    ],
)
async def test_digest_without_its_picture_says_why(one: Watch, error: Exception, why: str) -> None:
    made = news(one)
    made.painter = Cannot(error)
    reply = await made.digest(date(2026, 11, 24))
    assert reply.images == ()
    assert f"Without its picture: {why}" in reply.notes
