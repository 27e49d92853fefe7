"""Approval service, executor and outbox worker on a real SQLite ledger, with fake cluster, chat and clock."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.sinks.slack import SlackSink
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Ruling
from bot.domain.approvals.repair import Proposal, RepairRequest, TargetState
from bot.domain.core.audit import Record, verify
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.outside import Outside
from bot.domain.core.registry import Registry
from bot.domain.core.reply import Reply
from bot.domain.core.target import SshSpec, Target
from bot.domain.core.workload import Application, Container, Deployment, Event, Pod, SecretFacts
from bot.domain.health import ssh_keys
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.domain.rbac.membership import Membership
from bot.errors import Conflict, NotFound, Permanent
from bot.ports.chat import Chat
from bot.ports.cluster import Cluster, Network
from bot.ports.decryption import Decryption
from bot.ports.ledger import Ledger
from bot.ports.registry import ImageRegistry
from bot.ports.sinks import Sink
from bot.runbook.context import Caller
from bot.runbook.file.compiled import CompiledRunbook
from bot.services.approvals.approval_messages import RequestMessages
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import SecretWriter
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.worker import OutboxWorker
from bot.wiring.check_context import TargetContext
from tests import handbook
from tests.people import member
from tests.pods import READY

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MAYA, JONAS, PRIYA, SAM = "U07MAYA0001", "U07JONAS002", "U07PRIYA003", "U07SAM00004"
ONCALL = "S07ONCALL01"
OPS = "C07OPSPOD01"
SECRET, KEY = "agent-secrets", "TOKEN"
_SSH = (handbook.TARGET.ssh or SshSpec()).model_copy(update={"secret": SECRET, "key": KEY})
TARGET = handbook.target(secrets=(SECRET,), ssh=_SSH, image_set=("kali",))
ACCESS = AccessPolicy(
    rules=(
        AccessRule(role=roles.OPERATOR, users=(MAYA,)),
        AccessRule(role=roles.APPROVER, users=(JONAS, PRIYA)),
        AccessRule(role=roles.APPROVER, groups=(ONCALL,), name="on-call"),
    )
)
PATIENCE = 10.0


class Clock:
    """A clock to set. It moves on with each reading, so that no two readings are equal."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        self.time += timedelta(microseconds=37)
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def pass_(self, **span: float) -> None:
        """Let time pass; negative goes back."""
        self.time += timedelta(**span)


def pod(number: int) -> Pod:
    """A ready pod."""
    container = Container("kali", "image:1", ready=True, state="running", started_at=START)
    name, uid = f"pod-{number}", f"uid-{number}"
    return Pod(name, uid, "Running", node="gpu-1", created_at=START, containers=(container,), conditions=READY)


@dataclass
class FakeTrial:
    """A cluster of which changes are dry runs."""

    cluster: FakeCluster
    changes: Sequence[FieldChange] = ()


