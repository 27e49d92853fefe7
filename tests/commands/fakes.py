"""Fakes of the ports: each answer can be set to a value, an error, or a hang."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from bot.domain.core.object_diff import FieldChange
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply, plain
from bot.domain.core.target import Target
from bot.domain.core.workload import (
    Application,
    Claim,
    ClusterInfo,
    Condition,
    Container,
    Deployment,
    Endpoint,
    Event,
    ExecResult,
    HttpAnswer,
    LogText,
    OwnerRef,
    Pod,
    Right,
    Rules,
    SecretFacts,
    Service,
    ServicePort,
    Termination,
    Uses,
)
from bot.domain.heartbeats.heartbeat import Group, HeartbeatPoll
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Role
from bot.errors import NotFound
from bot.ports.outbox import Undelivered
from bot.ports.registry import ImageRegistry
from bot.runbook.context import About, Caller, Context
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.grammar import parse
from bot.settings.model import Settings
from bot.wiring.outbox import Outbox
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN
from tests.handbook import TARGET
from tests.people import member
from tests.pods import conditions

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEADLINE = 0.3
"""Each probe's deadline in these tests, in seconds."""

PATIENT = 2.0
"""The deadline if no answer hangs: generous, for a busy machine."""

HANG = object()
"""An answer that never comes."""


async def give(answer: Any) -> Any:
    """Return the answer, raise it if it is an error, or wait for ever."""
    if answer is HANG:
        await asyncio.Event().wait()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _named(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name; any single object. Raises NotFound where a list has none of that name."""
    items = found.get("items", [found])
    if one := next((one for one in items if one is found or one["metadata"]["name"] == name), None):
        return one
    raise NotFound(f"There is no {name}.")


class FakeClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 100.0


def container(name: str = "kali", **changes: Any) -> Container:
    """A running, ready container."""
    usual: dict[str, Any] = {
        "name": name,
        "image": "ghcr.io/derio-net/secure-agent-kali:1.4.2",
        "ready": True,
        "state": "running",
        "started_at": NOW - timedelta(hours=7),
    }
    return Container(**(usual | changes))


def pod(name: str = "secure-agent-pod-abc", **changes: Any) -> Pod:
    """A healthy pod on the expected node."""
    usual: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "phase": "Running",
        "node": "gpu-1",
        "ip": "10.244.0.7",
        "created_at": NOW - timedelta(hours=7),
        "started_at": NOW - timedelta(hours=7),
        "containers": (container(),),
        "conditions": conditions(changes.get("containers", (container(),))),
        "labels": {"app": "secure-agent-pod"},
        "owners": (OwnerRef("ReplicaSet", "secure-agent-pod-5d9", "uid-rs"),),
        "uses": Uses(
            frozenset({"agent-home"}),
            frozenset({"agent-ssh-keys"}),
            required_secrets=frozenset({"agent-ssh-keys"}),
        ),
    }
    return Pod(**(usual | changes))


def deployment(**changes: Any) -> Deployment:
    """A Deployment whose one pod is ready."""
    usual: dict[str, Any] = {
        "name": "secure-agent-pod",
        "uid": "uid-deployment",
        "resource_version": "7",
        "generation": 3,
        "observed_generation": 3,
        "current": 1,
        "updated": 1,
        "ready": 1,
        "available": 1,
        "strategy": "Recreate",
        "images": {"kali": "ghcr.io/derio-net/secure-agent-kali:1.4.2"},
        "template": (Container("kali", "ghcr.io/derio-net/secure-agent-kali:1.4.2"),),
        "created_at": NOW - timedelta(days=40),
        "conditions": (
            Condition("Available", "True", "MinimumReplicasAvailable"),
            Condition("Progressing", "True", "NewReplicaSetAvailable"),
        ),
    }
    return Deployment(**(usual | changes))


UNREADY = pod(
    phase="Pending",
    containers=(container(ready=False, state="waiting", reason="ContainerCreating"),),
    conditions=(Condition("Ready", "False", "ContainersNotReady"),),
)
CRASHED = pod(
    containers=(
        container(
            ready=False,
            state="waiting",
            reason="CrashLoopBackOff",
            restarts=5,
            last_termination=Termination("Error", 1, NOW - timedelta(minutes=1)),
        ),
    ),
    conditions=(Condition("Ready", "False", "ContainersNotReady"),),
)
PODS: dict[str, Sequence[Pod]] = {
    "healthy": (pod(),),
    "absent": (),
    "unready": (UNREADY,),
    "crashed": (CRASHED,),
}
"""The pods of a target in the states that decide what else is read."""

PS = """\
    PID USER         ELAPSED COMMAND
      1 claude       07:00:00 /usr/bin/tini -- /entrypoint.sh
     61 claude       06:51:00 sshd: /usr/sbin/sshd -f /opt/sshd_config -D [listener]
     62 claude       06:51:00 supercronic /home/claude/.crontab
     63 claude       06:51:00 node /usr/bin/vibe-kanban
     99 claude       00:10:00 curl -H X-Key:open-sesame-42 http://127.0.0.1
"""
ID = "uid=1000(claude) gid=1000(claude) groups=1000(claude)\n"
DF = """\
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/longhorn/pvc-1 1000000 310000 690000 31% /home/claude
"""
CRONTAB = """\
# min hour dom mon dow command (UTC)
*/5 * * * * /opt/scripts/session-manager.sh
0 */2 * * * /opt/scripts/exercise-cron.sh
0 21 * * * /opt/scripts/audit-digest.sh
30 4 * * 0 claude update --token open-sesame-42
"""
DU = "500000\t/home/claude/repos\n20\t/home/claude/.ssh\n500020\t/home/claude\n"


def said(stdout: str = "", stderr: str = "", code: int | None = 0) -> ExecResult:
    """The result of a program with this output."""
    return ExecResult(stdout, stderr, code)


def ssh_service(**changes: Any) -> Service:
    """The Service that carries SSH's address."""
    usual: dict[str, Any] = {
        "name": "secure-agent-ssh",
        "type": "LoadBalancer",
        "ingress": ("192.168.55.215",),
        "ports": (ServicePort(22, "2222"),),
    }
    return Service(**(usual | changes))


KANBAN_SERVICE = Service(
    "secure-agent-vibekanban", "LoadBalancer", None, ("192.168.55.218",), (ServicePort(8081, "8081"),)
)


POD_OBJECT: Mapping[str, Any] = {
    "metadata": {"name": "secure-agent-pod-5d4f", "creationTimestamp": "2026-06-01T05:00:00Z"},
    "spec": {"nodeName": "gpu-1"},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {"name": "kali", "ready": True, "state": {"running": {"startedAt": "2026-11-23T05:00:00Z"}}}
        ],
    },
}


