"""What expressions get of each kind of fact."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from bot.domain.runbook.facts.metrics import Metrics
from bot.domain.runbook.facts.object import Kubernetes
from bot.domain.runbook.facts.processes import with_expected
from bot.domain.runbook.kind import Unreadable
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import MAX_LINE, MAX_LINES, Record, bounded

PS = """\
PID USER ELAPSED COMMAND
1 claude 06:51:00 tini
61 claude 06:51:00 sshd: /usr/sbin/sshd -D
99 claude 01:00 [x] <defunct>"""


def values(kind: str, text: str, **outcome: str) -> dict[str, Any]:
    lines = tuple(text.split("\n")) if text else ()
    return KINDS[kind].values(Record(kind, lines, outcome))


def test_a_command_s_output_and_exit_code() -> None:
    assert values("exec", "a\nb", exit_code="1", stderr="c") == {
        "lines": ["a", "b"],
        "stdout": "a\nb",
        "stderr": "c",
        "exit_code": 1,
        "no_program": False,
    }
    assert "exit_code" not in values("exec", ""), "a command that was ended has none"


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("up 1\n# HELP up x\nqueue 2.5 1700000000000", {"up": 1.0, "queue": 2.5}),
        ('up{a="1"} 1\nup{a="2"} 0', {}),
        ("up NaN\nq +Inf\nz 1e3", {"z": 1000.0}),
        ("up 1\nup 2", {}),
        ("up 1_0\nz 0x10\nq 1e999\ny 1 2 3\nx", {}),
        ('up{a="}"} 1 1625.5\nq .5\nz{} -4.e1', {"up": 1.0, "q": 0.5, "z": -40.0}),
        ('up{a="b"} 9 # {trace_id="# {}"} 0.5 1625.5\nq 2 # {} 1', {"up": 9.0, "q": 2.0}),
    ],
)
def test_a_metric_has_a_value_only_if_it_is_one_finite_number(text: str, metric: dict[str, float]) -> None:
    assert values("metrics", text)["metric"] == metric


def test_samples_have_labels() -> None:
    [sample] = values("metrics", r'x{a="1\"2",b="c\nd"} 4')["samples"]
    assert sample == {"name": "x", "labels": {"a": '1"2', "b": "c\nd"}, "value": 4.0}


@pytest.mark.parametrize("text", ["up NaN", "up 1_0\nup 1", 'up{a="1" 5\nq 1', "up\nq 1"])
def test_a_sample_that_is_no_finite_number_has_no_value(text: str) -> None:
    found = values("metrics", text)
    assert "value" not in found["samples"][0]
    assert found["series"]["up"] == [one for one in found["samples"] if one["name"] == "up"]
    assert "up" not in found["metric"]


def test_the_last_sample_of_text_that_was_cut_has_no_value() -> None:
    record = Record("metrics", ("q 1", "up 12"), truncated=True)
    assert KINDS["metrics"].values(record)["metric"] == {"q": 1.0}


@pytest.mark.parametrize("text", ["q " + "1" * 8_000 + "x", "q{" + '"a' * 4_000, "q 1" + " " * 8_000 + "x"])
def test_a_sample_is_parsed_in_linear_time(text: str) -> None:
    begin = time.process_time()
    assert values("metrics", f"a 1\n{text}")["metric"] == {"a": 1.0}
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "text", ["", "<html>", "service unavailable", "up 1\n<html>", "\n".join(f"m{n} 1" for n in range(20_001))]
)
def test_what_holds_no_metrics_or_too_many_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        values("metrics", text)


def test_processes_are_parsed_and_the_expected_ones_named() -> None:
    record = with_expected(Record("processes", tuple(PS.split("\n"))), {"sshd": "sshd", "cron": "supercronic"})
    found = KINDS["processes"].values(record)
    assert record.citable[-2:] == ("sshd: running (pid 61)", "cron: not running")
    assert found["running"] == {"sshd": True, "cron": False}
    assert [p["defunct"] for p in found["processes"]] == [False, False, True]


def test_a_process_is_not_called_missing_from_a_truncated_list() -> None:
    record = with_expected(Record("processes", tuple(PS.split("\n")), truncated=True), {"cron": "supercronic"})
    assert KINDS["processes"].values(record)["running"] == {}


def test_a_secret_has_keys_and_times_and_no_value() -> None:
    found = values("secret", "key A: 3 bytes\nchanged: 2026-01-01T00:00:00+00:00", exists="true")
    assert (found["exists"], found["keys"], found["changed"]) == (True, ["A"], datetime(2026, 1, 1, tzinfo=UTC))
    assert values("secret", "", exists="false")["exists"] is False


def test_a_service_waits_for_its_address() -> None:
    assert values("service", "type: LoadBalancer", exists="true", assigned="no address")["waiting"] is True
    assert values("service", "type: LoadBalancer\naddress: 10.0.0.1")["addresses"] == ["10.0.0.1"]


def test_a_pod_s_containers_have_state_and_last_termination() -> None:
    found = values(
        "pod",
        "status.containerStatuses[0].name: kali\n"
        "status.containerStatuses[0].state.waiting.reason: CrashLoopBackOff\n"
        "status.containerStatuses[0].lastState.terminated.reason: OOMKilled",
        Ready="False, ContainersNotReady",
    )
    [kali] = found["containers"]
    assert (kali["name"], kali["waiting"]["reason"], kali["last"]["reason"]) == (
        "kali",
        "CrashLoopBackOff",
        "OOMKilled",
    )
    assert found["ready"] is False


def test_the_values_of_a_secret_can_not_be_asked_for_as_an_object() -> None:
    with pytest.raises(ValidationError, match="the kind 'secret'"):
        Kubernetes(resource="secrets", name="a")


def test_an_address_is_a_url_or_a_service() -> None:
    with pytest.raises(ValidationError, match="either url or service"):
        Metrics()


def test_a_record_without_a_line_lacks_it_wherever_it_stands() -> None:
    record = Record("exec", ("a", "b", "a"), {"exit_code": "1"})
    assert record.without("a").citable == ("b", "exit_code: 1")
    assert record.without("exit_code: 1").outcome == {}


def test_records_are_bounded() -> None:
    lines, more = bounded(("x" * (MAX_LINE + 1), *("y",) * MAX_LINES))
    assert (len(lines), len(lines[0]), more) == (MAX_LINES, MAX_LINE, True)


@pytest.mark.parametrize(
    ("lines", "steady", "failing", "down"),
    [
        (["state.running.startedAt: 2026-06-01T10:00:00Z"], True, False, False),
        (["state.running.startedAt: 2026-06-01T11:30:00Z"], False, True, False),
        (["state.running: {}"], False, True, False),
        (["ready: true", "lastState.terminated.finishedAt: 2026-05-27T12:00:00Z"], True, False, False),
        (["state.waiting.reason: CrashLoopBackOff"], False, True, True),
        (["state.running.startedAt: yesterday"], False, True, False),
    ],
)
def test_a_container_is_steady_once_it_has_run_for_an_hour(
    lines: list[str], steady: bool, failing: bool, down: bool
) -> None:
    text = ("status.containerStatuses[0].name: kali", *(f"status.containerStatuses[0].{line}" for line in lines))
    record = Record("pod", text, at=datetime(2026, 6, 1, 12, tzinfo=UTC))
    [found] = KINDS["pod"].values(record)["containers"]
    assert (found["steady"], found["failing"], found["down"]) == (steady, failing, down)
    assert found["path"] == "status.containerStatuses[0]"


def test_an_init_container_that_has_done_its_work_does_not_fail() -> None:
    lines = (
        "status.initContainerStatuses[0].name: init",
        "status.initContainerStatuses[0].state.terminated.exitCode: 0",
    )
    [found] = KINDS["pod"].values(Record("pod", lines))["containers"]
    assert (found["failing"], found["down"]) == (False, False)


def test_a_container_names_the_secrets_of_its_environment() -> None:
    text = (
        "spec.containers[0].name: kali\n"
        "spec.containers[0].envFrom[0].secretRef.name: tier2\n"
        "spec.containers[0].env[0].valueFrom.secretKeyRef.name: single\n"
        "status.containerStatuses[0].name: kali"
    )
    [found] = values("pod", text)["containers"]
    assert found["secrets"] == ["tier2", "single"]


def test_the_line_about_a_lost_node_is_a_value() -> None:
    assert values("pod", "status.phase: Running", Node="gpu-1 has stopped reporting")["lost"] == [
        "Node: gpu-1 has stopped reporting"
    ]


def test_a_check_that_is_unknown_neither_failed_nor_not() -> None:
    assert values("check", "warn: too old")["failed"] == ["warn: too old"]
    assert values("check", "ok: As expected")["failed"] == []
    with pytest.raises(Unreadable, match=r"^no answer$") as caught:
        values("check", "unknown: no answer")
    assert caught.value.known == {}
    assert caught.value.asked["verdict"] == "unknown"
    assert "failed" not in caught.value.asked


def test_a_recorded_check_may_have_its_verdict_beside_its_text_and_fails_without_one() -> None:
    assert values("check", "too old", verdict="warn")["failed"] == ["too old"]
    assert values("check", "fine", verdict="ok")["verdict"] == "ok"
    assert values("check", "too old")["verdict"] == "fail"


def test_a_session_is_no_listener_and_an_editor_no_program() -> None:
    ps = "PID COMMAND\n7 sshd: claude@pts/0\n8 vim /home/claude/repos/vibe-kanban"
    record = with_expected(
        Record("processes", tuple(ps.split("\n"))), {"sshd": "sshd", "vibe-kanban": "vibe-kanban"}
    )
    assert record.outcome == {"sshd": "not running", "vibe-kanban": "not running"}
