"""Defines a command: name, parameters, required role, and required Kubernetes rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.runbook.context import Context

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook


class Params(BaseModel):
    """A command's arguments. A field with ``json_schema_extra={"positional": True}`` is positional."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NoParams(Params):
    """For commands without arguments."""


GROUPS = ("Observe", "Logs", "Alerts", "Secrets", "SSH", "Repair", "Audit", "General", "Runbook")
"""The headings under which commands are listed."""


class Concerns(Enum):
    """Which targets a command is about: its caller needs the right to each of them."""

    TARGET = "target"
    """The one that it is run for: that of --target, or the first."""
    SEEN = "seen"
    """The one that --target names; without it, those that the caller has a right to, as the command checks."""
    ALL = "all"
    """All of them together, whatever --target says."""
    NOTHING = "nothing"
    """None of them."""
    REQUEST = "request"
    """That of the repair request that its argument ``id`` names; without one as SEEN."""
    INCIDENT = "incident"
    """That of the incident that its argument ``id`` names; without one as SEEN."""


@dataclass(frozen=True)
class Declared:
    """What one target's runbook says of a declared command."""

    approvals: int = 0
    """How many approvals its request needs at least; 0 where it makes none."""
    audited: bool = False
    """Record each run for this target in the audit trail."""


CommandFunction = Callable[[Context, Any], Awaitable[Reply]]


def _none(*_: object) -> Sequence[Right]:
    """No rights."""
    return ()


@dataclass(frozen=True)
class Command:
    """One runbook entry."""

    name: str
    summary: str
    """One line for `help`, without a full stop."""
    needs: Capability
    run: CommandFunction
    params: type[Params] = NoParams
    group: str = "Observe"
    """One of :data:`GROUPS`."""
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    details: str = ""
    """A paragraph for `help COMMAND`."""
    concerns: Concerns = Concerns.TARGET
    approvals: int | None = None
    """How many approvals its repair request needs at least; 0: it makes none. Left out, what it `needs` says."""
    sensitive_args: bool = False
    """Arguments may be secret: never echo them."""
    quick: bool = False
    """Needs hardly anything from other servers, so it doesn't queue behind slow commands."""
    audited: bool = False
    """Record each run in the audit trail: it shows logs or stops them, lists Secret keys, or runs in the pod."""
    threaded: bool = False
    """A click on a message that all can see is answered in that message's thread, for all."""
    anew: bool = False
    """Look up the caller's groups in Slack anew, as is done for all private commands."""
    offered: Callable[[Context], bool] = lambda _: True
    """Whether it is of use to this caller with these settings; if not, `help` and `whoami` leave it out."""
    unoffered: str = "can do nothing for you here"
    """The reason for that, following the command's name."""
    off: Callable[[Context], str] = lambda _: ""
    """The setting that would switch it on for the target, such as ``targets[].egress``; empty where it is on."""
    off_answer: Callable[[Context], str] = lambda _: ""
    """What it does all the same while it is off, such as ``says how to do it by hand``; empty: it refuses."""
    own: Callable[[Context, Any], bool] | None = None
    """Whether what its parameters name is the caller's own, so that the caller needs no role for it."""
    rights: Callable[[Target], Sequence[Right]] = field(default=_none)
    """The Kubernetes rights that it needs for a target, for `agentpod check` and the shipped Role."""
    runbook_rights: Callable[[CompiledRunbook, Target], Sequence[Right]] = field(default=_none)
    """The rights that it needs besides for what the target's runbook reads."""
    rights_beside: Callable[[CompiledRunbook, Target], Sequence[Right]] = field(default=lambda *_: ())
    """Rights for checks of the runbook that it makes beside its own: without these it only says less."""

    declared: Mapping[str, Declared] = field(default_factory=dict)
    """Of one that runbooks declare: what each target's says, by target."""

    @property
    def reads_pod(self) -> bool:
        """Whether it declares Kubernetes rights, so that its replies have text of the pod."""
        return self.rights is not _none or self.runbook_rights is not _none

    @property
    def needs_settings(self) -> bool:
        """Whether it is about a target or the ledger. Help, whoami and the like are about the bot itself."""
        return self.concerns is not Concerns.NOTHING and (self.group != "General" or self.reads_pod)

    @property
    def approvals_at_least(self) -> int:
        """How many approvals its repair request needs at least; 0 where it makes none."""
        if self.approvals is not None:
            return self.approvals
        return int(self.needs is Capability.REQUEST and self.concerns is not Concerns.REQUEST)

    @property
    def private(self) -> bool:
        """Whether only the caller sees its answer, even if asked in public; they can share it."""
        return self.needs.private

    @property
    def asks_anew(self) -> bool:
        """Whether a cached role is not good enough, since it shows logs or changes something."""
        return self.anew or self.needs.private


@dataclass(frozen=True)
class Invocation:
    """A parsed command line."""

    command: Command
    params: Params
    target: str | None
    dry_run: bool
    """Whether to show the calls instead of making them."""
    line: str
    """The words after the bot's name, with whitespace normalised, for "run again"."""
