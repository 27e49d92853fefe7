"""Random requests beside those that the bot makes: one thing more, less or other, by a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.domain.rbac.exec_forms import ExecForm
from tests.controlplane.admitted import Caller, Said
from tests.controlplane.agent_pod import AgentPod

Object = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One request that must be refused."""

    what: str
    make: Callable[[Caller], Said]


class Neighbours:
    """Makes attempts of every kind."""

    def __init__(self, pod: AgentPod, forms: Sequence[ExecForm], others: Sequence[str], seed: int) -> None:
        """``others`` are names of pods that are not the target's; commands see of a pod no more than its name."""
        self.pod, self.forms, self.others = pod, forms, others
        self.strangers = [name for name in others if not re.fullmatch(r"secure-agent-pod-\w+-\w{5}", name)]
        self.known = [form.constant for form in forms if form.constant]
        self.dice = random.Random(seed)  # noqa: S311 - a test's dice
        self.own = pod.pod()["metadata"]

    def attempt(self) -> Attempt:
        """One of any kind; half of them are commands."""
        kinds = [self.command] * 5 + [self.deployment] * 3 + [self.secret] * 2 + [self.deletion]
        return self.dice.choice(kinds)()

    def command(self) -> Attempt:
        """A command beside a declared one, in the same or another container or pod."""
        argv, container, pod, more = list(self.dice.choice(self.known)), "kali", None, dict[str, str]()
        how = self.dice.choice([*_CHANGES, "container", "pod", "stdin", "tty", "both"])
        if how == "container":
            container = self.dice.choice(["sidecar", "", "Kali", "kali ", "init", "kalii", "istio-proxy"])
        elif how == "pod":
            pod = self.dice.choice(self.strangers)
        elif how in ("stdin", "tty", "both"):
            more = {name: "true" for name in ("stdin", "tty") if how in (name, "both")}
        else:
            argv = _CHANGES[how](argv, self.dice)
        if pod is None and not more and any(form.fits(container, argv) for form in self.forms):
            return self.command()  # a neighbour that is declared too
        method = self.dice.choice(["POST", "GET"])
        what = f"{method} exec {argv!r} in {container!r} of {pod or 'the pod'} {more}"
        return Attempt(what, lambda caller: caller.exec(argv, container, pod, method, **more))

    def deployment(self) -> Attempt:
        """A patch of the target's Deployment that changes something else, alone or beside a restart."""
        change = self.dice.choice(DEPLOYMENT)(self.dice)
        body = _merged(_restart(), change) if self.dice.random() < 0.4 else change
        kind = "strategic-merge-patch+json" if self.dice.random() < 0.5 else "merge-patch+json"
        return Attempt(f"{kind} {body}", lambda caller: caller.patch(self.pod.deployment_path, body, kind))

    def secret(self) -> Attempt:
        """A patch of one of the target's Secrets that changes more than a value."""
        name = self.dice.choice(["agent-secrets-tier2", "agent-ssh-keys"])
        key = "GITHUB_TOKEN" if name == "agent-secrets-tier2" else "authorized_keys"
        change = self.dice.choice(SECRET)(self.dice, key)
        if self.dice.random() < 0.4 and "data" not in change:
            change = _merged(change, {"data": {key: "YWdhaW4="}})
        path = f"{self.pod.path}/secrets/{name}"
        return Attempt(f"{name} {change}", lambda caller: caller.patch(path, change))

    def deletion(self) -> Attempt:
        """The deletion of another pod, or of the target's without its uid or without time to end."""
        uid = {"preconditions": {"uid": self.own["uid"]}}
        name, options = self.dice.choice(
            [
                *((other, {}) for other in self.others),
                *((other, {"propagationPolicy": "Foreground"}) for other in self.others),
                (self.own["name"], {}),
                (self.own["name"], {"propagationPolicy": "Orphan"}),
                (self.own["name"], {"gracePeriodSeconds": self.dice.randint(1, 99)}),
                (self.own["name"], uid | {"gracePeriodSeconds": 0}),
            ]
        )
        return Attempt(f"delete {name} {options}", lambda caller: caller.delete(name, options))