EGRESS_POLICY: Mapping[str, Any] = {
    "metadata": {"name": "agent-egress"},
    "status": {"conditions": [{"type": "Valid", "status": "True", "message": "Policy validation succeeded"}]},
}
SIZES = "  32 /c/talosconfig\n  31 /c/kubeconfig\n  31 /c/omniconfig\n  94 total\n"


@dataclass
class FakeTrial:
    """A cluster of which changes are dry runs."""

    cluster: FakeCluster
    changes: Sequence[FieldChange]


class FakeCluster:
    """A cluster whose answers are attributes.

    `programs` answers exec by program (``df``, ``df -Pi``), by the last word, by (container, program), or by
    the two words of a command.
    """

    def __init__(self) -> None:
        self.info_answer: Any = ClusterInfo("https://api.example:6443", "v1.37.0")
        self.pods_answer: Any = [pod()]
        self.deployment_answer: Any = deployment()
        self.events_answer: Any = []
        self.services_answer: Any = [ssh_service(), KANBAN_SERVICE]
        self.endpoints_answer: Any = [
            Endpoint("secure-agent-ssh", "10.244.0.7", True, (2222,)),
            Endpoint("secure-agent-vibekanban", "10.244.0.7", True, (8081,)),
        ]
        self.claims_answer: Any = [Claim("agent-home", "Bound", 50 * 2**30, "longhorn", ("ReadWriteOnce",))]
        self.application_answer: Any = Application(
            "secure-agent-pod", "Synced", "Healthy", "a" * 40, None, NOW - timedelta(hours=2), "Succeeded"
        )
        self.objects_answer: Any = {"items": [POD_OBJECT]}
        self.policies_answer: Any = {"items": [EGRESS_POLICY]}
        self.external_answer: Any = []
        self.secret_answer: Any = SecretFacts("agent-ssh-keys", "u", "1", {}, changed_at=NOW - timedelta(days=9))
        self.secrets_answer: Any = frozenset({"open-sesame-42"})
        self.logs_answer: Any = LogText(())
        self.logs_read: list[tuple[str, bool]] = []
        self.programs: dict[str | tuple[str, str], Any] = {
            "id": said(ID),
            "ps": said(PS),
            "df": said(DF),
            "timeout": said(DU),
            "cat /home/claude/.crontab": said(CRONTAB),
            "ls -1": said("audit-digest.sh\nexercise-cron.sh\nsession-manager.sh\n"),
            "wc": said(SIZES),
            "http://127.0.0.1:8081/": said("200 text/html"),
            "https://api.anthropic.com/": said("404"),
            "https://httpbin.org/ip": said("000", "", 28),
            "/command/s6-svstat": said("up (pid 61) 24660 seconds\n"),
            "/proc/mounts": said("/dev/longhorn/pvc-1 /home/claude ext4 rw,relatime 0 0\n"),
            "http://127.0.0.1:8081": said("200"),
            "http://pushgateway.monitoring.svc.cluster.local:9091/-/ready": said("200"),
            "printenv": said("8081\n0.0.0.0\n"),
            ("printenv", "PORT"): said("8081\n"),
            ("printenv", "HOST"): said("0.0.0.0\n"),
            "stat": said(
                f"600 claude 381 {int((NOW - timedelta(days=1)).timestamp())} /home/claude/.ssh/authorized_keys"
            ),
        }
        self.denied: set[str] = set()
        self.can_i_answer: Any = None
        self.rules_answer: Any = Rules(())
        self.ran: list[tuple[str, ...]] = []
        self.follow_answers: Sequence[Any] = ([pod()],)
        self.restart_answer: Any = deployment(generation=4)
        self.restarted: list[tuple[Deployment, dict[str, str]]] = []
        self.delete_answer: Any = None
        self.trial_answer: Any = (
            FieldChange(
                "Deployment secure-agent-pod",
                "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]",
                None,
                "2026-03-01T03:00:00+00:00",
            ),
        )
        self.deleted: list[Pod] = []

    def all_answer(self, answer: Any) -> None:
        """Make every call to the API server answer this."""
        for name in vars(self):
            if name.endswith("_answer"):
                setattr(self, name, answer)
        self.programs = dict.fromkeys(self.programs, answer)

    async def external_secrets(self) -> Any:
        return await give(self.external_answer)

    async def info(self) -> ClusterInfo:
        return await give(self.info_answer)

    async def pods(self, selector: str) -> Sequence[Pod]:
        return await give(self.pods_answer)

    async def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[Sequence[Pod], None]:
        """Yield each list in turn and raise any error among them, then hang."""
        for answer in self.follow_answers:
            yield await give(answer)
        await asyncio.Event().wait()

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        self.restarted.append((seen, dict(annotations)))
        return await give(self.restart_answer)

    async def set_image(
        self, seen: Deployment, container: str, image: str, annotations: Mapping[str, str]
    ) -> Deployment:
        assert container in seen.images
        assert image
        return await self.restart(seen, annotations)

    async def trial(self) -> FakeTrial:
        tried = copy.copy(self)
        tried.restarted, tried.deleted = [], []
        return FakeTrial(tried, await give(self.trial_answer))

    async def delete_pod(self, pod: Pod) -> None:
        self.deleted.append(pod)
        await give(self.delete_answer)

    async def deployment(self, name: str) -> Deployment:
        return await give(self.deployment_answer)

    async def events(self) -> Sequence[Event]:
        return await give(self.events_answer)

    async def services(self) -> Sequence[Service]:
        return await give(self.services_answer)

    async def endpoints(self) -> Sequence[Endpoint]:
        return await give(self.endpoints_answer)

    async def claims(self) -> Sequence[Claim]:
        return await give(self.claims_answer)

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        if right.resource != "ciliumnetworkpolicies":
            return await give(self.objects_answer)
        found = await give(self.policies_answer)
        return _named(found, right.name) if right.name else found

    async def secret(self, name: str) -> SecretFacts:
        return await give(self.secret_answer)

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, marks: Mapping[str, str]
    ) -> SecretFacts:
        return seen

    async def application(self, namespace: str, name: str) -> Application:
        return await give(self.application_answer)

    async def logs(self, pod: str, container: str, **which: Any) -> LogText:
        self.logs_read.append((container, bool(which.get("previous"))))
        answer: LogText = await give(self.logs_answer)
        return answer

    async def exec(
        self,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        seconds: float | None = None,
    ) -> ExecResult:
        self.ran.append(tuple(argv))
        missing = said("", f"{argv[0]}: not found", 127)
        plain = self.programs.get(" ".join(argv[:2]), self.programs.get(argv[0], missing))
        plain = self.programs.get(argv[-1], plain)
        plain = self.programs.get((container, argv[0]), plain)
        return await give(self.programs.get(tuple(argv), plain) if len(argv) == 2 else plain)

    async def secret_values(self, names: Collection[str]) -> frozenset[str]:
        return await give(self.secrets_answer)

    async def can_i(self, right: Right) -> bool:
        if self.can_i_answer is not None:
            return await give(self.can_i_answer)
        return str(right) not in self.denied

    async def rules(self, namespace: str | None = None) -> Rules:
        return await give(self.rules_answer)


