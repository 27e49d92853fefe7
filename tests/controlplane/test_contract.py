"""The Cluster port's contract, on the pretend cluster and on a real control plane alike.

A test that passes on only one of them has found a defect in the pretend cluster or in the adapter.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.domain.core.object_diff import object_diff
from bot.domain.core.target import Target
from bot.domain.core.workload import LogStart, Pod, Right, Rules
from bot.domain.follow.position import LogPosition
from bot.domain.health import secret_memory
from bot.domain.health.pod_state import is_ready
from bot.domain.health.secret_memory import Age
from bot.errors import AgentpodError, Conflict, NotAllowed, NotFound, Permanent
from bot.wiring.rights import rights_needed
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.plane import Plane
from tests.controlplane.settled import change_now
from tests.controlplane.stands import Stand, pretend_stand, real_stand

SELECTOR = "app=secure-agent-pod"
APP = "secure-agent-pod"
MARK = {"kubectl.kubernetes.io/restartedAt": "2026-03-01T03:00:00Z", "agentpod.test/approval": "r-1"}
IMAGE = "ghcr.io/derio-net/secure-agent-kali:latest"


@pytest_asyncio.fixture(params=["pretend", "real"])
async def stand(
    request: pytest.FixtureRequest, tmp_path: Path, plane: Plane, numbers: Iterator[int]
) -> AsyncIterator[Stand]:
    """A healthy pod for one test, on either cluster."""
    if request.param == "pretend":
        async with pretend_stand(tmp_path) as one:
            yield one
    else:
        async with real_stand(AgentPod(plane, f"agent-{next(numbers)}").create()) as one:
            yield one


async def the_pod(stand: Stand) -> Pod:
    [pod] = await stand.cluster.pods(SELECTOR)
    return pod


async def becomes(condition: Callable[[], Awaitable[bool]], patience: float = 15.0) -> None:
    """Poll until a condition holds."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - nobody tells when the cluster has caught up
            await asyncio.sleep(0.03)


async def test_the_server_is_named_with_its_version_and_the_account_it_sees(stand: Stand) -> None:
    info = await stand.cluster.info()
    assert info.version.startswith("v1.37.")
    assert info.server.startswith(("http://127.0.0.1:", "https://127.0.0.1:"))
    assert info.user == f"system:serviceaccount:{stand.namespace}:agentpod"


async def test_a_healthy_pod_and_its_container(stand: Stand) -> None:
    pod = await the_pod(stand)
    [container] = pod.containers
    assert pod.name.startswith("secure-agent-pod-")
    assert (pod.phase, pod.node, pod.ready, pod.status, pod.restarts) == ("Running", "gpu-1", "1/1", "Running", 0)
    assert not pod.deleting
    assert pod.ip
    assert pod.ip.startswith("10.244.")
    assert (container.name, container.image, container.state, container.reason) == ("kali", IMAGE, "running", None)
    assert "@sha256:" in str(container.image_id)
    for moment in (pod.created_at, pod.started_at, container.started_at):
        assert moment is not None
        assert moment <= datetime.now(UTC)
    assert {c.type: c.status for c in pod.conditions}["Ready"] == "True"


async def test_no_pod_matches_another_label(stand: Stand) -> None:
    assert list(await stand.cluster.pods("app=other")) == []


async def test_an_unscheduled_pod(stand: Stand) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "waiting", "labels": {"app": "other"}},
        "spec": {"containers": [{"name": "kali", "image": IMAGE}], "nodeSelector": {"no": "such-node"}},
    }
    await stand.kubectl("create", "-f", "-", stdin=json.dumps(body))
    [pod] = await stand.cluster.pods("app=other")
    assert (pod.name, pod.phase, pod.node, pod.ip, pod.ready) == ("waiting", "Pending", None, None, "0/1")
    assert [(c.name, c.state, c.started_at) for c in pod.containers] == [("kali", "unknown", None)]


