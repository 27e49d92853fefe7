"""What a command may use, and who runs it from where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import SecretStr

from bot.domain.approvals.approval import ApprovalPolicy, Choice, Ruling
from bot.domain.approvals.repair import SHELL, Asked, Proposal, RepairRequest
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.incidents.alerting import Incident
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster, Network
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.outbox import Undelivered
from bot.runbook.turns import Turns

if TYPE_CHECKING:
    from bot.runbook.command import Command

Surface = Literal["slash", "mention", "dm", "button", "modal", "terminal", "home"]


@dataclass(frozen=True)
class About:
    """What runs here."""

    version: str
    started_at: datetime
    python: str


@dataclass(frozen=True)
class Caller:
    """Who runs a command, and from where."""

    identity: Identity
    surface: Surface
    origin: str = ""
    """What tells one Slack request from another: the same one delivered twice has the same."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody with the bot's own credentials runs it from a shell."""
        return self.surface == "terminal"

    @property
    def who(self) -> str:
        """The caller as the ledger and messages name them: nobody in a shell passes for a Slack user."""
        return f"{SHELL}{self.identity.user}" if self.is_terminal else self.identity.user


async def _silent(_: Reply) -> None:
    """Progress that nobody watches."""


class SecretSink(Protocol):
    """Takes values that may pass through nothing that keeps or shows them."""

    async def __call__(self, sink: str, values: Mapping[str, SecretStr], caller: Caller) -> Reply:
        """Store what a form with this ``sink`` was filled in with; never raises."""


class Repairs(Protocol):
    """Where repairs are asked for and decided on. Raises as the ledger does, and `Refused` by rule."""

    @property
    def policy(self) -> ApprovalPolicy:
        """How requests are decided."""

    async def ask(self, proposal: Proposal, target: str, caller: Caller) -> Asked:
        """Open a case, or join the one that asks for the same."""

    async def find(self, id_: str) -> RepairRequest | None:
        """The request of that id as it stands now."""

    async def decide(
        self, id_: str, choice: Choice, caller: Caller, reason: str = ""
    ) -> tuple[Ruling, RepairRequest]:
        """Rule on what somebody said to a case, and carry out what is approved."""

    async def may_give_value(self, id_: str, caller: Caller) -> RepairRequest:
        """The approved case that waits for this caller's value."""


class Alerts(Protocol):
    """What people do to incidents. Raises as the ledger does, `NotFound`, or `Refused` with why not."""

    async def acknowledge(self, id_: str, by: str) -> Incident:
        """Somebody takes care of it."""

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        """Nobody wants to hear of it until then."""


class Digests(Protocol):
    """Who looks back on a day. Raises as the ledger does."""

    async def digest(self, day: date) -> Reply:
        """The digest of a local day."""


@dataclass(frozen=True)
class Context:
    """All that a command may use."""

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
    """How the caller addresses the bot, for command lines in answers."""
    request_id: str = ""
    repairs: Repairs | None = None
    """None where there is no ledger."""
    ledger: Ledger | None = None
    alerts: Alerts | None = None
    """None where there is no ledger."""
    timezone: str = "UTC"
    """Whose days the digest is about, and where "tomorrow at nine" is."""
    digests: Digests | None = None
    """None where there is no ledger."""
    undelivered: Undelivered | None = None
    """None where there is no ledger."""
    outside: Outside = field(default_factory=Outside)
    """Redacts text from outside; it knows all of the bot's secret values."""
    heavy: Turns = field(default_factory=Turns)
    """Whose turn it is to read what takes much memory."""
    others: tuple[Context, ...] = ()
    """The same for the other targets, where the caller named none."""
    progress: Callable[[Reply], Awaitable[None]] = _silent
    """Show a partial answer; the renderer decides how often it really edits the message."""
