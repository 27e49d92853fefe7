"""The manifests of `deploy/` on a real API server with its controllers and Pod Security's strictest level."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from bot.settings.loader import load
from tests.controlplane.agent_pod import KUBECTL, ROOT, AgentPod
from tests.controlplane.plane import NODE, Plane
from tests.deploy.pod_security import WEAKENINGS, Weakening
from tests.deploy.rendered import DEPLOY, FOLDERS, OPTIONS, WITH_THE_BOT, pod, render
from tests.deploy.test_rights import EXACTLY, Right
from tests.docs.blocks import on_a_control_plane

NAMESPACE = "secure-agent-pod"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:agentpod"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/agentpod"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = ("applications", "ciliumnetworkpolicies", "servicemonitors")

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place(plane: Plane) -> Iterator[AgentPod]:
    """The namespaces and kinds that the manifests name; removed afterwards."""
    here = AgentPod(plane, NAMESPACE)
    for name, labels in {NAMESPACE: RESTRICTED, "argocd": {}, "monitoring": {}}.items():
        here.ensure("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    foreign = _kinds(plane)
    for kind in KINDS:
        here.install_crd(kind)
    # Real nodes report ephemeral storage, which the pod requests.
    disk = {"ephemeral-storage": "100Gi"}
    here.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": disk, "allocatable": disk}})
    yield here
    plane.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    # Other tests need these kinds not to be installed.
    for name in _kinds(plane) - foreign:
        plane.call("DELETE", f"{DEFINITIONS}/{name}")
    here.until(lambda: _kinds(plane) == foreign)


def _kinds(plane: Plane) -> set[str]:
    return {found["metadata"]["name"] for found in plane.call("GET", DEFINITIONS)["items"]}


@pytest.fixture(scope="module")
def kubectl(plane: Plane) -> Kubectl:
    """Run kubectl as the administrator; the manifests name their namespaces."""
    config = str(plane.folder / "admin.kubeconfig")
    environment = {"HOME": str(plane.folder), "PATH": os.environ["PATH"], "KUBECONFIG": config}

    def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.fixture
def bot(place: AgentPod, kubectl: Kubectl) -> Iterator[AgentPod]:
    """The base, applied, with its Secret and a volume for the ledger."""
    with_ledger(place)
    for words in (("-f", str(DEPLOY / "secret.example.yaml")), ("-k", str(DEPLOY / "base"))):
        assert kubectl("apply", *words).returncode == 0
    yield place
    without_the_bot(place, kubectl)


def with_ledger(place: AgentPod) -> None:
    """Add a volume for the ledger, as a storage class would provision it."""
    claim = {"namespace": NAMESPACE, "name": "agentpod-ledger"}
    spec = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    volume = {"metadata": {"name": "agentpod-ledger"}, "spec": spec | {"claimRef": claim}}
    place.ensure("/api/v1/persistentvolumes", volume)


def without_the_bot(place: AgentPod, kubectl: Kubectl) -> None:
    """Delete everything again, including the pod."""
    kubectl("delete", "--ignore-not-found", "-k", str(DEPLOY / "base"))
    kubectl("delete", "--ignore-not-found", "-f", str(DEPLOY / "secret.example.yaml"))
    kubectl("delete", "--ignore-not-found", "persistentvolume", "agentpod-ledger")
    place.until(lambda: not bots(place))


def bots(place: AgentPod) -> list[dict[str, Any]]:
    """The bot's pods."""
    return list(place.plane.call("GET", f"{place.path}/pods?labelSelector=app%3Dagentpod")["items"])


