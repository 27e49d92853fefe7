"""The context that a command runs in: ports, services, settings, and the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import SecretStr

from bot.domain.approvals.approval import ApprovalPolicy, Choice, Ruling
from bot.domain.approvals.repair import SHELL, Asked, Proposal, RepairRequest
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.links import Place
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.outside import Outside
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Link, Reply
from bot.domain.core.target import Target
from bot.domain.digest.checks import ChecksRead
from bot.domain.follow.request import FollowRequest
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.ports.anchors import AnchorStore
from bot.ports.change_log import ChangeRecorder
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster, Network, TrialRead
from bot.ports.decryption import Decryption
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.outbox import Undelivered
from bot.ports.people import People
from bot.ports.registry import ImageRegistry
from bot.runbook.turns import Turns

if TYPE_CHECKING:
    from bot.runbook.command import Command
    from bot.runbook.file.compiled import CompiledRunbook

Surface = Literal[
    "slash",
    "mention",
    "dm",
    "button",
    "modal",
    "terminal",
    "home",
    "shortcut",
    "workflow",
    "joined",
    "assistant",
]


@dataclass(frozen=True)
class About:
    """The running version of the bot."""

    version: str
    started_at: datetime
    python: str


@dataclass(frozen=True)
class Caller:
    """Who runs a command, and from where."""

    identity: Identity
    surface: Surface
    origin: str = ""
    """Identifies the Slack request, so that one that is delivered twice is recognised."""
    public: bool = False
    """Whether others in the conversation see the answer as well."""
    beside: MessageRef | None = None
    """The message whose button was clicked, or under which it was asked."""
    follows: bool = False
    """Whether the answer is updated as a repair request goes on."""

    @property
    def is_terminal(self) -> bool:
        """Whether it is run from a shell, with the bot's own credentials."""
        return self.surface == "terminal"

    @property
    def who(self) -> str:
        """The caller's name in the ledger and in messages; the prefix keeps shell users apart from Slack users."""
        return f"{SHELL}{self.identity.user}" if self.is_terminal else self.identity.user


async def _silent(_: Reply) -> None:
    """Discard progress."""


class SecretSink(Protocol):
    """Takes secret values from forms, past everything that stores, logs or shows command lines."""

    async def __call__(self, sink: str, values: Mapping[str, SecretStr], caller: Caller) -> Reply:
        """Store the values of a form with this ``sink``. Never raises."""


class Repairs(Protocol):
    """Requests repairs and decides on them. Raises as the ledger does, and `Refused` where a rule forbids it."""

    @property
    def policy(self) -> ApprovalPolicy:
        """The rules for decisions."""

    async def ask(self, proposal: Proposal, target: str, caller: Caller) -> Asked:
        """Open a request, or join an open one for the same."""

    async def tried(
        self, proposal: Proposal, target: str, caller: Caller, read: TrialRead | None = None
    ) -> Sequence[FieldChange] | None:
        """What the change would make of its objects, by a dry run there; None where it changes none.

        Raises what the change would raise.
        """

    async def find(self, id_: str) -> RepairRequest | None:
        """The request of that id; an overdue one is shown as expired."""

    async def decide(
        self, id_: str, choice: Choice, caller: Caller, reason: str = ""
    ) -> tuple[Ruling, RepairRequest]:
        """Rule on a decision, record it, and start what is approved."""

    async def may_give_value(self, id_: str, caller: Caller) -> RepairRequest:
        """The approved request that waits for this caller's value."""


class Alerts(Protocol):
    """Acknowledges and mutes incidents. Raises as the ledger does, or `Refused` with the reason."""

    async def acknowledge(self, id_: str, by: str) -> Incident:
        """Acknowledge an incident."""

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        """Mute an incident until then."""


Sees = Callable[[str], bool]
"""Whether whoever asks may read the logs of a target, by its name: others' followed logs aren't named to them."""


