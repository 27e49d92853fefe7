"""The report of an incident, on a real ledger: what happened in order, each line with its record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest, TargetState
from bot.domain.core.audit import Record
from bot.domain.core.change import CRONTAB, SECRET, Change
from bot.domain.core.history import HistoryEvent
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Mention, Reply, parts, plain
from bot.domain.core.target import POD
from bot.domain.incidents import alerting
from bot.domain.incidents import report as domain_report
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.report import Entry
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import UsageError
from bot.ports.clock import Clock
from bot.services.incidents.incident_service import IncidentService
from commands.incidents import report
from commands.incidents.report import ReportParams
from commands.shared import audit_words
from tests.commands.fakes import World
from tests.services.workbench import JONAS, MAYA, OPS, TARGET, Bench, bench
from tests.times import utc

RULES = AlertRules()


async def asked(one: Bench, id_: str, *, markdown: bool = False, **more: Any) -> Reply:
    ctx = replace(World().context(), ledger=one.ledger, clock=cast(Clock, one.clock), **more)
    return utc(await report.run(ctx, ReportParams(id=id_, markdown=markdown)), one.clock.now())


async def saved(one: Bench, incident: Incident) -> Incident:
    service = IncidentService(one.ledger, one.clock, RULES, {TARGET.name: OPS})
    async with one.ledger.writing() as tx:
        [made] = await service.save(tx, {}, [incident], one.clock.now())
    return made


async def opened(one: Bench, summary: str = "is not running") -> Incident:
    """An incident that fires now."""
    now = one.clock.now()
    problem = Problem(f"heartbeat:{TARGET.name}:sshd", "heartbeat", TARGET.name, "sshd", summary, "critical", now)
    made = alerting.decide(None, problem, RULES, now)
    assert made is not None
    return await saved(one, made)


async def resolved(one: Bench, id_: str) -> Incident:
    """The incident after its problem was gone for long enough."""
    for _ in range(2):
        one.clock.pass_(minutes=2)
        before = await one.ledger.incident(id_)
        after = alerting.decide(before, None, RULES, one.clock.now())
        assert after is not None
        await saved(one, after)
    assert not after.open
    return after


async def lived(one: Bench) -> str:
    """An incident that was acknowledged, and ended after an approved restart."""
    incident = await opened(one)
    one.clock.pass_(minutes=1)
    await IncidentService(one.ledger, one.clock, RULES, {}).acknowledge(incident.id, MAYA)
    async with one.ledger.writing() as tx:
        await tx.add_history([HistoryEvent(TARGET.name, POD, one.clock.now(), "down")])
        await tx.add_history([HistoryEvent("another", POD, one.clock.now(), "ready")])
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    await resolved(one, incident.id)
    return incident.id


async def test_everything_is_listed_in_order_with_its_record(one: Bench) -> None:
    id_ = await lived(one)
    records = {str(r.number): r async for r in one.ledger.records()}
    reply = await asked(one, id_)
    lines = [plain(line).partition("  ")[2] for line in reply.body[:-2]]
    texts, sources = [x.partition(" · ")[0] for x in lines], [x.partition(" · ")[2] for x in lines]
    assert texts[:3] == ["The problem began", "The alert was sent", f"@{MAYA} acknowledged the incident"]
    assert texts[3] == "The pod was not ready"
    assert texts[-2:] == ["The problem was gone", "Resolved"]
    assert sources[:2] == ["incident", "notice 1"]
    cited = [records[source.removeprefix("record ")] for source in sources if source.startswith("record ")]
    assert [r.kind for r in cited] == ["incident", "request", "decision", "outcome"]
    assert "The pod was ready" not in texts


async def test_a_heartbeat_that_somebody_pushed_for_the_job_is_in_it(one: Bench) -> None:
    incident = await opened(one, "no heartbeat since 09:00")
    async with one.ledger.writing() as tx:
        for job in ("sshd", "another"):
            await tx.record(one.clock.now(), "heartbeat", JONAS, job, {"by_hand": True})
    await resolved(one, incident.id)
    async with one.ledger.writing() as tx:
        await tx.record(one.clock.now(), "heartbeat", JONAS, "sshd", {"by_hand": True})
    lines = [plain(line) for line in (await asked(one, incident.id)).body]
    assert sum("pushed a heartbeat by hand" in line for line in lines) == 1


async def test_the_message_says_how_long_it_took_and_who_did_what(one: Bench) -> None:
    id_ = await lived(one)
    reply = await asked(one, id_)
    assert reply.headline.startswith("CRITICAL sshd is not running, over after ")
    said = {fact.label: fact.value for fact in reply.facts}
    assert list(said) == ["Alert", "First answer", "Last repair before its end"]
    assert "acknowledged it, 1 min" in plain(said["First answer"])
    assert not any(id_ in plain(line) for line in (*reply.body, *said.values())), "once, in the small print"
    assert reply.notes[0] == id_
    assert Mention(MAYA) in parts(said["Last repair before its end"])
    [file] = reply.excerpts
    assert (file.attached, file.filename) == (True, f"report-{id_}.md")
    assert f"@{MAYA} acknowledged the incident (record 1)" in file.text


async def test_while_it_is_open_the_last_repair_is_the_last_so_far(one: Bench) -> None:
    incident = await opened(one)
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    one.clock.pass_(minutes=1)
    labels = [fact.label for fact in (await asked(one, incident.id)).facts]
    assert labels == ["Alert", "Last repair so far"]


async def test_after_a_restart_of_the_bot_the_report_is_the_same(one: Bench) -> None:
    id_ = await lived(one)
    again = bench(one.ledger, like=one)
    assert (await asked(again, id_)).body == (await asked(one, id_)).body


async def test_markdown_is_the_whole_report_and_nothing_else(one: Bench) -> None:
    id_ = await lived(one)
    reply = await asked(one, id_, markdown=True)
    [file] = reply.excerpts
    assert (reply.headline, reply.body, reply.facts, file.attached) == (f"# Report of {id_}", (), (), False)
    assert "## What happened" in file.text
    dated = [line for line in file.text.splitlines() if line.startswith("- 20")]
    assert all(line.endswith(")") for line in dated), "each cites its record"
    assert file.text.count(id_) == 1, "once, in the title"
    assert len(dated) == len((await asked(one, id_)).data["entries"])


async def test_what_a_pod_says_is_no_markup_and_no_secret(one: Bench) -> None:
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    incident = await opened(one, f"said <b>[x](http://y)</b> {token}")
    [file] = (await asked(one, incident.id)).excerpts
    assert "\\<b\\>\\[x\\](http://y)" in file.text
    assert token not in file.text.replace("\\", "")


async def test_a_long_incident_is_cut_in_the_message_and_counted(one: Bench) -> None:
    incident = await opened(one)
    for _ in range(20):
        one.clock.pass_(minutes=1)
        async with one.ledger.writing() as tx:
            await tx.record(one.clock.now(), "incident", MAYA, incident.id, {"what": "snoozed"})
    reply = await asked(one, incident.id)
    assert len(reply.body) == report.SHOWN + 2, "the count of the others, and what is not known"
    assert "The problem began" in plain(reply.body[0])
    assert plain(reply.body[-3]).endswith("· record 20")
    assert reply.body[-2] == "10 more lines in the attached file"
    assert reply.body[-1] == "No events and no log lines were stored when the alert was sent."
    assert reply.headline.startswith("CRITICAL sshd is not running, open for 20 min")


async def test_the_cause_and_the_end_are_shown_where_much_preceded_it(one: Bench) -> None:
    for ago in range(25, 5, -1):
        await changed(one, CRONTAB, f"line {ago}", ago=ago)
    id_ = await lived(one)
    lines = [plain(line) for line in (await asked(one, id_)).body]
    assert [line.partition(" · ")[2] for line in lines[:3]] == ["change 18", "change 19", "change 20"]
    assert any("The problem began" in line for line in lines)
    assert "Resolved · notice" in lines[-3]
    assert lines[-2] == "19 more lines in the attached file"


async def test_the_message_leaves_out_what_is_not_about_the_incident(one: Bench) -> None:
    """Refusals, requests that can't end it, and what came after its end."""
    incident = await opened(one)
    other, mine = await key_removal(one), await one.ask(MAYA)
    for repair in (other, mine):
        await one.say(repair, Choice.APPROVE, MAYA)
    await resolved(one, incident.id)
    one.clock.pass_(minutes=4)
    await one.say(mine, Choice.WITHDRAW, MAYA)
    reply = await asked(one, incident.id)
    shown = "\n".join(plain(line) for line in reply.body)
    assert (mine.id in shown, other.id in shown, "refused" in shown) == (True, False, False)
    [file] = reply.excerpts
    assert (other.id in file.text, "refused" in file.text, "withdrew" in file.text) == (True, True, False)
    assert reply.body[-2] == "3 more lines in the attached file"


