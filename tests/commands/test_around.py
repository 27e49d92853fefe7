"""`status` as a whole, and small commands such as `help`, `whoami` and `can-i`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core import summary
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.reply import Reply
from bot.domain.core.summary import ProbeResult, UnknownCause
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.rbac import own_roles, roles
from bot.errors import AccessDenied, NotAllowed, Transient, UsageError
from bot.runbook.context import Context
from commands.registry import BUILTIN
from tests import handbook
from tests.commands.fakes import DEADLINE, FRESH, HANG, NOW, World, beat, container, pod, said, text_of
from tests.fake_registry import FakeRegistry
from tests.healthy import CHECKS, HEALTHY


async def test_status_of_a_healthy_pod_is_one_line(world: World) -> None:
    reply = await world.run("status")
    assert reply.headline == HEALTHY
    assert (reply.verdict, reply.exit_code) == (Verdict.OK, 0)


async def test_a_silent_api_server_is_reported_once_and_first(world: World) -> None:
    world.cluster.all_answer(HANG)
    world.heartbeats = None
    reply = await world.run("status")
    assert reply.headline == "Could not tell: the API server does not answer"
    assert reply.findings[0].summary == "the API server does not answer"
    assert reply.findings[0].summary not in reply.findings[0].evidence
    assert sum("API server" in f.summary for f in reply.findings) == 1


async def test_the_api_servers_silence_comes_before_other_unknowns(world: World) -> None:
    world.cluster.all_answer(HANG)
    world.network.status_answer = HANG
    assert world.heartbeats
    world.heartbeats.answer = HANG
    reply = await world.run("status")
    assert reply.headline.endswith("the API server does not answer")


async def test_a_refused_connection_is_reported_once_with_its_message(world: World) -> None:
    world.cluster.all_answer(Transient("No connection to the API server: refused."))
    reply = await world.run("status")
    assert "the API server: refused" in reply.headline
    assert text_of(reply).lower().count("no connection to the api server") == 2  # headline and finding


async def test_one_hanging_probe_does_not_hold_up_the_others(world: World) -> None:
    world.cluster.application_answer = HANG
    began = time.monotonic()
    reply = await world.run("status")
    assert time.monotonic() - began < DEADLINE + 1.0
    unknown = [f.probe for f in reply.findings if f.verdict is Verdict.UNKNOWN]
    assert unknown == ["argocd"]
    assert sum(f.verdict is Verdict.OK for f in reply.findings) == CHECKS - 1


async def test_partial_results_are_shown_while_other_probes_run(world: World) -> None:
    world.cluster.application_answer = HANG
    world.deadline = 0.5
    await world.run("status")
    assert world.shown[0].headline == f"Checking: {CHECKS - 1} of {CHECKS} done"
    assert world.shown[0].pending == ("Argo CD",)


async def test_an_unexpected_fault_of_the_bot_is_unknown_not_a_crash(world: World) -> None:
    world.cluster.events_answer = ValueError("a defect")
    reply = await world.run("status")
    assert reply.verdict is Verdict.UNKNOWN
    assert "internal error" in reply.headline


async def test_a_crashed_pod_explains_its_consequences(world: World) -> None:
    broken = container(ready=False, state="waiting", reason="CrashLoopBackOff")
    world.cluster.pods_answer = [pod(containers=(broken,))]
    world.network.banner_answer = Transient("Connection refused.")
    world.network.status_answer = Transient("Connection refused.")
    reply = await world.run("status")
    assert reply.headline == "Not healthy: kali keeps crashing"
    assert [f.probe for f in reply.findings if f.verdict is not Verdict.OK] == ["pod"]
    assert "Follows from it" in text_of(reply)


async def test_checks_disabled_in_the_settings_are_reported_as_unchecked(world: World) -> None:
    world.target, world.heartbeats = handbook.target(argocd=None), None
    reply = await world.run("status")
    assert reply.verdict is Verdict.OK
    assert "Not checked: Argo CD" in text_of(reply)


async def test_buttons_lead_to_the_problems(world: World) -> None:
    world.cluster.programs["ps"] = said("PID USER COMMAND\n1 claude tini\n")
    reply = await world.run("status")
    assert [b.command for b in reply.buttons[:2]] == ['diagnose --target "secure-agent-pod"', "processes --all"]


async def test_command_lines_in_answers_begin_as_the_caller_addresses_the_bot(world: World) -> None:
    world.cluster.programs["ps"] = said("PID USER COMMAND\n1 claude tini\n")
    reply = await world.run("status", lambda ctx: replace(ctx, prefix="agentpod"))
    assert reply.findings[0].run == "agentpod logs --tail 200"


async def test_home_gives_the_verdict_and_buttons_only(world: World) -> None:
    reply = await world.run("")
    assert reply.headline == HEALTHY
    assert not reply.findings
    assert {"status", "processes", "heartbeats", "help"} <= {b.command for b in reply.buttons}


async def test_home_is_unknown_when_the_api_server_is_silent(world: World) -> None:
    world.cluster.all_answer(HANG)
    assert (await world.run("")).verdict is Verdict.UNKNOWN


async def test_help_lists_only_what_the_caller_may_run(world: World) -> None:
    world.role = roles.NONE
    reply = await world.run("help")
    assert reply.data["commands"] == ["help", "whoami"]
    assert "Ask the owner" in text_of(reply)


async def test_help_lists_the_groups_and_each_says_what_its_commands_do(world: World) -> None:
    reply = await world.run("help")
    groups = {fact.label: str(fact.value) for fact in reply.facts}
    assert groups["Logs"] == "logs, logs stop"
    assert sum(map(len, groups.values())) < 800, "it fits on a phone's screen"
    assert ("Logs", "help logs") in {(b.label, b.command) for b in reply.buttons}
    said: list[str] = []
    for button in reply.buttons:
        group = await world.run(button.command)
        said += [f.label for f in group.facts if f.under or "commands" in group.data]
    assert {*reply.data["commands"]} - {*said} == {"logs", "secrets", "audit"}, "those have the group's name"


async def test_help_of_a_group_s_name_that_is_a_command_shows_both(world: World) -> None:
    reply = await world.run("help logs")
    assert {"Usage", "logs stop"} <= {fact.label for fact in reply.facts}
    assert [f.label for f in (await world.run("help OBSERVE")).facts][:2] == ["status", "pods"]


async def test_help_of_one_command_shows_usage_and_flags(world: World) -> None:
    reply = await world.run("help processes")
    facts = {f.label: f.value for f in reply.facts}
    assert facts["Usage"] == "/agentpod processes [--all]"
    assert "--all" in facts


async def test_help_of_a_typo_suggests_the_command(world: World) -> None:
    with pytest.raises(UsageError, match="Did you mean 'processes'"):
        await world.run("help proceses")


@pytest.mark.parametrize("command", ["help", "can-i"])
async def test_arguments_after_a_command_s_name_are_not_repeated(world: World, command: str) -> None:
    reply = await world.run(f"{command} secrets set GITHUB_TOKEN hunter2222")
    assert reply.command == f"{command} secrets set"
    assert "hunter" not in repr(reply)
    with pytest.raises(UsageError, match="There is no command 'sekrets'") as caught:
        await world.run(f"{command} sekrets set GITHUB_TOKEN hunter2222")
    assert "hunter" not in f"{caught.value.message} {caught.value.remedy} {caught.value.suggestion}"


async def test_help_of_what_the_caller_may_not_run_says_whom_to_ask(world: World) -> None:
    world.role = roles.NONE
    with pytest.raises(AccessDenied) as refused:
        await world.run("help pods")
    assert "the owner" in (refused.value.remedy or "")


async def test_a_refused_help_is_recorded_with_its_reason(world: World) -> None:
    world.role = roles.AUDITOR
    with pytest.raises(AccessDenied) as refused:
        await world.run("help status")
    assert refused.value.rule == "it needs the role viewer, and you are an auditor (rule: the team)"


@pytest.mark.parametrize(("line", "offered"), [("can-i status", []), ("can-i audit", ["help audit"])])
async def test_can_i_offers_help_only_on_what_the_caller_may_run(
    world: World, line: str, offered: list[str]
) -> None:
    world.role = roles.AUDITOR
    assert [button.command for button in (await world.run(line)).buttons] == offered


async def test_whoami_names_the_rule(world: World) -> None:
    assert (await world.run("whoami")).headline == "You are an operator (rule: the team)"
    world.role = roles.NONE
    assert "Ask the owner for a role." in text_of(await world.run("whoami"))


async def test_a_role_of_the_settings_own_is_shown_by_whoami_can_i_and_help(world: World) -> None:
    world.own_roles = {"quiet": ("viewer", "request")}
    world.role = own_roles.made("quiet", world.own_roles["quiet"])
    me = await world.run("whoami")
    assert me.headline == "You are a quiet (rule: the team)"
    assert "restart" in me.data["may_run"]
    assert "logs" not in me.data["may_run"]
    assert (await world.run("can-i restart")).headline == "Yes: you are a quiet (rule: the team)"
    assert (
        await world.run("can-i logs")
    ).headline == "No: it needs the role operator (capability read-logs), and you are a quiet (rule: the team)"
    assert "operator or higher, or quiet" in text_of(await world.run("help restart"))


OFF = {
    "configs rotate": "targets[].configs_rotate",
    "cron edit": "targets[].crontab",
    "cron run": "targets[].crontab",
    "cron undo": "targets[].crontab",
    "egress repair": "targets[].egress",
    "heartbeats push": "AGENTPOD_PUSHGATEWAY__URL",
    "image pull": "registry.enabled",
    "image set": "registry.enabled",
    "secrets set": "targets[].secrets",
    "ssh keys": "targets[].ssh",
    "ssh keys add": "targets[].ssh",
    "ssh keys copy": "targets[].ssh",
    "ssh keys remove": "targets[].ssh",
}
"""Commands that the settings switch off → what switches them on."""
OFF_BUT = {"configs rotate": "targets[].configs_rotate", "image set": "targets[].image_set"}
ALL_OFF = {"crontab": None, "ssh": None, "secrets": []}
ALL_ON = {"egress": {}, "image_set": ["kali"], "configs_rotate": {"encrypted_file": "/c.yaml", "key_file": "/k"}}


async def test_commands_that_the_settings_switch_off_are_marked_as_off(world: World) -> None:
    world.target, world.heartbeats, world.role = handbook.target(**ALL_OFF), None, roles.APPROVER
    listed = ", ".join(str(fact.value) for fact in (await world.run("help")).facts).split(", ")
    assert {name.removesuffix(" (off)") for name in listed if name.endswith(" (off)")} == OFF.keys()
    groups = [await world.run(f"help {group}") for group in ("observe", "alerts", "secrets", "ssh", "repair")]
    shown = {fact.label: str(fact.value) for reply in groups for fact in reply.facts}
    off = {name: text for name, text in shown.items() if " (off: set " in text}
    assert sorted(off) == sorted(OFF)
    may_run = str({f.label: f.value for f in (await world.run("whoami")).facts}["May run"]).split(", ")
    assert {name.removesuffix(" (off)") for name in may_run if name.endswith(" (off)")} == OFF.keys()
    for name, setting in OFF.items():
        assert off[name].endswith(f" (off: set {setting})")
        assert f"for {world.target.name}; set {setting}" in text_of(await world.run(f"help {name}"))
        if name != "configs rotate":
            asked = await world.run(f"can-i {name}")
            assert asked.headline == f"No: it is off for {world.target.name}; set {setting}"


async def test_commands_that_the_settings_switch_on_are_not_marked(world: World) -> None:
    world.target, world.registry, world.role = handbook.target(**ALL_ON), FakeRegistry(), roles.APPROVER
    assert "(off" not in text_of(await world.run("help")) + text_of(await world.run("whoami"))
    for name in OFF:
        assert (await world.run(f"can-i {name}")).headline == "Yes: you are an approver (rule: the team)"


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("configs rotate", "says how to do it by hand"),
        ("image set", "answers with the change to commit where Git owns the Deployment"),
    ],
)
async def test_can_i_says_what_a_command_that_is_off_does_all_the_same(
    world: World, command: str, does: str
) -> None:
    world.registry = FakeRegistry()
    reply = await world.run(f"can-i {command}")
    assert reply.headline == f"Yes, but it is off for {world.target.name}: it only {does}"
    assert f"for {world.target.name}; set {OFF_BUT[command]}" in text_of(reply)


async def test_keys_without_a_file_of_the_pods_own_are_not_copied(world: World) -> None:
    world.target = handbook.target(ssh={"file": None})
    reply = await world.run("can-i ssh keys copy")
    assert reply.headline == f"No: it is off for {world.target.name}; set targets[].ssh.file"
    assert (await world.run("can-i ssh keys add")).headline.startswith("Yes")


async def test_version_shows_the_version_and_the_start_time(world: World) -> None:
    reply = await world.run("version")
    assert reply.headline == "agentpod 1.2.3, up 5 h"
    assert "v1.37.0 at https://api.example:6443" in text_of(reply)


async def test_in_a_terminal_version_and_whoami_don_t_speak_of_their_own_process(world: World) -> None:
    reply = await world.run("version", terminal)
    assert reply.headline == "agentpod 1.2.3"
    assert "Since" not in {fact.label for fact in reply.facts}
    me = await world.run("whoami", terminal)
    assert me.headline == (
        "You may run every command below, with the bot's own credentials. "
        "Decisions and alerts are answered in Slack"
    )


@pytest.mark.parametrize(("role", "may"), [(roles.VIEWER, False), (roles.APPROVER, True)])
async def test_a_remedy_says_which_role_its_command_needs_of_who_lacks_it(
    world: World, role: roles.Role, may: bool
) -> None:
    world.role = role
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("session_manager", timedelta(minutes=24))))
    for line in ("status", "heartbeats"):
        [finding] = [one for one in (await world.run(line)).findings if one.probe == "heartbeats"]
        assert "`/agentpod heartbeats push session-manager` records the run" in str(finding.remedy)
        assert ("`/agentpod heartbeats push` needs the role approver." in str(finding.remedy)) != may
        assert ("Check that supercronic runs." in str(finding.remedy)) == (line == "heartbeats")


@pytest.mark.parametrize("answer", [HANG, NotAllowed("The token has expired.")])
async def test_version_still_answers_without_an_api_server(world: World, answer: object) -> None:
    world.cluster.info_answer = answer
    reply = await world.run("version")
    assert reply.headline == "agentpod 1.2.3, up 5 h"
    assert "unknown" in {f.label: f.value for f in reply.facts}["API server"]


async def test_can_i_says_yes_with_the_rule(world: World) -> None:
    reply = await world.run("can-i processes")
    assert reply.headline == "Yes: you are an operator (rule: the team)"
    assert (reply.verdict, reply.exit_code) == (Verdict.OK, 0)


async def test_can_i_says_no_with_the_reason_and_whom_to_ask(world: World) -> None:
    world.role = roles.NONE
    reply = await world.run("can-i pods")
    assert reply.headline.startswith("No: it needs the role viewer")
    assert reply.exit_code == 1
    assert "Ask the owner for the role viewer." in text_of(reply)


async def test_can_i_lists_the_rights_that_the_bot_lacks(world: World) -> None:
    world.cluster.denied = {"create pods/exec"}
    reply = await world.run("can-i identity")
    assert reply.headline == "No: 1 of the bot's 3 rights is missing"
    assert "missing: create pods/exec" in text_of(reply)
    assert reply.data["missing_rights"] == ["create pods/exec"]
    assert reply.exit_code == 1


@pytest.mark.parametrize("answer", [HANG, Transient("The API server is away.")])
async def test_can_i_does_not_claim_rights_that_could_not_be_checked(world: World, answer: object) -> None:
    world.cluster.can_i_answer = answer
    reply = await world.run("can-i pods")
    assert (reply.verdict, reply.exit_code) == (Verdict.UNKNOWN, 2)


async def test_can_i_of_an_unknown_command_suggests_one(world: World) -> None:
    with pytest.raises(UsageError, match="Did you mean 'storage'"):
        await world.run("can-i storag")
    with pytest.raises(UsageError, match="COMMAND is missing"):
        await world.run("can-i")


def test_only_repairs_have_rights_that_change_something() -> None:
    reads = ("get", "list", "watch")
    rights = {c.name: {r for r in c.rights(Target()) if r.verb not in reads} for c in BUILTIN}
    execs = {Right("create", "pods", subresource="exec")}
    writes = {name: found - execs for name, found in rights.items() if found - execs}
    tier2 = {Right("patch", "secrets", name="agent-secrets-tier2")}
    ssh = {Right("patch", "secrets", name="agent-ssh-keys")}
    template = {Right("patch", "deployments", "apps", name="secure-agent-pod")}
    assert writes == {
        "secrets set": tier2,
        "secrets enter": tier2,
        "ssh keys add": ssh,
        "ssh keys remove": ssh,
        "restart": template | {Right("delete", "pods")},
        "image pull": template,
        "image set": template,
    }


VERDICTS = st.lists(st.sampled_from(list(Verdict)), max_size=14)


def outcomes_of(verdicts: Sequence[Verdict], shared: bool) -> list[ProbeResult]:
    cause = UnknownCause(
        ("api", "silent"), "api", "API server", "the API server does not answer", "no answer in 3 s"
    )
    made = []
    for number, verdict in enumerate(verdicts):
        finding = Finding(f"p{number}", f"Check {number}", verdict, f"number {number} is {verdict.value}")
        made.append(ProbeResult(finding, cause if shared and verdict is Verdict.UNKNOWN else None))
    return made


@given(VERDICTS, st.booleans())
def test_unknown_is_never_healthy_whatever_else_was_found(verdicts: list[Verdict], shared: bool) -> None:
    findings = summary.fold(outcomes_of(verdicts, shared))
    overall = summary.overall(findings)
    assert overall is worst(verdicts)
    healthy = summary.headline(findings, len(verdicts)).startswith("Healthy")
    assert healthy == (bool(verdicts) and set(verdicts) <= {Verdict.OK, Verdict.WARN})
    assert (Reply("", verdict=overall).exit_code == 0) == healthy


@given(VERDICTS)
def test_the_worst_comes_first_and_a_shared_cause_before_its_equals(verdicts: list[Verdict]) -> None:
    findings = summary.fold(outcomes_of(verdicts, shared=True))
    badness = [f.verdict.badness for f in findings]
    assert badness == sorted(badness, reverse=True)
    unknown = [f.probe for f in findings if f.verdict is Verdict.UNKNOWN]
    if verdicts.count(Verdict.UNKNOWN) > 1:
        assert unknown == ["api"]


async def test_every_answer_says_when_it_was_given(world: World) -> None:
    for line in ("status", "pods", "services", "can-i pods", "version"):
        assert NOW.strftime("%H:%M:%S UTC") in " ".join((await world.run(line)).notes)


async def test_help_in_a_terminal_leaves_out_what_is_answered_in_slack(world: World) -> None:
    world.role = roles.APPROVER
    in_slack = (await world.run("help")).data["commands"]
    in_shell = (await world.run("help", terminal)).data["commands"]
    assert {"ack", "snooze", "approve", "deny"} <= {*in_slack} - {*in_shell}
    assert "withdraw" in in_shell


async def test_can_i_asks_nobody_for_what_no_role_gives(world: World) -> None:
    reply = await world.run("can-i approve", terminal)
    assert reply.headline == "No: approve is done in Slack, where it is known who does it"
    assert not any("Ask" in str(line) for line in reply.body)


async def test_a_shell_that_decides_is_told_what_to_type_in_slack(world: World) -> None:
    with pytest.raises(UsageError, match="Requests can't be decided in a shell") as refused:
        await world.run("approve r-7abc123", terminal)
    assert refused.value.remedy == "In Slack: /agentpod approve r-7abc123, or the card's button."


def terminal(ctx: Context) -> Context:
    repairs: Any = object()
    return replace(ctx, caller=replace(ctx.caller, surface="terminal"), repairs=repairs)