async def test_pods_come_oldest_first(stand: Stand) -> None:
    first = await the_pod(stand)
    await stand.kubectl("scale", "deployment/secure-agent-pod", "--replicas=2")

    async def two() -> bool:
        return len(await stand.cluster.pods(SELECTOR)) == 2

    await becomes(two)
    oldest, newest = await stand.cluster.pods(SELECTOR)
    assert oldest.created_at is not None
    assert newest.created_at is not None
    # The API server keeps whole seconds, so two pods of the same second have no order.
    assert oldest.uid == first.uid or oldest.created_at == newest.created_at
    assert oldest.created_at <= newest.created_at


@pytest.mark.parametrize(
    ("what", "state", "reason", "status", "ready"),
    [
        ("crash-loop", "waiting", "CrashLoopBackOff", "CrashLoopBackOff", "0/1"),
        ("config-error", "waiting", "CreateContainerConfigError", "CreateContainerConfigError", "0/1"),
        ("oom-killed", "running", None, "Running", "1/1"),
    ],
)
async def test_a_container_in_trouble(
    stand: Stand, what: str, state: str, reason: str | None, status: str, ready: str
) -> None:
    await stand.play(what)
    pod = await the_pod(stand)
    [container] = pod.containers
    assert (container.state, container.reason, pod.status, pod.ready) == (state, reason, status, ready)
    last = container.last_termination
    if what == "config-error":
        assert container.message == 'secret "agent-ssh-keys" not found'
        assert last is None
    else:
        assert last is not None
        assert (last.reason, last.exit_code) == {"crash-loop": ("Error", 1), "oom-killed": ("OOMKilled", 137)}[
            what
        ]
        assert last.finished_at is not None
        assert pod.restarts > 0


async def test_events_are_newest_first_and_about_named_objects(stand: Stand) -> None:
    await stand.kubectl("rollout", "restart", "deployment/secure-agent-pod")

    async def scaled() -> bool:
        return any(e.reason == "ScalingReplicaSet" for e in await stand.cluster.events())

    await becomes(scaled)
    events = await stand.cluster.events()
    moments = [e.last_seen for e in events if e.last_seen]
    assert moments == sorted(moments, reverse=True)
    scaling = next(e for e in events if e.reason == "ScalingReplicaSet")
    assert (scaling.object, scaling.type) == ("deployment/secure-agent-pod", "Normal")
    assert scaling.message.startswith(("Scaled up replica set", "Scaled down replica set"))
    assert scaling.source == "deployment-controller"


async def test_services_with_their_addresses_and_ports(stand: Stand) -> None:
    seen = [
        (s.name, s.type, s.ingress, [(p.port, p.target_port, p.protocol) for p in s.ports])
        for s in await stand.cluster.services()
    ]
    assert seen == [
        ("secure-agent-ssh", "LoadBalancer", ("192.168.55.215",), [(22, "2222", "TCP")]),
        ("secure-agent-vibekanban", "LoadBalancer", ("192.168.55.218",), [(8081, "8081", "TCP")]),
    ]
    assert all(s.cluster_ip for s in await stand.cluster.services())


async def test_endpoints_name_the_pod_behind_and_lose_readiness_with_it(stand: Stand) -> None:
    pod = await the_pod(stand)
    seen = sorted(await stand.cluster.endpoints(), key=lambda e: e.service)
    assert [(e.service, e.address, e.ready, e.ports, e.target) for e in seen] == [
        ("secure-agent-ssh", pod.ip, True, (2222,), pod.name),
        ("secure-agent-vibekanban", pod.ip, True, (8081,), pod.name),
    ]
    await stand.play("crash-loop")

    async def unready() -> bool:
        return not any(e.ready for e in await stand.cluster.endpoints())

    await becomes(unready)


async def test_a_claim_with_its_size(stand: Stand) -> None:
    [claim] = await stand.cluster.claims()
    assert (claim.name, claim.phase, claim.capacity) == ("agent-home", "Bound", 50 * 1024**3)
    assert (claim.storage_class, claim.access_modes) == ("longhorn", ("ReadWriteOnce",))
    assert claim.volume


