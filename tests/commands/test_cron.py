"""`cron` and `cron scripts`: what the pod's cron runs, and when; wrong lines; what contradicts the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.core import moments
from bot.domain.core.probes import Verdict
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.errors import Transient
from tests import handbook
from tests.commands.fakes import (
    CRONTAB,
    FRESH,
    HANG,
    NOW,
    UNREADY,
    World,
    beat,
    container,
    pod,
    said,
    text_of,
)

PATH = "cat /home/claude/.crontab"


def rows(reply: Any) -> dict[str, tuple[str, ...]]:
    [table] = reply.tables
    return {row[0]: tuple(moments.short(cell, NOW) for cell in row[1:]) for row in table.rows}


async def test_each_job_has_its_schedule_its_heartbeat_and_its_next_run(world: World) -> None:
    reply = await world.run("cron")
    assert reply.headline == "Crontab: 4 jobs, the next one runs in 5 min"
    assert rows(reply)["session-manager.sh"] == ("every 5 min", "2 min ago", "12:05 UTC (in 5 min)")
    assert rows(reply)["exercise-cron.sh"] == ("every 2 h", "1 h ago", "14:00 UTC (in 2 h)")
    assert reply.data["zone"] == "UTC"


async def test_the_zone_of_schedules_is_said_beside_runs_in_the_reader_s(world: World) -> None:
    reply = await world.run("cron")
    assert rows(reply)["audit-digest.sh"][2] == "21:00 UTC (in 9 h)"
    assert rows(reply)["audit-digest.sh"][0] == "daily at 21:00 (UTC)"
    assert rows(reply)["session-manager.sh"][0] == "every 5 min", "the same in each zone"


async def test_cron_tz_is_the_zone_of_the_schedules(world: World) -> None:
    world.cluster.programs[PATH] = said(f"CRON_TZ=America/New_York\n{CRONTAB}")
    reply = await world.run("cron")
    assert reply.data["zone"] == "America/New_York"
    assert rows(reply)["audit-digest.sh"][0] == "daily at 21:00 (America/New_York)"
    assert rows(reply)["audit-digest.sh"][2] == "Tue 24 Nov, 02:00 UTC (in 14 h)"


async def test_a_job_that_nobody_judges_has_no_mark(world: World) -> None:
    world.heartbeats.answer = HeartbeatPoll((beat("session_manager", timedelta(hours=2)),))  # type: ignore[union-attr]
    world.target = Target(heartbeats=(HeartbeatPolicy(job="audit-digest", stale_after=timedelta(hours=26)),))
    reply = await world.run("cron")
    names = [row[0] for row in reply.tables[0].rows]
    assert dict(zip(names, reply.tables[0].verdicts, strict=True))["session-manager.sh"] is None


async def test_a_secret_in_a_command_is_not_shown(world: World) -> None:
    text = text_of(await world.run("cron"))
    assert "open-sesame-42" not in text
    assert "claude update" in text
    world.cluster.secrets_answer = Transient("The API server is busy.")
    world.cluster.programs[PATH] = said("* * * * * curl -u me:abc\n61 * * * * curl -u me:abc\n")
    text = text_of(await world.run("cron"))
    assert "curl" in text
    assert "abc" not in text


async def test_no_step_of_a_job_is_hidden(world: World) -> None:
    hidden = f"/opt/first {'-q ' * 30}&& /opt/scripts/audit-digest.sh"
    world.cluster.programs[PATH] = said(
        f"@daily {hidden}\n@daily /opt/scripts/audit-digest.sh && /opt/then\n@daily /opt/scripts/a.sh -q 2>&1\n"
    )
    reply = await world.run("cron")
    assert list(rows(reply)) == ["first … && audit-digest.sh", "audit-digest.sh && then", "a.sh"]
    [whole] = reply.excerpts
    assert (whole.title, whole.text) == ("Whole commands", f"line 1: {hidden}")


async def test_a_wrong_line_is_shown_with_a_mark(world: World) -> None:
    world.cluster.programs[PATH] = said(f"{CRONTAB}5 61 * * * /opt/scripts/late.sh\n")
    reply = await world.run("cron")
    assert reply.verdict is Verdict.WARN
    assert "line 6: this is not a valid hour: it takes 0 to 23" in reply.headline
    [errors] = reply.excerpts
    line, mark = errors.text.split("\n")
    assert line[mark.index("^") :].startswith("61")


async def test_a_heartbeat_policy_that_contradicts_the_crontab_is_named(world: World) -> None:
    policies = (HeartbeatPolicy(job="audit-digest", schedule="0 9 * * *"),)
    world.target = Target(heartbeats=policies)
    world.heartbeats.answer = HeartbeatPoll((beat("audit_digest", timedelta(hours=2)),))  # type: ignore[union-attr]
    reply = await world.run("cron")
    assert (reply.verdict, reply.body) == (
        Verdict.OK,
        (
            "In the settings audit-digest is due by 0 9 * * *, but line 4 says 0 21 * * *. "
            'Set schedule: "0 21 * * *", timezone: UTC instead.',
        ),
    )
    status = await world.run("status")
    assert status.verdict is reply.verdict, "wrong settings don't make the pod unwell"
    assert "is due by" not in text_of(status)


async def test_a_stale_job_is_not_healthy(world: World) -> None:
    stale = (beat("session_manager", timedelta(hours=2)), *FRESH[:2])
    world.heartbeats.answer = HeartbeatPoll(stale)  # type: ignore[union-attr]
    reply = await world.run("cron")
    assert reply.verdict is Verdict.FAIL
    assert reply.tables[0].verdicts[0] is Verdict.FAIL


async def test_a_heartbeat_without_policy_is_shown_beside_its_job(world: World) -> None:
    world.cluster.programs[PATH] = said(f"{CRONTAB}0 4 * * * git pull && push-heartbeat.sh self_update\n")
    groups = (*FRESH, beat("self_update", timedelta(hours=8)))
    world.heartbeats.answer = HeartbeatPoll(groups)  # type: ignore[union-attr]
    assert rows(await world.run("cron"))["git pull && push-heartbeat.sh self_update"][1] == "8 h ago"


async def test_a_job_that_no_line_pushes_is_named(world: World) -> None:
    world.cluster.programs[PATH] = said("@daily /opt/scripts/audit-digest.sh\n")
    reply = await world.run("cron")
    assert "doesn't name exercise-reminder or session-manager" in text_of(reply)
    world.cluster.programs[PATH] = said("0 25 * * * /opt/scripts/audit-digest.sh\n")
    assert "doesn't name" not in text_of(await world.run("cron")), "a wrong line may be the one that names it"


@pytest.mark.parametrize("answer", [HANG, Transient("The Pushgateway is away.")])
async def test_without_the_pushgateway_the_crontab_is_shown_and_the_heartbeats_are_unknown(
    world: World, answer: Any
) -> None:
    world.heartbeats.answer = answer  # type: ignore[union-attr]
    reply = await world.run("cron")
    assert reply.verdict is Verdict.UNKNOWN
    assert rows(reply)["session-manager.sh"][1] == "unknown"


@pytest.mark.parametrize(
    ("stderr", "verdict"),
    [("cat: /x: No such file or directory", Verdict.FAIL), ("cat: /x: Permission denied", Verdict.UNKNOWN)],
)
@pytest.mark.parametrize("line", ["cron", "cron scripts"])
async def test_a_file_that_can_t_be_read_is_said_with_the_reason(
    world: World, line: str, stderr: str, verdict: Verdict
) -> None:
    world.cluster.programs |= {PATH: said("", stderr, 1), "ls -1": said("", stderr, 2)}
    reply = await world.run(line)
    assert (reply.verdict, stderr.rpartition(": ")[2] in text_of(reply)) == (verdict, True)


@pytest.mark.parametrize("line", ["cron", "cron scripts"])
async def test_without_a_running_container_nothing_is_known(world: World, line: str) -> None:
    world.cluster.pods_answer = [UNREADY]
    reply = await world.run(line)
    assert (reply.verdict, reply.tables) == (Verdict.UNKNOWN, ())
    assert "not checked" not in reply.headline, "it says already that this could not be told"


@pytest.mark.parametrize("line", ["cron", "cron scripts"])
async def test_a_target_without_a_crontab_says_so(world: World, line: str) -> None:
    world.target = Target(crontab=None)
    assert (await world.run(line)).headline == "Neither the settings nor the runbook name a crontab"
    assert world.cluster.ran == []


async def test_binary_and_endless_lines_break_nothing(world: World) -> None:
    world.cluster.programs[PATH] = said("\x00\x1b[31m\ufffd" * 2_000 + "\n" + "* " * 9_000 + "\n")
    reply = await world.run("cron")
    assert reply.verdict is Verdict.WARN
    assert len(text_of(reply)) < 3_000


async def test_the_scripts_are_listed(world: World) -> None:
    reply = await world.run("cron scripts")
    assert reply.headline == "Scripts: 3 files in /opt/scripts"
    assert reply.data["scripts"] == ["audit-digest.sh", "exercise-cron.sh", "session-manager.sh"]


async def test_a_folder_of_another_place_is_listed_there(world: World) -> None:
    world.target = Target.model_validate({"crontab": {"scripts": "~/bin/", "file": "~/tab"}})
    await world.run("cron scripts")
    assert ("ls", "-1", "/home/claude/bin") in world.cluster.ran
    await world.run("cron")
    assert ("cat", "/home/claude/tab") in world.cluster.ran


def listed(*commands: str) -> str:
    return "\n".join(
        ["PID USER ELAPSED COMMAND", *(f"{n} claude 01:00 {one}" for n, one in enumerate(commands, 9))]
    )


async def test_without_its_cron_no_job_runs(world: World) -> None:
    world.cluster.programs["ps"] = said(listed("sshd: /usr/sbin/sshd -D", "node /usr/bin/vibe-kanban"))
    reply = await world.run("cron")
    assert reply.verdict is Verdict.FAIL
    assert reply.headline == "Not healthy: supercronic is not running, so none of its 4 jobs runs"
    assert {row[-1] for row in rows(reply).values()} == {"does not run"}
    assert {job["next_run"] for job in reply.data["jobs"]} == {None}


EARLIER = "supercronic still runs with the earlier file, and would refuse this one: line 6: this is not a valid"


async def test_a_running_supercronic_still_has_the_file_from_before_a_wrong_line(world: World) -> None:
    world.cluster.programs[PATH] = said(f"{CRONTAB}99 * * * * true\n")
    reply = await world.run("cron")
    assert reply.verdict is Verdict.WARN
    assert EARLIER in reply.headline
    assert {row[-1] for row in rows(reply).values()} == {"not known"}
    assert {job["next_run"] for job in reply.data["jobs"]} == {None}


@pytest.mark.parametrize("line", ["status", "diagnose"])
async def test_a_wrong_line_is_a_warning_of_status_and_is_found_by_diagnose(world: World, line: str) -> None:
    world.cluster.programs[PATH] = said(f"{CRONTAB}99 * * * * true\n")
    reply = await world.run(line)
    assert reply.verdict is Verdict.WARN
    proof = reply.proof.text if reply.proof is not None else ""
    assert EARLIER in f"{text_of(reply)}\n{proof}"


async def test_a_cron_that_does_not_run_is_one_problem_in_status(world: World) -> None:
    world.cluster.programs["ps"] = said(listed("sshd: /usr/sbin/sshd -D", "node /usr/bin/vibe-kanban"))
    reply = await world.run("status")
    assert [finding.probe for finding in reply.findings if finding.verdict is Verdict.FAIL] == ["processes"]


async def test_a_line_that_supercronic_refuses_stops_all_jobs(world: World) -> None:
    world.cluster.programs[PATH] = said(f"{CRONTAB}99 * * * * true\n")
    world.cluster.programs["ps"] = said(listed("sshd: /usr/sbin/sshd -D"))
    reply = await world.run("cron")
    assert reply.verdict is Verdict.FAIL
    assert {row[-1] for row in rows(reply).values()} == {"does not run"}


@pytest.mark.parametrize("found", ["cron -f", "/usr/sbin/cron", "/usr/sbin/crond -n"])
async def test_debian_s_cron_is_known_by_both_names(world: World, found: str) -> None:
    world.target = handbook.target(cron="debian")
    world.cluster.programs["ps"] = said(listed(found))
    assert "not running" not in (await world.run("cron")).headline
    world.cluster.programs["ps"] = said(listed("supercronic /etc/crontab"))
    assert "cron is not running" in (await world.run("cron")).headline


async def test_whether_the_cron_runs_is_unknown_without_a_list_of_processes(world: World) -> None:
    world.cluster.programs["ps"] = said("")
    reply = await world.run("cron")
    assert reply.verdict is Verdict.UNKNOWN
    assert "whether supercronic runs is not known" in reply.headline
    assert rows(reply)["session-manager.sh"][-1] == "12:05 UTC (in 5 min)"


async def test_where_the_pod_keeps_it_from_being_read_the_diagnosis_is_offered(world: World) -> None:
    assert "Diagnose" not in [button.label for button in (await world.run("cron")).buttons]
    crashing = container(ready=False, state="waiting", reason="CrashLoopBackOff")
    world.cluster.pods_answer = [pod(containers=(crashing,))]
    reply = await world.run("cron")
    assert reply.headline == "Could not tell: kali is not running (CrashLoopBackOff)"
    assert reply.buttons[0].label == "Diagnose"