def is_ready(thing: dict[str, Any]) -> bool:
    """Whether a pod is ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in thing["status"].get("conditions", ()))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_manifests_are_applied_without_warnings_and_idempotently(
    folder: str, place: AgentPod, kubectl: Kubectl
) -> None:
    path = str(DEPLOY / folder)
    try:
        first = kubectl("apply", "-k", path)
        assert (first.returncode, first.stderr) == (0, "")
        assert len(first.stdout.splitlines()) == len(render(folder))
        compared = kubectl("diff", "-k", path)
        assert (compared.returncode, compared.stdout, compared.stderr) == (0, "", "")
        again = kubectl("apply", "-k", path)
        assert (again.returncode, again.stderr) == (0, "")
        # kubectl calls a budget changed, since its selector is replaced as a whole (patchStrategy); diff is empty.
        said = [line for line in again.stdout.splitlines() if not line.startswith("poddisruptionbudget")]
        assert all(line.endswith(" unchanged") for line in said), again.stdout
    finally:
        gone = kubectl("delete", "-k", path)
    assert (gone.returncode, gone.stderr) == (0, "")
    place.until(lambda: not bots(place))


@pytest.mark.parametrize("file", ["secret.example.yaml", "argocd/application.yaml"])
def test_the_templates_are_applied_without_warnings(file: str, place: AgentPod, kubectl: Kubectl) -> None:
    path = str(DEPLOY / file)
    done = kubectl("apply", "--dry-run=server", "-f", path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_bots_pod_becomes_ready_in_a_restricted_namespace(bot: AgentPod, kubectl: Kubectl) -> None:
    done = kubectl("-n", NAMESPACE, "rollout", "status", "deployment/agentpod", "--timeout=60s")
    assert done.returncode == 0, done.stdout + done.stderr
    (one,) = bots(bot)
    assert is_ready(one)
    claim = bot.plane.call("GET", f"{bot.path}/persistentvolumeclaims/agentpod-ledger")
    assert claim["status"]["phase"] == "Bound"


def test_the_service_includes_the_bot_also_when_it_is_not_ready(bot: AgentPod) -> None:
    bot.until(lambda: is_ready(bots(bot)[0]))
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices?labelSelector="
    selector = "kubernetes.io%2Fservice-name%3Dagentpod"
    bot.until(lambda: _ports(bot.plane.call("GET", path + selector)) == {("ops", 8080)})


def _ports(slices: dict[str, Any]) -> set[tuple[str, int]]:
    return {(p["name"], p["port"]) for s in slices["items"] if s["endpoints"] for p in s["ports"] or ()}


@pytest.mark.parametrize("weakening", WEAKENINGS, ids=str)
@pytest.mark.parametrize("folder", WITH_THE_BOT)
def test_admission_refuses_the_weakenings_that_the_static_check_finds(
    folder: str, weakening: Weakening, place: AgentPod
) -> None:
    def admitted(spec: dict[str, Any]) -> str:
        body = {"metadata": {"name": "tried"}, "spec": spec}
        try:
            place.plane.call("POST", f"{place.path}/pods?dryRun=All", body)
        except HTTPError as error:
            return error.msg
        return "admitted"

    spec = pod(folder)["spec"] | {"serviceAccountName": "default"}  # the bot's own doesn't exist
    place.until(lambda: place.plane.call("GET", f"{place.path}/serviceaccounts/default"))
    assert admitted(spec) == "admitted"
    said = admitted(weakening.of(spec))
    assert ("violates PodSecurity" in said) if weakening.refused else said == "admitted", said


def test_a_weakened_deployment_is_warned_about_and_gets_no_pod(bot: AgentPod, kubectl: Kubectl) -> None:
    deployment = next(o for o in render("base") if o["kind"] == "Deployment")
    deployment["metadata"]["name"] = "weakened"
    deployment["spec"]["selector"]["matchLabels"]["app"] = "weakened"
    deployment["spec"]["template"]["metadata"]["labels"]["app"] = "weakened"
    del deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    done = kubectl("apply", "-f", "-", stdin=json.dumps(deployment))
    assert 'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation' in done.stderr
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/weakened"
    try:
        bot.until(lambda: "violates PodSecurity" in _why(bot.plane.call("GET", path), "ReplicaFailure"))
    finally:
        bot.plane.call("DELETE", path)


def _why(deployment: dict[str, Any], condition: str) -> str:
    found = deployment.get("status", {}).get("conditions", ())
    return "".join(c["message"] for c in found if c["type"] == condition)


def allowed(plane: Plane, right: Right) -> bool:
    """Whether the real authoriser grants the bot's account this right."""
    namespace, group, resource, name, verb = right
    attributes = {"namespace": namespace, "group": group, "resource": resource, "name": name, "verb": verb}
    review = {"spec": {"user": ACCOUNT, "resourceAttributes": attributes}}
    answer = plane.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize("option", [option for option in OPTIONS if EXACTLY[option]])
def test_an_options_rights_are_added_and_removed_with_it(option: str, bot: AgentPod, kubectl: Kubectl) -> None:
    rights = sorted(EXACTLY[option])
    assert [r for r in rights if allowed(bot.plane, r)] == [], "off by default"
    path = str(DEPLOY / option)
    assert kubectl("apply", "-k", path).returncode == 0
    try:
        bot.until(lambda: all(allowed(bot.plane, r) for r in rights))
        for namespace, group, resource, name, verb in rights:
            if name:
                assert not allowed(bot.plane, (namespace, group, resource, "another", verb))
            if namespace:  # else it is of the whole cluster
                assert not allowed(bot.plane, ("default", group, resource, name, verb))
    finally:
        assert kubectl("delete", "-k", path).returncode == 0
    bot.until(lambda: not any(allowed(bot.plane, r) for r in rights))


