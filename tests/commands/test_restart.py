"""``restart``: the request is for the intended target, also with several targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.approvals import forecast
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.container_restart import CONTAINER_RESTART
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.registry import builtin
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.card import card
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import Condition, Container, Event, Pod
from bot.errors import Refused, Transient, UsageError
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import read
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from commands.repair import container_restart
from tests.commands import fakes
from tests.commands.fakes import NOW, container, pod
from tests.commands.test_secrets import Room
from tests.services.workbench import START


def _case(
    action: RepairAction, state: RequestState = RequestState.VOID, reason: str = 'a "quoted" \\ “reason”'
) -> RepairRequest:
    request = Request("r-22222222", "U1", START, START, Snapshot("u", 1), state=state)
    details = {"key": "TOKEN", "labels": '{"job": "audit_digest"}'}
    return RepairRequest(request, "the other pod", action, reason=reason, subject="SHA256:abc", details=details)


def test_a_repeated_request_is_for_the_same_action_and_target() -> None:
    for action in (RESTART, FORCE_RESTART, CONTAINER_RESTART, SECRET_SET, SSH_KEY_REMOVE):
        invocation = parse(action.again_line(_case(action)), BUILTIN)
        assert invocation.target == "the other pod"
        assert invocation.command.name == action.name.partition(" --")[0]
        assert (getattr(invocation.params, "container", None) is not None) is (action is CONTAINER_RESTART)
        assert getattr(invocation.params, "force", False) is (action is FORCE_RESTART)


def test_every_button_of_every_card_is_a_valid_command_line() -> None:
    from bot.domain.approvals.approval import ApprovalPolicy

    for action in builtin():
        for state in RequestState:
            for button in card(_case(action, state, "why"), ApprovalPolicy(break_glass=("U1",))).buttons:
                parse(button.command, BUILTIN)


def test_a_quoted_reason_is_parsed_as_one_argument() -> None:
    for text in ("a b", "a “two words” b", "it’s", "--force", '\\"'):
        invocation = parse(f"restart --reason {words.quoted(text)}", BUILTIN)
        straight = text.replace("“", '"').replace("”", '"').replace("’", "'")
        assert invocation.params.model_dump() == {"reason": straight, "force": False, "container": None}


def _sidecar(**changes: Any) -> Container:
    return container("proxy", image="proxy:1", role="sidecar", **changes)


def _world(pod_: Pod) -> Room:
    room = Room()
    room.cluster.pods_answer = [pod_]
    room.marks.__dict__["requests"] = _none
    return room


async def _none(**_: Any) -> list[RepairRequest]:
    return []


@pytest.mark.parametrize("line", ["restart --reason why", "restart --force --reason why"])
async def test_the_card_of_a_pod_that_can_not_start_says_that_a_restart_will_not_help(line: str) -> None:
    said = 'secret "agent-ssh-keys" not found'
    stuck = container(state="waiting", ready=False, reason="CreateContainerConfigError", message=said)
    room = _world(pod(containers=(stuck,)))
    await room.say(line)
    [asked] = room.approval_service.asked
    assert "agent-ssh-keys" in asked.forecast.stuck
    [warning] = asked.forecast.warnings
    assert warning.startswith("⚠️ Won't help: a new pod can't start either: ")
    assert dict(forecast.facts(asked.forecast))["Down for"] == "until the cause above is fixed"
    assert forecast.cost(asked.forecast).startswith(f"{warning}.")


async def test_the_card_says_that_no_pod_can_be_created_and_predicts_no_downtime() -> None:
    room = _world(pod())
    room.cluster.pods_answer = []
    refused = Condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods, used: pods=1")
    room.cluster.deployment_answer = replace(room.cluster.deployment_answer, conditions=(refused,))
    await room.say("restart --reason why")
    [asked] = room.approval_service.asked
    assert asked.forecast.warnings == ("⚠️ Won't help: no pod can be created: exceeded quota: pods, used: pods=1",)
    assert asked.forecast.down_for is None
    assert asked.effect == "No pod runs now: the Deployment tries again to create one."


async def test_what_only_events_say_of_a_pod_that_can_not_start_is_on_the_card() -> None:
    starting = container(state="waiting", ready=False, reason="ContainerCreating")
    room = _world(pod(containers=(starting,), conditions=()))
    said = 'MountVolume.SetUp failed for volume "keys" : secret "agent-ssh-keys" not found'
    made = room.cluster.pods_answer[0]
    room.cluster.events_answer = [
        Event("Warning", "FailedMount", said, f"pod/{made.name}", last_seen=NOW, uid=made.uid)
    ]
    await room.say("restart --reason why")
    assert "Secret agent-ssh-keys is missing" in room.approval_service.asked[0].forecast.stuck


WRONG = "@daily /opt/scripts/a.sh\n5 25 * * * /opt/scripts/b.sh\n"
IDLE = "1 root 00:00:01 sleep infinity\n"


@pytest.mark.parametrize(
    ("line", "ps", "said"),
    [
        (
            "restart --reason why",
            "",
            "⚠️ Will stop every cron job: line 2 of the crontab is wrong (this is",
        ),
        ("restart --force --reason why", "", "⚠️ Will stop every cron job: line 2 of the crontab is wrong"),
        ("restart --container kali --reason why", "", "⚠️ Will stop every cron job: line 2 of the crontab"),
        ("restart --reason why", IDLE, "⚠️ Won't start the cron jobs: line 2 of the crontab is wrong (this is"),
    ],
)
async def test_a_restart_at_which_supercronic_ends_is_warned_of(line: str, ps: str, said: str) -> None:
    room = _world(pod())
    room.cluster.programs["cat /home/claude/.crontab"] = fakes.said(WRONG)
    if ps:
        room.cluster.programs["ps"] = fakes.said(ps)
    await room.say(line)
    [warning] = room.approval_service.asked[0].forecast.warnings
    assert warning.startswith(said)
    assert warning.endswith(". Fix it first")
    shown = dict(forecast.facts(room.approval_service.asked[0].forecast))
    assert shown["Down for"] == "until the cause above is fixed"
    assert "Cron runs at risk" not in shown


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        ({}, "The new pod starts before the old one ends (RollingUpdate)."),
        (
            {"max_unavailable": 1},
            "The old pod may end before the new one is ready (RollingUpdate, maxUnavailable 1). "
            "Everything in it is down until the new one is ready.",
        ),
    ],
)
async def test_the_card_of_a_rolling_update_says_whether_the_old_pod_may_end_first(
    rollout: dict[str, int], said: str
) -> None:
    room = _world(pod())
    room.cluster.deployment_answer = replace(room.cluster.deployment_answer, strategy="RollingUpdate", **rollout)
    await room.say("restart --reason why")
    assert room.approval_service.asked[0].effect == said


async def test_debian_s_cron_goes_on_without_the_crontab() -> None:
    room = _world(pod())
    room.target = Target.model_validate({"cron": "debian"})
    room.cluster.programs["cat /home/claude/.crontab"] = fakes.said(WRONG)
    await room.say("restart --reason why")
    assert room.approval_service.asked[0].forecast.warnings == ()


async def test_the_card_of_a_pod_that_runs_says_no_such_thing() -> None:
    room = _world(pod())
    await room.say("restart --reason why")
    assert room.approval_service.asked[0].forecast.stuck == ""


async def test_a_container_s_card_says_what_ends_and_what_stays() -> None:
    room = _world(pod(init_containers=(_sidecar(restarts=2),)))
    await room.say("restart --container proxy --reason hangs")
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject) == (CONTAINER_RESTART, "proxy")
    assert (
        asked.effect == "Ends the main process of proxy; the kubelet starts it again. kali and the volumes stay."
    )
    assert asked.facts == (
        ("Container", "proxy: runs for 7 h, 2 restarts"),
        ("Pod", "secure-agent-pod-abc on gpu-1"),
        ("Image", "proxy:1"),
        ("Runs", "kill 1, in proxy"),
    )
    assert (asked.snapshot.generation, asked.snapshot.images) == (2, (("proxy", "proxy:1"),))


async def test_the_runbook_says_how_a_container_is_stopped() -> None:
    room = _world(pod(init_containers=(_sidecar(),)))
    stop = ("pkill", "-INT", "squid")
    room.target = room.target.model_copy(update={"containers": (ContainerTarget(name="proxy", stop=stop),)})
    await room.say("restart --container proxy --reason hangs")
    assert ("Runs", "pkill -INT squid, in proxy") in room.approval_service.asked[0].facts


REFUSED = [
    (
        {"init_containers": (_sidecar(),)},
        "prxy",
        "secure-agent-pod-abc has no container prxy.",
        "Did you mean proxy?",
    ),
    ({}, "x", "secure-agent-pod-abc has no container x.", "It has kali."),
    (
        {"init_containers": (container("setup", role="init", state="terminated"),)},
        "setup",
        "setup is an init container: it runs once, and nothing starts it again.",
        "Restart the pod instead",
    ),
    (
        {"init_containers": (_sidecar(state="waiting", reason="CrashLoopBackOff"),)},
        "proxy",
        "proxy does not run (CrashLoopBackOff).",
        "status",
    ),
    (
        {"restart_policy": "Never"},
        "kali",
        "kali would not be started again: its restartPolicy is Never.",
        "Restart the pod",
    ),
    (
        {"containers": (container(restart_policy="OnFailure"),)},
        "kali",
        "kali would not be started again: its restartPolicy is OnFailure.",
        "Restart the pod",
    ),
    (
        {"shared_processes": "pod"},
        "kali",
        "process 1 in kali is the pod's, as it shares its processes, and not the container's own.",
        "Set stop for kali",
    ),
    (
        {"shared_processes": "node"},
        "kali",
        "process 1 in kali is the node's, and not the container's own.",
        "Set stop",
    ),
]


@pytest.mark.parametrize(("changes", "name", "text", "remedy"), REFUSED)
@pytest.mark.parametrize("reason", ["", " --reason x"])
async def test_a_container_that_can_not_be_restarted_is_refused(
    changes: dict[str, Any], name: str, text: str, remedy: str, reason: str
) -> None:
    room = _world(pod(**changes))
    with pytest.raises(Refused) as caught:
        await room.say(f"restart --container {name}{reason}")
    assert caught.value.message == text
    assert remedy in str(caught.value.remedy)


async def test_without_a_pod_or_with_force_it_is_refused() -> None:
    room = _world(pod())
    with pytest.raises(UsageError, match="choose one"):
        await room.say("restart --container kali --force --reason x")
    room.cluster.pods_answer = []
    with pytest.raises(Refused, match="No pod is running"):
        await room.say("restart --container kali --reason x")


async def test_a_form_asks_for_the_reason_and_keeps_the_container() -> None:
    reply = await _world(pod()).say("restart --container kali")
    assert reply.form.command.startswith('restart --container "kali" --target ')
    assert reply.form.note == "Only kali of secure-agent-pod is restarted: an approver decides."


async def test_only_what_is_read_in_the_container_is_what_it_costs() -> None:
    room = _world(pod(init_containers=(_sidecar(),)))
    text = """
runbook: t
impact:
  here: {title: Here, exec: {command: [w]}, shows: lines}
  there: {title: There, exec: {container: proxy, command: [w]}, shows: lines}
  pod: {title: Pod, pod: {}, shows: lines}
"""
    book, problems = compile_runbook(read(text, "t.yaml"), CelExpressions())
    assert book is not None, problems
    ctx = replace(room.context(), book=book)
    assert container_restart.impact_of(ctx, "kali") == ("here", "pod")
    assert container_restart.impact_of(ctx, "proxy") == ("there", "pod")


async def test_only_of_an_error_of_the_ledger_it_is_not_known_whether_the_restart_was_asked_for() -> None:
    failed = Transient("The API server failed.")
    room = _world(pod())
    room.cluster.deployment_answer = failed
    with pytest.raises(Transient) as early:
        await room.say("restart --reason why")
    assert not early.value.perhaps_asked

    async def ask(*_: object) -> None:
        raise Transient("The ledger is busy.")

    room = _world(pod())
    room.approval_service.__dict__["ask"] = ask
    with pytest.raises(Transient) as late:
        await room.say("restart --reason why")
    assert late.value.perhaps_asked
