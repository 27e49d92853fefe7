"""The checks in a digest: named worst first, bounded, and nothing twice that an open incident says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import plain
from bot.domain.digest.card import digest
from bot.domain.digest.checks import MOST_KEPT, MOST_SUMMARY, ChecksRead, checks_read, of_day, unsaid, with_day
from bot.domain.digest.day import DigestFacts
from bot.domain.incidents import sources
from bot.services.health.checks import registry
from bot.services.health.sources import API, EXEC, GATEWAY
from tests.domain.test_digest import NOW, day, incident
from tests.times import utc

DISK = Finding("disk", "Disk", Verdict.WARN, "/home/claude is 91 % full")
POOL = Finding("executor-pool", "Executor pool", Verdict.FAIL, "no executor is free")
ARGO = Finding("argocd", "Argo CD", Verdict.UNKNOWN, "no answer in 10 s")
FINE = Finding("pod", "Pod", Verdict.OK, "ready")


def made(*findings: Finding) -> ChecksRead:
    return checks_read(NOW, {"pod": findings})


def read(facts: DigestFacts) -> list[str]:
    reply = utc(digest(facts, NOW), NOW)
    return [reply.headline, *(f"{f.label}: {plain(f.value)}" for f in reply.facts)]


def test_a_good_day_with_good_checks_is_one_line() -> None:
    facts = DigestFacts([day()], [day()], checks=made(FINE))
    assert read(facts) == ["✅ Mon 23 Nov: all good, 2 jobs on time, pod up 100 %"]


def test_checks_that_are_not_ok_are_named_worst_first() -> None:
    facts = DigestFacts([day()], [day()], checks=made(DISK, FINE, ARGO, POOL))
    assert read(facts) == [
        "🔎 Mon 23 Nov: nothing was down, 2 checks not ok, 1 check unknown, pod up 100 %",
        "Not ok at 09:00 UTC: Executor pool: no executor is free",
        "Not ok at 09:00 UTC: Argo CD: no answer in 10 s",
        "Not ok at 09:00 UTC: Disk: /home/claude is 91 % full",
    ]
    assert [f.verdict for f in digest(facts, NOW).facts] == [Verdict.FAIL, Verdict.UNKNOWN, Verdict.WARN]


def test_of_many_checks_the_worst_are_named_and_the_others_counted() -> None:
    many = [replace(DISK, probe=f"check-{n}") for n in range(40)]
    facts = DigestFacts([day()], [day()], checks=made(*many, POOL))
    said = read(facts)
    assert "41 checks not ok" in said[0]
    assert said[1] == "Not ok at 09:00 UTC: Executor pool: no executor is free"
    assert said[6:] == ["And: 36 other checks: `/agentpod status` shows all"]


def test_what_is_kept_is_bounded() -> None:
    found = made(*[replace(DISK, summary="x" * 10_000)] * 100)
    assert len(found.not_ok) == MOST_KEPT
    assert found.more == 100 - MOST_KEPT
    assert max(len(one.summary) for one in found.not_ok) == MOST_SUMMARY


def test_of_several_targets_each_check_names_its_own() -> None:
    days = [day(), replace(day(), target="other")]
    facts = DigestFacts(days, days, checks=checks_read(NOW, {"pod": [FINE], "other": [DISK]}))
    assert read(facts)[1] == "Not ok at 09:00 UTC: Disk (other): /home/claude is 91 % full"


@pytest.mark.parametrize(
    ("kind", "key", "check"),
    [
        ("pod", "storage:pod", "disk"),
        ("pod", "check:pod:executor-pool", "executor-pool"),
        ("pod", "process:pod:kali:sshd", "processes"),
        ("pod", "pod:pod", "pod"),
        ("heartbeat", "heartbeat:pod:alpha", "heartbeats"),
        ("blind", "source:cluster:pod", "kubernetes"),
        ("blind", "source:pushgateway", "heartbeats"),
        ("blind", "inside:pod", "exec"),
    ],
)
def test_what_an_open_incident_says_is_not_said_twice(kind: str, key: str, check: str) -> None:
    still = incident(kind, "it", 30, None, key=key)
    of_check = replace(POOL, probe=check)
    assert not unsaid(made(of_check), [still]).not_ok
    assert unsaid(made(of_check), [incident(kind, "it", 3, 4, key=key)]).not_ok, "that one is over"
    assert [one.check for one in unsaid(made(of_check, ARGO), [still]).not_ok] == ["argocd"]


def test_another_target_s_incident_says_nothing_of_this_one() -> None:
    still = incident("pod", "it", 30, None, key="storage:pod")
    elsewhere = checks_read(NOW, {"other": [DISK]})
    assert unsaid(elsewhere, [still]).not_ok


def test_the_checks_that_problem_sources_name_exist() -> None:
    known = {kind.id for kind in registry.BUILTIN} | {API.key, EXEC.key, GATEWAY.key}
    assert {check for source in sources.BUILTIN for check in source.checks} <= known


def test_the_ledger_keeps_the_findings_of_the_newest_digests() -> None:
    days = [date(2026, 11, 23) + timedelta(days=n) for n in range(3)]
    text = None
    for number, of in enumerate(days):
        text = with_day(text, of, made(*[DISK] * number))
    assert [None if (kept := of_day(text, of)) is None else len(kept.not_ok) for of in days] == [None, 1, 2]
    assert of_day(text, days[2]) == made(DISK, DISK)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"2026-11-23": {"at": "never"}}'])
def test_a_mark_that_can_t_be_read_has_no_findings(text: str | None) -> None:
    assert of_day(text, date(2026, 11, 23)) is None
    assert of_day(with_day(text, date(2026, 11, 23), made(DISK)), date(2026, 11, 23)) == made(DISK)
