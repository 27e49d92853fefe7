"""The handbook's agent pod in a namespace of a real control plane, and the bot's account beside it.

The objects are the pretend cluster's, so that both can be compared; the bot's rights come
from the files of `deploy/`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import yaml

from bot.domain.runbook.facts.exec import Exec
from bot.runbook.file import loader
from bot.services.container_exec import PS_COMMANDS
from commands.observe.storage import du_commands
from sandbox.cluster import objects, processes
from sandbox.cluster.files import CRONTAB, HOST_KEY_FILE, KEYS_FILE, MOUNTED_KEYS, SCRIPTS
from sandbox.cluster.podlogs import ContainerLog
from sandbox.cluster.shell import PROGRAMS, Container
from tests.controlplane.plane import Plane

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
CRDS = Path(__file__).parent / "crds"
APP = objects.APP
PLAY = "controlplane.test/pod"
PATIENCE = 20.0
SET_UP = datetime(2026, 1, 1, tzinfo=UTC)


class AgentPod:
    """One namespace. ``create`` makes everything and waits until the pod is ready."""

    def __init__(self, plane: Plane, namespace: str = APP) -> None:
        """``namespace`` must not exist yet."""
        self.plane = plane
        self.namespace = namespace
        self.folder = plane.folder / "namespaces" / namespace
        self.folder.mkdir(parents=True)

    @property
    def path(self) -> str:
        """The namespace's core objects' path."""
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def deployment_path(self) -> str:
        """The Deployment's path."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{APP}"

    def create(self, *, labels: dict[str, str] | None = None, deployed: bool = True) -> AgentPod:
        """Make the namespace with the pod and the bot's account; ``deployed`` False leaves the Deployment out."""
        post = self.plane.call
        meta = {"name": self.namespace, "labels": labels or {}}
        post("POST", "/api/v1/namespaces", {"metadata": meta})
        self._contain()
        for secret in objects.secrets(SET_UP):
            post("POST", f"{self.path}/secrets", self._here(secret))
        post("POST", "/api/v1/persistentvolumes", self._volume())
        post("POST", f"{self.path}/persistentvolumeclaims", self._claim())
        for service in objects.services(SET_UP):
            self._serve(service)
        self.grant()
        self.until(lambda: self.plane.call("GET", f"{self.path}/serviceaccounts/default"))
        # Before the pod, which would start with a warning that it can't be scheduled.
        bound = f"{self.path}/persistentvolumeclaims/agent-home"
        self.until(lambda: self.plane.call("GET", bound)["status"]["phase"] == "Bound")
        if deployed:
            self.deploy()
        return self

    def deploy(self) -> None:
        """Make the Deployment and wait for a ready pod, and until its controller has counted it."""
        self.post_deployment()
        self.until(lambda: self.pod()["status"]["containerStatuses"][0]["ready"])
        self.until(self._is_counted)

    def post_deployment(self, **spec: Any) -> None:
        """Make the Deployment, with changes to its spec."""
        deployment = self._here(objects.deployment(SET_UP))
        deployment["spec"] |= spec
        self.plane.call("POST", self.deployment_path.rsplit("/", 1)[0], deployment)

    def grant(self) -> None:
        """The bot's ServiceAccount, Role and RoleBinding, as `deploy/base` ships them; idempotent."""
        for document in shipped("deploy/base/serviceaccount.yaml", "deploy/base/role.yaml"):
            kind = document["kind"].lower() + "s"
            group = document["apiVersion"]
            prefix = f"/apis/{group}" if "/" in group else f"/api/{group}"
            self.ensure(f"{prefix}/namespaces/{self.namespace}/{kind}", document)

    def allow(self, verb: str, resource: str, group: str = "") -> None:
        """Grant the bot one more right in this namespace, and wait until it applies."""
        name = f"may-{verb}-{resource}"
        rules = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}]
        account = {"kind": "ServiceAccount", "name": "agentpod", "namespace": self.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        self.ensure(self.rbac("roles", ""), {"metadata": {"name": name}, "rules": rules})
        self.ensure(
            self.rbac("rolebindings", ""), {"metadata": {"name": name}, "roleRef": role, "subjects": [account]}
        )
        asked = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group}
        user = f"system:serviceaccount:{self.namespace}:agentpod"
        review = {"spec": {"user": user, "resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        self.until(lambda: self.plane.call("POST", path, review)["status"]["allowed"])

    def take_away(self, verb: str, resource: str, group: str = "", name: str = "") -> None:
        """Remove one right from the shipped Role, and wait until it is gone."""
        role = self.plane.call("GET", self.rbac("roles"))
        for rule in role["rules"]:
            if resource in rule["resources"]:
                rule["verbs"] = [v for v in rule["verbs"] if v != verb]
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
        self.plane.call("PUT", self.rbac("roles"), role)
        asked = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group, "name": name}
        user = f"system:serviceaccount:{self.namespace}:agentpod"
        review = {"spec": {"user": user, "resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        self.until(lambda: not self.plane.call("POST", path, review)["status"]["allowed"])

    @contextmanager
    def policy(self, rule: Object, message: str, reason: str = "Invalid") -> Iterator[str]:
        """A ValidatingAdmissionPolicy that refuses what ``rule`` names in this namespace, with its own message.

        Waits until the policy is in force, and later until it is gone. ``reason`` sets the status, 422 or 403.
        """
        name, base = self.namespace, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
        validation = {"expression": "false", "message": message, "reason": reason}
        # An otherwise unused kind shows whether the policy is in force yet.
        probed = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        rules = {"resourceRules": [rule, probed]}
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
        spec = {"matchConstraints": rules, "validations": [validation]}
        self.plane.call("POST", f"{base}ies", {"metadata": {"name": name}, "spec": spec})
        self.plane.call("POST", f"{base}ybindings", {"metadata": {"name": name}, "spec": binding})
        try:
            self.until(lambda: self._is_refused(message))
            yield name
        finally:
            self.plane.call("DELETE", f"{base}ybindings/{name}")
            self.plane.call("DELETE", f"{base}ies/{name}")
            self.until(lambda: not self._is_refused(message))

    def _is_refused(self, message: str) -> bool:
        """Whether a ConfigMap would be refused with that message."""
        try:
            self.plane.call("POST", f"{self.path}/configmaps?dryRun=All", {"metadata": {"name": "probe"}})
        except HTTPError as error:
            if message in str(error):
                return True
            raise
        return False

    def rbac(self, kind: str, name: str = "agentpod") -> str:
        """The path of a Role (``roles``) or RoleBinding (``rolebindings``)."""
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/{kind}/{name}".rstrip("/")

    def install_crd(self, name: str) -> None:
        """Install a CustomResourceDefinition of ``crds/`` and wait until it is served; idempotent."""
        crd = yaml.safe_load((CRDS / f"{name}.yaml").read_text())
        self.ensure("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        group, version = crd["spec"]["group"], crd["spec"]["versions"][0]["name"]
        self.until(lambda: self.plane.call("GET", f"/apis/{group}/{version}/{crd['spec']['names']['plural']}"))

    def install_argocd(self) -> None:
        """Post this pod's healthy Argo CD Application, and grant the bot the right to read it."""
        self.install_crd("applications")
        self.grant_argocd()
        self.post_application()

    def install_egress(self) -> None:
        """Post this pod's Cilium policy, which is valid, and grant the bot the right to list it."""
        self.install_crd("ciliumnetworkpolicies")
        for document in shipped("deploy/options/egress/role.yaml"):
            for subject in document.get("subjects", ()):
                subject["namespace"] = self.namespace
            document["metadata"]["namespace"] = self.namespace
            plural = document["kind"].lower() + "s"
            self.ensure(self.rbac(plural, ""), document)
        policy = objects.egress_policy(SET_UP)
        policy["metadata"] = {"name": policy["metadata"]["name"], "namespace": self.namespace}
        self.ensure(
            f"/apis/cilium.io/v2/namespaces/{self.namespace}/ciliumnetworkpolicies",
            policy | {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy"},
        )

    def grant_argocd(self) -> None:
        """Apply `deploy/`'s option that lets the bot read this pod's Application."""
        self.ensure("/api/v1/namespaces", {"metadata": {"name": "argocd"}})
        for document in shipped("deploy/options/argocd/role.yaml"):
            document["metadata"]["name"] += f"-of-{self.namespace}"
            for rule in document.get("rules", ()):
                rule["resourceNames"] = [self.namespace]
            for subject in document.get("subjects", ()):
                subject["namespace"] = self.namespace
            if "roleRef" in document:
                document["roleRef"]["name"] += f"-of-{self.namespace}"
            plural = document["kind"].lower() + "s"
            self.ensure(f"/apis/rbac.authorization.k8s.io/v1/namespaces/argocd/{plural}", document)

    def post_application(self) -> None:
        """Post this pod's Argo CD Application, in a healthy state."""
        application = objects.application(datetime.now(UTC), SET_UP)
        application["metadata"] = {"name": self.namespace, "namespace": "argocd"}
        self.ensure(
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications",
            application | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"},
        )

    def ensure(self, path: str, thing: Object) -> None:
        """Post an object unless one of its name exists."""
        try:
            self.plane.call("POST", path, thing)
        except HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    def _here(self, thing: Object) -> Object:
        """An object to post to this namespace, without the fields that the server fills in."""
        made = json.loads(json.dumps(thing))
        meta = made["metadata"]
        for filled in ("creationTimestamp", "managedFields", "generation", "annotations", "finalizers"):
            meta.pop(filled, None)
        meta["namespace"] = self.namespace
        made.pop("status", None)
        return dict(made)

    def _volume(self) -> Object:
        claim = {"namespace": self.namespace, "name": "agent-home"}
        spec = {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "longhorn",
            "hostPath": {"path": "/nowhere"},
            "claimRef": claim,
        }
        return {"metadata": {"name": f"home-of-{self.namespace}"}, "spec": spec}

    def _claim(self) -> Object:
        claim = self._here(objects.claim(SET_UP))
        claim["spec"]["volumeName"] = f"home-of-{self.namespace}"
        return claim

    def _serve(self, service: Object) -> None:
        """Make a LoadBalancer Service and set its address, as a load balancer's controller would."""
        made = self._here(service)
        for chosen in ("clusterIP", "clusterIPs"):
            made["spec"].pop(chosen)
        for port in made["spec"]["ports"]:
            port.pop("nodePort")
        self.plane.call("POST", f"{self.path}/services", made)
        path = f"{self.path}/services/{made['metadata']['name']}/status"
        self.patch(path, {"status": service["status"]})

    def _contain(self) -> None:
        """Set the container's content: its programs' answers and its log."""
        inside = {"containers": [objects.CONTAINER]}
        local = {"envs": [{"name": "ANSWERS", "value": str(self.folder)}]}
        self._of_kwok("ClusterExec", {"execs": [inside | {"local": local}]})
        files = {"logsFile": str(self.folder / "log"), "previousLogsFile": str(self.folder / "previous-log")}
        self._of_kwok("ClusterLogs", {"logs": [inside | files]})
        self.answers(usual_answers())
        self.file(f"{objects.HOME}/.crontab", CRONTAB)
        self.file(KEYS_FILE, objects.PUBLIC_KEY)
        self.file(MOUNTED_KEYS, objects.PUBLIC_KEY)
        for name in SCRIPTS:
            self.file(f"/opt/scripts/{name}", "#!/bin/sh\n", mode=0o755)
        self.log(usual_log())

    def _of_kwok(self, kind: str, spec: Object) -> None:
        plural = f"{kind.lower().removesuffix('s')}s"
        body = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": self.namespace},
            "spec": spec | {"selector": {"matchNamespaces": [self.namespace]}},
        }
        self.plane.call("POST", f"/apis/kwok.x-k8s.io/v1alpha1/{plural}", body)

    def answers(self, answers: Object) -> None:
        """Set the answers of the container's programs; see ``answer.py``."""
        fresh = self.folder / "answers.new"
        fresh.write_text(json.dumps(answers))
        fresh.rename(self.folder / "answers.json")

    def file(self, path: str, text: str | None = None, *, mode: int = 0o644) -> str:
        """Write a file in the container, or read it; see ``answer.py``."""
        place = self.folder / "files" / path.lstrip("/")
        if text is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(mode)
        return place.read_text()

    def log(self, lines: list[tuple[datetime, str]], *, previous: bool = False) -> None:
        """Write the container's log, in the kubelet's (CRI) format."""
        text = "".join(f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {line}\n" for at, line in lines)
        (self.folder / ("previous-log" if previous else "log")).write_text(text)

    def log_more(self, text: str) -> None:
        """Add a line to the container's log, as of now."""
        with (self.folder / "log").open("a") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {text}\n")

    def pods(self) -> list[Object]:
        """The agent pod's pods, oldest first."""
        found = self.plane.call("GET", f"{self.path}/pods?labelSelector=app%3D{APP}")["items"]
        return sorted(found, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def pod(self) -> Object:
        """The one pod. Raises LookupError when there is none or more than one."""
        found = self.pods()
        if len(found) != 1:
            raise LookupError(f"{len(found)} pods in {self.namespace}, not 1")
        return found[0]

    def play(self, what: str) -> None:
        """Put the pod into a state such as ``ready``, ``slow`` or ``crash-loop``: ``kwok.yaml`` has the list."""
        path = f"{self.path}/pods/{self.pod()['metadata']['name']}"
        self.patch(path, {"metadata": {"annotations": {PLAY: what}}})
        self.until(lambda: self._plays(what))

    def gone(self, path: str) -> bool:
        """Whether the path's object doesn't exist."""
        try:
            self.plane.call("GET", path)
        except HTTPError as error:
            return error.code == HTTPStatus.NOT_FOUND
        return False

    def ready_pods(self) -> list[Object]:
        """The agent pod's pods that are ready and not being deleted, oldest first."""
        return [pod for pod in self.pods() if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]

    def heal(self) -> None:
        """Restore the healthy state: one replica, one ready pod behind its Services, and no events."""
        if self.gone(self.deployment_path):
            self.deploy()
        self.patch(self.deployment_path, {"spec": {"replicas": 1, "paused": False}})
        self.until(self._is_one_ready_pod)
        self.until(self._is_counted)
        self.until(self._is_behind_its_services)
        self.plane.call("DELETE", f"{self.path}/events")

    def _is_one_ready_pod(self) -> bool:
        """Whether there is one ready pod; makes all pods ready, and removes their finalizers."""
        for pod in self.pods():
            path = f"{self.path}/pods/{pod['metadata']['name']}"
            self.patch(path, {"metadata": {"annotations": {PLAY: "ready"}, "finalizers": None}})
        return len(self.pods()) == len(self.ready_pods()) == 1 and self._plays("ready")

    def _is_counted(self) -> bool:
        """Whether the Deployment's status counts its one pod as available, which its controller writes later."""
        found = self.plane.call("GET", self.deployment_path)
        status = found["status"]
        return bool(
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas") == status.get("availableReplicas") == status.get("replicas") == 1
        )

    def _is_behind_its_services(self) -> bool:
        """Whether every Service has this pod as a ready endpoint, which its controller writes some time later."""
        uid = self.pod()["metadata"]["uid"]
        slices = self.plane.call("GET", f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices")
        behind = {
            part["metadata"]["labels"]["kubernetes.io/service-name"]
            for part in slices["items"]
            for endpoint in part["endpoints"] or ()
            if endpoint["conditions"].get("ready") and endpoint.get("targetRef", {}).get("uid") == uid
        }
        services = self.plane.call("GET", f"{self.path}/services")["items"]
        return {one["metadata"]["name"] for one in services if one["spec"].get("selector")} <= behind

    def _plays(self, what: str) -> bool:
        conditions = self.pod()["status"]["conditions"]
        return any(c["type"].endswith("/played") and c.get("reason") == what for c in conditions)

    def patch(self, path: str, body: Object) -> Any:
        """Send a merge patch as the administrator."""
        return self.plane.call("PATCH", path, body, "application/merge-patch+json")

    def token(self, account: str = "agentpod", seconds: int = 3600, bound: Object | None = None) -> str:
        """A token of an account, issued by the API server, with a lifetime of at least 600 seconds.

        With ``bound`` (kind, name and so on) it is valid only as long as that object exists.
        """
        path = f"{self.path}/serviceaccounts/{account}/token"
        body = {"spec": {"expirationSeconds": seconds, "boundObjectRef": bound}}
        return str(self.plane.call("POST", path, body)["status"]["token"])

    def kubeconfig(self, account: str = "agentpod") -> Path:
        """A kubeconfig with nothing but a service account's token."""
        return self.plane.kubeconfig(self.folder / account, self.token(account), self.namespace)

    def where(self) -> Object:
        """The target's settings that differ from the handbook's: names."""
        application = {"namespace": "argocd", "application": self.namespace}
        return {"name": self.namespace, "namespace": self.namespace, "argocd": application}

    def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Poll until a condition holds; a server error or a missing object counts as not yet."""
        end = time.monotonic() + patience
        while True:
            try:
                if condition():
                    return
                last: object = "not yet"
            except (OSError, LookupError) as error:
                last = error
            if time.monotonic() > end:
                raise AssertionError(f"{self.namespace}: {last!r} after {patience:g} s")
            time.sleep(0.03)

    def kubectl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator in this namespace."""
        config = self.plane.folder / "admin.kubeconfig"
        command = [str(KUBECTL), f"--kubeconfig={config}", f"--namespace={self.namespace}", *words]
        environment = {"HOME": str(self.plane.folder), "PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, check=check, env=environment)


def _is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def shipped(*names: str) -> Iterator[Object]:
    """The documents of manifests that the project ships, without a namespace of their own."""
    for name in names:
        for document in yaml.safe_load_all((ROOT / name).read_text()):
            if document:
                document["metadata"].pop("namespace", None)
                yield document


def usual_answers() -> Object:
    """The programs' answers in a healthy container."""
    now = datetime.now(UTC)
    table = processes.Table(tuple(processes.usual()), now - timedelta(hours=6), now)
    env = {e["name"]: e["value"] for e in objects.container()["env"]}
    inside = Container(table, env=env)
    asked = [
        ("id",),
        *PS_COMMANDS,
        ("df", "-Pk", objects.HOME),
        ("df", "-Pi", objects.HOME),
        *du_commands(objects.HOME),
        ("cat", f"{objects.HOME}/.crontab"),
        ("ls", "-1", "/opt/scripts"),
        ("ls", "-1", f"{objects.HOME}/.ssh-host-keys"),
        ("cat", HOST_KEY_FILE),
        ("stat", "-c", "%a %U %s %Y %n", f"{objects.HOME}/.ssh/authorized_keys"),
        *_of_the_runbook(),
    ]
    known = [argv for argv in asked if argv[0] != "timeout"]
    answers: Object = {"true": {}, "false": {"code": 1}, "find": {}}
    for argv in known:
        result = inside.execute(list(argv))
        said = {"out": result.out.decode(), "err": result.err.decode(), "code": result.code}
        answers[shlex.join(argv)] = said
    return answers


def _of_the_runbook() -> list[tuple[str, ...]]:
    """The commands of the shipped runbook's checks, of programs that the container has."""
    checks = loader.load("secure-agent-pod").runbook().checks.values()
    facts = (use.settings for check in checks for use in check.facts.values())
    return [
        settings.command for settings in facts if isinstance(settings, Exec) and settings.command[0] in PROGRAMS
    ]


def usual_log() -> list[tuple[datetime, str]]:
    """The container's log of its six hours."""
    now = datetime.now(UTC)
    log = ContainerLog(now - timedelta(hours=6))
    log.advance(now)
    return [(line.at, line.text) for line in log.lines]
