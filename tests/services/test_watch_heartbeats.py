"""From a missed heartbeat to the message in Slack: no false alert, none doubled, none lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from bot.adapters.schedule import Daily
from bot.domain.approvals.approval import Choice
from bot.domain.core.registry import Registry
from bot.domain.core.workload import Termination
from bot.domain.digest.when import When
from bot.domain.heartbeats.heartbeat import Health
from bot.domain.incidents.alerting import IncidentState
from bot.domain.incidents.problem import Reason
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import AgentpodError, NotFound, Permanent, Refused, TimedOut, Transient, Uncertain, UsageError
from bot.services.digest.post_digest import KIND, DigestMessages, DigestPost
from bot.services.incidents.issue_messages import IssueMessages, issue_keys
from bot.services.outbox.reroute import PendingRerouter
from tests.services.watchbench import AWAY, CRITICAL, Watch, down, on, policies, stale, watch, watched
from tests.services.workbench import OPS, START, FakeChat, opened, pod


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Watchers that saw both jobs at nine."""
    async with watched(tmp_path) as made:
        yield made


async def test_first_heartbeat_posts_nothing(one: Watch) -> None:
    assert one.chat.said == []


async def test_alert_is_one_message_with_a_thread(one: Watch) -> None:
    await stale(one)
    [incident] = await one.ledger.incidents(live=True)
    assert incident.problem.since == START + timedelta(minutes=10), "the deadline, not the look"
    await one.incidents.acknowledge(incident.id, "U1")
    await one.deliver()
    assert one.first_lines()[0].startswith("👀 CRITICAL alpha")
    one.source.push("alpha")
    await one.look(1)
    assert one.first_lines() == ["🌤️ alpha sends heartbeats again, resolved if it stays so"]
    await one.look(1)
    assert one.first_lines() == ["✅ alpha sends heartbeats again after being overdue for 2 min"]
    assert [line.split(" until ")[0] for line in one.thread()] == [
        "👀 Acknowledged, no more reminders",
        "✅ alpha sends heartbeats again after being overdue for 2 min",
    ]


async def test_restarted_or_second_bot_repeats_nothing(one: Watch) -> None:
    await stale(one)
    other = watch(one.ledger, like=one)
    await other.look(1)
    await one.look()
    assert len(one.chat.said) == 1
    for _ in range(4):
        await on(other, 1, "alpha", "beta")
        await one.look()
    assert one.first_lines() == ["✅ alpha sends heartbeats again after being overdue for 3 min"]
    assert len(one.thread()) == 1


async def test_vanished_series_goes_on_ageing_also_after_a_restart(one: Watch) -> None:
    del one.source.groups[(("job", "alpha"),)]
    await on(one, 5, "beta")
    assert one.chat.said == []
    other = watch(one.ledger, like=one)
    await on(other, 6, "beta")
    assert one.first_lines() == [CRITICAL]
    await on(other, 60, "beta")
    assert not [line for line in one.first_lines() if "again" in line], "absence is no heartbeat"


async def test_source_that_lost_all_heartbeats_is_reported_and_no_job_is_stale(one: Watch) -> None:
    one.source.groups.clear()
    other = watch(one.ledger, like=one)  # another process: only the ledger knows what was held before
    for _ in range(30):
        await other.look(1)
    assert one.first_lines() == ["⚠️ WARNING the Pushgateway has lost all heartbeats"]
    [told] = one.chat.shown.values()
    assert [f.value for f in told.facts if f.label == "Why"] == ["It answers, and holds no heartbeats at all."]
    for _ in range(4):
        await on(other, 1, "beta")
    assert sorted(one.first_lines()) == [
        "✅ The Pushgateway holds heartbeats again after 31 min",
        CRITICAL,
    ], "once one series is back, those that are missing go on ageing"


async def test_unavailable_source_is_reported_once_and_no_job_is_stale(one: Watch) -> None:
    one.source.error = AWAY
    for _ in range(30):
        await one.look(1)
    [line] = one.first_lines()
    assert line == "⚠️ WARNING the Pushgateway can't be reached"
    [told] = one.chat.shown.values()
    assert [f.value for f in told.facts if f.label == "Why"] == [AWAY.message]
    assert one.thread() == []
    one.source.error = None
    one.source.push("alpha")
    await one.look(1)
    assert len(one.first_lines()) == 1, "the first answer may be half of it"
    one.source.push("beta")
    await one.look(1)
    await one.look(2)
    assert one.first_lines() == ["✅ The Pushgateway can be reached again after 31 min"]


