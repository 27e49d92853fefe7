"""``--dry-run``: runs a command on ports that record calls instead of sending them, and shows the calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from bot.adapters.kubernetes.planned import PlannedCluster
from bot.domain.core import words
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.images import ResolvedImage, reference
from bot.domain.core.planned import PLACEHOLDER, PlannedCalls
from bot.domain.core.reply import Excerpt, Reply
from bot.domain.core.workload import HttpAnswer, LogStart
from bot.domain.follow.request import FollowRequest
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.incidents.alerting import Incident
from bot.errors import AgentpodError, UsageError
from bot.ports.cluster import Cluster, Network
from bot.ports.decryption import Decrypted
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.registry import ImageRegistry
from bot.runbook.command import Invocation
from bot.runbook.context import Caller, Context, Sees
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.planned_repairs import PlannedRepairs
from bot.services.health.reads import CheckContext

SECONDS = 10.0
"""Deadline of a plan: a command that follows something would never end on made-up answers."""


async def dry_run(invocation: Invocation, ctx: Context, gateway: str) -> Reply:
    """Return the calls of a command line, in order; ``gateway`` is the Pushgateway's address.

    Raises what the command refuses before its first call.
    """
    calls = _Calls()
    planned, rest = _planned(ctx, calls, gateway), ""
    try:
        async with asyncio.timeout(SECONDS):
            reply = await invocation.command.run(planned, invocation.params)
    except AgentpodError as error:
        if not calls.count:
            raise
        rest = error.message
    except TimeoutError:
        rest = "it goes on until it is stopped"
    else:
        if reply.form is not None:
            fields = ", ".join(field.label for field in reply.form.fields)
            rest = f"it opens a form that asks: {fields}"
    return _reply(calls, rest)


_READS = ("GET ", "connect ")
"""How calls begin that only read."""


@dataclass
class _Calls(PlannedCalls):
    """Records also whether reads are made side by side.

    Then they come from several tasks, and none needs the answer to another.
    """

    tasks: set[asyncio.Task[Any] | None] = field(default_factory=set)

    def call(self, text: str, *details: str) -> None:
        """See `PlannedCalls`."""
        if text.startswith(_READS) and not PLACEHOLDER.search(text):
            self.tasks.add(asyncio.current_task())
        super().call(text, *details)

    @property
    def order(self) -> str:
        """In which order the calls are made."""
        return "In this order, reads side by side" if len(self.tasks) > 1 else "In this order"


def _reply(calls: _Calls, rest: str) -> Reply:
    made = "1 call" if calls.count == 1 else f"{calls.count} calls"
    notes = ["What stands in <…> is known once the calls before it are answered"] if _open(calls) else []
    text = "\n".join(calls.lines)
    return Reply(
        f"Dry run: {made if calls.count else 'no calls'}, nothing was sent",
        body=(f"It was planned no further: {rest}",) if rest else (),
        excerpts=(Excerpt(text, calls.order, "dry-run.txt"),) if text else (),
        notes=tuple(notes),
        data={"calls": list(calls.lines)},
    )


def _open(calls: PlannedCalls) -> bool:
    return any(PLACEHOLDER.search(line) for line in calls.lines)


def _planned(ctx: Context, calls: PlannedCalls, gateway: str) -> Context:
    """The context on ports that only record, and those of the other targets."""
    every = {one.target.name: one for one in (ctx, *ctx.others)}

    def cluster_of(name: str) -> Cluster:
        given = every.get(name, ctx)
        return PlannedCluster(calls, given.target, _services(given))

    def context_of(name: str) -> CheckContext:
        return one(every[name]) if name in every else one(ctx)

    def one(given: Context) -> Context:
        service = given.repairs
        return replace(
            given,
            cluster=cluster_of(given.target.name),
            network=cast("Network", _PlannedNetwork(calls)),
            heartbeats=cast("HeartbeatSource", _PlannedGateway(calls, gateway)) if given.heartbeats else None,
            ledger=cast("Ledger", _ReadOnly(given.ledger, calls)) if given.ledger is not None else None,
            repairs=PlannedRepairs(service, calls, cluster_of, context_of)
            if isinstance(service, ApprovalService)
            else None,
            alerts=_PlannedAlerts(given.ledger, calls) if given.alerts is not None and given.ledger else None,
            follows=_PlannedFollows(calls, cluster_of),
            registry=cast("ImageRegistry", _PlannedRegistry(calls)) if given.registry is not None else None,
            decryption=_PlannedDecryption(calls) if given.decryption is not None else None,
            progress=_ignore,
            others=tuple(map(one, given.others)),
            dry_run=True,
        )

    return one(ctx)


def _services(ctx: Context) -> set[str]:
    """The Services that the settings and the runbook name."""
    if ctx.book is None:
        return set()
    from bot.wiring.runbook_role import facts_in

    names = (getattr(use.settings, "service", None) for use in facts_in(ctx.book.runbook))
    return {name for name in names if name}


async def _ignore(_: Reply) -> None:
    """Discard progress."""


@dataclass(frozen=True)
class _PlannedNetwork:
    """Records what would be asked of the services."""

    calls: PlannedCalls

    async def banner(self, host: str, port: int) -> str:
        self.calls.call(f"connect to {host}:{port} by TCP, and read a line")
        return "SSH-2.0-"

    async def greeting(self, host: str, port: int, seconds: float) -> str:
        self.calls.call(f"connect to {host}:{port} by TCP, and read a line", f"for at most {seconds:g} s")
        return ""

    async def connect(self, host: str, port: int) -> None:
        self.calls.call(f"connect to {host}:{port} by TCP")

    async def http_status(self, url: str) -> int:
        self.calls.call(f"GET {url}")
        return 200

    async def get(self, url: str, *, limit: int) -> HttpAnswer:
        self.calls.call(f"GET {url}", f"at most {limit:,} bytes")
        return HttpAnswer(200, "")


@dataclass(frozen=True)
class _PlannedGateway:
    """Records what would be asked of the Pushgateway."""

    calls: PlannedCalls
    url: str

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:  # noqa: ARG002 - all are read
        self.calls.call(f"GET {self.url}/api/v1/metrics")
        self.calls.call(f"GET {self.url}/api/v1/status")
        return HeartbeatPoll(())

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        from bot.adapters.pushgateway import path_of  # its client's imports take long

        body = "\n".join(f"{name} {value!r}" for name, value in gauges.items())
        self.calls.call(f"POST {self.url}/metrics/{path_of(labels)}", body)

    async def ping(self) -> None:
        self.calls.call(f"GET {self.url}/-/ready")


@dataclass(frozen=True)
class _PlannedRegistry:
    """Records what would be asked of the images' registries."""

    calls: PlannedCalls

    async def digest(self, image: str) -> str:
        self._call("HEAD", image)
        return ""

    async def resolve(self, image: str, platform: str) -> ResolvedImage:
        self._call("GET", image)
        return ResolvedImage("<its digest>", "<its digest>", (platform,))

    async def built(self, image: str) -> datetime | None:
        self._call("GET", image)
        return None

    def _call(self, method: str, image: str) -> None:
        named = reference(image)
        where = f"{named.registry}/v2/{named.path}/manifests/{named.version}"
        self.calls.call(f"{method} https://{where if named.is_valid else '<its registry>/v2/<its image>'}")