async def test_an_application(stand: Stand) -> None:
    found = await stand.cluster.application("argocd", stand.application)
    assert (found.name, found.sync, found.health) == (stand.application, "Synced", "Healthy")
    assert found.operation_phase == "Succeeded"
    assert found.finished_at is not None


async def test_a_log_by_tail_since_and_size(stand: Stand) -> None:
    pod = await the_pod(stand)
    whole = await stand.cluster.logs(pod.name, "kali")
    assert len(whole.lines) > 100
    assert not whole.truncated
    assert (await stand.cluster.logs(pod.name, "kali", tail=3)).lines == whole.lines[-3:]
    recent = await stand.cluster.logs(pod.name, "kali", since=timedelta(hours=1))
    assert 0 < len(recent.lines) < len(whole.lines)
    assert recent.lines[-1] == whole.lines[-1]
    cut = await stand.cluster.logs(pod.name, "kali", limit_bytes=100)
    assert cut.truncated
    assert sum(len(line) + 1 for line in cut.lines) <= 101


async def test_a_followed_log_goes_on_with_the_second_in_which_it_broke_off(stand: Stand) -> None:
    pod = await the_pod(stand)
    before = (await stand.cluster.logs(pod.name, "kali", tail=2)).lines
    position, read = LogPosition(), list[str]()

    async def until(text: str, tail: int | None = None) -> None:
        """Read one stream until that line."""
        position.resume()
        stream = stand.cluster.follow_log(pod.name, "kali", LogStart(after=position.since, tail=tail))
        async with asyncio.timeout(15), aclosing(stream) as batches:
            async for batch in batches:
                read.extend(position.unread(batch))
                if text in read:
                    return

    await until(before[-1], tail=2)
    for number in range(3):
        stand.write(f"line {number}")
        await until(f"line {number}")
    assert read == [*before, "line 0", "line 1", "line 2"]


async def test_exec_gives_output_and_a_failure_is_a_result(stand: Stand) -> None:
    pod = await the_pod(stand)
    good = await stand.cluster.exec(pod.name, "kali", ["id"])
    assert (good.stdout, good.exit_code) == ("uid=1000(claude) gid=1000(claude) groups=1000(claude)\n", 0)
    assert (await stand.cluster.exec(pod.name, "kali", ["false"])).exit_code == 1
    missing = await stand.cluster.exec(pod.name, "kali", ["no-such-program"])
    assert missing.exit_code == 127
    assert "no-such-program: not found in the container" in missing.stderr


async def test_a_command_that_changes_something_ends_or_was_not_run(stand: Stand) -> None:
    pod = await the_pod(stand)
    good = await stand.cluster.run_once(pod.name, "kali", ["id"], seconds=5.0)
    assert (good.stdout[:16], good.exit_code) == ("uid=1000(claude)", 0)
    assert (await stand.cluster.run_once(pod.name, "kali", ["false"], seconds=5.0)).exit_code == 1
    assert (await stand.cluster.run_once(pod.name, "kali", ["no-such-program"], seconds=5.0)).exit_code == 127
    for name, container in (("no-such-pod", "kali"), (pod.name, "nope")):
        with pytest.raises(NotFound):
            await stand.cluster.run_once(name, container, ["id"], seconds=5.0)