@dataclass
class FakeCluster:
    """One Deployment with one pod. Restarts are instant, unless the fields below hold errors to raise."""

    deployment_: Deployment = field(
        default_factory=lambda: Deployment(
            TARGET.deployment,
            "uid-d",
            resource_version="1",
            generation=1,
            observed_generation=1,
            current=1,
            updated=1,
            ready=1,
            available=1,
            strategy="Recreate",
            images={"kali": "image:1"},
        )
    )
    pods_: list[Pod] = field(default_factory=lambda: [pod(1)])
    rollouts: list[str] = field(default_factory=list)
    """The approval id of each change that took effect."""
    sent: int = 0
    before: list[Exception | None] = field(default_factory=list)
    """Raised by the next changes before they take effect."""
    after: list[Exception | None] = field(default_factory=list)
    """Raised by the next changes after they took effect."""
    reads: list[Exception | None] = field(default_factory=list)
    application_: Application | Exception | None = None
    """None: there is none."""
    stuck: bool = False
    """Whether the new pod never gets ready."""
    keeps_others: bool = False
    """Whether only the first pod is replaced by the new one."""
    deleted: list[str] = field(default_factory=list)
    """The uid of each pod that was deleted."""
    secret_: SecretFacts = field(default_factory=lambda: SecretFacts(SECRET, "uid-s", "7"))
    file: bytes = b""
    """The value of the Secret's only key."""
    stored: int = 0
    """How often the Secret was changed."""
    look_at_secret: Callable[[], Awaitable[None]] | None = None
    """Called at each read of the Secret."""

    async def deployment(self, name: str) -> Deployment:
        assert name == TARGET.deployment
        if self.reads and (error := self.reads.pop(0)) is not None:
            raise error
        return self.deployment_

    async def application(self, namespace: str, name: str) -> Application:
        assert namespace
        if isinstance(self.application_, Application):
            return self.application_
        raise self.application_ or NotFound(f"There is no Application {name}.")

    async def pods(self, selector: str) -> Sequence[Pod]:
        assert selector == TARGET.selector
        return list(self.pods_)

    async def events(self) -> Sequence[Event]:
        return ()

    async def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[Sequence[Pod], None]:
        assert selector
        assert patience
        yield list(self.pods_)
        await asyncio.Event().wait()

    def change(self, **changes: Any) -> None:
        """Somebody else changes the Deployment."""
        generation = self.deployment_.generation + 1
        self.deployment_ = replace(
            self.deployment_,
            generation=generation,
            observed_generation=generation,
            resource_version=str(int(self.deployment_.resource_version) + 1),
            **changes,
        )

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        return await self._patch(seen, annotations, {})

    async def set_image(
        self, seen: Deployment, container: str, image: str, annotations: Mapping[str, str]
    ) -> Deployment:
        return await self._patch(seen, annotations, {container: image})

    async def _patch(
        self, seen: Deployment, annotations: Mapping[str, str], images: Mapping[str, str]
    ) -> Deployment:
        self.sent += 1
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if seen.resource_version != self.deployment_.resource_version:
            raise Conflict("the Deployment changed")
        if dict(self.deployment_.template_annotations) | dict(annotations) != dict(
            self.deployment_.template_annotations
        ):
            marks = {**self.deployment_.template_annotations, **annotations}
            self.change(template_annotations=marks, images={**self.deployment_.images, **images})
            self._replace_pod(annotations["agentpod.dev/approval"])
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return self.deployment_

    async def trial(self) -> FakeTrial:
        return FakeTrial(replace(self, rollouts=[], deleted=[], before=[], after=[], reads=[], sent=0))

    async def delete_pod(self, gone: Pod) -> None:
        self.sent += 1
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if gone.uid not in {p.uid for p in self.pods_}:
            raise NotFound("no such pod")
        self.deleted.append(gone.uid)
        self._replace_pod("deleted")
        if self.after and (error := self.after.pop(0)) is not None:
            raise error

    def _replace_pod(self, approval: str) -> None:
        self.rollouts.append(approval)
        number = int(self.pods_[-1].name.rpartition("-")[2]) + 1
        fresh = pod(number)
        if self.stuck:
            waiting = Container("kali", "image:1", state="waiting", reason="ContainerCreating")
            fresh = replace(fresh, containers=(waiting,))
        self.pods_ = [*(self.pods_[1:] if self.keeps_others else ()), fresh]

    async def secret(self, name: str) -> SecretFacts:
        assert name == SECRET
        if self.look_at_secret is not None:
            await self.look_at_secret()
        if self.reads and (error := self.reads.pop(0)) is not None:
            raise error
        return self.secret_

    async def authorized_keys(self, name: str, key: str) -> str:
        assert (name, key) == (SECRET, KEY)
        if self.reads and (error := self.reads.pop(0)) is not None:
            raise error
        return ssh_keys.as_text(self.file)

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, annotations: Mapping[str, str]
    ) -> SecretFacts:
        self.sent += 1
        assert key == KEY
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if seen.resource_version != self.secret_.resource_version:
            raise Conflict("the Secret changed")
        self.change_secret(value, **annotations)
        self.stored += 1
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return self.secret_

    def change_secret(self, value: bytes, **annotations: str) -> None:
        """Somebody else changes the Secret."""
        version = str(int(self.secret_.resource_version) + 1)
        marks = {**self.secret_.annotations, **annotations}
        self.secret_ = replace(self.secret_, resource_version=version, annotations=marks)
        self.file = value


