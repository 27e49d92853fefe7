"""What is sent to the health-bridge: an issue's worst state, and its end when all its incidents are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.incidents.alerting import AlertRules, Incident, decide
from bot.domain.incidents.bridge import NEVER, alert, kept, state
from bot.domain.incidents.problem import Problem

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ISSUE = "derio-net/frank#12"
MIN = timedelta(minutes=1)


def incident(job: str, severity: Any = "warning", kind: str = "heartbeat", since: int = 0) -> Incident:
    problem = Problem(f"k:{job}", kind, "pod", job, "no heartbeat", severity, NOW + since * MIN, issue=ISSUE)
    made = decide(None, problem, AlertRules(), NOW + since * MIN)
    assert made is not None
    return made


def over(made: Incident) -> Incident:
    gone = decide(made, None, AlertRules(), NOW + 10 * MIN)
    done = decide(gone, None, AlertRules(), NOW + 20 * MIN)
    assert done is not None
    return done


def test_a_firing_incident_has_alertmanager_s_format() -> None:
    found = alert(ISSUE, [incident("session_manager", "critical")], NOW)
    assert found is not None
    [one] = found["alerts"]
    assert (found["status"], found["version"], one["status"]) == ("firing", "4", "firing")
    labels = {"alertname": "session-manager-stale", "severity": "critical", "github_issue": ISSUE}
    assert one["labels"] == labels
    assert (one["startsAt"], one["endsAt"]) == ("2026-11-24T09:00:00Z", NEVER)
    assert one["annotations"]["summary"] == "session_manager: no heartbeat"
    assert {"generatorURL", "fingerprint"} <= set(one)


def test_the_worst_incident_of_an_issue_is_sent() -> None:
    both = [incident("a", "warning", since=-60), incident("b", "critical")]
    found = alert(ISSUE, both, NOW)
    assert found is not None
    assert found["alerts"][0]["labels"]["severity"] == "critical"
    assert found["alerts"][0]["startsAt"] == "2026-11-24T08:00:00Z"
    fewer = alert(ISSUE, [both[0], over(both[1])], NOW)
    assert fewer is not None
    assert (fewer["status"], fewer["alerts"][0]["labels"]["severity"]) == ("firing", "warning")


def test_an_issue_resolves_when_all_its_incidents_are_over() -> None:
    found = alert(ISSUE, [over(incident("a")), over(incident("b"))], NOW)
    assert found is not None
    assert (found["status"], found["alerts"][0]["endsAt"]) == ("resolved", "2026-11-24T09:10:00Z")


def test_an_unavailable_source_is_a_warning_with_grafana_s_name() -> None:
    found = alert(ISSUE, [incident("the Pushgateway", "critical", "blind")], NOW)
    assert found is not None
    labels = found["alerts"][0]["labels"]
    assert (labels["alertname"], labels["severity"]) == ("DatasourceError", "warning")


def test_an_incident_that_never_fired_is_not_sent() -> None:
    assert alert(ISSUE, [replace(incident("a"), fired_at=None)], NOW) is None
    assert alert(ISSUE, [], NOW) is None


def test_an_end_is_sent_only_after_a_beginning() -> None:
    begun = incident("a")
    assert state(ISSUE, [over(begun)], "", NOW) is None
    firing = state(ISSUE, [begun], "", NOW)
    assert firing is not None
    done = state(ISSUE, [over(begun)], kept(firing), NOW + 30 * MIN)
    assert done is not None
    assert (done["status"], done["alerts"][0]["endsAt"]) == ("resolved", "2026-11-24T09:10:00Z")
    assert kept(done) == ""


@pytest.mark.parametrize("older", [(), (over(incident("of old", since=-120)),)])
def test_a_sent_alert_ends_even_if_its_incident_moved_or_ended_long_ago(older: tuple[Incident, ...]) -> None:
    firing = alert(ISSUE, [incident("a", "critical")], NOW)
    assert firing is not None
    done = state(ISSUE, older, kept(firing), NOW + 30 * MIN)
    assert done is not None
    [one] = done["alerts"]
    assert (done["status"], one["status"], one["endsAt"]) == ("resolved", "resolved", "2026-11-24T09:30:00Z")
    assert (one["labels"], one["fingerprint"]) == (
        firing["alerts"][0]["labels"],
        firing["alerts"][0]["fingerprint"],
    )
    assert one["annotations"]["description"] == "Nothing that is wrong belongs to this issue any more."