async def test_a_command_reads_what_is_sent_to_its_input(stand: Stand) -> None:
    pod = await the_pod(stand)
    fresh, path = "/home/claude/.fresh", "/home/claude/.crontab"
    for text in ("*/5 * * * * ä\n" * 5_000, "# short\n", ""):
        data = text.encode()
        into = ["dd", f"of={fresh}", "bs=1", f"count={len(data)}"]
        assert (await stand.cluster.run_once(pod.name, "kali", into, seconds=10.0, stdin=data)).exit_code == 0
        for argv in (["cp", "-p", path, f"{path}.before"], ["mv", fresh, path]):
            assert (await stand.cluster.run_once(pod.name, "kali", argv, seconds=5.0)).exit_code == 0
        read = await stand.cluster.exec(pod.name, "kali", ["sha256sum", path])
        assert read.stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert (await stand.cluster.exec(pod.name, "kali", ["cat", f"{path}.before"])).stdout == "# short\n"
    seen = (await stand.cluster.exec(pod.name, "kali", ["stat", "-c", "%f %u %g", path])).stdout.split()
    assert (len(seen), seen[0]) == (3, "81a4")
    gone = await stand.cluster.run_once(pod.name, "kali", ["mv", fresh, path], seconds=5.0)
    assert (gone.exit_code, "No such file" in gone.stderr) == (1, True)


async def test_only_the_named_secret_is_read(stand: Stand) -> None:
    values = await stand.cluster.secret_values(["agent-secrets-tier2"])
    assert "ghp_sandboxFakeToken000000000000000000" in values
    for other in ("agent-configs", "no-such-secret"):
        with pytest.raises(NotAllowed):
            await stand.cluster.secret_values([other])


async def test_one_key_of_a_secret_is_changed_and_all_else_stays(stand: Stand) -> None:
    seen = await stand.cluster.secret("agent-secrets-tier2")
    assert seen.changed_at is not None
    now = await stand.cluster.set_secret_key(seen, "GITHUB_TOKEN", b"another", {"agentpod.dev/approval": "r-1"})
    assert now.keys["GITHUB_TOKEN"].length == len(b"another")
    assert {k: v for k, v in now.keys.items() if k != "GITHUB_TOKEN"} == {
        k: v for k, v in seen.keys.items() if k != "GITHUB_TOKEN"
    }
    assert now.annotations["agentpod.dev/approval"] == "r-1"
    assert "another" in await stand.cluster.secret_values(["agent-secrets-tier2"])
    with pytest.raises(Conflict):
        await stand.cluster.set_secret_key(seen, "GITHUB_TOKEN", b"a third", {})
    assert "another" in await stand.cluster.secret_values(["agent-secrets-tier2"])


async def test_a_label_on_a_secret_does_not_count_as_a_change_of_values(stand: Stand) -> None:
    before = await stand.cluster.secret("agent-secrets-tier2")
    patch = {"metadata": {"managedFields": [{}]}}  # as if created long ago by an unknown manager
    await stand.kubectl("patch", "secret", "agent-secrets-tier2", "--type=merge", "-p", json.dumps(patch))
    await stand.kubectl("label", "secret", "agent-secrets-tier2", "looked-at=yes")
    labelled = await stand.cluster.secret("agent-secrets-tier2")
    assert labelled.resource_version != before.resource_version
    assert labelled.changed_at is None  # unknown, rather than the time of creation


async def test_a_manager_s_label_is_told_from_its_value(stand: Stand) -> None:
    """The API server keeps one time for all fields of a manager; the stored state tells them apart."""
    name, tool = "agent-secrets-tier2", "--field-manager=externalsecrets.external-secrets.io/tokens"
    for number in range(20):  # within the second of the Secret's creation the two can't be told apart
        value = {"data": {"GITHUB_TOKEN": base64.b64encode(f"from a store, {number}".encode()).decode()}}
        await stand.kubectl("patch", "secret", name, "--type=merge", tool, "-p", json.dumps(value))
        written = await stand.cluster.secret(name)
        if written.changed_surely:
            break
    assert written.changed_surely
    [manager] = written.managers
    assert (manager.by, manager.undoes, manager.keys) == ("External Secrets", True, frozenset({"GITHUB_TOKEN"}))
    await stand.kubectl("label", "secret", name, tool, "looked-at=again")
    labelled = await stand.cluster.secret(name)
    assert labelled.resource_version != written.resource_version
    assert not labelled.changed_surely
    assert labelled.keys == written.keys
    assert labelled.changed_at is not None
    long_after = labelled.changed_at - timedelta(seconds=1)
    memory = secret_memory.noted(None, replace(written, changed_at=long_after), long_after)
    assert secret_memory.age(labelled, long_after, memory) is Age.SAME
    assert secret_memory.age(labelled, long_after, None) is Age.WRITTEN