def _word(dice: random.Random) -> str:
    return "".join(dice.choices("abcxyz0189-_./$;|&>` \"'\\\u00e9", k=dice.randint(1, 12)))


def _somewhere(argv: list[str], dice: random.Random, change: Callable[[str], str]) -> list[str]:
    place = dice.randrange(len(argv))
    return [*argv[:place], change(argv[place]), *argv[place + 1 :]]


_CHANGES: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "more": lambda argv, dice: [*argv, _word(dice)],
    "more in front": lambda argv, dice: [_word(dice), *argv],
    "in between": lambda argv, dice: [*argv[:1], _word(dice), *argv[1:]],
    "less": lambda argv, _: argv[:-1] or ["sh"],
    "twice": lambda argv, _: [*argv, *argv],
    "reversed": lambda argv, _: [*reversed(argv), "-"],
    "shell": lambda argv, dice: [dice.choice(["sh", "bash", "/bin/sh", "ash"]), "-c", " ".join(argv)],
    "wrapped": lambda argv, dice: [dice.choice(["env", "sudo", "nohup", "timeout"]), *argv],
    "other program": lambda argv, dice: [
        dice.choice(["cat", "rm", "kill", "curl", "sh", "kubectl"]),
        *argv[1:],
        "x",
    ],
    "by path": lambda argv, dice: [dice.choice(["/bin/", "./", "/opt/"]) + argv[0].lstrip("/"), *argv[1:]],
    "prefix": lambda argv, dice: _somewhere(argv, dice, lambda word: _word(dice) + word),
    "suffix": lambda argv, dice: _somewhere(argv, dice, lambda word: word + _word(dice)),
    "newline": lambda argv, dice: _somewhere(argv, dice, lambda word: word + "\n"),
    "newline in front": lambda argv, dice: _somewhere(argv, dice, lambda word: "\n" + word),
    "blank": lambda argv, dice: _somewhere(argv, dice, lambda word: f" {word}"),
    "upper case": lambda argv, dice: _somewhere(argv, dice, lambda word: word.upper() + "X"),
    "emptied": lambda argv, dice: _somewhere(argv, dice, lambda _: ""),
    "file": lambda _, dice: ["cat", dice.choice(FILES)],
    "key file": lambda _, dice: ["cat", f"/home/claude/.ssh-host-keys/{dice.choice(KEYS)}"],
    "joined": lambda argv, _: [" ".join([*argv, ""])],
    "random": lambda _, dice: [_word(dice) for _ in range(dice.randint(1, 4))],
}
FILES = (
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/proc/1/environ",
    "/home/claude/.ssh/id_ed25519",
    "/home/claude/.crontab2",
    "/etc/shadow",
)
KEYS = ("ssh_host_rsa_key", "../.ssh/id.pub", "a.pub/../b", "..", "x.pub\n", "x.pub/")


def _restart() -> Object:
    marks = {RESTARTED_ANNOTATION: "2026-01-01T00:00:00+00:00", APPROVAL_ANNOTATION: "r-22222222"}
    return _template({"metadata": {"annotations": marks}})


def _template(what: Object) -> Object:
    return {"spec": {"template": what}}


def _pod(**spec: Any) -> Callable[[random.Random], Object]:
    return lambda _: _template({"spec": spec})


def _kali(**what: Any) -> Callable[[random.Random], Object]:
    """A change of the container that keeps its required fields also in a merge patch, which replaces the list."""
    return lambda dice: _template(
        {"spec": {"containers": [{"name": "kali", "image": f"other:{dice.randint(1, 99)}", **what}]}}
    )


