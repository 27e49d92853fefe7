"""What the message of an incident shows: what is of use now, and each thing once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_processes import scan
from bot.domain.incidents import inside_watch
from bot.domain.incidents.alerting import AlertRules, Incident, decide
from bot.domain.incidents.incident_card import group, message
from bot.domain.incidents.problem import Problem

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
RULES = AlertRules()


def disk() -> Problem:
    output = "Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 1000 970 30 97% /home/claude\n"
    [found] = inside_watch.disk(Target(), ExecResult(output, "", 0), NOW).problems
    return found


def process() -> Problem:
    listed = "PID USER ELAPSED COMMAND\n10 claude 01:00 sshd -D\n11 claude 01:00 supercronic /x\n"
    scanned = scan(Target().container(), ExecResult(listed, "", 0))
    [found] = inside_watch.processes(Target(), {"kali": scanned}, NOW).problems
    return found


def after(problem: Problem, minutes: int) -> Incident:
    """Its incident, so long after it was gone; 0: it is there."""
    incident = decide(None, problem, RULES, NOW)
    for minute in range(1, minutes + 1):
        incident = decide(incident, None, RULES, NOW + minute * MIN)
    assert incident is not None
    return incident


def labels(reply: Reply) -> list[str]:
    return [fact.label for fact in reply.facts]


def buttons(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons]


def test_a_process_that_is_gone_is_said_once_with_what_to_do() -> None:
    shown = message(after(process(), 0), NOW)
    assert shown.headline == "🔴 CRITICAL vibe-kanban: is not running"
    assert labels(shown) == ["Since", "What to do"]
    assert buttons(shown) == ["Acknowledge", "Diagnose", "Restart"]


def test_it_may_be_snoozed_for_a_moment_a_while_or_the_night() -> None:
    incident = after(process(), 0)
    [menu] = message(incident, NOW).menus
    assert [(b.label, b.command) for b in menu.options] == [
        ("30 minutes", f"snooze {incident.id} 30m"),
        ("2 hours", f"snooze {incident.id} 2h"),
        ("Until tomorrow 9:00", f"snooze {incident.id} tomorrow"),
    ]
    assert message(after(process(), 1), NOW + MIN).menus == ()


def test_a_restart_is_not_offered_where_it_does_not_help() -> None:
    shown = message(after(disk(), 0), NOW)
    assert (labels(shown), buttons(shown)) == (["Since", "Evidence", "What to do"], ["Acknowledge", "Diagnose"])


@pytest.mark.parametrize(
    ("minutes", "head", "facts", "offered"),
    [
        (1, "🌤️ vibe-kanban is well again: resolved if it stays so", ["Since", "Pod"], ["Diagnose"]),
        (2, "✅ vibe-kanban is well again after 1 min", ["Since", "Until", "Pod"], []),
    ],
)
def test_what_is_well_again_asks_for_nothing(
    minutes: int, head: str, facts: list[str], offered: list[str]
) -> None:
    more = replace(process(), facts=(("Pod", "pod-1"), *process().facts, ("Evidence", "seen then")))
    shown = message(after(more, minutes), NOW + minutes * MIN)
    assert (shown.headline, labels(shown), buttons(shown)) == (head, facts, offered)


def test_what_follows_from_being_blind_is_said_only_while_it_is_so() -> None:
    blind = replace(disk(), kind="blind", meaning="Nothing is known of any job.")
    assert [message(after(blind, m), NOW + m * MIN).body for m in (0, 1, 2)] == [(blind.meaning,), (), ()]


def many(*minutes: int) -> Reply:
    """The message of as many incidents, the first of which is critical, each so long after it was gone."""
    problems = [replace(disk(), key=f"k{n}", subject=f"job-{n}", severity="warning") for n in range(len(minutes))]
    problems[0] = replace(problems[0], severity="critical")
    return group([after(p, m) for p, m in zip(problems, minutes, strict=True)], NOW + 2 * MIN)


def test_of_many_those_that_are_wrong_still_are_counted_named_and_listed_first() -> None:
    shown = many(1, 0, 2, *[1] * 10, 0)
    assert shown.headline == "⚠️ WARNING 2 of 14 incidents at once: job-1 and job-13"
    rows = str(shown.body[0]).splitlines()
    assert [row.split(":")[0] for row in rows[:3]] == [
        "⚠️ WARNING job-1",
        "⚠️ WARNING job-13",
        "🌤️ job-0 is well again",
    ]
    assert buttons(shown) == ["Diagnose", "All incidents"]


def test_many_that_are_all_well_again_are_no_alarm_before_they_are_over() -> None:
    shown = many(1, 2)
    assert shown.headline == "🌤️ None of 2 incidents is left, resolved if it stays so: job-0"
    assert buttons(shown) == ["Diagnose", "All incidents"]
    assert many(2, 2).headline == "✅ All 2 incidents are over: job-0 and job-1"