async def test_who_applies_a_secret_is_read_from_its_annotations(stand: Stand) -> None:
    await stand.kubectl("annotate", "secret", "agent-secrets-tier2", "meta.helm.sh/release-name=agent")
    [manager] = (await stand.cluster.secret("agent-secrets-tier2")).managers
    assert (manager.name, manager.undoes) == ("Helm (agent)", False)


async def test_a_pod_s_owner_and_what_it_uses_are_read(stand: Stand) -> None:
    pod = await the_pod(stand)
    [owner] = pod.owners
    assert (owner.kind, owner.name) == ("ReplicaSet", pod.name.rpartition("-")[0])
    [claim] = await stand.cluster.claims()
    assert pod.uses is not None
    assert claim.name in pod.uses.claims
    assert "agent-ssh-keys" in pod.uses.secrets
    for event in await stand.cluster.events():
        if event.object == f"pod/{pod.name}":
            assert event.uid == pod.uid


async def test_an_immutable_secret_is_read_as_immutable(stand: Stand) -> None:
    await stand.kubectl("patch", "secret", "agent-secrets-tier2", "--type=merge", "-p", '{"immutable":true}')
    seen = await stand.cluster.secret("agent-secrets-tier2")
    assert seen.immutable
    with pytest.raises(Permanent, match="immutable"):
        await stand.cluster.set_secret_key(seen, "GITHUB_TOKEN", b"another", {})


async def test_the_file_of_ssh_keys_is_read(stand: Stand) -> None:
    text = await stand.cluster.authorized_keys("agent-ssh-keys", "authorized_keys")
    assert text.startswith("ssh-")
    with pytest.raises(NotFound, match="has no key"):
        await stand.cluster.authorized_keys("agent-ssh-keys", "no_such_key")


async def test_the_authoriser_grants_what_is_needed_and_not_more(stand: Stand) -> None:
    target = Target(
        name=stand.namespace,
        namespace=stand.namespace,
        argocd={"namespace": "argocd", "application": stand.application},
    )
    for right in rights_needed(target, BUILTIN):
        assert await stand.cluster.can_i(right), right
    for right in (
        Right("list", "secrets"),
        Right("get", "secrets", name="agent-configs"),
        Right("create", "pods"),
        Right("delete", "deployments", "apps", name="secure-agent-pod"),
        Right("list", "pods", namespace="kube-system"),
        Right("list", "pods", namespace=""),
        Right("impersonate", "users", namespace=""),
        Right("escalate", "roles", "rbac.authorization.k8s.io"),
    ):
        assert not await stand.cluster.can_i(right), right
        assert await stand.admin.can_i(right), right


async def test_the_list_of_rules_is_the_same_on_both(stand: Stand) -> None:
    def flat(rules: Rules) -> set[tuple[str, str, str, str]]:
        return {
            (group, resource, name, verb)
            for rule in rules.rules
            for group, resource, name, verb in itertools.product(
                rule.groups, rule.resources, rule.names or ("",), rule.verbs
            )
        }

    own = await stand.cluster.rules()
    assert not own.incomplete
    everybody = flat(await stand.cluster.rules("kube-system"))
    assert everybody == {
        ("authorization.k8s.io", "selfsubjectaccessreviews", "", "create"),
        ("authorization.k8s.io", "selfsubjectrulesreviews", "", "create"),
        ("authentication.k8s.io", "selfsubjectreviews", "", "create"),
        *(("certificates.k8s.io", "clustertrustbundles", "", verb) for verb in ("get", "list", "watch")),
    }
    needed = {
        (r.group, "/".join(filter(None, (r.resource, r.subresource))), r.name, r.verb)
        for r in rights_needed(Target(argocd=None), BUILTIN, book=compiled("secure-agent-pod"))
    }
    assert flat(own) == everybody | needed