async def test_job_stale_after_an_outage_is_reported_then(one: Watch) -> None:
    one.source.error = AWAY
    for _ in range(30):
        await one.look(1)
    one.source.error = None
    one.source.push("beta")
    await one.look(1)
    assert len(one.first_lines()) == 1
    await one.look(1)
    assert CRITICAL in one.first_lines()
    assert not any("beta" in line for line in one.first_lines())


async def test_one_or_two_failed_polls_are_no_incident(one: Watch) -> None:
    for _ in range(5):
        one.source.error = AWAY
        await one.look(0.5)
        await one.look(0.5)
        one.source.error = None
        one.source.push("alpha")
        one.source.push("beta")
        await one.look(0.5)
    assert one.chat.said == []


async def test_deadline_during_an_outage_is_not_judged(one: Watch) -> None:
    one.source.error = AWAY
    for _ in range(2):
        await one.look(6)
    async with one.ledger.writing() as tx:
        assert {m.health for m in (await tx.job_states()).values()} == {Health.UP}, (
            "as it was when it was last seen"
        )
        assert await tx.newest_incidents(START) == {}
    one.source.error = None
    one.source.push("alpha")
    one.source.push("beta")
    await one.look(1)
    assert one.chat.said == []


async def test_failed_push_is_reported_and_resolved_by_a_newer_success(one: Watch) -> None:
    one.clock.pass_(minutes=1)
    one.source.fail("alpha")
    await one.look()
    assert one.first_lines() == ["🔴 CRITICAL alpha: its last push failed"]
    one.clock.pass_(minutes=1)
    one.source.push("alpha")
    await one.look()
    await one.look(2)
    assert one.first_lines() == ["✅ alpha's pushes are accepted again after 1 min"]
    shown = next(reply for reply in one.chat.shown.values() if reply.facts)
    assert {fact.label for fact in shown.facts} == {"Since", "Until", "Was"}, "it was never overdue"


@pytest.mark.parametrize("required", [True, False])
async def test_job_never_seen_is_stale_only_when_required(tmp_path: Path, required: bool) -> None:
    async with opened(tmp_path) as ledger:
        made = watch(ledger, jobs=policies("gamma", required=required))
        await made.look()
        await made.look(9)
        assert made.first_lines() == []
        await made.look(2)
        expected = ["🔴 CRITICAL gamma has never sent a heartbeat"] if required else []
        assert made.first_lines() == expected


async def test_evaluation_that_the_ledger_lost_is_made_up_for(one: Watch) -> None:
    one.source.push("beta", at=(START + timedelta(minutes=10)).timestamp())
    one.clock.pass_(minutes=11)
    save = one.incidents.save

    async def lost(*_: object) -> object:
        raise Transient("the disk is full")

    one.incidents.save = lost  # type: ignore[method-assign, assignment]  # the database goes away in the middle
    with pytest.raises(Transient):
        await one.heartbeats.tick()
    one.incidents.save = save  # type: ignore[method-assign]
    await one.look()
    assert one.first_lines() == [CRITICAL]


# Slack


async def test_alert_resolved_before_it_was_posted_is_dropped(one: Watch) -> None:
    one.clock.pass_(minutes=11)
    one.source.push("beta")
    one.chat.errors = [Transient("Slack answered 500.")] * 50
    await one.look()
    one.source.push("alpha")
    one.source.push("beta")
    await one.look(1)
    await one.look(2)
    one.chat.errors.clear()
    await one.look(2)
    assert one.chat.said == []
    assert await one.ledger.waiting() == 0


async def test_deleted_message_is_posted_again(one: Watch) -> None:
    await stale(one)
    one.chat.shown.clear()
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.acknowledge(incident.id, "U1")
    await one.deliver()
    assert [r.headline[:1] for _, t, r in one.chat.said if t is None] == ["🔴", "👀"]


async def test_permanently_refused_message_is_given_up(one: Watch) -> None:
    one.chat.errors = [NotFound("There is no channel C07OPSPOD01 (channel_not_found).")]
    await one.look(11)
    dead = await one.ledger.dead(START)
    assert [d.key[:9] for d in dead] == ["incident:"]
    assert "channel_not_found" in dead[0].error


RIGHT = "C07RIGHT001"


