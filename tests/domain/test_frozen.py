"""Dataclasses created by `make` and `replace` equal those created the usual way."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from bot.domain.core.frozen import make, replace
from bot.domain.incidents import alerting, job_state
from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.job_state import JobState
from bot.domain.incidents.problem import Problem

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROBLEM = Problem("heartbeat:t:alpha", "heartbeat", "t", "alpha", "is silent", "critical", NOW)


def test_make_equals_the_constructor_with_defaults() -> None:
    made = make(Incident, id="i-1", problem=PROBLEM, state=IncidentState.PENDING, opened_at=NOW)
    usual = Incident("i-1", PROBLEM, IncidentState.PENDING, NOW)
    assert made == usual
    assert hash(made) == hash(usual)
    assert repr(made) == repr(usual)
    assert dataclasses.asdict(made) == dataclasses.asdict(usual)
    assert (made.ack, made.group, made.version, made.notified) == (None, "", 0, False)


def test_replace_changes_only_the_given_fields() -> None:
    made = make(Incident, id="i-1", problem=PROBLEM, state=IncidentState.PENDING, opened_at=NOW, flapping=True)
    changed = replace(made, state=IncidentState.FIRING, fired_at=NOW)
    assert changed == Incident("i-1", PROBLEM, IncidentState.FIRING, NOW, NOW, flapping=True)
    assert made.state is IncidentState.PENDING
    assert dataclasses.replace(made, state=IncidentState.FIRING, fired_at=NOW) == changed


def test_made_objects_serialize_with_every_field() -> None:
    incident = make(Incident, id="i-1", problem=PROBLEM, state=IncidentState.PENDING, opened_at=NOW)
    assert alerting.to_json(incident) == alerting.to_json(Incident("i-1", PROBLEM, IncidentState.PENDING, NOW))
    assert alerting.from_json(alerting.to_json(incident)) == incident
    memory = make(JobState, job="alpha", watched_since=NOW)
    assert job_state.to_json(memory) == job_state.to_json(JobState("alpha", NOW))