async def test_errors_have_the_same_class_and_words(stand: Stand) -> None:
    cluster, pod = stand.cluster, (await the_pod(stand)).name
    elsewhere = cluster.in_namespace("kube-system")
    calls: dict[str, tuple[Awaitable[object], type[AgentpodError]]] = {
        "pods elsewhere": (elsewhere.pods("a=b"), NotAllowed),
        "events elsewhere": (elsewhere.events(), NotAllowed),
        "log of no pod": (cluster.logs("no-such-pod", "kali"), NotFound),
        "log of no container": (cluster.logs(pod, "nope"), NotFound),
        "exec in no pod": (cluster.exec("no-such-pod", "kali", ["id"]), NotFound),
        "exec in no container": (cluster.exec(pod, "nope", ["id"]), NotFound),
        "no application": (stand.admin.application("argocd", "no-such-application"), NotFound),
        "application elsewhere": (cluster.application("kube-system", "x"), NotAllowed),
    }
    said = {}
    for name, (call, expected) in calls.items():
        with pytest.raises(expected) as caught:
            await call
        said[name] = stand.here(caught.value.message).replace(pod, "POD")
    no_container = "There is no such container: container nope is not valid for pod POD."
    assert said == {
        "pods elsewhere": "The bot may not list pods in kube-system.",
        "events elsewhere": "The bot may not list events in kube-system.",
        "log of no pod": 'There is no such thing: pods "no-such-pod" not found.',
        "log of no container": no_container,
        "exec in no pod": 'There is no such thing: pods "no-such-pod" not found.',
        "exec in no container": no_container,
        "no application": 'There is no such thing: applications.argoproj.io "no-such-application" not found.',
        "application elsewhere": 'The bot may not get applications.argoproj.io "x" in kube-system.',
    }


async def test_a_deployment_as_its_controller_left_it(stand: Stand) -> None:
    found = await stand.cluster.deployment(APP)
    assert (found.name, found.strategy, found.paused) == (APP, "Recreate", False)
    assert (found.wanted, found.current, found.updated, found.ready, found.available) == (1, 1, 1, 1, 1)
    assert found.generation == found.observed_generation
    assert found.images == {"kali": IMAGE}
    assert found.uid
    assert found.resource_version
    assert {c.type: c.status for c in found.conditions} == {"Available": "True", "Progressing": "True"}


async def test_another_deployment_is_forbidden_and_a_missing_one_not_found(stand: Stand) -> None:
    with pytest.raises(NotAllowed) as refused:
        await stand.cluster.deployment("other")
    assert stand.here(refused.value.message) == (
        'The bot may not get deployments.apps "other" in secure-agent-pod.'
    )
    with pytest.raises(NotFound) as missing:
        await stand.admin.deployment("other")
    assert missing.value.message == 'There is no such thing: deployments.apps "other" not found.'


async def test_a_paused_and_a_scaled_down_deployment(stand: Stand) -> None:
    await stand.kubectl("patch", f"deployment/{APP}", "--patch", '{"spec": {"paused": true, "replicas": 0}}')

    async def down() -> bool:
        found = await stand.cluster.deployment(APP)
        return found.observed_generation == found.generation and found.current == 0

    await becomes(down)
    found = await stand.cluster.deployment(APP)
    assert (found.paused, found.wanted, found.ready) == (True, 0, 0)
    with pytest.raises(Permanent, match="is paused: a restart would not roll out until it is resumed"):
        await stand.admin.restart(found, MARK)


async def test_a_restart_is_one_rollout_with_the_request_s_annotation(stand: Stand) -> None:
    before, old = await stand.admin.deployment(APP), await the_pod(stand)
    after = await change_now(stand.admin, lambda now: stand.admin.restart(now, MARK))
    assert after.template_annotations == MARK
    assert after.generation == before.generation + 1
    async with asyncio.timeout(15), aclosing(stand.admin.follow(SELECTOR)) as pods:
        async for seen in pods:
            if [p.uid != old.uid and is_ready(p) for p in seen] == [True]:
                break

    async def rolled_out() -> bool:
        found = await stand.admin.deployment(APP)
        return found.observed_generation == after.generation and found.updated == found.ready == 1

    await becomes(rolled_out)