@dataclass(frozen=True)
class _PlannedDecryption:
    """Records how the encrypted file would be read."""

    calls: PlannedCalls

    async def digest(self, spec: ConfigsRotateSpec) -> str:
        self.calls.call(f"read {spec.encrypted_file}")
        return _DIGEST

    async def decrypt(self, spec: ConfigsRotateSpec) -> Decrypted:
        from bot.adapters.sops import argv

        given = f"with {spec.encrypted_file} on stdin, and the key in {spec.key_file}"
        self.calls.call(f"run {json.dumps(argv(spec))} beside the bot", given)
        return Decrypted(_DIGEST, {"FILE": "<its value in the file>"}, made_up=True)

    def problems(self, spec: ConfigsRotateSpec) -> Sequence[tuple[str, str]]:  # noqa: ARG002 - nothing is looked at
        return ()


_DIGEST = "<the file's SHA-256>"


@dataclass(frozen=True)
class _PlannedAlerts:
    """Records answers to incidents."""

    ledger: Ledger
    calls: PlannedCalls

    async def acknowledge(self, id_: str, by: str) -> Incident:
        return await self._answered(id_, f"record that {by} acknowledges {id_}")

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        return await self._answered(id_, f"record that {by} mutes {id_} until {words.moment(until)}")

    async def _answered(self, id_: str, what: str) -> Incident:
        incident = await self.ledger.incident(id_)
        if incident is None:
            raise UsageError("There is no incident with that id.", remedy="/agentpod incidents lists them.")
        self.calls.heading("Ledger and Slack")
        self.calls.call(what)
        self.calls.call("edit the incident's message, and answer in its thread")
        return incident


@dataclass(frozen=True)
class _PlannedFollows:
    """Records what would be followed."""

    calls: PlannedCalls
    cluster_of: Callable[[str], Cluster]

    async def start(self, request: FollowRequest, caller: Caller, sees: Sees) -> Reply:  # noqa: ARG002 - it names none
        if not caller.is_terminal:
            self.calls.call("post a message, and edit it as lines are written")
        lines = self.cluster_of(request.target.name).follow_log(
            request.pod.name, request.container, LogStart(request.since, tail=request.tail)
        )
        async with aclosing(lines):
            await anext(lines)
        return Reply("")

    def target_of(self, id_: str | None) -> str | None:  # noqa: ARG002 - nothing is stopped
        return None

    def is_of(self, user: str, id_: str | None) -> bool:  # noqa: ARG002 - nothing is stopped
        return False

    async def stop(self, id_: str | None, *_: Any, **__: Any) -> Reply:
        self.calls.call(f"stop following {id_ or 'the only log that is followed'}")
        return Reply("")


class _ReadOnly:
    """The ledger, of which writes are recorded instead of made."""

    def __init__(self, ledger: Ledger | None, calls: PlannedCalls) -> None:
        self._ledger, self._calls = ledger, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        """Record that the ledger would be written."""
        self._calls.heading("Ledger")
        yield _Writing(self._calls)


@dataclass(frozen=True)
class _Writing:
    """A transaction that records what it would write."""

    calls: PlannedCalls

    def __getattr__(self, name: str) -> Any:
        async def call(*given: Any, **_: Any) -> None:
            if not name.startswith(("mark", "request", "now", "preferences", "delayed")):
                said = " ".join(map(str, given))
                self.calls.call(f"{name.replace('_', ' ')} {said[:200]}")

        return call