DEPLOYMENT: Sequence[Callable[[random.Random], Object]] = (
    _kali(),
    _kali(command=["sh"]),
    _kali(args=["-c", "id"]),
    _kali(env=[{"name": "A", "value": "b"}]),
    _kali(envFrom=[{"secretRef": {"name": "agentpod"}}]),
    _kali(securityContext={"readOnlyRootFilesystem": False, "runAsUser": 0}),
    _kali(imagePullPolicy="Never"),
    _kali(resources={"limits": {"memory": "99Gi"}}),
    _pod(hostNetwork=True),
    _pod(hostPID=True),
    _pod(hostIPC=True),
    _pod(serviceAccountName="default2", serviceAccount="default2"),
    _pod(automountServiceAccountToken=True, enableServiceLinks=False),
    _pod(nodeName="gpu-9"),
    _pod(nodeSelector={"a": "b"}),
    _pod(terminationGracePeriodSeconds=1),
    _pod(shareProcessNamespace=True),
    _pod(priority=None, schedulerName="mine"),
    _pod(dnsPolicy="Default"),
    _pod(tolerations=[{"operator": "Exists"}]),
    _pod(securityContext={"runAsUser": 0}),
    _pod(hostAliases=[{"ip": "1.2.3.4", "hostnames": ["api.anthropic.com"]}]),
    _pod(imagePullSecrets=[{"name": "agentpod"}]),
    _pod(initContainers=[{"name": "first", "image": "other"}]),
    lambda dice: _template(
        {"spec": {"volumes": [{"name": "host", "hostPath": {"path": f"/{dice.choice('aebc')}"}}]}}
    ),
    lambda dice: {"spec": {"replicas": dice.choice([0, 2, 5])}},
    lambda _: {"spec": {"paused": True}},
    lambda dice: {"spec": {"minReadySeconds": dice.randint(1, 9)}},
    lambda dice: {"spec": {"revisionHistoryLimit": dice.randint(20, 50)}},
    lambda dice: {"spec": {"progressDeadlineSeconds": dice.randint(601, 999)}},
    lambda dice: {"metadata": {"labels": {f"l{dice.randint(1, 99)}": "x"}}},
    lambda dice: {"metadata": {"annotations": {f"a{dice.randint(1, 99)}": "x"}}},
    lambda _: {"metadata": {"annotations": {APPROVAL_ANNOTATION: "r-22222222"}}},
    lambda _: {"metadata": {"finalizers": ["example.com/keep"]}},
    lambda dice: _template({"metadata": {"annotations": {f"a{dice.randint(1, 99)}": "x"}}}),
    lambda _: _template({"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "x"}}}),
    lambda dice: _template({"metadata": {"annotations": {APPROVAL_ANNOTATION: "x\n" * dice.randint(1, 9)}}}),
    lambda _: _template({"metadata": {"annotations": {RESTARTED_ANNOTATION: "x" * 5000}}}),
    lambda dice: _template({"metadata": {"labels": {f"l{dice.randint(1, 99)}": "x"}}}),
)
SECRET: Sequence[Callable[[random.Random, str], Object]] = (
    lambda dice, key: {"data": {key: "YQ==", f"k{dice.randint(1, 99)}": "Yg=="}},
    lambda _, key: {"data": {key: None}},
    lambda _, key: {"data": {key: "YQ==", "other": "Yg=="}},
    lambda _, __: {"data": None},
    lambda dice, _: {"metadata": {"labels": {f"l{dice.randint(1, 99)}": "x"}}},
    lambda dice, _: {"metadata": {"annotations": {f"a{dice.randint(1, 99)}": "x"}}},
    lambda _, __: {"metadata": {"annotations": {APPROVAL_ANNOTATION: "x" * 500}}},
    lambda _, __: {"metadata": {"finalizers": ["example.com/keep"]}},
    lambda _, __: {"immutable": True},
    lambda _, key: {"stringData": {key: "a", "more": "b"}},
)


def _merged(one: Object, other: Object) -> Object:
    found = dict(one)
    for key, value in other.items():
        inner = found.get(key)
        found[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found
