"""The visible effects of each pod fault."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster, cronlog, kinds
from sandbox.cluster.exec import inside
from sandbox.cluster.files import File
from sandbox.cluster.shell import NoExecutable
from sandbox.cluster.table import pod_status


def only_pod(cluster: PretendCluster) -> dict[str, Any]:
    (pod,) = cluster.simulation.pods()
    return pod


def run(cluster: PretendCluster, *command: str) -> str:
    return inside(cluster.simulation, only_pod(cluster)).execute(list(command)).out.decode()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("pod-crash", "CrashLoopBackOff"),
        ("pod-config-error", "CreateContainerConfigError"),
        ("pod-pending", "Pending"),
        ("pod-init-crash", "Init:CrashLoopBackOff"),
        ("pod-create-error", "CreateContainerError"),
        ("pod-volume-held", "ContainerCreating"),
    ],
)
async def test_pod_shows_the_status_until_healed(cluster, breaks: Breaks, fault, status):
    await breaks.apply(fault, True)
    assert pod_status(only_pod(cluster)) == status
    await breaks.heal()
    assert pod_status(only_pod(cluster)) == "Running"


def holds(cluster: PretendCluster) -> dict[str, str]:
    return {c["type"]: c["status"] for c in only_pod(cluster)["status"]["conditions"]}


async def test_a_silent_node_changes_the_condition_but_not_the_statuses(cluster, breaks: Breaks):
    await breaks.apply("pod-node-lost", True)
    assert (holds(cluster)["Ready"], holds(cluster)["ContainersReady"]) == ("False", "True")
    assert only_pod(cluster)["status"]["containerStatuses"][0]["ready"] is True
    await breaks.heal()
    assert holds(cluster)["Ready"] == "True"


@pytest.mark.parametrize(("fault", "value"), [("pod-gate", True), ("pod-unready", True), ("pod-sidecar", "oom")])
async def test_a_pod_that_runs_and_is_not_ready(cluster, breaks: Breaks, fault, value):
    await breaks.apply(fault, value)
    assert (holds(cluster)["Ready"], only_pod(cluster)["status"]["phase"]) == ("False", "Running")
    await breaks.heal()
    assert holds(cluster)["Ready"] == "True"


async def test_an_evicted_pod_leaves_its_record_beside_the_next_one(cluster, breaks: Breaks):
    first = only_pod(cluster)["metadata"]["name"]
    await breaks.apply("pod-evict", None)
    second = only_pod(cluster)
    assert (second["metadata"]["name"] != first, pod_status(second)) == (True, "Running")
    record = cluster.store.get(kinds.POD, "secure-agent-pod", first)
    assert record is not None
    assert (record["status"]["phase"], record["status"]["reason"]) == ("Failed", "Evicted")


@pytest.mark.parametrize(("fault", "count"), [("pod-none", 0), ("pod-two", 2)])
async def test_number_of_pods(cluster, breaks: Breaks, fault, count):
    await breaks.apply(fault, True)
    assert len(cluster.simulation.pods()) == count


def deployment(cluster: PretendCluster) -> dict[str, Any]:
    found = cluster.store.get(kinds.DEPLOYMENT, "secure-agent-pod", "secure-agent-pod")
    assert found is not None
    return found


def conditions(cluster: PretendCluster) -> dict[str, tuple[str, str, str]]:
    """The conditions' status, reason and message, by type."""
    found = deployment(cluster)["status"]["conditions"]
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


async def test_a_pod_refused_by_a_quota_shows_on_the_deployment_until_healed(cluster, breaks: Breaks):
    await breaks.apply("pod-none", True)
    status, reason, message = conditions(cluster)["ReplicaFailure"]
    assert (status, reason) == ("True", "FailedCreate")
    assert "is forbidden: exceeded quota" in message
    failed = [e for e in cluster.store.list(kinds.EVENT) if e["reason"] == "FailedCreate"]
    assert [e["message"] for e in failed] == [f"Error creating: {message}"]
    await breaks.heal()
    assert "ReplicaFailure" not in conditions(cluster)
    assert pod_status(only_pod(cluster)) == "Running"


async def change(cluster: PretendCluster, **spec: Any) -> None:
    draft = cluster.store.draft(kinds.DEPLOYMENT, "secure-agent-pod", "secure-agent-pod")
    draft["spec"] |= spec
    cluster.store.put(kinds.DEPLOYMENT, draft)
    await cluster.simulation.settle()


async def test_a_paused_deployment_rolls_nothing_out_until_resumed_but_replaces_a_pod(cluster):
    first = only_pod(cluster)["metadata"]
    template = copy.deepcopy(deployment(cluster)["spec"]["template"])
    template["metadata"]["annotations"] = {"changed": "yes"}
    await change(cluster, paused=True, template=template)
    assert only_pod(cluster)["metadata"]["uid"] == first["uid"]
    assert conditions(cluster)["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")
    await cluster.simulation.replace_pods()
    second = only_pod(cluster)["metadata"]
    assert second["uid"] != first["uid"]
    assert second["labels"] == first["labels"]
    await change(cluster, paused=False)
    assert only_pod(cluster)["metadata"]["annotations"]["changed"] == "yes"
    assert conditions(cluster)["Progressing"][1] == "NewReplicaSetAvailable"


async def test_a_deployment_scaled_to_zero_has_no_pod(cluster):
    await change(cluster, replicas=0)
    assert cluster.simulation.pods() == []
    assert "ReplicaFailure" not in conditions(cluster)


