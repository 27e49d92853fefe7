"""The message of an incident shows what is relevant now, without repetition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.reply import Reply
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_processes import scan
from bot.domain.incidents import inside_watch, job_state
from bot.domain.incidents.alerting import AlertRules, Incident, Notice, decide
from bot.domain.incidents.incident_card import group, message, notice, was, with_target
from bot.domain.incidents.problem import OVERDUE, Problem, Reason
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.disk import DISK
from bot.domain.incidents.sources.inside import INSIDE
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY
from bot.domain.incidents.sources.source import ProblemSource
from bot.domain.incidents.sources.task import TASK
from tests import handbook

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
RULES = AlertRules()


def disk() -> Problem:
    output = "Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 1000 970 30 97% /home/claude\n"
    [found] = inside_watch.disk(handbook.TARGET, ExecResult(output, "", 0), NOW).problems
    return found


def process() -> Problem:
    listed = "PID USER ELAPSED COMMAND\n10 claude 01:00 sshd -D\n11 claude 01:00 supercronic /x\n"
    scanned = scan(handbook.TARGET.container(), ExecResult(listed, "", 0))
    [found] = inside_watch.processes(handbook.TARGET, {"kali": scanned}, NOW).problems
    return found


def after(problem: Problem, minutes: int) -> Incident:
    """The problem's incident, ``minutes`` after the problem was gone; 0: it is still present."""
    incident = decide(None, problem, RULES, NOW)
    for minute in range(1, minutes + 1):
        incident = decide(incident, None, RULES, NOW + minute * MIN)
    assert incident is not None
    return incident


def labels(reply: Reply) -> list[str]:
    return [fact.label for fact in reply.facts]


def buttons(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons]


def test_a_missing_process_is_shown_once_with_its_remedy() -> None:
    shown = message(after(process(), 0), NOW)
    assert shown.headline == "🔴 CRITICAL vibe-kanban is not running"
    assert labels(shown) == ["Since", "What to do"]
    assert buttons(shown) == ["Acknowledge", "Diagnose", "Processes", "Ask for a restart"]


