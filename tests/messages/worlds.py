"""Pods and surroundings that are broken in one way each, for the answers of `status` and the other commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.adapters.kubernetes.errors import from_status
from bot.domain.core.workload import Condition, Event, LogText, Pod, Right, Termination
from bot.domain.heartbeats.heartbeat import PUSH_FAILED, Group, HeartbeatPoll
from bot.errors import AgentpodError, NotFound, TimedOut, Transient
from tests.commands.fakes import FRESH, NOW, PS, TARGET, UNREADY, FakeHeartbeats, World, beat, container, pod, said
from tests.commands.test_crontab_changes import Files
from tests.commands.test_secrets import SSH, TIER2, facts

ACCOUNT = "system:serviceaccount:secure-agent-pod:agentpod"
MIN, HOUR = timedelta(minutes=1), timedelta(hours=1)
Break = Callable[[World], None]
PATIENCE = 30.0
"""Seconds of each probe: no answer hangs here, so that nothing differs on a busy machine."""
LOG = (
    "sshd: Server listening on 0.0.0.0 port 2222.",
    'time="2026-11-23T11:55:00Z" level=info msg=starting job=/opt/scripts/session-manager.sh',
    "vibe-kanban: listening on 0.0.0.0:8081",
    "sshd: Accepted publickey for claude from 192.168.55.7 port 50022 ssh2",
)


class Whole(Files):
    """A pod with key files, a crontab and a log, whose Secrets have values."""

    def __init__(self) -> None:
        super().__init__(previous="0 21 * * * /opt/scripts/audit-digest.sh\n")
        self.found = {
            name: facts(name, key)
            for name, key in ((TIER2, "GITHUB_TOKEN"), ("agent-secrets-tier1", "ANTHROPIC_API_KEY"))
        } | {SSH: facts(SSH, "authorized_keys")}

    async def logs(self, pod: str, container: str, **_: Any) -> LogText:
        """The newest lines."""
        return LogText(LOG)


def whole() -> World:
    """A healthy pod that answers every command."""
    return World(
        deadline=PATIENCE,
        cluster=Whole(),
        target=TARGET.model_copy(update={"secrets": ("agent-secrets-tier1", TIER2)}),
    )


def not_allowed(right: Right) -> AgentpodError:
    """The error for the API server's refusal of a right."""
    said = f'pods is forbidden: User "{ACCOUNT}" cannot {right.verb} resource'
    body = json.dumps({"kind": "Status", "message": said, "reason": "Forbidden"}).encode()
    return from_status(403, body, right, {})


def _pods(*found: Pod, events: tuple[Event, ...] = ()) -> Break:
    def make(world: World) -> None:
        world.cluster.pods_answer, world.cluster.events_answer = list(found), list(events)
        if not any(c.state == "running" for one in found for c in one.containers):
            world.cluster.endpoints_answer = []

    return make


def _kali(**changes: Any) -> Pod:
    return pod(containers=(container(ready=False, **changes),))


def _waits(reason: str, message: str = "", **more: Any) -> Pod:
    return _kali(state="waiting", reason=reason, message=message, started_at=None, **more)


def _programs(**answers: Any) -> Break:
    def make(world: World) -> None:
        for name, answer in answers.items():
            world.cluster.programs[name] = answer

    return make


def _cluster(**answers: Any) -> Break:
    def make(world: World) -> None:
        for name, answer in answers.items():
            setattr(world.cluster, f"{name}_answer", answer)

    return make


def _network(**answers: Any) -> Break:
    def make(world: World) -> None:
        for name, answer in answers.items():
            setattr(world.network, f"{name}_answer", answer)

    return make


def _beats(answer: Any) -> Break:
    def make(world: World) -> None:
        world.heartbeats = FakeHeartbeats(answer)

    return make


def _listing(resource: str, group: str = "") -> Right:
    return Right("list", resource, group, namespace="secure-agent-pod")


def _no_rights(world: World) -> None:
    """The account lacks what its Roles give: five rights."""
    world.cluster.pods_answer = not_allowed(_listing("pods"))
    world.cluster.events_answer = not_allowed(_listing("events"))
    world.cluster.services_answer = not_allowed(_listing("services"))
    world.cluster.endpoints_answer = not_allowed(_listing("endpointslices", "discovery.k8s.io"))
    world.cluster.claims_answer = not_allowed(_listing("persistentvolumeclaims"))


def _no_exec(world: World) -> None:
    answer = not_allowed(Right("create", "pods", subresource="exec", namespace="secure-agent-pod"))
    world.cluster.programs = dict.fromkeys(world.cluster.programs, answer)


def _api_away(world: World) -> None:
    world.cluster.all_answer(TimedOut("The API server gave no answer in 3 s."))


def _api_broken(world: World) -> None:
    """The API server answers HTTP 500, each time with what it was asked for."""
    said = b'{"kind": "Status", "message": "Internal error occurred: etcdserver: request timed out"}'
    failed = {
        "pods": ("pods", ""),
        "events": ("events", ""),
        "services": ("services", ""),
        "endpoints": ("endpointslices", "discovery.k8s.io"),
        "claims": ("persistentvolumeclaims", ""),
        "deployment": ("deployments", "apps"),
        "application": ("applications", "argoproj.io"),
        "objects": ("pods", ""),
        "policies": ("ciliumnetworkpolicies", "cilium.io"),
    }
    for name, kind in failed.items():
        setattr(world.cluster, f"{name}_answer", from_status(500, said, _listing(*kind), {}))