@dataclass
class FakeChat:
    """A chat that records messages; ``errors`` are raised by the next calls instead."""

    said: list[tuple[str, str | None, Reply]] = field(default_factory=list)
    shown: dict[str, Reply] = field(default_factory=dict)
    errors: list[Exception | None] = field(default_factory=list)
    posted: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: str = ""
    """A place that refuses all messages."""
    lost_after: int = 0
    """How many of the next posts take effect and then raise an error."""
    edits: int = 0
    shared: bool | Exception = False
    """Whether its channels are shared with another company, or why that can't be read."""

    async def is_shared(self, place: str) -> bool:
        if isinstance(self.shared, Exception):
            raise self.shared
        return self.shared

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> MessageRef:
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        if place == self.refuses:
            raise Permanent("not_in_channel")
        if thread is not None and thread not in self.shown:
            raise NotFound("The message that it belongs under is gone.")
        self.said.append((place, thread, reply))
        self.posted.set()
        at = MessageRef(place, f"{len(self.said)}.0")
        self.shown[at.ts] = reply
        if self.lost_after:
            self.lost_after -= 1
            await asyncio.Event().wait()
        return at

    async def edit(self, at: MessageRef, reply: Reply) -> None:
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        if at.ts not in self.shown:
            raise NotFound("message_not_found")
        self.edits += 1
        self.shown[at.ts] = reply

    def headlines(self) -> list[str]:
        """The first line of every message, as it is now."""
        return [reply.headline for reply in self.shown.values()]


@dataclass
class FakeMembers:
    """A Slack that says who is in which group, and what an account is: a member, unless told otherwise."""

    groups: dict[str, set[str]]
    memberships: dict[str, Membership] = field(default_factory=dict)

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        return frozenset().union(*(self.groups.get(group, set()) for group in groups))

    async def person(self, user: str) -> Identity:
        mine = frozenset(g for g, members in self.groups.items() if user in members)
        return Identity(user, user, mine, membership=self.memberships.get(user, Membership.MEMBER))