async def test_out_of_memory_restarts_the_container_once(cluster, breaks: Breaks):
    await breaks.apply("pod-oom", None)
    status = only_pod(cluster)["status"]["containerStatuses"][0]
    assert (status["restartCount"], status["ready"]) == (1, True)
    ended = status["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


@pytest.mark.parametrize("service", ["sshd", "supercronic", "vibe-kanban"])
async def test_a_killed_process_is_gone_while_the_container_stays(cluster, breaks: Breaks, service):
    await breaks.apply("pod-kill-process", service)
    assert not [p for p in cluster.simulation.table(only_pod(cluster)).processes if p.service == service]
    assert only_pod(cluster)["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_each_fault_is_visible_inside_the_container(cluster, breaks: Breaks):
    for fault in ("pod-root", "pod-disk-full", "pod-no-ps"):
        await breaks.apply(fault, True)
    assert run(cluster, "id").startswith("uid=0(root)")
    assert " 97% " in run(cluster, "df", "-P", "/home/claude")
    with pytest.raises(NoExecutable):
        run(cluster, "ps", "aux")


async def test_wrong_node_and_missing_container(cluster, breaks: Breaks):
    await breaks.apply("pod-wrong-node", True)
    await breaks.apply("pod-container-missing", True)
    spec = only_pod(cluster)["spec"]
    assert (spec["nodeName"], spec["containers"][0]["name"]) == ("gpu-2", "workspace")


async def test_noisy_lines_come_and_go(cluster, breaks: Breaks):
    def noisy() -> bool:
        return any("<!channel>" in line.text for line in cluster.simulation.log(only_pod(cluster)).lines)

    await breaks.apply("pod-noisy-logs", True)
    assert noisy()
    await breaks.heal()
    assert not noisy()


async def test_services_lose_addresses_and_endpoints(cluster, breaks: Breaks):
    await breaks.apply("service-no-ip", True)
    await breaks.apply("service-no-endpoints", True)
    assert all(s["status"]["loadBalancer"] == {} for s in cluster.store.list(kinds.SERVICE))
    assert all(s["endpoints"] == [] for s in cluster.store.list(kinds.ENDPOINT_SLICE))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo a && false || echo b", "a\nb\n"),
        ("ps -eo pid= | head -n 1", "      1\n"),
        ("echo $PORT '$PORT' \"$HOST\"", "8081 $PORT 0.0.0.0\n"),
        ("ls /opt/scripts | grep -c sh", "5\n"),
        ("cat /nothing 2>/dev/null; echo $?", "1\n"),
        ("pgrep -f supercronic", "62\n"),
    ],
)
async def test_scripts(cluster, script, expected):
    assert run(cluster, "sh", "-c", script) == expected


async def test_the_pod_says_when_its_authorized_keys_were_written_and_how_its_home_is_mounted(cluster) -> None:
    keys = "/home/claude/.ssh/authorized_keys"
    started = int(cluster.simulation.table(only_pod(cluster)).started.timestamp())
    size = len(run(cluster, "cat", keys).encode())
    assert run(cluster, "stat", "-c", "%a %U %s %Y %n", keys) == f"600 claude {size} {started} {keys}\n"
    assert " /home/claude ext4 rw," in run(cluster, "cat", "/proc/mounts")


async def test_a_pod_that_is_evicted_while_its_container_starts_is_replaced() -> None:
    async with PretendCluster(speed=0.2) as slow:
        await slow.simulation.out_of_memory()
        for _ in range(5):  # until the kubelet waits before the start
            await asyncio.sleep(0)
        await slow.simulation.evict()
        assert slow.simulation._task is not None
        await slow.simulation._task
        phases = [pod["status"]["phase"] for pod in slow.store.list(kinds.POD)]
    assert sorted(phases) == ["Failed", "Running"]


@pytest.mark.parametrize("fault", ["pod-crash", "pod-config-error", "pod-none"])
async def test_whoever_follows_the_container_hears_that_it_is_down_and_up_again(
    cluster, breaks: Breaks, fault: str
) -> None:
    heard: list[bool] = []

    async def follow() -> None:
        heard.append(cluster.simulation.up)

    cluster.simulation.on_processes = follow
    await breaks.apply(fault, True)
    assert heard[-1] is False
    await breaks.heal()
    assert heard[-1] is True


async def test_a_wrong_crontab_ends_the_container_at_its_next_start_only(cluster, breaks: Breaks):
    await breaks.apply("pod-wrong-crontab", True)
    assert pod_status(only_pod(cluster)) == "Running", "supercronic runs on with the earlier file"
    await cluster.simulation.end_container(only_pod(cluster), "kali", 143)
    assert pod_status(only_pod(cluster)) == "CrashLoopBackOff"
    log = cluster.simulation.log(only_pod(cluster))
    assert [line.text.split(" ", 1)[1] for line in log.lines[-2:]] == [
        "level=fatal msg=\"bad crontab line: '0 25 * * * /opt/scripts/audit-digest.sh' (use -debug for details)\"",
        "a required process exited, stopping the container",
    ]
    await breaks.heal()
    assert pod_status(only_pod(cluster)) == "Running"


async def test_an_edited_crontab_that_supercronic_refuses_is_a_fault_that_can_be_healed(cluster, breaks: Breaks):
    cluster.simulation.volume[cronlog.FILE] = File("* 25 * * * x\n")
    assert [one["id"] for one in breaks.as_json() if one["active"]] == ["pod-wrong-crontab"]
    await cluster.simulation.replace_pods()
    assert pod_status(only_pod(cluster)) == "CrashLoopBackOff"
    await breaks.heal()
    assert pod_status(only_pod(cluster)) == "Running"