async def test_pending_alerts_move_to_the_new_channel_at_once(one: Watch) -> None:
    one.chat.errors = [NotFound("There is no channel C07OPSPOD01 (channel_not_found).")]  # one is given up,
    one.chat.refuses = OPS  # and one is tried again
    await one.look(11)
    assert await PendingRerouter(one.ledger, one.clock, {"incident": RIGHT}).move() == 2
    await one.deliver()
    assert [(place, reply.headline[:10]) for place, _, reply in one.chat.said] == [(RIGHT, "🔴 CRITICAL")] * 2
    assert await one.ledger.dead(START) == []


async def test_resolved_alert_for_a_wrong_channel_is_dropped(one: Watch) -> None:
    one.chat.refuses = OPS
    await one.look(11)
    one.source.push("alpha")
    one.source.push("beta")
    await one.look(1)
    await one.look(2)
    await PendingRerouter(one.ledger, one.clock, {"incident": RIGHT}).move()
    await one.deliver()
    assert one.chat.said == []
    assert await one.ledger.waiting() == 0


async def test_ten_at_once_are_one_group_message_with_a_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))))
        for n in range(12):
            many.source.push(f"job-{n:02}")
        await many.look()
        await many.look(11)
        assert many.first_lines() == ["🔴 CRITICAL 12 incidents at once: job-00, job-01 and 10 more"]
        assert len(many.thread()) == 12


async def test_group_shows_each_end_in_place_and_one_notice_at_last(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))))
        await many.look()
        await many.look(11)
        for _ in range(3):
            for n in range(11):
                many.source.push(f"job-{n:02}")
            await many.look(1)
        assert many.first_lines() == ["🔴 CRITICAL 1 of 12 incidents at once: job-11"]
        assert sum(line.startswith("✅ job-") for line in many.chat.headlines()) == 11
        assert len(many.thread()) == 12, "nothing is posted beside what is edited"
        for _ in range(3):
            many.source.push("job-11")
            await many.look(1)
        assert many.first_lines() == ["✅ All 12 incidents are over: job-00, job-01 and 10 more"]
        assert many.thread()[12:] == ["✅ All 12 incidents are over, after 5 min"]
        assert await ledger.waiting() == 0


async def test_updates_in_a_group_go_into_the_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))))
        await many.look()
        await many.look(11)
        [acked, *_] = await ledger.incidents(live=True)
        await many.incidents.acknowledge(acked.id, "U1")
        await many.look(60 * 13)
        assert [line[:1] for line in many.thread()[12:]] == ["👀", *["⏰"] * 12]


async def test_group_end_is_posted_though_the_last_has_its_own_message(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))))
        await many.look()
        many.clock.pass_(minutes=0.5)
        for n in range(1, 12):
            many.source.push(f"job-{n:02}")
        await many.look(0.1)
        await many.look(9.5)
        await many.look(0.5)
        assert [line.partition(":")[0] for line in many.first_lines()] == [
            "🔴 CRITICAL job-00 has never sent a heartbeat",
            "🔴 CRITICAL 12 incidents at once",
        ]
        for last in (False, True):
            for _ in range(3):
                for n in range(0 if last else 1, 12):
                    many.source.push(f"job-{n:02}")
                await many.look(1)
        said = [(thread, r.headline) for _, thread, r in many.chat.said if r.headline.startswith("✅")]
        assert sorted(said) == [
            ("1.0", "✅ job-00 sends heartbeats again after being overdue for 4 min 36 s"),
            ("2.0", "✅ All 12 incidents are over, after 4 min 36 s"),
        ]


async def test_end_of_an_unposted_group_is_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))), keep_firing="0s")
        await many.look()
        many.chat.errors = [Transient("Slack can't be reached.")] * 100
        await many.look(11)
        for n in range(12):
            many.source.push(f"job-{n:02}")
        await many.look(1)
        many.chat.errors.clear()
        await many.look(2)
        assert many.chat.said == []
        assert await ledger.waiting() == 0


async def test_nine_at_once_are_nine_messages(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n}" for n in range(9))))
        for n in range(9):
            many.source.push(f"job-{n}")
        await many.look()
        await many.look(11)
        assert len(many.first_lines()) == 9