async def key_removal(one: Bench) -> RepairRequest:
    """A request that can't end an incident of the pod."""
    snapshot = TargetState(one.cluster.deployment_, ()).snapshot
    proposal = Proposal(SSH_KEY_REMOVE, snapshot, "why", "", subject="SHA256:1")
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def test_the_outcome_of_a_restart_that_began_before_the_end_is_in_it(one: Bench) -> None:
    incident = await opened(one)
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    sent = await one.until(repair, lambda found: found.sent_at is not None)
    assert sent.sent_at is not None
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    await resolved(one, incident.id)
    [outcome] = [r async for r in one.ledger.records() if r.kind == "outcome"]
    late = replace(outcome, at=one.clock.now() + timedelta(minutes=1))
    found, ended = await one.now(repair), await one.ledger.incident(incident.id)
    assert ended is not None
    kept = domain_report.of_record(Entry(late.at, "x", ""), late, ended, found, one.clock.now())
    assert kept is not None
    again = domain_report.of_record(Entry(late.at, "x", ""), replace(late, kind="decision"), ended, found, late.at)
    assert again is None


async def test_a_terminal_reads_how_to_get_the_whole(one: Bench) -> None:
    id_ = await lived(one)
    reply = await asked(one, id_, prefix="agentpod", caller=replace(one.caller(MAYA), surface="terminal"))
    assert f": `agentpod report {id_} --markdown`" in plain(reply.body[-2])


