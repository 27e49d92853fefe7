"""Every fault of the cluster, the pod and the Pushgateway is reported correctly by `status`, never as healthy."""

from __future__ import annotations

import pytest

from bot.domain.core.target import Target
from bot.domain.rbac.roles import Capability
from commands.registry import BUILTIN
from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from tests.healthy import HEALTHY
from tests.scenarios.golden import plain, recorded
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-faults")]

KUBERNETES = [
    ("kube-refuse", True, ("Could not tell", "connection")),
    ("kube-hang", True, ("Could not tell", "no answer in 2 s")),
    ("kube-401", True, ("Could not tell", "401")),
    ("kube-403", "pods", ("Could not tell", "may not")),
    ("kube-404", True, ("Could not tell",)),
    ("kube-410", True, ("Could not tell",)),
    ("kube-429", True, ("Could not tell",)),
    ("kube-500", True, ("Could not tell",)),
]
POD = [
    ("pod-none", True, ("Not healthy", "no pod")),
    ("pod-two", True, ("Not healthy", "2 pods")),
    ("pod-pending", True, ("Not healthy", "Pending")),
    (
        "pod-crash",
        True,
        ("Not healthy", "restarts): Download failed: getaddrinfo EAI_AGAIN", "Logs before the restart"),
    ),
    (
        "pod-config-error",
        True,
        ("Not healthy: Secret agent-ssh-keys is missing", "kubectl create secret generic agent-ssh-keys"),
    ),
    ("pod-init-crash", True, ("Not healthy: init container fix-permissions keeps crashing (exit 1, 7 restarts)",)),
    ("pod-sidecar", "crash", ("Not healthy: sidecar egress-proxy keeps crashing (exit 1, 12 restarts)",)),
    ("pod-sidecar", "oom", ("Not healthy: sidecar egress-proxy keeps hitting its memory limit (128Mi",)),
    ("pod-node-lost", True, ("Not healthy: node gpu-1 has stopped reporting", "kubectl describe node gpu-1")),
    ("pod-gate", True, ("Not healthy: readiness gate example.com/load-balancer",)),
    ("pod-create-error", True, ("Not healthy: kali can't be created: failed to reserve container name",)),
    ("pod-volume-held", True, ("Not healthy: volume pvc-1f2e can't be attached: Volume is already exclusively",)),
    ("pod-unready", True, ("Not healthy: kali runs but is not ready",)),
    ("pod-container-missing", True, ("has no container kali, and workspace is not watched",)),
    ("pod-wrong-node", True, ("gpu-1",)),
    ("pod-root", True, ("Not healthy", "root")),
    ("pod-disk-full", True, ("Not healthy", "97 %")),
    ("pod-disk-no-inodes", True, ("Not healthy: /home/claude: no inodes left (100 %)",)),
    ("pod-kill-process", "vibe-kanban", ("Not healthy", "vibe-kanban is not running")),
    ("pod-exec-hangs", True, ("Could not tell", "no answer in 2 s")),
    ("service-no-ip", True, ("Not healthy", "192.168.55.2")),
    ("service-no-endpoints", True, ("Not healthy",)),
    ("ssh-refuses", True, ("Not healthy", "SSH", "refused")),
    ("ssh-hangs", True, ("Could not tell", "no answer in 2 s")),
    ("ssh-wrong-banner", True, ("Not healthy", "SSH")),
    ("kanban-down", True, ("Not healthy", "VibeKanban")),
    ("kanban-502", True, ("Not healthy", "502")),
    ("kanban-hangs", True, ("Could not tell", "no answer in 2 s")),
    ("argocd-degraded", True, ("Degraded",)),
    ("argocd-out-of-sync", True, ("OutOfSync",)),
    ("argocd-missing", True, ("Argo CD",)),
    ("kube-403", "pods/exec", ("Could not tell", "may not")),
]
PUSHGATEWAY = [
    ("pushgateway-down", True, ("Could not tell", "Heartbeats")),
    ("pushgateway-hangs", True, ("Could not tell", "Heartbeats", "no answer in 2 s")),
    ("pushgateway-garbage", True, ("Could not tell", "Heartbeats")),
]


async def test_every_fault_is_off_at_first(world: World) -> None:
    assert [b["id"] for b in world.workspace.panel.as_json() if b["active"]] == []


