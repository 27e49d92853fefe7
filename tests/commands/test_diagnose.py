"""`diagnose`: the cause with the line that proves it, what was ruled out, and what could not be read."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.outside import Outside
from bot.domain.core.probes import Verdict
from bot.domain.core.workload import Claim, Condition, Event, ExecResult, LogText, SecretFacts, Termination
from bot.errors import NoSuchKind, NotAllowed, NotFound, Transient, UsageError
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from commands.shared import diagnosis
from tests import handbook
from tests.commands.fakes import CRASHED, DF, HANG, NOW, POD_OBJECT, PS, World, container, pod, said, text_of
from tests.commands.fakes import pod as make_pod
from tests.times import utc

RUNNING = "“…running.startedAt: 2026-11-23T05:00:00Z”)"


def broken(**status: Any) -> dict[str, Any]:
    """The list of pods with one whose container has this status."""
    pod = copy.deepcopy(dict(POD_OBJECT))
    pod["status"]["containerStatuses"][0] |= {"ready": False, **status}
    return {"items": [pod]}


def facts(reply: Any) -> dict[str, str]:
    return {fact.label: str(fact.value) for fact in reply.facts}


async def test_a_cause_is_the_headline_with_its_proof_and_what_was_ruled_out(world: World) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "agent-ssh-keys" not found'}
    world.cluster.objects_answer = broken(state={"waiting": waiting})
    reply = await world.run("diagnose")
    assert reply.verdict is Verdict.FAIL
    assert reply.headline == "Secret agent-ssh-keys is missing, so kali can't start"
    assert reply.proof is not None
    assert (
        reply.proof.text == 'status.containerStatuses[0].state.waiting.message: secret "agent-ssh-keys" not found'
    )
    assert utc(reply.proof.title, NOW) == "From kubectl get pod -o yaml, read at 12:00:00 UTC"
    assert (
        "ConfigMap missing, key missing in a ConfigMap, image runs as root (the line above)"
        in (facts(reply)["Ruled out by a line"])
    )
    assert "Secret of a volume missing" in facts(reply)["No line points to"]


async def test_what_is_ruled_out_is_named_in_words_with_a_short_line(world: World) -> None:
    world.cluster.endpoints_answer = []
    out = facts(await world.run("diagnose ssh"))["Ruled out by a line"]
    assert "• pod not ready (“Ready: True”)" in out
    assert "• Service missing (“type: LoadBalancer”)" in out
    assert "service-missing" not in out


async def test_a_long_field_s_path_is_cut_where_it_says_least(world: World) -> None:
    out = facts(await world.run("diagnose config"))["Ruled out by a line"]
    assert out.endswith(
        "image runs as root, Secret of a volume missing, ConfigMap of a volume missing (" + RUNNING
    )


async def test_no_citation_looks_like_a_secret_to_the_redaction(world: World) -> None:
    world.cluster.endpoints_answer = []
    assert "[redacted]" not in text_of(Outside().reply(await world.run("diagnose ssh")))


async def test_other_causes_are_named_each_once_and_with_its_line(world: World) -> None:
    world.cluster.services_answer = []
    reply = await world.run("diagnose")
    assert reply.headline == "Service secure-agent-ssh is missing"
    shown = "(“exists: false”, kubectl get service secure-agent-vibekanban)"
    assert facts(reply)["Also found"] == f"\n• Service secure-agent-vibekanban is missing {shown}"


async def test_a_missing_secret_is_made_by_the_steps_and_the_command_of_status(world: World) -> None:
    waiting = container(
        ready=False,
        state="waiting",
        reason="CreateContainerConfigError",
        message='secret "agent-ssh-keys" not found',
    )
    world.cluster.pods_answer = [pod(containers=(waiting,))]
    state = {"reason": waiting.reason, "message": waiting.message}
    world.cluster.objects_answer = broken(state={"waiting": state})
    [body] = (await world.run("diagnose config")).body
    [finding] = [one for one in (await world.run("status")).findings if one.probe == "pod"]
    assert body == f"{finding.remedy}\n`{finding.run}`"
    assert "2. Create Secret agent-ssh-keys from that file:\n`kubectl create secret generic" in str(body)


async def test_the_offered_repair_is_a_button_with_the_cause_as_its_reason(world: World) -> None:
    world.cluster.programs["ps"] = said(PS.replace("node /usr/bin/vibe-kanban", "node other"))
    reply = await world.run("diagnose")
    offered = reply.buttons[0]
    assert offered.label == "Ask for a restart"
    assert offered.command == 'restart --reason "VibeKanban does not run" --target "secure-agent-pod"'


@pytest.mark.parametrize(
    ("remedy", "buttons"),
    [
        ("Free space in the home; storage shows the largest folders.", [("Storage", "storage")]),
        ("Check the egress policy and DNS.", [("Egress policy", "egress")]),
        ("Stop it: processes shows its id.", [("Processes", "processes")]),
        ("Correct the crontab; cron scripts lists them.", [("Cron scripts", "cron scripts")]),
        ("Restart the pod; see cilium-egress.yaml.", []),
    ],
)
def test_the_commands_that_a_remedy_names_are_buttons(remedy: str, buttons: list[tuple[str, str]]) -> None:
    assert diagnosis.commands_in(remedy) == buttons


async def test_a_full_disk_offers_what_shows_the_largest_folders(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("31%", "97%"))
    reply = await world.run("diagnose disk")
    assert [button.label for button in reply.buttons] == ["Storage", "Status", "Logs"]


async def test_where_nothing_is_wrong_the_answer_is_short_and_names_the_diagnoses(world: World) -> None:
    reply = await world.run("diagnose")
    assert facts(reply)["Ruled out by a line"].startswith(
        "7 causes of config, 20 of crash, 3 of disk, 4 of egress, "
    )
    assert facts(reply)["Ruled out by a line"].endswith(
        ". `/agentpod diagnose config` shows the line for each cause of config."
    )


@pytest.mark.parametrize(
    "tree", ["config", "crash", "disk", "egress", "ssh", "kanban", "env", "cron", "restarted"]
)
async def test_only_what_a_line_rules_out_is_counted_as_ruled_out(world: World, tree: str) -> None:
    every = facts(await world.run("diagnose"))
    [found] = (await world.run(f"diagnose {tree}")).data["diagnoses"]
    with_line, all_of_them = len(found["ruled_out_by"]), len(found["ruled_out"])
    counted = dict.fromkeys(("Ruled out by a line", "No line points to"), 0)
    for label in counted:
        for part in (
            every.get(label, "").partition(". ")[0].replace(" causes", "").replace(" cause", "").split(", ")
        ):
            if part.endswith(f" of {tree}"):
                counted[label] = int(part.split()[0])
    assert counted == {"Ruled out by a line": with_line, "No line points to": all_of_them - with_line}


async def test_a_tree_that_is_named_is_the_only_one(world: World) -> None:
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "ImagePullBackOff", "message": "x"}})
    assert (await world.run("diagnose crash")).headline == "The image can't be pulled, so kali can't start"
    assert (await world.run("diagnose config")).headline == "diagnose config finds no cause"


async def test_the_previous_container_s_log_proves_a_crash(world: World) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        return LogText(("starting", "Download failed: EAI_AGAIN") if previous else ())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "CrashLoopBackOff"}})
    reply = await world.run("diagnose")
    assert reply.headline == "VibeKanban can't reach its download server"
    assert reply.proof is not None
    assert reply.proof.text == "Download failed: EAI_AGAIN"


@pytest.mark.parametrize("state", ["waiting", "terminated"])
async def test_the_log_of_an_init_container_that_failed_proves_a_crash(world: World, state: str) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        known = (container, previous) == ("fix-permissions", state == "waiting")
        return LogText(("chown: '/home/claude': Read-only file system",) if known else ())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    ended = Termination("Error", 1, NOW - timedelta(minutes=1))
    how = {"terminated": ended} if state == "terminated" else {"last_termination": ended, "restarts": 7}
    failing = container("fix-permissions", state=state, ready=False, role="init", **how)
    blocked = container(state="waiting", ready=False, reason="PodInitializing")
    world.cluster.pods_answer = [make_pod(phase="Pending", containers=(blocked,), init_containers=(failing,))]
    listed = broken(state={"waiting": {"reason": "PodInitializing"}})
    init = {"name": "fix-permissions", "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    listed["items"][0]["status"]["initContainerStatuses"] = [init]
    world.cluster.objects_answer = listed
    reply = await world.run("diagnose")
    assert reply.headline == "The volume is read-only, so fix-permissions ends"
    assert reply.proof is not None
    assert reply.proof.title.startswith("From previous log of fix-permissions, read at")


async def test_an_unknown_tree_is_refused_with_those_that_there_are(world: World) -> None:
    with pytest.raises(UsageError) as caught:
        await world.run("diagnose sssh")
    assert caught.value.usage == "/agentpod diagnose [config|crash|disk|egress|ssh|kanban|env|cron|restarted]"


async def test_what_could_not_be_read_is_named_and_nothing_is_claimed(world: World) -> None:
    world.cluster.objects_answer = HANG
    reply = await world.run("diagnose config")
    assert reply.verdict is Verdict.UNKNOWN
    assert reply.headline == "Could not tell: the API server does not answer"
    assert facts(reply)["Not looked at"].count("the API server does not answer") == 1


async def test_commands_that_wait_for_the_pods_blame_the_api_server_alone(world: World) -> None:
    world.cluster.pods_answer = world.cluster.objects_answer = HANG
    reply = await world.run("diagnose disk")
    assert reply.headline == "Could not tell: API server gave no answer in 0.3 s"
    assert "commands in the pod" not in text_of(reply)
    assert "kubelet" not in text_of(reply)


async def test_without_a_runbook_there_is_nothing_to_diagnose(world: World) -> None:
    reply = await world.run("diagnose", lambda ctx: replace(ctx, book=None))
    assert reply.headline == "The runbook has no diagnoses"
    assert "Ruled out by a line" not in text_of(reply)


@pytest.mark.parametrize(("unready", "over"), [("2026-11-23T11:56:00Z", False), ("2026-11-23T11:58:30Z", True)])
async def test_a_crash_is_not_the_cause_once_the_container_was_ready_again(
    world: World, unready: str, over: bool
) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        return LogText(("Download failed: EAI_AGAIN",) if previous else ())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-23T11:55:50Z"}}
    again = {"running": {"startedAt": "2026-11-23T11:56:00Z"}}
    world.cluster.objects_answer = broken(state=again, lastState=ended, restartCount=5)
    world.cluster.objects_answer["items"][0]["status"]["conditions"] = [
        {"type": kind, "status": "False", "lastTransitionTime": unready} for kind in ("Ready", "ContainersReady")
    ]
    reply = await world.run("diagnose crash")
    assert ("can't reach its download server" in reply.headline) is not over


async def test_a_pod_that_never_crashed_has_no_previous_log_and_no_known_cause(world: World) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        if previous:
            raise NotFound("kali has not been restarted.")
        return LogText(())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    reply = await world.run("diagnose crash")
    assert reply.headline == "diagnose crash finds no cause"
    assert reply.verdict is Verdict.OK


async def test_a_node_that_has_stopped_reporting_is_the_cause(world: World) -> None:
    lost = (Condition("Ready", "Unknown", "NodeStatusUnknown"),)
    pod = copy.deepcopy(dict(POD_OBJECT))
    pod["metadata"]["uid"] = "u"
    world.cluster.objects_answer = {"items": [pod]}
    world.cluster.pods_answer = [make_pod(uid="u", conditions=lost)]
    reply = await world.run("diagnose")
    assert reply.headline == "Node gpu-1 has stopped reporting (NodeStatusUnknown): the pod is not ready"
    assert reply.proof is not None
    assert reply.proof.text == "Node: gpu-1 has stopped reporting"


async def test_a_service_without_pods_is_the_cause(world: World) -> None:
    world.cluster.endpoints_answer = []
    assert (await world.run("diagnose ssh")).headline == "Service secure-agent-ssh has no endpoints"


async def test_an_invalid_network_policy_is_not_ruled_out_where_policies_can_not_be_read(world: World) -> None:
    world.cluster.policies_answer = NotFound("There is no resource ciliumnetworkpolicies.")
    reply = await world.run("diagnose egress")
    assert reply.headline == "Could not tell: there is no resource ciliumnetworkpolicies"
    assert reply.verdict is Verdict.UNKNOWN


async def test_a_cluster_without_cilium_has_no_invalid_policy_and_restricts_nothing(world: World) -> None:
    world.cluster.policies_answer = NoSuchKind("The API server does not know ciliumnetworkpolicies.cilium.io: x.")
    reply = await world.run("diagnose")
    assert (reply.headline, reply.verdict) == ("Nothing found wrong", Verdict.OK)
    reply = await world.run("diagnose egress")
    assert reply.headline == "This cluster has no Cilium policies: Cilium is not installed"
    assert reply.verdict is Verdict.WARN
    assert facts(reply)["Ruled out by a line"] == (
        "\n• network policy invalid by the LRU bug, network policy refused by Cilium, "
        "network policy deleted by a repair "
        "(“found: no ciliumnetworkpolicies of cilium.io/v2 in this cluster”)"
    )


async def test_no_policy_is_a_line_as_well(world: World) -> None:
    world.cluster.policies_answer = {"items": []}
    assert (
        "(“found: no ciliumnetworkpolicies in secure-agent-pod”)"
        in facts(await world.run("diagnose egress"))["Ruled out by a line"]
    )


@pytest.mark.parametrize("line", ["diagnose", "diagnose egress"])
async def test_the_settings_policy_is_missing_beside_others(world: World, line: str) -> None:
    world.target = handbook.target(egress={})
    taken = {"conditions": [{"type": "Valid", "status": "True"}]}
    others = [{"metadata": {"name": name}, "status": taken} for name in ("agent-dns", "agent-git")]
    world.cluster.policies_answer = {"items": others}
    reply = await world.run(line)
    assert reply.headline == "There is no Cilium policy agent-egress, only agent-dns, agent-git"
    assert reply.verdict is Verdict.WARN
    assert reply.proof is not None
    assert reply.proof.text == "warn: there is no Cilium policy agent-egress"


REFUSED = NotAllowed("The bot may not list ciliumnetworkpolicies.", remedy="Apply deploy/options/egress.")


async def test_a_right_that_nobody_gave_is_no_trouble_and_is_named_once(world: World) -> None:
    world.cluster.policies_answer = REFUSED
    reply = await world.run("diagnose")
    assert reply.headline == (
        "Nothing found wrong; not looked at: network policy invalid by the LRU bug, "
        "network policy refused by Cilium, network policy deleted by a repair and 1 more"
    )
    assert reply.verdict is Verdict.OK
    assert text_of(reply).count("may not list") == 1
    end = "may not list ciliumnetworkpolicies). Apply deploy/options/egress."
    assert facts(reply)["Not looked at"].endswith(end)


@pytest.mark.parametrize("asked", ["tree", "all"])
async def test_what_grants_a_missing_right_is_named_also_where_something_is_wrong(
    world: World, asked: str
) -> None:
    world.cluster.policies_answer = REFUSED
    if asked == "tree":
        reply = await world.run("diagnose egress")
    else:
        world.cluster.claims_answer = [Claim("agent-home", "Lost", 1, "longhorn", ("ReadWriteOnce",))]
        reply = await world.run("diagnose")
    assert reply.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
    assert text_of(reply).count("Apply deploy/options/egress") == 1


async def test_a_tree_that_can_not_be_looked_at_at_all_is_unknown(world: World) -> None:
    world.cluster.policies_answer = REFUSED
    reply = await world.run("diagnose egress")
    assert reply.headline == "Could not tell: the bot may not list ciliumnetworkpolicies"
    assert reply.verdict is Verdict.UNKNOWN


async def test_a_missing_program_leaves_its_causes_open_and_the_answer_unknown(world: World) -> None:
    del world.cluster.programs["stat"]
    reply = await world.run("diagnose")
    assert reply.verdict is Verdict.UNKNOWN
    assert reply.headline == (
        "Could not rule out authorized_keys missing, authorized_keys empty, authorized_keys writable by others "
        "and 1 more; otherwise nothing found wrong"
    )
    assert facts(reply)["Not looked at"].endswith("older than the Secret (there is no stat in kali)")


async def test_no_pod_is_the_cause_with_what_refuses_it(world: World) -> None:
    world.cluster.objects_answer, world.cluster.pods_answer = {"items": []}, []
    assert (await world.run("diagnose")).headline == "There is no pod"
    refused = "Error creating: pods is forbidden: exceeded quota"
    world.cluster.events_answer = [event("FailedCreate", refused, "replicaset/secure-agent-pod-5d9")]
    reply = await world.run("diagnose")
    assert reply.headline == "There is no pod: it is refused"
    assert reply.proof is not None
    assert reply.proof.text == f"Warning FailedCreate replicaset/secure-agent-pod-5d9: {refused}"


async def test_an_event_about_a_pod_that_is_gone_proves_nothing(world: World) -> None:
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "ContainerCreating"}})
    held = "Multi-Attach error for volume pvc-1"
    for name, found in (("secure-agent-pod-gone", False), ("secure-agent-pod-abc", True)):
        world.cluster.events_answer = [event("FailedAttachVolume", held, f"pod/{name}")]
        headline = (await world.run("diagnose crash")).headline
        assert (headline == "A volume can't be mounted, so the pod can't start") is found


def event(reason: str, message: str, subject: str) -> Event:
    """A warning."""
    return Event("Warning", reason, message, subject)


FATAL = "level=fatal msg=\"bad crontab line: '* 25 * * * x' (use -debug for details)\""


def lose_supercronic(world: World) -> None:
    listed = "\n".join(line for line in PS.splitlines() if "supercronic" not in line)
    world.cluster.programs["ps"] = ExecResult(f"{listed}\n", "", 0)


async def test_where_no_cause_fits_what_status_finds_is_the_answer(world: World) -> None:
    world.cluster.claims_answer = [Claim("agent-home", "Lost", 1, "longhorn", ("ReadWriteOnce",))]
    reply = await world.run("diagnose")
    assert reply.verdict is Verdict.FAIL
    assert reply.headline.startswith("Not healthy: ")
    assert reply.body[0] == "The runbook knows no cause for it:"
    assert [finding.title for finding in reply.findings] == ["Volume claim"]


async def test_nothing_in_the_pod_is_ruled_out_where_it_could_not_be_looked_at(world: World) -> None:
    world.network.banner_answer = Transient("connection refused")
    looked = await world.run("diagnose ssh")
    assert "Nothing that the runbook looks at" in str([one.remedy for one in looked.findings])
    world.cluster.programs["ps"] = Transient("no answer")
    blind = await world.run("diagnose ssh")
    assert "Nothing that the runbook looks at" not in str([one.remedy for one in blind.findings])


async def test_supercronic_that_does_not_run_is_the_cause(world: World) -> None:
    lose_supercronic(world)
    reply = await world.run("diagnose")
    assert reply.headline == "supercronic does not run, so no job runs"
    assert reply.proof is not None
    assert reply.proof.text == "supercronic: not running"


@pytest.mark.parametrize(
    ("runs", "verdict", "after"),
    [
        (True, Verdict.WARN, "; supercronic still runs with the earlier file"),
        (False, Verdict.FAIL, ", so no job runs"),
    ],
)
async def test_an_invalid_line_of_the_crontab_is_the_cause_and_no_restart_mends_it(
    world: World, runs: bool, verdict: Verdict, after: str
) -> None:
    world.cluster.programs["cat /home/claude/.crontab"] = said("* 25 * * * /opt/scripts/a.sh\n")
    if not runs:
        lose_supercronic(world)
    reply = await world.run("diagnose cron")
    assert (reply.headline, reply.verdict) == (f"Line 1 of the crontab is wrong{after}", verdict)
    assert reply.proof is not None
    assert reply.proof.text.endswith("line 1: this is not a valid hour: it takes 0 to 23")
    assert [button.label for button in reply.buttons] == ["Edit the crontab", "Crontab", "Status", "Logs"]
    assert reply.buttons[0].command.startswith('cron edit --reason "Line 1 of the crontab is wrong')


async def test_the_crontab_s_form_is_not_offered_where_the_settings_have_no_crontab(world: World) -> None:
    world.cluster.logs_answer = LogText((FATAL,))
    world.target = world.target.model_copy(update={"crontab": None})
    lose_supercronic(world)
    reply = await world.run("diagnose cron")
    assert reply.headline == "supercronic refuses the crontab, so no job runs"
    assert "Edit the crontab" not in [button.label for button in reply.buttons]


async def test_whether_the_crontab_is_right_stays_open_where_the_check_can_not_tell(world: World) -> None:
    world.target = world.target.model_copy(update={"crontab": None})
    [found] = (await world.run("diagnose cron")).data["diagnoses"]
    assert "crontab-line-invalid" not in found["ruled_out_by"]


async def test_the_diagnosis_that_a_caller_puts_first_answers_before_the_others(world: World) -> None:
    lose_supercronic(world)
    world.cluster.endpoints_answer = []
    assert (await world.run("diagnose")).headline.startswith("supercronic does not run, so no job runs")
    first = await world.run("diagnose --first ssh")
    assert first.headline == "Service secure-agent-ssh has no endpoints"
    assert "supercronic does not run" in text_of(first)
    unknown = await world.run("diagnose --first no-such-tree")
    assert unknown.headline.startswith("supercronic does not run, so no job runs")


async def test_a_tree_without_a_cause_is_not_green_while_status_is_not(world: World) -> None:
    lose_supercronic(world)
    reply = await world.run("diagnose kanban")
    assert (reply.verdict, reply.headline) == (Verdict.FAIL, "Not healthy: supercronic is not running")
    assert reply.body[0] == "diagnose kanban finds no cause. In status:"


@pytest.mark.parametrize(
    ("line", "asks"), [("diagnose kanban", False), ("diagnose", False), ("diagnose ssh", True)]
)
async def test_no_answer_asks_for_the_diagnosis_that_it_comes_from(world: World, line: str, asks: bool) -> None:
    world.network.status_answer = Transient("connection refused")
    reply = await world.run(line)
    [finding] = [one for one in reply.findings if one.title == "VibeKanban"]
    assert ("diagnose kanban" in f"{finding.remedy} {finding.run}") is asks


async def test_a_pod_that_is_not_ready_asks_for_no_diagnosis_that_was_made(world: World) -> None:
    world.cluster.objects_answer = broken()
    world.cluster.objects_answer["items"][0]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    assert (await world.run("diagnose ssh")).body == ("Find out why with `/agentpod diagnose crash`.",)
    assert (await world.run("diagnose")).body == ()


@pytest.mark.parametrize("line", ["diagnose", "diagnose ssh"])
async def test_where_causes_stay_open_none_is_called_unknown(world: World, line: str) -> None:
    world.cluster.programs = dict.fromkeys(world.cluster.programs, NotAllowed("The bot may not create pods/exec."))
    world.network.banner_answer = Transient("connection refused")
    reply = await world.run(line)
    assert str(reply.body[0]).startswith("Could not rule out ")
    assert "no cause" not in text_of(reply)


async def test_what_hides_many_causes_is_said_once(world: World) -> None:
    world.cluster.objects_answer = HANG
    reply = await world.run("diagnose")
    assert facts(reply)["Not looked at"].count("the API server does not answer") == 1


async def test_without_a_pod_no_cause_is_called_unread(world: World) -> None:
    world.cluster.objects_answer = {"items": []}
    assert "was not read" not in text_of(await world.run("diagnose crash"))


def was_killed(world: World) -> None:
    """The container was OOM-killed five minutes ago, and runs again."""
    killed = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T11:55:00Z"}
    again = {"running": {"startedAt": "2026-11-23T11:55:05Z"}}
    world.cluster.objects_answer = broken(
        ready=True, state=again, lastState={"terminated": killed}, restartCount=1
    )


@pytest.mark.parametrize("line", ["diagnose", "diagnose crash"])
async def test_what_is_over_does_not_hide_what_is_unknown_now(world: World, line: str) -> None:
    was_killed(world)
    world.cluster.application_answer = NotFound("There is no Argo CD here.")
    reply = await world.run(line)
    assert reply.headline == "kali was OOM-killed: it reached its memory limit"
    assert reply.verdict is Verdict.UNKNOWN
    assert facts(reply)["Unknown in status"] == "\n• Argo CD: there is no Argo CD here"


async def test_what_is_over_is_not_present_because_the_deployment_can_not_be_read(world: World) -> None:
    was_killed(world)
    world.cluster.deployment_answer = NotAllowed("The bot may not get deployments.")
    reply = await world.run("diagnose")
    assert reply.headline == "kali was OOM-killed: it reached its memory limit"
    assert reply.verdict is Verdict.UNKNOWN
    assert "Pod: " in facts(reply)["Unknown in status"]


async def test_a_cause_that_a_warning_proves_is_a_warning(world: World) -> None:
    stale_keys(world)
    reply = await world.run("diagnose")
    assert reply.headline == "The pod still has the keys from before the last change of Secret agent-ssh-keys"
    assert reply.verdict is Verdict.WARN
    world.cluster.claims_answer = [Claim("agent-home", "Lost", 1, "longhorn", ("ReadWriteOnce",))]
    failing = await world.run("diagnose")
    assert failing.verdict is Verdict.FAIL
    assert failing.headline.startswith("Not healthy: ")
    assert reply.headline in facts(failing)["Also found"]
    world.cluster.services_answer = []
    assert (await world.run("diagnose kanban")).headline == "Service secure-agent-vibekanban is missing"
    assert (await world.run("diagnose")).verdict is Verdict.FAIL


async def test_what_fails_comes_before_a_warning(world: World) -> None:
    stale_keys(world)
    listed = PS.replace("node /usr/bin/vibe-kanban", "node other")
    world.cluster.programs["ps"] = ExecResult(f"{listed}\n", "", 0)
    assert (await world.run("diagnose")).headline == "VibeKanban does not run"


def stale_keys(world: World) -> None:
    world.cluster.secret_answer = SecretFacts(
        "agent-ssh-keys", "u", "1", {}, changed_at=NOW - timedelta(hours=1), changed_surely=True
    )


async def test_a_cause_that_is_over_is_a_warning(world: World) -> None:
    was_killed(world)
    reply = await world.run("diagnose crash")
    assert reply.headline == "kali was OOM-killed: it reached its memory limit"
    assert reply.verdict is Verdict.WARN
    lose_supercronic(world)
    named = await world.run("diagnose crash")
    assert (named.verdict, facts(named)["Fails in status"]) == (
        Verdict.FAIL,
        "\n• Processes: supercronic is not running",
    )
    plain = await world.run("diagnose")
    assert (plain.verdict, plain.headline) == (Verdict.FAIL, "supercronic does not run, so no job runs")
    assert "kali was OOM-killed" in facts(plain)["Earlier, and over"]


async def test_what_is_over_does_not_hide_a_warning_of_now(world: World) -> None:
    was_killed(world)
    world.cluster.policies_answer = {"items": []}
    reply = await world.run("diagnose")
    assert reply.headline == (await world.run("status")).headline
    assert "no Cilium policy" in reply.headline or "2 warnings" in reply.headline
    assert "kali was OOM-killed" in facts(reply)["Earlier, and over"]


def one_tree(symptom: str) -> CompiledRunbook:
    text = f"""\
