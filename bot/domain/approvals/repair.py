"""Repairs as cases: what was asked for, of what, why, and how far it has come.

A case never holds a secret's value: a value goes from its modal straight to the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from bot.domain.approvals.actions import registry
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.approval import Choice, Request, RequestState, Snapshot
from bot.domain.core import ids
from bot.domain.core.stored import Stored
from bot.domain.core.workload import Deployment, Pod, SecretFacts
from bot.domain.health import judge_pod
from bot.domain.health.rollout import ChangeMarker, RolloutProgress


def _name(action: RepairAction) -> str:
    return action.name


KnownAction = Annotated[RepairAction, PlainValidator(registry.named), PlainSerializer(_name, return_type=str)]
"""An action as it is kept: by its name. A body with a name that this agentpod does not know can't be read."""


def new_id() -> str:
    """A request's id, short enough to type on a phone: about 10¹² of them; the ledger refuses a double."""
    return ids.short("r-", 8)


def is_id(text: str) -> bool:
    """Whether a text looks like a request's id."""
    return text.startswith("r-") and len(text) == 10 and all(c in ids.LETTERS for c in text[2:])


@dataclass(frozen=True)
class Lease:
    """Which process carries a case out, and until when the others leave it alone."""

    by: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class ExecutionResult:
    """How it ended, in words."""

    text: str
    at: datetime
    evidence: tuple[str, ...] = ()
    advice: str = ""
    """The command line to go on with, without ``/agentpod``."""
    seconds: float | None = None
    """From the change to ready."""


@dataclass(frozen=True)
class Wait:
    """A pause that the API server asked for, before the change is tried again."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class RepairRequest:
    """One repair from the request to its end."""

    request: Request
    target: str
    action: KnownAction
    reason: str = ""
    subject: str = ""
    """What of the target: a Secret's name and key, a key's fingerprint; empty for the pod itself."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What carrying it out needs besides; never a secret's value."""
    facts: tuple[tuple[str, str], ...] = ()
    """Labels and values that the card shows of it as it was when it was asked for."""
    effect: str = ""
    """What will happen, in a sentence or two."""
    channel: str = ""
    """Where the card is."""
    asked_in: str = ""
    """Where it was asked for."""
    origin: str = ""
    """The one Slack request it came from: the same one delivered twice asks once."""
    joined: tuple[str, ...] = ()
    """Others who asked for the same while it was open."""
    held: Lease | None = None
    mark: ChangeMarker | None = None
    """What the change left to recognise it by, from the claim on."""
    sent_at: datetime | None = None
    """When the change was known to be made: from then on it is only followed."""
    progress: RolloutProgress | None = None
    wait: Wait | None = None
    outcome: ExecutionResult | None = None
    version: int = 0
    """Counts its changes; the ledger refuses to save over a newer one."""

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    @property
    def state(self) -> RequestState:
        """Where the request stands."""
        return self.request.state

    @property
    def places(self) -> tuple[str, ...]:
        """The channels that it belongs to: of its card, and where it was asked for."""
        return tuple(dict.fromkeys(p for p in (self.channel, self.asked_in) if p.startswith(("C", "G"))))

    @property
    def approved(self) -> bool:
        """Whether it was approved, whatever came after."""
        alone = any(d.choice is Choice.BREAK_GLASS for d in self.request.decisions)
        return alone or self.request.missing == 0

    @property
    def exclusive(self) -> str:
        """Cases that are open at the same time differ in this: one restart a target, one change a key."""
        return self.action.exclusive(self)

    def in_state(self, state: RequestState) -> RepairRequest:
        """The case with its request in another state."""
        return replace(self, request=replace(self.request, state=state))

    def ended(self, state: RequestState, outcome: ExecutionResult) -> RepairRequest:
        """The case at its end; nobody holds it any more."""
        return replace(self.in_state(state), outcome=outcome, held=None, wait=None)

    def taken(self, by: str, now: datetime, hold: timedelta) -> RepairRequest:
        """The case in the hands of one process for the time of ``hold``."""
        since = self.held.since if self.held else now
        return replace(self, held=Lease(by, since, now + hold))


@dataclass(frozen=True)
class Proposal:
    """What a command asks for: a case before it has an id, a place and a time."""

    action: RepairAction
    snapshot: Snapshot
    reason: str
    effect: str
    facts: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TargetState:
    """The target as it is: what approvals are bound to."""

    deployment: Deployment
    pods: tuple[Pod, ...]

    @property
    def snapshot(self) -> Snapshot:
        """What a request made now would be bound to. The records of pods that are over are no part of it."""
        pods = tuple((p.name, p.uid) for p in judge_pod.live(self.pods))
        images = tuple(self.deployment.images.items())
        return Snapshot(self.deployment.uid, self.deployment.generation, images, pods)


SHELL = "terminal:"
"""How the names of those begin who ask in a shell; the login name follows, which proves nothing."""

SINK = "secret:"
"""How the sinks of forms for values begin; the case's id follows."""


def secret_snapshot(seen: SecretFacts) -> Snapshot:
    """What a change of a Secret is bound to: the Secret as it is, to the last byte."""
    return Snapshot(seen.uid, 0, version=seen.resource_version, kind=f"Secret {seen.name}")


@dataclass(frozen=True)
class Asked:
    """What became of a proposal."""

    case: RepairRequest
    joined: bool
    """Whether the same was asked for already, so that there is nothing new."""


KEPT = Stored(RepairRequest)


def to_json(case: RepairRequest) -> str:
    """A case as the ledger keeps it."""
    return KEPT.dump(case)


def from_json(text: object) -> RepairRequest:
    """A case from the ledger. Raises `Unreadable` (a ValueError) for what :func:`to_json` did not write."""
    return KEPT.load(text)