def _argo(**changes: Any) -> Break:
    def make(world: World) -> None:
        world.cluster.application_answer = replace(world.cluster.application_answer, **changes)

    return make


_CRASHED = Termination(
    "Error", 1, NOW - MIN, message="Download failed: getaddrinfo EAI_AGAIN npm-cdn.vibekanban.com"
)
_OOM = Termination("OOMKilled", 137, NOW - 5 * MIN)
_UNPLACED = Condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
_LOST = Condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", NOW - HOUR)
_DF = """\
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/longhorn/pvc-1 1000000 {0}0000 {1} {0}% /home/claude
"""


def _full(percent: int) -> Break:
    return _programs(df=said(_DF.format(percent, (100 - percent) * 10_000)))


_STALE = (
    beat("exercise_reminder", 9 * HOUR),
    beat("audit_digest", 3 * HOUR),
    beat("session_manager", 2 * HOUR),
)
_FAILED = (*FRESH[:2], Group({"job": "session_manager"}, {PUSH_FAILED: (NOW - MIN).timestamp()}))
_VOLUME = Event(
    "Warning",
    "FailedAttachVolume",
    'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node',
    "pod/secure-agent-pod-abc",
    last_seen=NOW - MIN,
    count=4,
)
_GONE = "\n".join(line for line in PS.splitlines() if "vibe-kanban" not in line) + "\n"


def _right_missing(world: World) -> None:
    """The account lacks one right of its Roles."""
    world.cluster.claims_answer = not_allowed(_listing("persistentvolumeclaims"))


def _crashing(world: World) -> None:
    """A crash loop, whose last log lines can be read."""
    _pods(
        _waits(
            "CrashLoopBackOff", "back-off 5m0s restarting failed container", restarts=5, last_termination=_CRASHED
        )
    )(world)
    world.cluster.logs_answer = LogText(
        ("Downloading vibe-kanban v0.1.37", "Download failed: getaddrinfo EAI_AGAIN", "stopping the container")
    )


BROKEN: dict[str, Break] = {
    "no pod": _pods(),
    "starting": _pods(UNREADY),
    "a Secret is missing": _pods(_waits("CreateContainerConfigError", 'secret "agent-ssh-keys" not found')),
    "the image is missing": _pods(
        _waits("ImagePullBackOff", 'Back-off pulling image "ghcr.io/derio-net/secure-agent-kali:1.4.2": not found')
    ),
    "crashing": _crashing,
    "OOM-killed": _pods(
        pod(
            containers=(
                container(restarts=1, last_termination=_OOM, memory_limit="16Gi", started_at=NOW - 5 * MIN),
            )
        )
    ),
    "not ready": _pods(_kali()),
    "unplaced": _pods(pod(phase="Pending", node=None, containers=(), conditions=(_UNPLACED,))),
    "node lost": _pods(pod(conditions=(_LOST,))),
    "volume held": _pods(UNREADY, events=(_VOLUME,)),
    "two pods": _pods(pod(), pod("secure-agent-pod-xyz")),
    "wrong node": _pods(pod(node="gpu-2")),
    "a process is gone": _programs(ps=said(_GONE)),
    "disk nearly full": _full(85),
    "disk full": _full(97),
    "Kanban answers 502": _network(status=502),
    "SSH refuses": _network(banner=Transient("connection refused")),
    "something else answers on SSH's port": _network(banner="HTTP/1.1 400 Bad Request"),
    "no endpoints": _cluster(endpoints=[]),
    "no Service": _cluster(services=[]),
    "Argo CD degraded": _argo(health="Degraded"),
    "Argo CD out of sync": _argo(sync="OutOfSync"),
    "Argo CD has no Application": _cluster(application=NotFound("There is no Application secure-agent-pod.")),
    "jobs are stale": _beats(HeartbeatPoll(_STALE)),
    "a push failed": _beats(HeartbeatPoll(_FAILED)),
    "the Pushgateway is away": _beats(Transient("The Pushgateway can't be reached: connection refused.")),
    "the Pushgateway is empty": _beats(HeartbeatPoll(())),
    "another user": _programs(id=said("uid=0(root) gid=0(root) groups=0(root)\n")),
    "jobs of several steps": _programs(
        **{
            "cat /home/claude/.crontab": said(
                "@daily /opt/collect --from /home/claude/repos --quiet --every 60 && sleep 30 && /opt/send --all\n"
                "@daily /opt/scripts/audit-digest.sh && /opt/send\n"
            )
        }
    ),
    "no crontab": _programs(
        **{
            "cat /home/claude/.crontab": said(
                stderr="cat: /home/claude/.crontab: No such file or directory", code=1
            )
        }
    ),
    "a right is missing": _right_missing,
    "five rights missing": _no_rights,
    "no exec": _no_exec,
    "the API server is away": _api_away,
    "the API server answers 500": _api_broken,
}
"""What is broken, and how."""
