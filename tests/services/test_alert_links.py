"""Links of alerts and answers: the job's or check's own runbook before the kind's, and that before the default."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Link
from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.runbook_urls import RunbookUrls
from bot.domain.incidents.sources.check import CHECK
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.source import ProblemSource
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.incidents.alert_links import AlertLinks

HOST = "https://example.com"
TARGET = Target.model_validate(
    {
        "name": "blue",
        "namespace": "agents",
        "links": [
            {"name": "Grafana", "url": f"{HOST}/d/1?var-namespace={{namespace}}"},
            {"name": "Kanban", "url": f"{HOST}/kanban", "show_on": ["home"]},
        ],
        "heartbeats": [
            {"job": "nightly_backup", "stale_after": "3h", "runbook_url": f"{HOST}/own/{{job}}"},
            {"job": "audit-digest", "stale_after": "3h"},
        ],
    }
)
BOOK = """
runbook: mine
checks:
  queue:
    title: Queue
    exec: {command: [qctl]}
    expect: exit_code == 0
    runbook_url: https://example.com/queue/{check}
  pool:
    title: Pool
    exec: {command: [qctl]}
    expect: exit_code == 0
"""
URLS = RunbookUrls(
    default=f"{HOST}/default/{{kind}}", heartbeat=f"{HOST}/job/{{job}}", check=f"{HOST}/check/{{check}}"
)
GRAFANA = Link("Grafana", f"{HOST}/d/1?var-namespace=agents")


@cache
def book() -> CompiledRunbook:
    made, problems = compile_runbook(read(BOOK, "mine.yaml"), CelExpressions())
    assert made is not None, "\n".join(map(str, problems))
    return made


def links(urls: RunbookUrls = URLS) -> AlertLinks:
    return AlertLinks({"blue": TARGET}, urls, {"blue": book()})


def problem(source: ProblemSource, *about: str, target: str = "blue") -> Problem:
    key = source.key(target, *about)
    return Problem(key, source.stored, target, "it", "is wrong", "warning", datetime(2026, 7, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (problem(HEARTBEAT, "nightly-backup"), "/own/nightly_backup"),
        (problem(HEARTBEAT, "nightly_backup"), "/own/nightly_backup"),
        (problem(HEARTBEAT, "audit-digest"), "/job/audit-digest"),
        (problem(HEARTBEAT, "no longer in the settings"), "/job/no%20longer"),
        (problem(CHECK, "queue"), "/queue/queue"),
        (problem(CHECK, "pool"), "/check/pool"),
        (problem(CHECK, "addresses"), "/check/addresses"),
        (problem(POD_HEALTH), "/default/pod"),
        (problem(CLUSTER), "/default/cluster"),
        (replace(problem(POD_HEALTH), kind="of another version", key="x"), "/default/of%20another%20version"),
    ],
)
def test_an_alert_links_its_runbook_then_the_target_s_tools(found: Problem, url: str) -> None:
    runbook, *tools = links().of_problem(found)
    assert runbook.label == "Runbook"
    assert runbook.url.startswith(HOST + url.split(" ")[0])
    assert tools == [GRAFANA]


def test_without_a_runbook_only_the_tools_are_linked() -> None:
    assert links(RunbookUrls()).of_problem(problem(POD_HEALTH)) == (GRAFANA,)
    assert not AlertLinks().of_problem(problem(POD_HEALTH))
    assert not links().of_problem(problem(POD_HEALTH, target="gone"))


def test_a_link_is_shown_where_the_settings_say() -> None:
    assert links().of_target("blue", "status") == (GRAFANA,)
    assert [link.label for link in links().of_target("blue", "home")] == ["Grafana", "Kanban"]
    assert not links().of_target("gone", "home")


def finding(probe: str, verdict: Verdict = Verdict.FAIL) -> Finding:
    return Finding(probe, probe.capitalize(), verdict, "is wrong")


def test_findings_link_the_runbooks_of_what_is_wrong() -> None:
    assert links().of_findings("blue", [finding("queue"), finding("pool", Verdict.OK)], []) == (
        Link("Runbook", f"{HOST}/queue/queue"),
    )
    found = links().of_findings(
        "blue", [finding("queue"), finding("heartbeats"), finding("pod")], ["audit-digest"]
    )
    assert found == (
        Link("Runbook for Queue", f"{HOST}/queue/queue"),
        Link("Runbook for audit-digest", f"{HOST}/job/audit-digest"),
        Link("Runbook for Pod", f"{HOST}/default/pod"),
    )


def test_a_finding_links_the_runbook_of_the_kind_that_is_about_it() -> None:
    urls = RunbookUrls(
        process=f"{HOST}/process", inside=f"{HOST}/inside", storage=f"{HOST}/disk", pod=f"{HOST}/pod"
    )
    for probe, url in (("processes", "process"), ("disk", "disk"), ("exec", "inside"), ("pod", "pod")):
        assert links(urls).of_findings("blue", [finding(probe)], []) == (Link("Runbook", f"{HOST}/{url}"),)


def test_one_page_for_everything_is_linked_once() -> None:
    one = links(RunbookUrls(default=f"{HOST}/all"))
    assert one.of_findings("blue", [finding("pod"), finding("processes"), finding("endpoints")], []) == (
        Link("Runbook", f"{HOST}/all"),
    )


def test_few_runbooks_are_linked_in_one_answer() -> None:
    jobs = [f"job-{number}" for number in range(9)]
    assert len(links().of_findings("blue", [finding("heartbeats")], jobs)) == 3
    assert links().of_findings("blue", [finding("heartbeats", Verdict.UNKNOWN)], []) != ()


def test_a_diagnosis_links_its_own_runbook() -> None:
    found = links().of_diagnosis("blue", "ssh", f"{HOST}/{{diagnosis}}/{{target}}")
    assert found == (Link("Runbook", f"{HOST}/ssh/blue"), GRAFANA)
    assert links().of_diagnosis("blue", "", "") == (GRAFANA,)
