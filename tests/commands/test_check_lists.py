"""`configs`, `kanban`, `egress`, `egress test`: checks of the runbook, in order, the first failing one first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.workload import ExecResult
from bot.errors import NoSuchKind, NotAllowed, NotFound, Transient
from commands.registry import BUILTIN
from tests import handbook
from tests.commands.fakes import EGRESS_POLICY, HANG, KANBAN_SERVICE, World, said, text_of
from tests.healthy import CHECKS, all_ok


def rows(reply: Reply) -> list[tuple[str, ...]]:
    [table] = reply.tables
    return list(table.rows)


def policy(status: str, message: str) -> dict[str, Any]:
    conditions = [{"type": "Valid", "status": status, "message": message}]
    return {"items": [{**EGRESS_POLICY, "status": {"conditions": conditions}}]}


async def test_config_files_are_counted_and_never_read(world: World) -> None:
    reply = await world.run("configs")
    assert reply.headline == "Config files: talosconfig, kubeconfig and omniconfig can be read"
    assert [argv[0] for argv in world.cluster.ran] == ["wc"]


async def test_a_config_file_that_is_missing_or_empty_is_named(world: World) -> None:
    world.cluster.programs["wc"] = said("  0 /c/talosconfig\n 31 /c/kubeconfig\n", "wc: no omniconfig", 1)
    reply = await world.run("configs")
    assert reply.verdict is Verdict.FAIL
    assert reply.headline.startswith("Config files: talosconfig and omniconfig: missing, empty or not readable")
    assert "sops --decrypt" in text_of(reply)


async def test_kanban_s_checks_are_in_order_and_the_first_failing_one_is_the_headline(world: World) -> None:
    reply = await world.run("kanban")
    assert reply.headline == "All 5 checks are ok: Process, Port, Service, Environment and VibeKanban"
    world.cluster.programs |= {"http://127.0.0.1:8081/": said("000 ", "", 7), "printenv": said("3000\n0.0.0.0\n")}
    reply = await world.run("kanban")
    assert reply.headline == "Check 2 of 5, Port: nothing listens on port 8081 in the pod"
    assert [row[0] for row in rows(reply)] == [
        "1. Process",
        "2. Port",
        "3. Service",
        "4. Environment",
        "5. VibeKanban",
    ]
    assert reply.tables[0].verdicts == (Verdict.OK, Verdict.FAIL, Verdict.OK, Verdict.FAIL, Verdict.OK)
    assert rows(reply)[3][1] == "PORT=3000, HOST=0.0.0.0, not 8081 and 0.0.0.0"
    assert [f.title for f in reply.findings] == ["Port"]


async def test_what_failed_comes_before_what_could_not_be_checked(world: World) -> None:
    world.cluster.programs |= {"ps": Transient("The kubelet is away."), "printenv": said("3000\n0.0.0.0\n")}
    assert (await world.run("kanban")).headline.startswith("Check 4 of 5, Environment: PORT=3000")
    world.cluster.programs["printenv"] = said("8081\n0.0.0.0\n")
    reply = await world.run("kanban")
    assert (reply.verdict, reply.headline.split(":")[0]) == (Verdict.UNKNOWN, "Check 1 of 5, Process")


async def test_kanban_is_not_ok_where_its_address_does_not_answer_as_it_should(world: World) -> None:
    world.network.status_answer = 502
    reply = await world.run("kanban")
    assert (reply.verdict, reply.headline) == (Verdict.FAIL, "VibeKanban answers with HTTP 502")
    assert reply.tables[0].verdicts == (Verdict.OK, Verdict.OK, Verdict.OK, Verdict.OK, Verdict.FAIL)


async def test_without_its_process_a_restart_is_offered(world: World) -> None:
    world.cluster.programs["ps"] = said("PID USER ELAPSED COMMAND\n 61 claude 06:51:00 sshd: listener\n")
    reply = await world.run("kanban")
    assert reply.headline == "Check 1 of 5, Process: vibe-kanban is not running"
    assert reply.buttons[0].command.startswith('restart --reason "kanban"')


async def test_a_service_without_address_or_endpoint_fails(world: World) -> None:
    world.cluster.services_answer = [replace(KANBAN_SERVICE, ingress=())]
    assert (await world.run("kanban")).headline.endswith("Service: the load balancer has assigned no address")
    world.cluster.services_answer, world.cluster.endpoints_answer = [KANBAN_SERVICE], []
    assert "no endpoint is ready" in (await world.run("kanban")).headline


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        ({"items": [EGRESS_POLICY]}, Verdict.OK, "agent-egress: valid"),
        ({"items": []}, Verdict.WARN, "there is no Cilium policy"),
        (
            policy("False", "LRU not yet initialized"),
            Verdict.FAIL,
            "is not valid: LRU not yet initialized, the FQDN bug",
        ),
        (policy("False", "invalid rule"), Verdict.FAIL, "network policy agent-egress is not valid: invalid rule"),
        (policy("Unknown", ""), Verdict.FAIL, "network policy agent-egress is not valid"),
        ({"items": [{"metadata": {"name": "new"}}]}, Verdict.FAIL, "Cilium has not judged network policy new yet"),
        (NotFound("There are no ciliumnetworkpolicies."), Verdict.UNKNOWN, "there are no ciliumnetworkpolicies"),
        (
            NoSuchKind("No ciliumnetworkpolicies are known."),
            Verdict.WARN,
            "has no Cilium policies",
        ),
        (NotAllowed("The bot may not list ciliumnetworkpolicies."), Verdict.UNKNOWN, "may not list"),
        (HANG, Verdict.UNKNOWN, "the API server does not answer"),
    ],
)
async def test_egress_names_the_policy_s_state(world: World, answer: Any, verdict: Verdict, says: str) -> None:
    world.cluster.policies_answer = answer
    reply = await world.run("egress")
    assert reply.verdict is verdict
    assert says in text_of(reply)


@pytest.mark.parametrize(
    ("allowed", "blocked", "verdict", "headline"),
    [
        (said("404"), said("000", "", 28), Verdict.OK, "Both checks are ok: Allowed and Blocked"),
        (said("404"), said("000", "", 6), Verdict.OK, "Both checks are ok: Allowed and Blocked"),
        (said("000", "", 28), said("000", "", 28), Verdict.FAIL, "Check 1 of 2, Allowed: api.anthropic.com times"),
        (said("404"), said("200"), Verdict.FAIL, "Check 2 of 2, Blocked: httpbin.org answers (200)"),
        (
            said("404"),
            said("", "curl: not found", 127),
            Verdict.UNKNOWN,
            "Check 2 of 2, Blocked: there is no curl in kali",
        ),
    ],
)
async def test_egress_test_tells_what_is_let_through(
    world: World, allowed: ExecResult, blocked: ExecResult, verdict: Verdict, headline: str
) -> None:
    world.cluster.programs |= {"https://api.anthropic.com/": allowed, "https://httpbin.org/ip": blocked}
    reply = await world.run("egress test")
    assert (reply.verdict, reply.headline[: len(headline)]) == (verdict, headline)


@pytest.mark.parametrize("line", ["configs", "kanban", "egress", "egress test"])
async def test_a_runbook_without_the_checks_says_so(world: World, line: str) -> None:
    reply = await world.run(line, lambda ctx: replace(ctx, book=None))
    assert "has no check" in reply.headline
    assert world.cluster.ran == []


@pytest.mark.parametrize("line", ["configs", "kanban", "egress test"])
async def test_without_a_pod_nothing_is_known(world: World, line: str) -> None:
    world.cluster.pods_answer = []
    assert (await world.run(line)).verdict is Verdict.UNKNOWN


def test_what_runs_something_in_the_pod_is_audited() -> None:
    audited = {c.name: c.audited for c in BUILTIN if c.name in ("configs", "kanban", "egress", "egress test")}
    assert audited == {"configs": True, "kanban": True, "egress": False, "egress test": True}


INVALID = {"type": "Valid", "status": "False", "message": "LRU not yet initialized"}


def judged(**condition: Any) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "agent-egress"}, "status": {"conditions": [condition]}}]}


async def test_status_shows_a_broken_egress_policy_with_the_command_for_it(world: World) -> None:
    world.cluster.policies_answer = judged(**INVALID)
    reply = await world.run("status")
    assert reply.verdict is Verdict.FAIL
    assert "network policy agent-egress is not valid: LRU not yet initialized" in reply.headline
    assert "egress" in [button.command for button in reply.buttons]


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        (judged(type="Valid", status="True"), Verdict.OK, "agent-egress"),
        (judged(**INVALID), Verdict.FAIL, "not valid: LRU not yet initialized"),
        ({"items": []}, Verdict.WARN, "there is no Cilium policy in the namespace, so egress is not restricted"),
    ],
)
@pytest.mark.parametrize("egress", [None, {}])
async def test_status_always_has_one_line_on_the_egress_policy(
    world: World, answer: Any, verdict: Verdict, says: str, egress: dict[str, str] | None
) -> None:
    world.cluster.policies_answer = answer
    world.target = handbook.target(egress=egress)
    reply = await world.run("status")
    [line] = [one for one in reply.findings if one.title == "Egress policy"]
    off = "there is no Cilium policy agent-egress"
    assert (line.probe, line.verdict) == ("egress-policy", verdict)
    assert (off if verdict is Verdict.WARN and egress is not None else says) in line.summary
    assert len(reply.findings) == CHECKS
    assert [one.title for one in reply.findings if one.verdict is Verdict.OK].count("Egress policy") <= 1


async def test_without_cilium_and_the_setting_the_policy_is_only_not_checked(world: World) -> None:
    world.cluster.policies_answer = NoSuchKind("The API server knows no such kind.")
    reply = await world.run("status")
    assert reply.headline == all_ok(CHECKS - 1)
    assert "Egress policy not checked: Cilium is not installed" in reply.notes


async def test_status_says_that_the_egress_policy_could_not_be_read(world: World) -> None:
    world.cluster.policies_answer = NotAllowed("The bot may not list ciliumnetworkpolicies.")
    reply = await world.run("status")
    assert reply.headline == f"{all_ok(CHECKS - 1)}; egress policy not checked"
    assert any(note.startswith("Egress policy not checked: ") for note in reply.notes)
    world.cluster.claims_answer = NotAllowed("The bot may not list persistentvolumeclaims.")
    reply = await world.run("status")
    assert reply.verdict is Verdict.UNKNOWN
    assert any(note.startswith("Egress policy not checked: ") for note in reply.notes)
    assert "may not list ciliumnetworkpolicies" in " ".join(reply.notes)


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (
            policy("False", "LRU not yet initialized"),
            "Restart the Cilium agent on the pod's node, delete the policy",
        ),
        (policy("False", "invalid rule"), "Correct what Cilium names in the policy, and apply it again."),
        ({"items": [{"metadata": {"name": "new"}}]}, "Cilium's agent or operator may not run: "),
        ({"items": []}, "Move cilium-egress.yaml.disabled back to the manifests"),
    ],
)
async def test_the_remedy_of_a_policy_is_that_of_the_case(world: World, answer: Any, remedy: str) -> None:
    world.cluster.policies_answer = answer
    [finding] = [one for one in (await world.run("status")).findings if one.probe == "egress-policy"]
    assert str(finding.remedy).startswith(remedy)