runbook: mine
diagnoses:
  queue:
    title: The queue does not move
    facts: {{jobs: {{exec: {{command: [queue-length]}}}}}}
    symptom: {symptom}
    causes:
      - name: stuck
        proof: jobs.lines.grep("stuck")[0]
        says: "'A job is stuck'"
"""
    made, problems = compile_runbook(read(text, "mine.yaml"), CelExpressions())
    assert made is not None, problems
    return made


async def test_a_symptom_that_is_not_there_is_never_the_headline(world: World) -> None:
    world.cluster.programs["queue-length"] = ExecResult("12 stuck\n", "", 0)
    fits = await world.run("diagnose", lambda ctx: replace(ctx, book=one_tree("size(jobs.lines) == 1")))
    assert fits.headline == "A job is stuck"
    not_there = await world.run("diagnose", lambda ctx: replace(ctx, book=one_tree("size(jobs.lines) == 9")))
    assert (not_there.verdict, not_there.headline) == (Verdict.OK, "Nothing found wrong")


async def test_what_fails_besides_the_cause_is_named(world: World) -> None:
    lose_supercronic(world)
    world.cluster.services_answer = []
    reply = await world.run("diagnose ssh")
    assert reply.headline == "Service secure-agent-ssh is missing"
    assert "Processes: supercronic is not running" in facts(reply)["Fails in status"]


async def test_what_is_first_in_status_is_first_here_and_each_problem_is_said_once(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("31%", "97%").replace("310000 690000", "970000 30000"))
    world.cluster.programs["ps"] = said("\n".join(line for line in PS.splitlines() if "sshd" not in line))
    world.cluster.application_answer = replace(world.cluster.application_answer, health="Degraded")
    status, reply = await world.run("status"), await world.run("diagnose")
    assert status.headline == "Not healthy: 3 problems, first: sshd is not running"
    assert reply.headline == "sshd does not run, so nobody can sign in (the first of 3 problems)"
    assert "The disk of /home/claude is 97 % full" in facts(reply)["Also found"]
    assert facts(reply)["Fails in status"].count("•") == 1
    assert "• Argo CD says " in facts(reply)["Fails in status"]


async def test_the_repair_of_a_cause_that_was_also_found_is_offered(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("31%", "97%").replace("310000 690000", "970000 30000"))
    world.cluster.programs["ps"] = said("\n".join(line for line in PS.splitlines() if "sshd" not in line))
    reply = await world.run("diagnose --first disk")
    assert reply.headline.startswith("The disk of /home/claude is 97 % full")
    assert reply.buttons[0].label == "Ask for a restart"
    assert "sshd does not run" in reply.buttons[0].command


async def test_what_status_says_of_the_cause_itself_is_not_said_again(world: World) -> None:
    listed = "\n".join(line for line in PS.splitlines() if "sshd" not in line)
    world.cluster.programs["ps"] = ExecResult(f"{listed}\n", "", 0)
    reply = await world.run("diagnose")
    assert reply.headline == "sshd does not run, so nobody can sign in"
    assert (reply.verdict, "Fails in status" in facts(reply)) == (Verdict.FAIL, False)


async def test_host_keys_are_not_ruled_out_while_sshd_is_down(world: World) -> None:
    listed = "\n".join(line for line in PS.splitlines() if "sshd" not in line)
    world.cluster.programs["ps"] = ExecResult(f"{listed}\n", "", 0)
    reply = await world.run("diagnose ssh")
    assert reply.headline == "sshd does not run, so nobody can sign in"
    assert "host keys refused" in facts(reply)["No line points to"]


async def test_a_policy_that_cilium_does_not_take_is_a_cause(world: World) -> None:
    said = "invalid rule: toFQDNs needs a name"
    status = {"conditions": [{"type": "Valid", "status": "False", "message": said}]}
    world.cluster.policies_answer = {"items": [{"metadata": {"name": "agent-egress"}, "status": status}]}
    reply = await world.run("diagnose egress")
    assert reply.headline == f"Network policy agent-egress is not valid: {said}"


async def test_a_volume_whose_size_df_does_not_say_is_not_looked_at(world: World) -> None:
    world.cluster.programs["df"] = said(
        "Filesystem 1024-blocks Used Available Capacity Mounted on\nx 0 0 0 - /home\n"
    )
    reply = await world.run("diagnose disk")
    found = facts(reply)
    assert "disk full (`df -Pk /home/claude`: none of its lines says so)" in found["Not looked at"]
    assert "inodes used up" in found["Not looked at"]
    assert "No line points to" not in found
    assert reply.verdict is Verdict.UNKNOWN


async def test_no_sign_of_a_cause_says_where_there_is_none(world: World) -> None:
    world.cluster.pods_answer = [CRASHED]
    found = facts(await world.run("diagnose crash"))
    assert found["No line points to"] == "out of memory (in kubectl get pod -o yaml)"


async def test_an_oom_kill_before_it_was_ready_is_not_why_its_probe_fails_now(world: World) -> None:
    killed = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T11:55:00Z"}
    again = {"running": {"startedAt": "2026-11-23T11:55:05Z"}}
    unready = {"type": "ContainersReady", "status": "False", "lastTransitionTime": "2026-11-23T11:59:00Z"}
    world.cluster.objects_answer = broken(state=again, lastState={"terminated": killed}, restartCount=2)
    world.cluster.objects_answer["items"][0]["status"]["conditions"] = [unready]
    assert "OOM" not in (await world.run("diagnose")).headline