@dataclass
class Bench:
    """The services of one bot process."""

    ledger: Ledger
    clock: Clock
    cluster: FakeCluster
    chat: FakeChat
    policy: ApprovalPolicy
    groups: dict[str, set[str]]
    executor: RepairExecutor
    approval_service: ApprovalService
    outbox_worker: OutboxWorker
    people: FakeMembers

    def caller(self, user: str, origin: str = "") -> Caller:
        """A caller in the operations channel, with the groups that the policy names."""
        mine = frozenset(g for g, members in self.groups.items() if user in members)
        return Caller(member(user, OPS, mine), "button", origin)

    async def ask(
        self, user: str = MAYA, *, force: bool = False, origin: str = "", reason: str = "why"
    ) -> RepairRequest:
        """Request a restart of the pod as it is now."""
        look = TargetState(self.cluster.deployment_, tuple(self.cluster.pods_))
        action = FORCE_RESTART if force else RESTART
        proposal = Proposal(action, look.snapshot, reason, "It will be down.")
        return (await self.approval_service.ask(proposal, TARGET.name, self.caller(user, origin))).repair

    async def say(
        self, repair: RepairRequest, choice: Choice, user: str, reason: str = ""
    ) -> tuple[Ruling, RepairRequest]:
        """Decide."""
        return await self.approval_service.decide(repair.id, choice, self.caller(user), reason)

    async def now(self, repair: RepairRequest) -> RepairRequest:
        """The request as it is in the ledger now."""
        found = await self.ledger.request(repair.id)
        assert found is not None
        return found

    async def ended(self, repair: RepairRequest) -> RepairRequest:
        """Wait until the request has ended; returns it."""
        return await self.until(repair, lambda found: found.state.final)

    async def until(self, repair: RepairRequest, holds: Callable[[RepairRequest], bool]) -> RepairRequest:
        """Wait until ``holds`` is true of the request; returns it."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while not holds(found := await self.now(repair)):
            assert asyncio.get_running_loop().time() < end, f"{found.state}: {found.progress}"
            await asyncio.sleep(0.005)
        return found

    async def so(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds`` is true."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.005)

    async def until_sent(self, times: int) -> None:
        """Wait until that many calls were sent."""
        await self.so(lambda: self.cluster.sent >= times)

    async def idle(self, repair: RepairRequest) -> None:
        """Wait until this process no longer works on the request."""
        await self.so(lambda: not self.executor.busy(repair.id))

    async def trail(self) -> list[Record]:
        """The audit trail, after checking that it is whole."""
        records = [r async for r in self.ledger.records()]
        assert verify(records) is None
        return records

    async def deliver(self) -> None:
        """Deliver the messages that are due."""
        while await self.outbox_worker.deliver():
            pass


def bench(
    ledger: Ledger,
    *,
    name: str = "one",
    like: Bench | None = None,
    policy: ApprovalPolicy | None = None,
    chat: FakeChat | None = None,
    cluster: FakeCluster | None = None,
    book: CompiledRunbook | None = None,
    target: Target = TARGET,
    registry: ImageRegistry | None = None,
    decryption: Decryption | None = None,
) -> Bench:
    """Build the services of one process; ``like``: share that one's fakes. ``book`` is the target's runbook."""
    clock = like.clock if like else Clock()
    cluster = cluster or (like.cluster if like else FakeCluster())
    groups: dict[str, set[str]] = like.groups if like else {ONCALL: set()}
    chosen = policy or (like.policy if like else ApprovalPolicy())
    talk = chat or (like.chat if like else FakeChat())

    def cluster_of(_: str) -> Cluster:
        return cast("Cluster", cluster)

    def changed() -> None:
        outbox_worker.wake()

    executor = RepairExecutor(
        name,
        ledger,
        clock,
        chosen,
        {TARGET.name: target},
        cluster_of,
        SecretWriter(clock, cluster_of, pause=0.01, settling=0.05),
        changed,
        tick=0.01,
        retry=0.01,
        renew=0.01,
        patience=0.1,
        settling=0.05,
        check_context=lambda target: replace(
            context_of(target, cast("Cluster", executor.cluster_of("")), clock, book),
            registry=registry,
            decryption=decryption,
        ),
    )
    people = like.people if like else FakeMembers(groups)
    news = RequestMessages(ledger, clock, chosen, ACCESS, people=lambda: people)
    outbox_worker = sending(ledger, talk, clock, news.kinds())
    approval_service = ApprovalService(ledger, clock, chosen, ACCESS, {TARGET.name: OPS}, executor, changed)
    return Bench(ledger, clock, cluster, talk, chosen, groups, executor, approval_service, outbox_worker, people)


def context_of(
    target: Target,
    cluster: Cluster,
    clock: Clock,
    book: CompiledRunbook | None,
) -> TargetContext:
    """What a target's checks are made of; nothing outside the cluster answers."""
    books = {target.name: book} if book is not None else {}
    network = cast("Network", None)
    return TargetContext(target, cluster, network, None, clock, None, Outside(), 2.0, books)


async def _called(key: MessageKey) -> str:
    return f"the message {key}"


def rendered(name: str, render: Callable[[OutboxMessage], Awaitable[Any]], **more: Any) -> MessageKind:
    """A message kind with a renderer of the test's own."""
    return MessageKind(name, render, _called, **more)


def sending(
    ledger: Ledger, chat: Chat, clock: Clock, kinds: Iterable[MessageKind], *sinks: Sink, **how: Any
) -> OutboxWorker:
    """An outbox worker with these kinds, and the chat and ``sinks`` as its sinks."""
    to: Registry[Sink] = Registry("sink", (SlackSink(chat), *sinks))
    return OutboxWorker(ledger, clock, Registry("message kind", kinds), to, **how)


@asynccontextmanager
async def opened(folder: Path, *, exclusive: bool = True) -> AsyncIterator[SqlLedger]:
    """A SQLite ledger in a folder."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", exclusive=exclusive)
    try:
        yield ledger
    finally:
        await ledger.close()


def said(repair: RepairRequest) -> str:
    """How a request ended, in the words of its outcome."""
    assert repair.outcome is not None
    return repair.outcome.text