async def test_tenth_within_a_minute_makes_a_group_and_nine_keep_their_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n}" for n in range(10))))
        for n in range(9):
            many.source.push(f"job-{n}")
        await many.look()
        many.clock.pass_(minutes=0.5)
        many.source.push("job-9")
        await many.look()
        await many.look(9.5)
        assert len(many.first_lines()) == 9
        await many.look(0.5)
        assert many.first_lines()[9] == "🔴 CRITICAL 10 incidents at once: job-9, job-0 and 8 more"
        assert "Each has its own message, in the thread or above." in many.chat.shown["10.0"].body
        assert [(t, r.headline[:16]) for _, t, r in many.chat.said[10:]] == [("10.0", "🔴 CRITICAL job-9")]
        for n in range(10):
            many.source.push(f"job-{n}")
        await many.look(1)
        await many.look(2)
        assert many.first_lines()[9].startswith("✅ All 10 incidents are over")
        ends = {t: r.headline for _, t, r in many.chat.said[11:]}
        assert len(many.chat.said) == 21
        assert set(ends) == {f"{n}.0" for n in range(1, 11)}, "each where it was told"
        first = many.chat.said[0][2].headline.split()[2]
        assert ends["1.0"].startswith(f"✅ {first.rstrip(':')} sends")
        assert ends["10.0"].startswith("✅ All 10 incidents are over, after"), "its own message shows its end"


async def test_group_message_is_right_among_many_incidents(one: Watch) -> None:
    jobs = [f"job-{n}" for n in range(12)]
    many = watch(one.ledger, like=one, jobs=policies(*jobs))
    for job in jobs:
        one.source.push(job)
    await many.look()
    await many.look(10)
    assert one.first_lines() == ["🔴 CRITICAL 12 incidents at once: job-0, job-1 and 10 more"]
    [first, *_] = await one.ledger.incidents(live=True)
    newer = [
        replace(first, id=f"i-{n}", problem=replace(first.problem, key=f"n:{n}"), group="") for n in range(1100)
    ]
    async with one.ledger.writing() as tx:
        await tx.save_incidents([replace(i, opened_at=one.clock.time) for i in newer])
    for job in jobs:
        one.source.push(job)
    await many.look()
    await many.look(1)
    assert one.first_lines() == ["✅ All 12 incidents are over: job-0, job-1 and 10 more"]


async def test_fifty_flips_during_an_outage_of_slack_arrive_in_order_and_grouped(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(50))), keep_firing="0s")
        for n in range(50):
            many.source.push(f"job-{n:02}", at=(many.clock.time + timedelta(seconds=10 * n)).timestamp())
        await many.look(9)
        many.chat.errors = [Transient("Slack answered 429.", retry_after=30.0)] * 100_000
        for _ in range(20):
            await many.look(0.5)
        assert many.chat.said == []
        many.chat.errors.clear()
        for n in range(25):
            many.source.push(f"job-{n:02}")
        for _ in range(12):
            await many.look(0.5)
        assert len(many.first_lines()) == 1
        assert many.first_lines()[0].startswith("🔴 CRITICAL 25 of ")
        told = {n: [line for line in many.thread() if f"job-{n:02}" in line] for n in range(50)}
        assert {n for n, lines in told.items() if not lines} <= set(range(25)), "only those that were over by then"
        assert all(lines[0].startswith("🔴") for n, lines in told.items() if n >= 25)
        assert await ledger.waiting() == 0
        assert await ledger.dead(START) == []


async def test_unposted_incident_gets_no_update_in_a_group_s_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(12))), keep_firing="0s")
        for n in range(12):
            many.source.push(f"job-{n:02}")
        await many.look()
        many.chat.errors = [Transient("Slack can't be reached.")] * 100
        await many.look(11)
        many.source.push("job-00")
        await many.look(0.1)
        many.chat.errors.clear()
        await many.look(2)
        many.source.push("job-01")
        await many.look(0.1)
        assert many.first_lines() == ["🔴 CRITICAL 10 of 12 incidents at once: job-02, job-03 and 8 more"]
        assert [line.split(" ")[0] for line in many.thread()] == ["🔴"] * 11
        assert not any("job-00" in line for line in many.thread())
        assert await ledger.waiting() == 0


# People


async def test_snooze_is_quiet_and_notifies_once_when_it_ends(one: Watch) -> None:
    await stale(one)
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.snooze(incident.id, "U1", one.clock.time + timedelta(hours=8))
    for _ in range(16):
        await on(one, 30)
    await on(one, 1)
    assert [line.split(" ")[0] for line in one.thread()] == ["💤", "⏰"]
    assert one.thread()[1].startswith("⏰ The snooze is over, still firing, overdue for 8 h 1 min: alpha")