@pytest.mark.parametrize(
    ("source", "subject", "shown"),
    [
        (CLUSTER, "the API server", "the API server (west)"),
        (DISK, "the disk of /home/west-1", "the disk of /home/west-1 (west)"),
        (POD_HEALTH, "west", "west"),
        (INSIDE, "the inside of west", "the inside of west"),
        (PUSHGATEWAY, "the Pushgateway", "the Pushgateway"),
        (TASK, "the bot's task 'digest'", "the bot's task 'digest'"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_with_several_targets_the_subject_names_the_target_once(
    source: ProblemSource, subject: str, shown: str
) -> None:
    problem = replace(disk(), kind=source.stored, key=source.key("west"), target="west", subject=subject)
    named = with_target(after(problem, 0), several=True)
    assert message(named, NOW).headline == f"🔴 CRITICAL {shown} is 97 % full"
    well = message(with_target(after(problem, 1), several=True), NOW + MIN).headline
    recovered = source.recovered(replace(problem, subject=shown))
    assert well == f"🌤️ {recovered.replace('the ', 'The ', 1)}, resolved if it stays so"
    assert with_target(after(problem, 0), several=False).problem.subject == subject


def test_the_snooze_menu_has_three_durations() -> None:
    incident = after(process(), 0)
    [menu] = message(incident, NOW).menus
    assert [(b.label, b.command) for b in menu.options] == [
        ("30 minutes", f"snooze {incident.id} 30m"),
        ("2 hours", f"snooze {incident.id} 2h"),
        ("Until tomorrow morning", f"snooze {incident.id} tomorrow"),
    ]
    assert message(after(process(), 1), NOW + MIN).menus == ()


def test_a_restart_is_not_offered_where_it_does_not_help() -> None:
    shown = message(after(disk(), 0), NOW)
    assert (labels(shown), buttons(shown)) == (
        ["Since", "Evidence", "What to do"],
        ["Acknowledge", "Diagnose", "Storage"],
    )


def test_an_offered_repair_is_a_button_with_its_reason_while_the_problem_is_there() -> None:
    problem = replace(process(), restart=False, offer="start-service sshd")
    offered = message(after(problem, 0), NOW).buttons[-1]
    assert (offered.label, offered.style) == ("Ask for: start-service sshd", "danger")
    why = '--reason "vibe-kanban is not running" --target "secure-agent-pod"'
    assert offered.command == f"start-service sshd {why}"
    assert buttons(message(after(problem, 1), NOW + MIN)) == ["Diagnose"]


@pytest.mark.parametrize(
    ("minutes", "head", "facts", "offered"),
    [
        (1, "🌤️ vibe-kanban is well again, resolved if it stays so", ["Was", "Since", "Pod"], ["Diagnose"]),
        (2, "✅ vibe-kanban is well again after 1 min", ["Was", "Since", "Until", "Pod"], ["Report"]),
    ],
)
def test_a_recovered_incident_offers_no_action(
    minutes: int, head: str, facts: list[str], offered: list[str]
) -> None:
    more = replace(process(), facts=(("Pod", "pod-1"), *process().facts, ("Evidence", "seen then")))
    shown = message(after(more, minutes), NOW + minutes * MIN)
    assert (shown.headline, labels(shown), buttons(shown)) == (head, facts, offered)
    assert shown.facts[0].value == "vibe-kanban is not running"
    again = message(after(more, minutes), NOW + minutes * MIN, ended_after="restart (r-8bzmjcg5)")
    assert (again.facts[1].label, again.facts[1].value) == ("Repair before its end", "restart (r-8bzmjcg5)")


def test_the_consequences_of_an_unavailable_source_are_shown_only_while_it_lasts() -> None:
    blind = replace(disk(), kind="blind", meaning="Nothing is known of any job.")
    assert [message(after(blind, m), NOW + m * MIN).body for m in (0, 1, 2)] == [(blind.meaning,), (), ()]


def many(*minutes: int) -> Reply:
    """The message of a group of incidents, the first critical, each some minutes after its problem was gone."""
    problems = [replace(disk(), key=f"k{n}", subject=f"job-{n}", severity="warning") for n in range(len(minutes))]
    problems[0] = replace(problems[0], severity="critical")
    return group([after(p, m) for p, m in zip(problems, minutes, strict=True)], NOW + 2 * MIN)


def test_a_group_counts_names_and_lists_present_problems_first() -> None:
    shown = many(1, 0, 2, *[1] * 10, 0)
    assert shown.headline == "⚠️ WARNING 2 of 14 incidents at once: job-1 and job-13"
    rows = str(shown.body[0]).splitlines()
    assert [row.split(", ")[0] for row in rows[:3]] == [
        "⚠️ WARNING job-1 is 97 % full",
        "⚠️ WARNING job-13 is 97 % full",
        "🌤️ job-0 is well again",
    ]
    assert buttons(shown) == ["Diagnose", "Incidents"]


def test_a_group_says_the_same_of_several_incidents_once() -> None:
    problems = [replace(disk(), key=f"k{n}") for n in range(20)]
    shown = group([after(p, 2) for p in problems], NOW + 2 * MIN)
    assert shown.headline == "✅ All 20 incidents are over: the disk of /home/claude"
    assert shown.body[0] == "✅ The disk of /home/claude is well again after 1 min (20 incidents)"


def test_a_group_that_is_recovering_is_no_alarm() -> None:
    shown = many(1, 2)
    assert shown.headline == "🌤️ None of 2 incidents is left, resolved if it stays so: job-0"
    assert buttons(shown) == ["Diagnose", "Incidents"]
    assert many(2, 2).headline == "✅ All 2 incidents are over: job-0 and job-1"


@pytest.mark.parametrize(
    ("entry", "alone", "grouped"),
    [
        (Reason.SEVERITY_RAISED, "🔺 Now critical: the disk of /home is 97 % full", None),
        (Reason.REMINDER_DUE, "⏰ Still firing after 5 min: the disk of /home is 97 % full", None),
        (Reason.FLAPPING, "🔁 Flapping: the disk of /home is 97 % full", None),
        (
            Reason.ACKED,
            "👀 Acknowledged, no more reminders",
            "👀 The disk of /home: acknowledged, no more reminders",
        ),
        (Reason.CLOSED, "⚪ Closed, gone", "⚪ The disk of /home: closed, gone"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_notice_is_a_sentence_that_says_what_it_is_about(entry: Reason, alone: str, grouped: str | None) -> None:
    incident = after(replace(disk(), subject="the disk of /home"), 0)
    said = Notice(entry, incident.problem.since + 5 * MIN, text="gone" if entry is Reason.CLOSED else "")
    assert notice(incident, said).headline == alone
    assert notice(replace(incident, group="g-1"), said).headline == (grouped or alone)


def test_a_summary_that_names_its_subject_is_not_prefixed_with_it() -> None:
    problem = replace(disk(), subject="Argo CD", summary="Argo CD says it is Degraded")
    assert message(after(problem, 0), NOW).headline == "🔴 CRITICAL Argo CD says it is Degraded"


def test_flapping_comes_before_the_whole_sentence() -> None:
    incident = replace(after(process(), 0), flapping=True)
    assert message(incident, NOW).headline == "🔴 CRITICAL flapping: vibe-kanban is not running"


def test_a_state_that_passes_is_not_what_it_was() -> None:
    missing = replace(process(), summary="Secret k is missing")
    unready = replace(process(), summary="runs but is not ready", passing=True)
    there = decide(decide(None, missing, RULES, NOW), unready, RULES, NOW)
    assert there is not None
    assert "runs but is not ready" in message(there, NOW).headline, "it is what is there"
    gone = decide(there, None, RULES, NOW)
    assert gone is not None
    shown = {fact.label: fact.value for fact in message(gone, NOW).facts}
    assert (shown["Was"], shown.get("Then")) == (missing.text, None)
    assert was(gone) == "Secret k is missing"


def test_a_job_s_outage_says_that_it_counts_from_the_deadline() -> None:
    job = replace(process(), key="heartbeat:p:j", kind="heartbeat", subject="j", counted_from=OVERDUE)
    ended = after(job, 5)
    assert message(ended, NOW).headline == "✅ j sends heartbeats again after being overdue for 1 min"
    reminder = notice(ended, Notice(Reason.REMINDER_DUE, NOW + 5 * MIN))
    assert reminder.headline.startswith("⏰ Still firing, overdue for 5 min: j")


def test_a_later_cause_does_not_hide_what_it_began_as() -> None:
    crash, unready = (
        replace(process(), summary=text) for text in ("keeps crashing (exit 1)", "runs but is not ready")
    )
    there = decide(decide(None, crash, RULES, NOW), unready, RULES, NOW)
    assert there is not None
    shown = {fact.label: fact.value for fact in message(there, NOW).facts}
    assert shown["Began as"] == crash.text
    gone = decide(there, None, RULES, NOW)
    assert gone is not None
    shown = {fact.label: fact.value for fact in message(gone, NOW).facts}
    assert (shown["Was"], shown["Then"]) == (crash.text, unready.summary)


def test_a_job_that_the_bot_fails_to_judge_offers_no_restart_of_the_pod() -> None:
    rule = HeartbeatPolicy(job="sync", stale_after="1h")
    found = job_state.defect("agent", rule, ValueError("x"), NOW)
    assert not [b for b in message(after(found, 0), NOW).buttons if b.command.startswith("restart")]