def test_changed_settings_bring_a_new_pod(bot: AgentPod, kubectl: Kubectl, tmp_path: Path) -> None:
    bot.until(lambda: is_ready(bots(bot)[0]))
    (before,) = bots(bot)
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "base").symlink_to(DEPLOY / "base")
    (mine / "settings.yaml").write_text("log: {level: debug}\n")
    generator = f"- {{name: agentpod-settings, namespace: {NAMESPACE}, behavior: replace, files: [settings.yaml]}}"
    (mine / "kustomization.yaml").write_text(f"resources: [../base]\nconfigMapGenerator:\n{generator}\n")
    assert kubectl("apply", "-k", str(mine)).returncode == 0
    bot.until(lambda: bots(bot)[0]["metadata"]["uid"] != before["metadata"]["uid"] and is_ready(bots(bot)[0]))
    assert len(bots(bot)) == 1


def working_copy(folder: Path, kubeconfig: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A shell in a copy of the repository, with Slack's tokens in files and an editor that sets a new image."""
    shutil.copytree(DEPLOY, folder / "deploy")
    for token in ("slack__bot_token", "slack__app_token"):
        (folder / token).write_text("made-up\n")
    editor = folder / "editor"
    editor.write_text(
        '#!/bin/sh\necho edited >> edits\nsed -i "s/newTag: .*/newTag: edit-$(wc -l < edits)/" "$1"\n'
    )
    editor.chmod(0o700)
    own = {"PATH": f"{KUBECTL.parent}:{os.environ['PATH']}", "HOME": str(folder)}
    environment = own | {"KUBECONFIG": str(kubeconfig), "EDITOR": str(editor)}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-c", command]
        return subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return run


A_LIFE = ("install.md", "rotation.md", "backup.md", "upgrade.md", "uninstall.md")
"""The pages whose commands follow each other, from the first to the last day of a bot."""
ON_A_BOT = ("operations.md", "approvals.md", "troubleshooting.md")


def test_the_commands_of_a_bots_life_work_in_order(place: AgentPod, kubectl: Kubectl, tmp_path: Path) -> None:
    """Those that need no container engine, Slack, or running program: see `tests.docs.blocks`."""
    run = working_copy(tmp_path, place.plane.folder / "admin.kubeconfig")
    with_ledger(place)
    images = []
    for command in on_a_control_plane(*A_LIFE):
        done = run(command)
        assert done.returncode == (1 if " diff " in command else 0), f"{command}: {done.stdout}{done.stderr}"
        assert done.stderr == "" or (" -l " in command and done.stderr.startswith("No resources found")), command
        if " rollout status " in command:
            found = place.plane.call("GET", DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]["image"]
            images.append(int(found.removeprefix("registry.example.com/agentpod:edit-")))
    assert images == sorted(images)
    assert images[0] < images[-1]
    kubectl("delete", "persistentvolume", "agentpod-ledger")
    place.until(lambda: not bots(place))
    kinds = "all,configmap,secret,pvc,networkpolicy,role,rolebinding,serviceaccount,servicemonitor"
    left = kubectl("-n", NAMESPACE, "get", kinds, "-o", "name").stdout.split()
    assert sorted(left) == ["configmap/kube-root-ca.crt", "serviceaccount/default"]


def test_the_install_pages_manifests_and_settings_are_accepted(
    place: AgentPod, kubectl: Kubectl, tmp_path: Path
) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/install.md").read_text(), re.MULTILINE | re.DOTALL)
    manifests = [block for block in blocks if "apiVersion:" in block]
    assert 0 < len(manifests) < len(blocks)
    for block in manifests:
        done = kubectl("apply", "--dry-run=server", "-f", "-", stdin=block)
        assert (done.returncode, done.stderr) == (0, "")
    for block in set(blocks) - set(manifests):
        (tmp_path / "settings.yaml").write_text(block)
        load(config=tmp_path / "settings.yaml", environ={})


@pytest.mark.parametrize("name", ON_A_BOT)
def test_the_commands_of_a_page_work_on_a_bot(name: str, bot: AgentPod, tmp_path: Path, kubectl: Kubectl) -> None:
    run = working_copy(tmp_path, bot.plane.folder / "admin.kubeconfig")
    inline = re.findall(r"`(kubectl [^`]+)`", (ROOT / "docs" / name).read_text())
    commands = [*on_a_control_plane(name), *(one for one in inline if " exec " not in one)]
    assert commands
    for command in commands:
        done = run(command)
        assert (done.returncode, done.stderr) == (0, ""), command
    for option in re.findall(r"apply -k (deploy/options/\S+)", "\n".join(commands)):
        assert kubectl("delete", "-k", str(ROOT / option)).returncode == 0