async def test_a_dry_run_tells_exactly_what_a_restart_then_changes(stand: Stand) -> None:
    seen, before = await stand.cluster.deployment(APP), await the_pod(stand)
    trial = await stand.cluster.trial()
    tried = await change_now(trial.cluster, lambda now: trial.cluster.restart(now, MARK))
    assert tried.template_annotations | MARK == tried.template_annotations
    unchanged = await stand.cluster.deployment(APP)
    assert (unchanged.generation, unchanged.template_annotations) == (seen.generation, seen.template_annotations)
    assert (await the_pod(stand)).uid == before.uid
    was = await raw(stand)
    await change_now(stand.cluster, lambda now: stand.cluster.restart(now, MARK))
    changed = [one for one in object_diff(was, await raw(stand)) if "[deployment.kubernetes.io/" not in one.path]
    assert list(trial.changes) == changed  # the controller's own annotations come with the rollout
    assert {str(one) for one in trial.changes} == {
        f"+ spec.template.metadata.annotations[{name}]: {value}" for name, value in MARK.items()
    }


PINNED = f"{IMAGE.partition(':')[0]}:1.1.0@sha256:{'a' * 64}"


async def test_another_image_is_one_rollout_and_its_dry_run_tells_exactly_that(stand: Stand) -> None:
    seen, before = await stand.cluster.deployment(APP), await the_pod(stand)
    trial, was = await stand.cluster.trial(), await raw(stand)
    await change_now(trial.cluster, lambda now: trial.cluster.set_image(now, "kali", PINNED, MARK))
    assert (await stand.cluster.deployment(APP)).images == seen.images
    after = await change_now(stand.cluster, lambda now: stand.cluster.set_image(now, "kali", PINNED, MARK))
    assert after.images == {"kali": PINNED}
    assert after.template_annotations | MARK == after.template_annotations
    changed = [one for one in object_diff(was, await raw(stand)) if "[deployment.kubernetes.io/" not in one.path]
    assert list(trial.changes) == changed
    assert f"~ spec.template.spec.containers[kali].image: {IMAGE} → {PINNED}" in {str(one) for one in changed}

    async def runs() -> bool:
        found = await stand.cluster.pods(SELECTOR)
        return [p.uid != before.uid and p.containers[0].digest == PINNED.partition("@")[2] for p in found] == [
            True
        ]

    await becomes(runs)
    with pytest.raises(Conflict):
        await stand.cluster.set_image(seen, "kali", IMAGE, MARK)
    with pytest.raises(NotFound, match="has no container other"):
        await stand.cluster.set_image(after, "other", PINNED, MARK)
    await change_now(stand.cluster, lambda now: stand.cluster.set_image(now, "kali", IMAGE, MARK))

    async def runs_again() -> bool:
        found = await stand.cluster.pods(SELECTOR)
        return [p.containers[0].image == IMAGE and is_ready(p) for p in found] == [True]

    await becomes(runs_again)


async def raw(stand: Stand) -> dict[str, Any]:
    """The Deployment as the API server has it."""
    return dict(json.loads(await stand.kubectl("get", "deployment", APP, "-o", "json")))


async def test_a_dry_run_deletes_no_pod(stand: Stand) -> None:
    pod = await the_pod(stand)
    trial = await stand.cluster.trial()
    await trial.cluster.delete_pod(pod)
    assert [(one.object, one.after) for one in trial.changes] == [(f"Pod {pod.name}", None)]
    now = await the_pod(stand)
    assert (now.uid, now.deleting) == (pod.uid, False)
    with pytest.raises(Conflict):
        await (await stand.cluster.trial()).cluster.delete_pod(replace(pod, uid="another"))