async def test_a_healthy_pod_is_reported_in_one_line(world: World) -> None:
    answer = await world.healthy()
    assert HEALTHY in answer.first_line


@pytest.mark.parametrize(("fault", "value", "says"), [*KUBERNETES, *POD, *PUSHGATEWAY])
async def test_status_reports_each_fault_correctly(
    world: World, fault: str, value: bool | str, says: tuple[str, ...]
) -> None:
    _forget_events(world)
    if "crash" in (fault, value) or fault.endswith("-crash"):  # the log before it is then a fresh pod's
        await world.sandbox.cluster.simulation.replace_pods()
    await world.break_(fault, value)
    seen = ""

    async def look() -> bool:
        nonlocal seen
        answer = await world.ask("status")
        seen = answer.text
        return all(part in seen for part in says) and "Healthy:" not in answer.first_line

    for _ in range(40):
        if await look():
            break
    else:
        raise AssertionError(f"{fault}: {says} not all in:\n{seen}")
    await _stays(world, "status", fault if value is True else f"{fault}-{value}".replace("/", "-"), seen)


def _forget_events(world: World) -> None:
    """Drop the events of the tests before this one."""
    store = world.sandbox.cluster.simulation.store
    for event in store.list(kinds.EVENT, NAMESPACE):
        store.remove(kinds.EVENT, NAMESPACE, event["metadata"]["name"])


async def _stays(world: World, line: str, name: str, seen: str) -> None:
    """Fails unless the answer is the recorded one, once all of the fault shows."""
    expected = recorded(name, seen)
    for _ in range(40):
        if plain(seen) == expected:
            return
        seen = (await world.ask(line)).text
    assert plain(seen) == expected


async def test_after_a_crash_the_previous_container_s_log_is_offered(world: World) -> None:
    await world.break_("pod-crash")
    values = ""
    for _ in range(40):
        answer = await world.ask("status")
        actions = [b for m in answer.messages for b in m.blocks or [] if b["type"] == "actions"]
        values = " ".join(e.get("value", "") for b in actions for e in b["elements"])
        if '"logs --container kali --previous' in values:
            return
    raise AssertionError(f"no button runs logs --container kali --previous: {values}")


async def test_the_button_opens_the_log_of_the_container_that_failed(world: World) -> None:
    await world.break_("pod-init-crash")
    said = ""
    for _ in range(40):
        answer = await world.ask("status")
        actions = [b for m in answer.messages for b in m.blocks or [] if b["type"] == "actions"]
        said = " ".join(e.get("value", "") for b in actions for e in b["elements"])
        if '"logs --container fix-permissions --previous' in said:
            break
    assert '"logs --container fix-permissions --previous' in said
    assert "Read-only file system" in (await world.ask("logs --container fix-permissions --previous")).text


async def test_a_sidecar_counts_in_ready_and_its_log_can_be_read(world: World) -> None:
    await world.break_("pod-sidecar", "ready")
    for _ in range(40):
        if "2/2 ready" in (answer := await world.ask("pods")).text:
            break
    assert "2/2 ready" in answer.text
    assert "listening on 127.0.0.1:3128" in (await world.ask("logs --container egress-proxy")).text


async def test_records_of_evicted_pods_do_not_affect_the_verdict(world: World) -> None:
    simulation = world.sandbox.cluster.simulation
    await simulation.evict()
    assert "Healthy" in (await world.healthy()).first_line
    answer = await world.ask("pods")
    assert "Evicted" in answer.text, "it is listed"
    for pod in (p for p in simulation.store.list(kinds.POD, NAMESPACE) if p["status"]["phase"] == "Failed"):
        simulation.store.remove(kinds.POD, NAMESPACE, pod["metadata"]["name"])


async def test_an_image_without_ps_still_shows_its_processes(world: World) -> None:
    await world.break_("pod-no-ps")
    assert "Healthy" in (await world.healthy()).first_line


@pytest.mark.parametrize("no_ps", [False, True])
@pytest.mark.parametrize("kind", ["arguments", "digits", "rows"])
async def test_hostile_processes_do_not_disturb_the_listing(world: World, kind: str, no_ps: bool) -> None:
    await world.break_("pod-no-ps", no_ps)
    await world.break_("pod-hostile", kind)
    assert (await world.ask("processes")).first_line == "✅ Processes: sshd, supercronic and vibe-kanban run"
    await world.break_("pod-kill-process", "sshd")
    assert (await world.ask("processes")).first_line.endswith("Not healthy: sshd is not running")