async def test_a_refusal_that_is_counted_later_stands_where_it_was_repeated(one: Bench) -> None:
    at, until = one.clock.now(), one.clock.now() - timedelta(minutes=9)
    data = {"rule": "no", "more": 1, "until": until.isoformat()}
    made = audit_words.entry(Record(1, at, "refusal", MAYA, "r-22222222", data))
    assert made.at == until


async def test_lines_of_one_minute_have_their_seconds(one: Bench) -> None:
    await changed(one, CRONTAB, "1 line gone", ago=5)
    incident = await opened(one)
    times = [plain(line).partition("  ")[0] for line in (await asked(one, incident.id)).body[:-1]]
    assert times == ["08:55 UTC", "09:00:00 UTC", "09:00:00 UTC"]


async def test_what_is_no_longer_kept_is_said(one: Bench) -> None:
    incident = await opened(one)
    one.clock.pass_(days=16)
    assert any("kept for 15 d" in plain(line) for line in (await asked(one, incident.id)).body)


async def test_incidents_that_the_reader_may_not_see_are_left_out(one: Bench) -> None:
    """One of another target, and one of what all targets share."""
    mine = await opened(one)
    for changes in (
        {"target": "blue", "key": "heartbeat:blue:cron"},
        {"kind": "blind", "key": "source:pushgateway"},
    ):
        made = alerting.decide(None, replace(mine.problem, subject="cron", **changes), RULES, one.clock.now())
        assert made is not None
        await saved(one, made)
    assert any("cron" in plain(line) for line in (await asked(one, mine.id)).body)
    rule = AccessRule(role=roles.VIEWER, users=("U1",), targets=(TARGET.name,))
    reply = await asked(one, mine.id, access=AccessPolicy(rules=(rule,)))
    assert not any("cron" in plain(line) for line in reply.body)
    with pytest.raises(UsageError) as far:
        await asked(one, "everything", access=AccessPolicy(rules=(rule,)))
    assert far.value.remedy == f"The newest are {mine.id} (sshd)."


async def test_an_unknown_id_names_the_nearest_or_the_newest(one: Bench) -> None:
    incident = await opened(one)
    with pytest.raises(UsageError) as near:
        await asked(one, incident.id[:-1])
    assert near.value.remedy == f"Did you mean /agentpod report {incident.id}?"
    with pytest.raises(UsageError) as far:
        await asked(one, "everything")
    assert far.value.remedy == f"The newest are {incident.id} (sshd)."


async def changed(one: Bench, kind: str, text: str, *, ago: float = 0, minutes: float = 0) -> None:
    at = one.clock.now() - timedelta(minutes=ago)
    change = Change(TARGET.name, kind, "agent", "", text, at, at - timedelta(minutes=minutes))
    async with one.ledger.writing() as tx:
        await tx.add_changes([change])


async def test_what_changed_before_and_meanwhile_stands_in_order_with_its_number(one: Bench) -> None:
    await changed(one, CRONTAB, "1 line added", ago=31)
    await changed(one, CRONTAB, "1 line gone", ago=29)
    incident = await opened(one)
    one.clock.pass_(minutes=5)
    await changed(one, SECRET, "value of TOKEN changed", minutes=20)
    reply = await asked(one, incident.id)
    lines = [plain(line).partition("  ")[2] for line in reply.body[:-1]]
    assert lines[0] == "Changed: crontab agent: 1 line gone · change 2"
    assert lines[-1] == "Changed between 08:45 UTC and 09:05 UTC: Secret agent: what it holds changed · change 3"
    [file] = reply.excerpts
    assert "(change 2)" in file.text
    assert "TOKEN" not in file.text


async def test_a_value_that_became_known_only_later_is_redacted(one: Bench) -> None:
    """What was saved before the value was known is redacted when it is shown."""
    incident = await opened(one, "said plain-word-1 to plain-word-2")
    await changed(one, CRONTAB, "plain-word-1 in plain-word-2")
    kept = await one.ledger.incident(incident.id)
    assert kept is not None
    assert "plain-word-2" in kept.problem.summary
    outside = Outside()
    outside.learn("secrets", ["plain-word-2"])
    for markdown in (False, True):
        shown = str(await asked(one, incident.id, markdown=markdown, outside=outside))
        assert "plain-word-2" not in shown
        assert "plain-word-1" in shown.replace("\\", "")