class Follows(Protocol):
    """Follows containers' logs, and shows their lines as they are written."""

    async def start(self, request: FollowRequest, caller: Caller, sees: Sees) -> Reply:
        """Begin to follow a log where the caller asked; in a terminal, follow it to its end.

        Raises `Refused`, and what posting a message raises.
        """

    def target_of(self, id_: str | None) -> str | None:
        """The target of the one that `stop` would stop; None where it is not known here."""

    def is_of(self, user: str, id_: str | None) -> bool:
        """Whether the user began the one that `stop` would stop, as far as it is known here."""

    async def stop(self, id_: str | None, caller: Caller, sees: Sees, *, own: bool = False) -> Reply:
        """Stop one; without an id the only one that runs. ``own``: the caller may stop nobody else's."""


class Links(Protocol):
    """Makes the links to other tools and to runbooks, by the settings."""

    def of_target(self, name: str, place: Place) -> tuple[Link, ...]:
        """The links of a target that are shown at ``place``."""

    def of_problem(self, problem: Problem) -> tuple[Link, ...]:
        """The links of an alert: its runbook first."""

    def of_findings(self, name: str, findings: Iterable[Finding], jobs: Sequence[str]) -> tuple[Link, ...]:
        """The runbooks of what is wrong with a target; ``jobs`` are the jobs that are."""

    def of_diagnosis(self, name: str, diagnosis: str, url: str) -> tuple[Link, ...]:
        """The runbook of a diagnosis, whose URL may have placeholders; then the target's links."""


class MessageLinks(Protocol):
    """Makes links to the bot's own messages."""

    async def to(self, label: str, key: MessageKey | str) -> tuple[Link, ...]:
        """A link to the message of that key; none where it isn't posted, or has no address. Never raises."""


class Digests(Protocol):
    """Renders digests. Raises as the ledger does."""

    async def digest(self, day: date, read: ChecksRead | None = None) -> Reply:
        """The digest of a local day, with what the checks say now."""


@dataclass(frozen=True)
class Context:
    """Everything that a command may use."""

    target: Target
    cluster: Cluster
    network: Network
    heartbeats: HeartbeatSource | None
    clock: Clock
    caller: Caller
    access: AccessPolicy
    about: About
    commands: Sequence[Command]
    probe_timeout: float = 3.0
    """Each probe's own deadline, in seconds."""
    prefix: str = "/agentpod"
    """How the caller addresses the bot; command lines in answers begin with it."""
    request_id: str = ""
    repairs: Repairs | None = None
    """None where there is no ledger."""
    ledger: Ledger | None = None
    change_log: ChangeRecorder | None = None
    """None where only a command runs, not the bot."""
    anchor_store: AnchorStore | None = None
    """Where the settings have the audit trail's anchors kept outside the ledger; None for nowhere."""
    alerts: Alerts | None = None
    """None where there is no ledger."""
    timezone: str = "UTC"
    """The time zone of the digest's days and of times that callers type, such as "tomorrow 9:00"."""
    follows: Follows | None = None
    """None where there is neither a chat nor a terminal."""
    digests: Digests | None = None
    """None where there is no ledger."""
    undelivered: Undelivered | None = None
    """None where there is no ledger."""
    people: People | None = None
    """None where there is no Slack."""
    links: Links | None = None
    """None where nothing is linked."""
    message_links: MessageLinks | None = None
    """None where there is no ledger."""
    book: CompiledRunbook | None = None
    """The target's runbook."""
    registry: ImageRegistry | None = None
    """None where the settings switch it off."""
    decryption: Decryption | None = None
    """None where no target's config files are decrypted."""
    outside: Outside = field(default_factory=Outside)
    """Redacts text from outside; it knows all of the bot's secret values."""
    heavy: Turns = field(default_factory=Turns)
    """Limits how many commands that take much memory run at a time."""
    targets: tuple[str, ...] = ()
    """The names of all targets of the settings."""
    several: bool = False
    """Whether the settings have several targets, so that answers about all of them name each."""
    dry_run: bool = False
    """Whether the ports only record calls: what they answer is made up."""
    others: tuple[Context, ...] = ()
    """The contexts of the other targets, where the caller named none."""
    progress: Callable[[Reply], Awaitable[None]] = _silent
    """Show a partial answer; the renderer decides how often it edits the message."""