async def test_ten_thousand_groups_are_judged_in_time(world: World) -> None:
    await world.break_("pushgateway-10k")
    answer = await world.ask("heartbeats")
    assert "session-manager" in answer.text


async def test_previous_logs_without_a_previous_run_say_so(world: World) -> None:
    await world.sandbox.cluster.simulation.replace_pods()  # an earlier test's pod may have had a previous run
    answer = await world.ask("logs --previous")
    assert "previous" in answer.text


@pytest.mark.parametrize(
    ("fault", "value", "line", "says"),
    [
        ("pod-wrong-crontab", True, "cron", "line 6: this is not a valid hour: it takes 0 to 23"),
        ("pod-wrong-crontab", True, "diagnose cron", "Line 6 of the crontab is wrong; supercronic still runs"),
        ("pod-kill-process", "vibe-kanban", "kanban", "Check 1 of 5, Process: vibe-kanban is not running"),
        ("kanban-502", True, "kanban", "Check 2 of 5, Port: 127.0.0.1:8081 answers with 502 text/plain"),
        ("kanban-502", True, "diagnose kanban", "VibeKanban answers with HTTP status 502"),
        ("kanban-hangs", True, "diagnose kanban", "VibeKanban does not answer on port 8081"),
        ("kanban-down", True, "diagnose", "VibeKanban does not answer on port 8081"),
        ("egress-policy", "disabled", "egress", "there is no Cilium policy"),
        ("egress-policy", "lru", "egress", "LRU not yet initialized"),
        ("egress-policy", "invalid", "egress", "invalid rule"),
        ("egress-policy", "uninstalled", "egress", "this cluster has no Cilium policies"),
        ("egress-policy", "uninstalled", "diagnose egress", "this cluster has no Cilium policies"),
        ("egress-policy", "uninstalled", "diagnose", "Nothing found wrong"),
        (
            "kube-403",
            "ciliumnetworkpolicies",
            "diagnose",
            "Nothing found wrong; not looked at: network policy invalid by the LRU bug",
        ),
    ],
)
async def test_a_command_names_its_fault(
    world: World, fault: str, value: bool | str, line: str, says: str
) -> None:
    await world.break_(fault, value)
    assert says in (await world.ask(line)).first_line


@pytest.mark.parametrize("fault", ["ssh-hangs", "ssh-refuses"])
async def test_a_diagnosis_without_a_cause_has_a_next_step(world: World, fault: str) -> None:
    await world.break_(fault)
    text = (await world.ask("diagnose ssh")).text
    assert "at what is between you and the pod" in text.replace("\xa0", " ")


async def test_host_keys_of_a_volume_that_was_made_anew_are_a_change(world: World) -> None:
    assert "SSH host keys: " in (await world.ask("ssh info")).first_line
    await world.break_("pod-new-volume")
    answer = await world.ask("ssh info")
    assert "because the volume was created again" in answer.first_line
    assert "ssh-keygen -R 192.168.55.215" in answer.text


READS = [c.name for c in BUILTIN if c.rights(Target()) and c.needs is not Capability.REQUEST]
"""The commands that only read the cluster."""


@pytest.mark.parametrize("command", [*READS, "heartbeats"])
@pytest.mark.parametrize("fault", ["kube-refuse", "kube-hang"])
async def test_every_command_reports_an_unreachable_api_server(world: World, command: str, fault: str) -> None:
    await world.break_(fault)
    answer = await world.ask(command)
    if command == "heartbeats":
        assert "session-manager" in answer.text  # heartbeats come from the Pushgateway
    else:
        assert "API server" in answer.text
        assert "Healthy:" not in answer.text


async def test_restored_rights_are_used_again(world: World) -> None:
    await world.break_("kube-403", "pods")
    assert "Could not tell" in (await world.ask("status")).first_line
    await world.workspace.panel.heal()
    assert "Healthy" in (await world.healthy()).first_line


async def test_readiness_does_not_depend_on_the_cluster(world: World) -> None:
    import aiohttp

    await world.break_("kube-refuse")
    async with aiohttp.ClientSession() as session, session.get(world.bot.ops_url + "/readyz") as response:
        assert response.status == 200