async def test_answers_are_audited_and_a_second_one_is_refused(one: Watch) -> None:
    await stale(one)
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.acknowledge(incident.id, "U1")
    with pytest.raises(Refused, match="it is acknowledged already"):
        await one.incidents.acknowledge(incident.id, "U2")
    with pytest.raises(UsageError, match="no incident with that id"):
        await one.incidents.acknowledge("i-nothing", "U2")
    trail = [(r.kind, r.actor, r.subject, r.data) async for r in one.ledger.records()]
    assert trail == [("incident", "U1", incident.id, {"what": "acknowledged"})]


async def test_watcher_sees_an_acknowledgement_of_a_cached_incident(one: Watch) -> None:
    await stale(one)
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.acknowledge(incident.id, "U1")
    for _ in range(10):
        await on(one, 30)
    [known] = await one.ledger.incidents(live=True)
    assert [n.reason for n in known.notices] == [
        Reason.FIRST_FIRING,
        Reason.ACKED,
    ]


# The pod


async def test_unhealthy_pod_is_an_incident_after_pod_for(one: Watch) -> None:
    await one.see()
    await one.see(down())
    await one.see(down(), 1.9)
    assert one.first_lines() == []
    await one.see(down(), 0.2)
    assert one.first_lines() == ["🔴 CRITICAL secure-agent-pod: kali keeps crashing"]
    await one.see([pod(1)], 1)
    await one.see([pod(1)], 2)
    assert one.first_lines() == ["✅ secure-agent-pod is well again after 3 min 6 s"]


async def test_manual_restart_is_no_alert(one: Watch) -> None:
    await one.see()
    await one.see([])
    await one.see([], 1)
    await one.see([pod(2)], 0.5)
    await one.see([pod(2)], 5)
    assert one.chat.said == []


async def test_oom_kill_is_reported_though_the_container_runs_again(one: Watch) -> None:
    await one.see()
    healthy = pod(1)
    ended = Termination("OOMKilled", 137, finished_at=one.clock.time)
    killed = [replace(healthy, containers=(replace(healthy.containers[0], last_termination=ended, restarts=1),))]
    await one.see(killed, 0.1)
    assert one.first_lines() == ["⚠️ WARNING secure-agent-pod: kali hit its memory limit at 09:00 UTC"]
    said = len(one.chat.said)
    await one.see(killed, 30)
    assert len(one.chat.said) == said


async def test_jobs_of_a_down_pod_are_excused_for_a_period_after(one: Watch) -> None:
    await one.see()
    one.clock.pass_(minutes=2)
    await one.see(down())
    for _ in range(20):
        await one.see(down(), 1)
        await one.look()
    assert [line for line in one.first_lines() if "alpha" in line or "beta" in line] == []
    await one.see([pod(1)], 1)
    await one.look(9)
    assert [line for line in one.first_lines() if "alpha" in line] == []
    await one.look(2)
    assert any("CRITICAL alpha" in line for line in one.first_lines())


