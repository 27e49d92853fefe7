"""Repair requests: what is to be done to which target, why, and how far it has come.

A request never contains a secret's value, which goes from the form straight to the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from bot.domain.approvals.actions import registry
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.approval import Choice, Request, RequestState, Snapshot
from bot.domain.approvals.forecast import NOTHING, WARNED, WORSE, Forecast
from bot.domain.approvals.steps import LOG
from bot.domain.core import ids
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.stored import Stored
from bot.domain.core.workload import Deployment, Pod, SecretFacts
from bot.domain.health import judge_pod
from bot.domain.health.rollout import ChangeMarker, RolloutProgress


def _name(action: RepairAction) -> str:
    return action.name


KnownAction = Annotated[RepairAction, PlainValidator(registry.named), PlainSerializer(_name, return_type=str)]
"""An action, stored by its name. A body with an unknown action can't be read."""


def new_id() -> str:
    """Return a new request id, short enough to type on a phone.

    There are about 10¹²; the ledger refuses duplicates.
    """
    return ids.short("r-", 8)


def is_id(text: str) -> bool:
    """Whether a text has the form of a request id."""
    return text.startswith("r-") and len(text) == 10 and all(c in ids.LETTERS for c in text[2:])


@dataclass(frozen=True)
class Lease:
    """Which process carries a request out, and until when no other may take it over."""

    by: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class ExecutionResult:
    """How a request ended."""

    text: str
    at: datetime
    evidence: tuple[str, ...] = ()
    advice: str = ""
    """The next command line, without ``/agentpod``."""
    seconds: float | None = None
    """Seconds from the change to ready."""

    @property
    def unapproved(self) -> tuple[str, ...]:
        """What nobody approved that it would end or warn of, a line each; none where that voided nothing."""
        return self.evidence if self.text in (WORSE, WARNED) else ()

    @property
    def in_full(self) -> str:
        """The text with what it stands for."""
        return "; ".join((self.text, *self.unapproved))


NOTHING_CHANGED = "nothing was changed"
"""How the text of a request begins or ends that failed before its change."""


def failed(text: str) -> str:
    """Return "failed: …" for the text of a request that failed, with what it left unchanged first."""
    cause = text.removeprefix(f"{NOTHING_CHANGED}: ")
    return f"failed: {text}" if cause == text else f"failed, {NOTHING_CHANGED}: {cause}"