async def test_a_dry_run_stores_no_value_and_shows_none(stand: Stand) -> None:
    trial = await stand.cluster.trial()
    seen = await trial.cluster.secret("agent-secrets-tier2")
    await trial.cluster.set_secret_key(seen, "GITHUB_TOKEN", b"another", {"agentpod.dev/approval": "r-1"})
    assert [(one.path, one.before, one.after) for one in trial.changes] == [
        ("data.GITHUB_TOKEN", "(hidden)", "(hidden)"),
        ("metadata.annotations[agentpod.dev/approval]", None, "r-1"),
    ]
    assert (await stand.cluster.secret("agent-secrets-tier2")).resource_version == seen.resource_version


async def test_a_dry_run_runs_no_command_that_changes_something(stand: Stand) -> None:
    trial = await stand.cluster.trial()
    result = await trial.cluster.run_once((await the_pod(stand)).name, "kali", ["false"], seconds=5.0)
    assert result.exit_code == 0


async def test_a_dry_run_is_refused_as_the_change_would_be(stand: Stand) -> None:
    trial = await stand.cluster.trial()
    seen = await trial.cluster.deployment(APP)
    with pytest.raises(Conflict):
        await trial.cluster.restart(replace(seen, resource_version="1"), MARK)


async def test_a_restart_of_a_changed_deployment_is_a_conflict_without_effect(stand: Stand) -> None:
    seen, pod = await stand.admin.deployment(APP), await the_pod(stand)
    await stand.kubectl("annotate", f"deployment/{APP}", "somebody=else")
    with pytest.raises(Conflict):
        await stand.admin.restart(seen, MARK)
    now = await stand.admin.deployment(APP)
    # A change of a Deployment's annotations raises its generation.
    assert now.generation == seen.generation + 1
    assert not now.template_annotations
    assert (await the_pod(stand)).uid == pod.uid


async def test_the_bots_account_may_restart_no_other_deployment(stand: Stand) -> None:
    deployment = await stand.cluster.deployment(APP)
    with pytest.raises(NotAllowed) as patched:
        await stand.cluster.restart(replace(deployment, name="another"), MARK)
    assert stand.here(patched.value.message) == (
        'The bot may not patch deployments.apps "another" in secure-agent-pod.'
    )


async def test_only_the_pod_that_was_read_is_deleted(stand: Stand) -> None:
    pod = await the_pod(stand)
    with pytest.raises(Conflict):
        await stand.admin.delete_pod(replace(pod, uid="11111111-2222-3333-4444-555555555555"))
    assert (await the_pod(stand)).uid == pod.uid
    await stand.admin.delete_pod(pod)

    async def replaced() -> bool:
        return [p.uid != pod.uid and is_ready(p) for p in await stand.cluster.pods(SELECTOR)] == [True]

    await becomes(replaced)
    with pytest.raises(NotFound):
        await stand.admin.delete_pod(pod)


async def test_following_shows_each_change_until_the_pod_is_ready_again(stand: Stand) -> None:
    old = await the_pod(stand)
    seen: list[tuple[bool, bool]] = []
    async with asyncio.timeout(15), aclosing(stand.admin.follow(SELECTOR)) as pods:
        async for now in pods:
            if not seen:
                assert [p.uid for p in now] == [old.uid]
                await stand.admin.delete_pod(old)
            seen += [(p.uid == old.uid, is_ready(p)) for p in now]
            if now and now[-1].uid != old.uid and is_ready(now[-1]):
                break
    assert seen[0] == (True, True)
    assert seen[-1] == (False, True)


async def test_following_without_the_right_to_watch_is_refused_at_once(stand: Stand) -> None:
    async with asyncio.timeout(5), aclosing(stand.cluster.in_namespace("kube-system").follow("a=b")) as pods:
        with pytest.raises(NotAllowed, match=r"may not (list|watch) pods in kube-system"):
            await anext(pods)
