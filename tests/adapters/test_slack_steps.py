"""Workflow steps: which line they run, and that only Slack says for whom."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.slack import inbound, payload, steps
from bot.adapters.slack.request import SlackRequest, StepRun
from bot.domain.core import labels
from bot.runbook.grammar import called
from commands.registry import BUILTIN

MAYA = {"id": "U07MAYA0001", "secret": "s"}


def executed(callback: object = steps.RESTART, execution: object = "Fx1", **inputs: Any) -> dict[str, Any]:
    """The payload of a step that is run."""
    event = {
        "type": "function_executed",
        "function": {"id": "Fn1", "callback_id": callback},
        "inputs": inputs,
        "function_execution_id": execution,
        "event_ts": "17.5",
    }
    return {"type": "event_callback", "event_id": "Ev1", "event": event}


def read(body: dict[str, Any]) -> SlackRequest:
    found = inbound.read(body, "U07AGENTPOD")
    assert found is not None
    return found


def test_a_restart_is_asked_for_by_its_person() -> None:
    body = executed(person=MAYA, reason="it hangs\nsince noon", target='a" --force')
    assert payload.sound(body)
    request = read(body)
    assert (request.surface, request.user, request.channel) == ("workflow", MAYA["id"], MAYA["id"])
    assert request.line == 'restart --target "a\\" --force"'
    assert request.answers == {"reason": "it hangs since noon"}
    assert request.dedup == "workflow:Fx1", "Slack's id of the run, the same for each delivery"
    assert request.step == StepRun("Fx1", steps.RESTART)


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({}, "status"),
        ({"check": ""}, "status"),
        ({"check": "Storage"}, "storage"),
        ({"check": "heartbeats", "target": "b"}, 'heartbeats --target "b"'),
    ],
)
def test_a_check_is_a_command(inputs: dict[str, Any], line: str) -> None:
    assert read(executed(steps.CHECK, person=MAYA, **inputs)).line == line


@pytest.mark.parametrize("person", [None, "U07MAYA0001", {}, {"id": 5}, {"id": ""}, ["U07MAYA0001"]])
def test_who_is_typed_in_or_missing_is_nobody(person: object) -> None:
    request = read(executed(person=person, reason="why"))
    assert request.user == ""
    assert request.step is not None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (executed(person=MAYA), "a reason is needed"),
        (executed(person=MAYA, reason=" \n "), "a reason is needed"),
        (executed(person=MAYA, reason="a\0b"), "can't be shown"),
        (executed(person=MAYA, reason="why", target=5), "is no text"),
        (executed(steps.CHECK, person=MAYA, target="\u202eb"), "can't be shown"),
        (executed("gone", person=MAYA), "no such step"),
    ],
)
def test_inputs_that_can_not_be_used_run_nothing(body: dict[str, Any], said: str) -> None:
    request = read(body)
    assert request.line is None
    assert said in request.said


@pytest.mark.parametrize("body", [executed(execution=""), executed(execution=5), executed(callback=None)])
def test_an_event_without_its_ids_is_ignored(body: dict[str, Any]) -> None:
    assert inbound.read(body, "U07AGENTPOD") is None


def test_steps_are_called_like_their_commands() -> None:
    restart, check = steps.STEPS
    assert restart.title == labels.of("restart")
    assert [p.name for p in restart.inputs + restart.outputs] == [
        "person",
        "reason",
        "target",
        "request_id",
        "state",
    ]
    assert [p.name for p in check.outputs] == ["verdict", "headline"]
    for step in steps.STEPS:
        [person] = [p for p in step.inputs if p.name == "person"]
        assert (person.type, person.required) == ("slack#/types/user_context", True), "nobody can type it in"


def test_a_workflow_runs_only_what_all_may_see() -> None:
    may = {c.name for c in BUILTIN if steps._is_check(c)}
    assert {"status", "storage", "heartbeats", "pods"} <= may
    assert not may & {"logs", "secrets", "restart", "ack", "audit", "egress test", "approve", "help", ""}
    assert not steps._is_check(called("nonsense", BUILTIN))