@dataclass(frozen=True)
class Wait:
    """A pause requested by the API server before the change is tried again."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class RepairRequest:
    """A repair, from the request to its end."""

    request: Request
    target: str
    action: KnownAction
    reason: str = ""
    subject: str = ""
    """The part of the target: a Secret's name and key, an SSH key's fingerprint; empty for the pod itself."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Further data for the execution; never a secret's value."""
    facts: tuple[tuple[str, str], ...] = ()
    """Labels and values for the card, as of the time of the request."""
    effect: str = ""
    """What will happen, in a sentence or two."""
    forecast: Forecast = NOTHING
    """What it changes, ends and costs, as of the time of the request."""
    channel: str = ""
    """The channel of the card."""
    asked_in: str = ""
    """The channel in which the request was made."""
    origin: str = ""
    """The id of the Slack delivery it came from, so that a redelivery makes no second request."""
    joined: tuple[str, ...] = ()
    """Others who made the same request while it was open."""
    beside: str = ""
    """The key of the bot's message at which it was asked for, such as an alert; empty for none."""
    reminded_at: datetime | None = None
    """When a reminder of its expiry was enqueued; never a second one."""
    messaged: tuple[str, ...] | None = None
    """The approvers who get a direct message about it; None until they are known."""
    held: Lease | None = None
    mark: ChangeMarker | None = None
    """By what the change can be recognised, set when the request is claimed."""
    sent_at: datetime | None = None
    """When the change was known to be made; from then on it is only followed."""
    progress: RolloutProgress | None = None
    wait: Wait | None = None
    outcome: ExecutionResult | None = None
    version: int = 0
    """Number of changes; the ledger refuses to overwrite a newer version."""

    @property
    def id(self) -> str:
        """The id of the request."""
        return self.request.id

    @property
    def state(self) -> RequestState:
        """The state of the request."""
        return self.request.state

    @property
    def done_as(self) -> str:
        """What was found once it was done; empty until then, and where it failed."""
        return self.outcome.text if self.outcome is not None and self.state is RequestState.SUCCEEDED else ""

    @property
    def unchanged(self) -> bool:
        """Whether it failed before anything was changed."""
        said = self.outcome.text if self.outcome is not None and self.state is RequestState.FAILED else ""
        return self.sent_at is None and (
            said.startswith(f"{NOTHING_CHANGED}:") or said.endswith(f": {NOTHING_CHANGED}")
        )

    @property
    def places(self) -> tuple[str, ...]:
        """The channels of the request: of the card, and where it was made."""
        return tuple(dict.fromkeys(p for p in (self.channel, self.asked_in) if p.startswith(("C", "G"))))

    @property
    def approved(self) -> bool:
        """Whether it was approved, whatever happened afterwards."""
        alone = any(d.choice is Choice.BREAK_GLASS for d in self.request.decisions)
        return alone or self.request.missing == 0

    @property
    def under_way_since(self) -> datetime | None:
        """When the decision was made that it be carried out; None where it still waits for one, or has ended."""
        if self.state not in (RequestState.APPROVED, RequestState.EXECUTING):
            return None
        return self.request.decisions[-1].at if self.request.decisions else self.request.created_at

    @property
    def exclusive(self) -> str:
        """Cases that are open at the same time differ in this: one restart a target, one change a key."""
        return self.action.exclusive(self)

    def in_state(self, state: RequestState) -> RepairRequest:
        """A copy in another state."""
        return replace(self, request=replace(self.request, state=state))

    def ended(self, state: RequestState, outcome: ExecutionResult) -> RepairRequest:
        """A copy that has ended, without lease and pause."""
        return replace(self.in_state(state), outcome=outcome, held=None, wait=None)

    def taken(self, by: str, now: datetime, hold: timedelta) -> RepairRequest:
        """A copy that is leased to one process for ``hold``; a renewed lease keeps its beginning."""
        since = self.held.since if self.held else now
        return replace(self, held=Lease(by, since, now + hold))


@dataclass(frozen=True)
class Proposal:
    """A repair that a command proposes, before it has an id, a channel and a time."""

    action: RepairAction
    snapshot: Snapshot
    reason: str
    effect: str
    facts: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    forecast: Forecast = NOTHING
    id: str = field(default_factory=new_id)
    needed: int = 1
    """Approvals that it needs at least, whatever the policy says."""


@dataclass(frozen=True)
class TargetState:
    """The target's present state, to which approvals are bound."""

    deployment: Deployment
    pods: tuple[Pod, ...]

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot for a request made now; pods that are over are left out."""
        pods = tuple((p.name, p.uid) for p in judge_pod.live(self.pods))
        images = tuple(self.deployment.images.items())
        return Snapshot(self.deployment.uid, self.deployment.generation, images, pods)


def restarted_by(repair: RepairRequest) -> tuple[str, str, int] | None:
    """The restart of a container that a request explains: pod's uid, container, its restart count afterwards.

    None where it restarts no single container, or its command was not sent.
    """
    name, pods = repair.action.container(repair), repair.request.snapshot.pods
    under_way = repair.state is RequestState.EXECUTING and LOG in repair.details
    if not name or not pods or not (under_way or repair.sent_at is not None):
        return None
    return pods[0][1], name, repair.request.snapshot.generation + 1


SHELL = "terminal:"
"""Prefix of requesters who use a shell; the login name follows, which is not verified."""

SINK = "secret:"
"""Prefix of the sinks of forms for values; the request id follows."""


def secret_snapshot(seen: SecretFacts) -> Snapshot:
    """The snapshot for a change of a Secret, bound to its exact version."""
    return Snapshot(seen.uid, 0, version=seen.resource_version, kind=f"Secret {seen.name}")


@dataclass(frozen=True)
class Asked:
    """The result of a proposal."""

    repair: RepairRequest
    joined: bool
    """Whether the requester joined an equal open request, so that no new one was made."""


KEPT = Stored(RepairRequest)


def to_json(repair: RepairRequest) -> str:
    """Serialize for the ledger."""
    return KEPT.dump(repair)


def from_json(text: object) -> RepairRequest:
    """Deserialize. Raises `Unreadable` (a ValueError) for what `to_json` did not write."""
    return KEPT.load(text)