@dataclass
class FakeNetwork:
    """A network whose answers are attributes."""

    banner_answer: Any = "SSH-2.0-OpenSSH_9.9"
    connect_answer: Any = None
    status_answer: Any = 200

    async def banner(self, host: str, port: int) -> str:
        return await give(self.banner_answer)

    async def connect(self, host: str, port: int) -> None:
        await give(self.connect_answer)

    async def greeting(self, host: str, port: int, seconds: float) -> str:
        return await give(self.banner_answer)

    async def http_status(self, url: str) -> int:
        return await give(self.status_answer)


class Serving(FakeNetwork):
    """A network with one web page."""

    page = HttpAnswer(200, "")

    async def get(self, url: str, *, limit: int) -> HttpAnswer:
        return self.page


def beat(job: str, ago: timedelta, **labels: str) -> Group:
    """A group whose last push was ``ago``."""
    return Group({"job": job, **labels}, {"push_time_seconds": (NOW - ago).timestamp()})


FRESH = (
    beat("exercise_reminder", timedelta(hours=1)),
    beat("audit_digest", timedelta(hours=3)),
    beat("session_manager", timedelta(minutes=2)),
)


@dataclass
class FakeHeartbeats:
    """A Pushgateway whose content is an attribute."""

    answer: Any = field(default_factory=lambda: HeartbeatPoll(FRESH))

    pushed: list[tuple[dict[str, str], dict[str, float]]] = field(default_factory=list)

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        return await give(self.answer)

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        self.pushed.append((dict(labels), dict(gauges)))


