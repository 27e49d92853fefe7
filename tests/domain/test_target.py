"""The target's settings: durations, process rules, and what is refused."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.core.target import (
    ContainerTarget,
    HeartbeatPolicy,
    ProcessRule,
    ServiceTarget,
    StorageSpec,
    Target,
    canonical_job,
    parse_duration,
)
from tests import handbook


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
        ("500ms", 0.5),
        ("1.5h", 5400),
        (timedelta(minutes=2), 120),
        (" 5m ", 300),
    ],
)
def test_durations_are_read(value: object, seconds: float) -> None:
    assert parse_duration(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "5",
        "5x",
        "m",
        "-5m",
        "5m soon",
        "1h 30m",
        "0s",
        0,
        -1,
        10,
        0.5,
        "0.5",
        True,
        None,
        "11000d",
        float("nan"),
    ],
)
def test_invalid_durations_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@given(st.integers(0, 300), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_a_duration_is_the_sum_of_its_parts(d: int, h: int, m: int, s: int) -> None:
    expected = timedelta(days=d, hours=h, minutes=m, seconds=s)
    assert parse_duration(f"{d}d{h}h{m}m{s}s") == expected
    with pytest.raises(ValueError, match="has no unit"):
        parse_duration(expected.total_seconds())


@given(st.text())
def test_any_other_text_is_refused_with_a_reason(text: str) -> None:
    try:
        assert parse_duration(text) > timedelta(0)
    except ValueError as error:
        assert "duration" in str(error)  # noqa: PT017 - either outcome is right, as long as it is this error


@given(st.text(min_size=1, max_size=60))
def test_a_named_rule_matches_its_name_as_a_whole_word_only(name: str) -> None:
    rule = re.compile(ProcessRule.named(name).match)
    assert rule.search(name)
    assert rule.search(f"/usr/bin/{name} -D")
    assert rule.search(f"{name}: title")


@pytest.mark.parametrize("near", ["sshd2", "my-sshd", "sshd-session", "sshd_config", "sshd.conf", "xsshd"])
def test_a_similar_name_is_another_process(near: str) -> None:
    assert not re.search(ProcessRule.named("sshd").match, near)


def test_a_bare_name_in_the_settings_becomes_its_rule() -> None:
    spec = ContainerTarget.model_validate(
        {"name": "x", "processes": ["sshd", {"name": "web", "match": "node .*"}]}
    )
    assert spec.processes == (ProcessRule.named("sshd"), ProcessRule(name="web", match="node .*"))


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (ProcessRule, {"name": "x", "match": "("}, "not a regular expression"),
        (StorageSpec, {"warn_percent": 95}, "warn_percent is above fail_percent"),
        (HeartbeatPolicy, {"job": "x"}, "needs stale_after or schedule"),
        (HeartbeatPolicy, {"job": "a\nb", "stale_after": "1h"}, "a job's name is one line"),
        (HeartbeatPolicy, {"job": " a", "stale_after": "1h"}, "without a space at its ends"),
        (HeartbeatPolicy, {"job": "a" * 201, "stale_after": "1h"}, "at most 200 characters"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "1h", "schedule": "* * * * *"}, "only one of them"),
        (HeartbeatPolicy, {"job": "x", "schedule": "99 * * * *"}, "not a crontab schedule"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "1h", "grace": "5h"}, "grace, which belongs to a schedule"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "1ms"}, "takes 1s at least"),
        (HeartbeatPolicy, {"job": "x", "schedule": "0 9 * * *", "grace": "30d"}, "longer than 10 of its runs"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "0s"}, "more than nothing"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "3y"}, "not a duration"),
        (HeartbeatPolicy, {"job": "x", "stale_after": "1000d"}, "stale_after takes at most 400d"),
        (HeartbeatPolicy, {"job": "x", "schedule": "0 9 1 1 *", "grace": "1000d"}, "grace takes at most 400d"),
        (
            HeartbeatPolicy,
            {"job": "x", "schedule": "0 0 * * *", "timezone": "Mars/Base"},
            "no time zone is called",
        ),
        (HeartbeatPolicy, {"job": "x", "stale_after": "soon"}, "not a duration"),
        (ServiceTarget, {"name": "x", "ip": "192.0.2.1", "port": 70000}, "less than or equal to 65535"),
        (Target, {"containers": [{"name": "a"}, {"name": "a"}]}, "container 'a' is listed twice"),
        (Target, {"containers": []}, "at least 1 item"),
        (Target, {"namespace": "Not_OK"}, "pattern"),
        (Target, {"name": "a/b"}, "pattern"),
        (Target, {"name": "a:b"}, "pattern"),
        (Target, {"name": ""}, "pattern"),
        (Target, {"name": "a" * 64}, "at most 63 characters"),
        (Target, {"issue": "owner/repository"}, "pattern"),
        (Target, {"issue": "agent-ops"}, "pattern"),
        (Target, {"issue": "a/b/c#1"}, "pattern"),
        (Target, {"issue": "/agent-ops#1"}, "pattern"),
        (Target, {"issue": "agent-ops#0"}, "pattern"),
        (Target, {"issue": "agent ops#1"}, "pattern"),
        (Target, {"issue": "öwner/repository#1"}, "pattern"),
        (Target, {"issue": "owner/repository#١"}, "pattern"),
        (Target, {"unknown": 1}, "not permitted"),
        (
            Target,
            {"heartbeats": [{"job": "a-b", "stale_after": "1h"}, {"job": "a_b", "stale_after": "1h"}]},
            "heartbeat job 'a-b' is listed twice",
        ),
        (Target, {"heartbeats": [{"job": "pod", "stale_after": "1h"}]}, "can't be called 'pod'"),
        (Target, {"config_maps": ["Agent Settings"]}, "config_maps.0"),
        (Target, {"config_maps": ["a", "b", "a"]}, "ConfigMap 'a' is listed twice in config_maps"),
    ],
)
def test_wrong_settings_are_refused_with_a_reason(model: Any, data: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        model.model_validate(data)


def test_the_defaults_are_the_handbooks() -> None:
    target = handbook.TARGET
    assert (target.namespace, target.node, target.container().name) == ("secure-agent-pod", "gpu-1", "kali")
    assert [p.name for p in target.container().processes] == ["sshd", "supercronic", "vibe-kanban"]
    assert {h.job: h.stale_after for h in target.heartbeats} == {
        "exercise-reminder": timedelta(hours=3),
        "audit-digest": timedelta(hours=26),
        "session-manager": timedelta(minutes=10),
    }


def test_a_target_s_name_may_have_letters_of_any_alphabet_up_to_63() -> None:
    assert Target(name="p" + "ö" * 62).name == "p" + "ö" * 62


@pytest.mark.parametrize(
    "issue", ["", "agent-ops#18", "frank#7", "derio-net/frank#10", "O_w.n-er/repo.github_io-2#1"]
)
def test_an_issue_has_github_s_format(issue: str) -> None:
    assert Target(issue=issue).issue == issue


def test_a_container_is_found_by_its_name() -> None:
    assert Target().container("kali").name == "kali"
    with pytest.raises(KeyError):
        Target().container("other")


def test_job_names_are_normalised() -> None:
    assert canonical_job("session_manager") == canonical_job("session-manager")


def test_a_heartbeat_uses_its_target_s_cron_unless_it_has_its_own() -> None:
    ours, own = (
        {"job": "a", "schedule": "0 4 * * 5-7"},
        {"job": "b", "schedule": "0 4 L * *", "cron": "supercronic"},
    )
    target = Target.model_validate({"cron": "debian", "heartbeats": [ours, own]})
    assert [h.cron for h in target.heartbeats] == ["debian", "supercronic"]
    assert target.heartbeats[0].rule == "due Fri to Sun at 04:00 (UTC, Debian's cron), stale 10 min later"
    assert target.heartbeats[1].rule == "due by 0 4 L * * (UTC), stale 10 min later", "words would not help"
    assert [h.cron for h in Target.model_validate({"heartbeats": [own]}).heartbeats] == ["supercronic"]
    again = Target(cron="debian", heartbeats=(target.heartbeats[0], HeartbeatPolicy(job="c", stale_after="1h")))
    assert [h.cron for h in again.heartbeats] == ["debian", "debian"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"heartbeats": [{"job": "a", "schedule": "0 4 * * 5-7"}]}, "for supercronic:.*Debian's cron takes it"),
        ({"cron": "debian", "heartbeats": [{"job": "a", "schedule": "0 4 L * *"}]}, "for Debian's cron:"),
        (
            {"cron": "debian", "heartbeats": [{"job": "a", "schedule": "0 4 * * *", "cron": "cronie"}]},
            "supercronic' or",
        ),
        ({"cron": "cronie", "heartbeats": [{"job": "a", "schedule": "0 4 * * *"}]}, "'supercronic' or 'debian'"),
    ],
)
def test_a_schedule_that_its_cron_rejects_is_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s)1 validation error.*{message}"):
        Target.model_validate(data)


def test_a_different_cron_is_a_different_policy() -> None:
    one, other = (HeartbeatPolicy(job="a", schedule="0 4 * * *", cron=cron) for cron in ("supercronic", "debian"))
    assert one.fingerprint != other.fingerprint