async def test_job_outside_the_pod_is_not_excused_by_downtime(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = watch(ledger, jobs=policies("alpha", inside=False))
        world.source.push("alpha")
        await world.look()
        await world.see(down(), 1)
        await world.look(10)
        assert CRITICAL in world.first_lines()


async def test_failed_push_soon_after_downtime_is_not_excused(one: Watch) -> None:
    await one.see()
    await one.see(down(), 1)
    await one.see([pod(1)], 1)
    await on(one, 1, "alpha", "beta")
    one.source.fail("alpha")
    await on(one, 1, "beta")
    assert [line for line in one.first_lines() if "alpha" in line] == ["🔴 CRITICAL alpha: its last push failed"]


async def test_job_stale_before_the_downtime_is_not_excused(one: Watch) -> None:
    await one.see()
    one.clock.pass_(minutes=11)
    one.source.push("beta")
    await one.see(down())
    await one.look()
    assert CRITICAL in one.first_lines()


@pytest.mark.parametrize("seen", [True, False], ids=["the-pod-is-seen-to-go", "nobody-looks-at-the-pod"])
async def test_approved_restart_makes_no_alert(tmp_path: Path, seen: bool) -> None:
    from tests.services.workbench import JONAS, bench

    async with opened(tmp_path) as ledger:
        world = watch(ledger)
        repairs = bench(ledger)
        repairs.clock, repairs.executor.clock, repairs.approval_service.clock = (
            world.clock,
            world.clock,
            world.clock,
        )
        for job in ("alpha", "beta"):
            world.source.push(job)
        await world.look()
        await world.see(repairs.cluster.pods_)
        repairs.cluster.stuck = True
        world.clock.pass_(minutes=5)
        repair = await repairs.ask()
        await repairs.say(repair, Choice.APPROVE, JONAS)
        await repairs.until(repair, lambda c: c.sent_at is not None)
        for _ in range(4):
            if seen:
                await world.see(repairs.cluster.pods_, 1)
            await world.look(1 if seen else 2)
        assert world.chat.said == []
        muted = {
            i.problem.subject: i.problem.muted for i in (await _all(world)) if i.state is IncidentState.PENDING
        }
        assert muted["alpha"] == f"the pod is being restarted ({repair.id})"
        await repairs.executor.stop(1)


async def _all(world: Watch) -> list:
    async with world.ledger.writing() as tx:
        return list((await tx.newest_incidents(START)).values())


async def test_unreadable_api_server_is_an_incident(one: Watch) -> None:
    await one.see()
    error = Permanent("The API server refused the bot's token.")
    await one.pod.source_unavailable(error, one.clock.time)
    await one.deliver()
    assert one.first_lines() == ["⚠️ WARNING the API server can't be read"]
    [(_, _, reply)] = one.chat.said
    assert "Jobs are still judged by heartbeats" in str(reply.body[0]), "it is the pod that nothing is known of"
    await one.see(minutes=1)
    await one.see(minutes=2)
    assert one.first_lines() == ["✅ The API server can be read again after 1 min"]


async def test_maintenance_mutes_and_alerts_once_after_it(tmp_path: Path) -> None:
    window = {"name": "nightly", "start": START + timedelta(minutes=5), "lasts": "2h"}
    async with opened(tmp_path) as ledger:
        made = watch(ledger, maintenance=[window])
        made.source.push("alpha")
        for _ in range(12):
            made.source.push("beta")
            await made.look(10)
        assert made.first_lines() == []
        made.source.push("beta")
        await made.look(6)
        assert made.first_lines() == [CRITICAL]


async def test_messages_go_to_the_channel(one: Watch) -> None:
    await stale(one)
    assert {place for place, _, _ in one.chat.said} == {OPS}
    assert isinstance(one.chat, FakeChat)


# The digest


def _news(one: Watch, at: str = "09:00", zone: str = "UTC") -> tuple[DigestPost, DigestMessages]:
    when = When(time.fromisoformat(at), zone)
    post = DigestPost(one.ledger, one.clock, when, OPS)
    news = DigestMessages(one.ledger, one.clock, [one.target], when, None)
    others = [kind for kind in one.outbox_worker.kinds if kind.name != KIND]
    one.outbox_worker.kinds = Registry("message kind", (*others, *news.kinds(OPS)))
    return post, news


async def test_digest_is_posted_once_a_day_by_any_process(one: Watch) -> None:
    post, _ = _news(one)
    again, _ = _news(one)
    assert not await post.post(), "on the first day there is nothing to look back on"
    one.clock.pass_(hours=23.9)
    assert not await again.post()
    one.clock.pass_(hours=0.1)
    assert [await post.post(), await again.post(), await post.post()] == [True, False, False]
    await one.deliver()
    assert len(one.first_lines()) == 1
    assert one.first_lines() == ["🔎 Tue 24 Nov: no data"], "nobody looked after its first moment"


async def test_missed_digest_is_posted_late_and_says_so(one: Watch) -> None:
    post, _ = _news(one)
    await post.post()
    one.clock.pass_(hours=27)
    assert await post.post()
    await one.deliver()
    [(_, _, reply)] = one.chat.said
    assert "This digest is 3 h late: it could not be posted at its time." in reply.body


async def test_digest_reports_what_the_watcher_saw(one: Watch) -> None:
    _, news = _news(one)
    await stale(one)
    for _ in range(48):
        await on(one, 1)
    await on(one, 1, "alpha", "beta")
    reply = await news.digest(START.date())
    assert reply.headline.startswith("🔎 Tue 24 Nov so far: alpha down 50 min")
    one.clock.pass_(hours=2)
    await on(one, 0, "alpha", "beta")
    reply = await news.digest(START.date())
    assert any("No data" in str(line) for line in reply.body), "nobody looked for two hours"


async def test_day_without_polls_is_not_called_good(one: Watch) -> None:
    _, news = _news(one)
    await on(one, 0, "alpha", "beta")
    one.clock.pass_(hours=45)
    reply = await news.digest((START + timedelta(days=1)).date())
    assert "no data" in reply.headline


async def test_days_of_a_week_offline_are_unknown(one: Watch) -> None:
    _, news = _news(one)
    await on(one, 0, "alpha", "beta")
    one.clock.pass_(hours=8 * 24)
    await on(one, 0, "alpha", "beta")
    reply = await news.digest((START + timedelta(days=6)).date())
    assert "no data" in reply.headline


@pytest.mark.parametrize(
    ("zone", "day", "moment"),
    [
        ("Europe/Berlin", "2027-03-28", "2027-03-28T01:30+00:00"),
        ("Europe/Berlin", "2027-10-31", "2027-10-31T00:30+00:00"),
        ("America/New_York", "2027-03-14", "2027-03-14T07:30+00:00"),
        ("America/New_York", "2027-11-07", "2027-11-07T07:30+00:00"),
    ],
)
def test_skipped_or_doubled_time_of_day_is_one_moment(zone: str, day: str, moment: str) -> None:
    at = When(time(2, 30), zone).on(date.fromisoformat(day))
    assert at == datetime.fromisoformat(moment)
    daily, fired, now = Daily(time(2, 30), zone), [], at - timedelta(days=1, hours=1)
    previous = None
    for _ in range(3):
        previous = daily.get_next_fire_time(previous, now)
        now = previous
        fired.append(previous)
    assert at in fired
    assert len({f.astimezone(ZoneInfo(zone)).date() for f in fired}) == 3


# The health-bridge

ISSUE = "derio-net/frank#12"


@dataclass
class FakeBridge:
    """A bridge that records what it is sent; ``errors`` are raised by the next calls instead."""

    told: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    name: str = "health_bridge"

    async def deliver(self, message: OutboxMessage, content: Mapping[str, Any]) -> MessageRef:
        if self.errors:
            raise self.errors.pop(0)
        self.told.append(dict(content))
        return MessageRef("bridge", message.key.rest)

    async def close(self) -> None:
        pass

    def changes(self, issue: str = ISSUE) -> list[str]:
        """How the issue's status changed."""
        return [status for status, _ in groupby(a["status"] for a in self.told if a["groupKey"] == issue)]


def bridging(made: Watch, bridge: FakeBridge) -> Watch:
    """The watch, with incidents also sent to the bridge."""
    made.incidents.others = (issue_keys,)
    issues = IssueMessages(made.ledger, made.clock)
    made.outbox_worker.kinds = made.outbox_worker.kinds.with_(issues.kinds())
    made.outbox_worker.sinks = made.outbox_worker.sinks.with_([bridge])
    return made


async def bridged(folder: Path) -> AsyncIterator[tuple[Watch, FakeBridge]]:
    """A watch whose jobs share an issue."""
    async with opened(folder) as ledger:
        bridge = FakeBridge()
        made = bridging(watch(ledger, jobs=policies("alpha", "beta", issue=ISSUE)), bridge)
        await on(made, 0, "alpha", "beta")
        yield made, bridge


async def test_bridge_gets_an_issue_s_worst_state_and_its_end(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        await stale(one)
        assert [a["status"] for a in bridge.told] == ["firing"]
        await on(one, 1, "alpha", "beta")
        await on(one, 2, "alpha", "beta")
        assert [a["status"] for a in bridge.told][-1] == "resolved"


async def test_failed_bridge_call_is_repeated_with_the_current_state(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        bridge.errors = [Transient("The health-bridge answered 200, but processed 0 of 1 alerts.")] * 2
        await stale(one)
        assert bridge.told == []
        for _ in range(3):
            await on(one, 1)
        assert [a["status"] for a in bridge.told] == ["firing"]


async def test_incident_resolved_before_the_bridge_got_it_is_dropped(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        bridge.errors = [Transient("away")] * 100
        await stale(one)
        await on(one, 1, "alpha", "beta")
        await on(one, 2, "alpha", "beta")
        bridge.errors.clear()
        await on(one, 5, "alpha", "beta")
        assert bridge.told == []
        assert await one.ledger.waiting() == 0


async def both(one: Watch, *minutes: float) -> None:
    """Both jobs run, and the bot polls after each of these times."""
    for passed in minutes:
        await on(one, passed, "alpha", "beta")


async def fires_again(one: Watch) -> None:
    """Alpha stops again."""
    for _ in range(11):
        await on(one, 1)


async def test_unsent_recurrence_sends_no_end_to_the_bridge(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        await stale(one)
        await both(one, 1, 2)
        assert bridge.changes() == ["firing", "resolved"]
        before = list(bridge.told)
        one = bridging(watch(one.ledger, like=one), bridge)
        bridge.errors = [Transient("away")] * 100
        await fires_again(one)
        await both(one, 1, 2)
        bridge.errors.clear()
        await both(one, 5, 5)
        assert bridge.told == before
        assert await one.ledger.waiting() == 0


@pytest.mark.parametrize("error", [TimedOut("no answer in 8 s"), Uncertain("HTTP 502")])
async def test_possibly_sent_start_is_ended(tmp_path: Path, error: AgentpodError) -> None:
    async for one, bridge in bridged(tmp_path):
        await stale(one)
        await both(one, 1, 2)
        before = len(bridge.told)
        bridge.errors = [error] * 100
        await fires_again(one)
        one = bridging(watch(one.ledger, like=one), bridge)
        await both(one, 1, 2)
        bridge.errors.clear()
        await both(one, 5)
        assert bridge.told[-1]["status"] == "resolved"
        assert len(bridge.told) == before + 1


@pytest.mark.parametrize("issue", ["derio-net/frank#13", ""])
async def test_alert_moved_to_another_issue_ends_in_the_first(tmp_path: Path, issue: str) -> None:
    async for one, bridge in bridged(tmp_path):
        await stale(one)
        moved = watch(one.ledger, like=one, jobs=(*policies("alpha", issue=issue), *policies("beta")))
        one = bridging(moved, bridge)
        await on(one, 1)
        assert (bridge.changes(), bridge.changes(issue)) == (["firing", "resolved"], ["firing"] * bool(issue))
        await both(one, 1, 2)
        assert (bridge.changes(), bridge.changes(issue)[1:]) == (
            ["firing", "resolved"],
            ["resolved"] * bool(issue),
        )


async def test_incident_that_begins_while_an_end_is_dropped_is_sent(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        async with one.ledger.writing() as tx:
            await tx.enqueue(f"bridge:{ISSUE}", "bridge")
        [taken] = await one.ledger.take(one.clock.now(), timedelta(seconds=15))
        async with one.ledger.writing() as tx:
            await tx.enqueue(f"bridge:{ISSUE}", "bridge")  # another incident of the issue, meanwhile
        await one.ledger.dropped(taken)
        assert await one.ledger.waiting() == 1
        assert bridge.told == []


async def test_refusing_bridge_is_listed_as_undelivered(tmp_path: Path) -> None:
    async for one, bridge in bridged(tmp_path):
        bridge.errors = [Permanent("The health-bridge answered HTTP 401.")] * 100
        await stale(one)
        for _ in range(10):
            await on(one, 2)
        assert [d.key for d in await one.ledger.dead(START)] == [f"bridge:{ISSUE}"]


async def test_manual_heartbeat_ends_the_alert_and_is_not_called_the_job_s_own(one: Watch) -> None:
    await stale(one)
    one.source.push_by_hand("alpha")
    await one.look(1)
    said = "closed, a heartbeat was pushed by hand; the job has sent none since"
    assert one.first_lines() == [f"⚪ alpha: {said}"]
    assert not any("again" in line for line in one.thread())
    await on(one, 11, "beta")
    assert one.first_lines()[-1].startswith("🔴 CRITICAL alpha"), "its next silence is an incident again"


async def test_manual_heartbeat_counts_and_is_labelled(one: Watch) -> None:
    one.clock.pass_(minutes=5)
    one.source.push_by_hand("alpha")
    await one.look()
    memory = (await one.ledger.job_states())["secure-agent-pod/alpha"]
    assert (memory.health, memory.note) == (Health.UP, "pushed by hand, not by the job")
    await on(one, 1, "alpha", "beta")
    assert (await one.ledger.job_states())["secure-agent-pod/alpha"].note == ""