def undelivered(ledger: Any) -> Undelivered:
    """The registry of undelivered messages, with all existing kinds."""
    return Outbox(Settings(), ledger, FakeClock(), Outside()).undelivered


@cache
def handbook() -> CompiledRunbook:
    """The shipped runbook."""
    return compiled("secure-agent-pod")


@dataclass
class World:
    """All ports of one test, and how to run a command line on them."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    network: FakeNetwork = field(default_factory=FakeNetwork)
    heartbeats: FakeHeartbeats | None = field(default_factory=FakeHeartbeats)
    registry: ImageRegistry | None = None
    target: Target = TARGET
    role: Role = roles.OPERATOR
    own_roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shown: list[Reply] = field(default_factory=list)
    deadline: float = DEADLINE

    async def run(self, line: str, change: Callable[[Context], Context] = lambda ctx: ctx) -> Reply:
        """Parse and run a command line."""
        invocation = parse(line, BUILTIN)
        return await invocation.command.run(change(self.context()), invocation.params)

    def context(self) -> Context:
        """The context that the command receives."""
        rules = () if self.role is roles.NONE else (AccessRule(role=self.role, users=("U1",), name="the team"),)
        return Context(
            target=self.target,
            cluster=self.cluster,
            network=self.network,
            heartbeats=self.heartbeats,
            registry=self.registry,
            clock=FakeClock(),
            caller=Caller(member("U1", "C1"), "slash"),
            access=AccessPolicy(roles=self.own_roles, rules=rules, contact="the owner"),
            about=About("1.2.3", NOW - timedelta(hours=5), "3.11.2"),
            commands=BUILTIN,
            book=handbook(),
            probe_timeout=self.deadline if self._hangs() else max(self.deadline, PATIENT),
            progress=self._show,
        )

    def _hangs(self) -> bool:
        """Whether some answer hangs; only then is a short deadline needed."""
        ports = (self.cluster, self.network, self.heartbeats)
        answers = [value for port in ports if port is not None for value in vars(port).values()]
        return any(answer is HANG for answer in [*answers, *self.cluster.programs.values()])

    async def _show(self, reply: Reply) -> None:
        self.shown.append(reply)


def text_of(reply: Reply) -> str:
    """All text that a reader sees, to search in."""
    lines = [reply.headline, *reply.body, *reply.notes]
    for finding in reply.findings:
        lines += [finding.title, finding.summary, *finding.evidence, finding.remedy or "", finding.run or ""]
    lines += [plain(line) for card in reply.cards for line in card.lines]
    lines += [f"{f.label}: {f.value}" for f in reply.facts]
    lines += [" | ".join(row) for table in reply.tables for row in (table.columns, *table.rows)]
    return "\n".join([*lines, *(e.text for e in reply.excerpts)])
