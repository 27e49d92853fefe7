"""The state machine of approvals: who may decide, what a decision leads to, and what makes a request void.

Pure: times are arguments, and nothing is stored here. The ledger makes each transition conditional on the state it
was decided from, so that of two bots or two clicks exactly one wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.domain.core import ids
from bot.domain.core.images import reference, shortened
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.core.target import DurationOrZero, Number, parse_duration


class RequestState(Enum):
    """The state of a request. Final states never change."""

    OPEN = "open"
    """Waits for decisions."""
    APPROVED = "approved"
    """Has all approvals, but no bot has claimed it yet."""
    EXECUTING = "executing"
    """Claimed by one bot: from now on, the change may have been sent."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOID = "void"
    """The target has changed since the request."""

    @property
    def final(self) -> bool:
        """Whether no other state can follow."""
        return not FOLLOWS[self]


FOLLOWS: Mapping[RequestState, frozenset[RequestState]] = {
    RequestState.OPEN: frozenset(
        {
            RequestState.APPROVED,
            RequestState.DENIED,
            RequestState.WITHDRAWN,
            RequestState.EXPIRED,
            RequestState.VOID,
        }
    ),
    # Failed without having started: no bot claimed it in time.
    RequestState.APPROVED: frozenset({RequestState.EXECUTING, RequestState.VOID, RequestState.FAILED}),
    # Void after the claim: the last check before the change found that the target had changed.
    RequestState.EXECUTING: frozenset({RequestState.SUCCEEDED, RequestState.FAILED, RequestState.VOID}),
    RequestState.SUCCEEDED: frozenset(),
    RequestState.FAILED: frozenset(),
    RequestState.DENIED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.VOID: frozenset(),
}
"""The allowed transitions. EXECUTING can only be reached through APPROVED."""


class ApprovalPolicy(BaseModel):
    """How many have to agree, how long the bot waits for them, and who may skip the approval in an emergency."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    needed: Number = Field(default=1, ge=1, le=10)
    """Approvals until a request is carried out, each by another person."""
    self_approval: bool = False
    """Whether the approval of whoever asked, or joined, counts."""
    open_at_once: Number = Field(default=5, ge=1, le=100)
    """How many requests one person may have open; all shells together count as one."""
    expires_after: timedelta = timedelta(minutes=30)
    """How long a request waits for decisions."""
    remind_before: DurationOrZero | None = None
    """How long before it expires an open request is brought up again in its card's thread; half of its time at
    most. Not set: a sixth of its time, at least 2m. 0: never."""
    message_approvers: Number = Field(default=10, ge=0, le=50)
    """How many approvers get a direct message about a request that needs them, at most: where more may decide, or
    everybody may, nobody gets one. 0: nobody."""
    start_within: timedelta = timedelta(minutes=5)
    """How long after the last approval it may still begin, if no bot was there at once."""
    follow_for: timedelta = timedelta(minutes=10)
    """How long a restart is followed until it has failed."""
    heartbeats_push: Literal["approver", "operator", "approval"] = "approver"
    """Who may push a heartbeat by hand: approvers alone, operators too, or nobody without an approval."""
    break_glass: tuple[str, ...] = ()
    """Users (U…) and user groups (S…) who may skip the approval: recorded and announced. Empty: nobody."""

    @field_validator("expires_after", "start_within", "follow_for", mode="before")
    @classmethod
    def _duration(cls, value: object) -> timedelta:
        return parse_duration(value)

    @field_validator("expires_after", "start_within", "follow_for")
    @classmethod
    def _reasonable(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= value <= timedelta(days=1):
            raise ValueError("takes one minute to one day")
        return value

    @field_validator("break_glass")
    @classmethod
    def _ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return ids.people(value)

    def needed_for(self, *, shell: bool, at_least: int = 1) -> int:
        """The approvals that a new request needs. One from a shell needs one more, since its requester may approve
        it in Slack."""
        return max(self.needed, at_least) + (shell and not self.self_approval)

    def lets_alone(self, user: str, groups: frozenset[str]) -> bool:
        """Whether a user in these groups may break glass."""
        return not {user, *groups}.isdisjoint(self.break_glass)

    def groups(self) -> frozenset[str]:
        """The user groups in the break-glass list."""
        return frozenset(g for g in self.break_glass if g.startswith("S"))


class Choice(Enum):
    """The possible decisions on a request."""

    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True)
class Decision:
    """A decision that was accepted."""

    choice: Choice
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The target's state that a request is bound to: an approval is only valid for this."""

    uid: str
    generation: int
    images: tuple[tuple[str, str], ...] = ()
    """Container name and image, in the Deployment's order."""
    pods: tuple[tuple[str, str], ...] = ()
    """Name and uid of each pod that the action ends. A pod that appears where there was none is a change."""
    version: str = ""
    """The object's resource version, if any change of it counts; then pods don't count. Empty for a Deployment."""
    kind: str = "Deployment"
    """The kind of the object, for messages."""
    tags: tuple[tuple[str, str], ...] = ()
    """Names of images that the action starts, each with the digest that it stands for in its registry."""
    file: str = ""
    """The SHA-256 of the file that the change is made from; empty where there is none."""

    def changes(self, now: Snapshot) -> list[str]:
        """Describe the differences to the present state; empty if the approval is still valid."""
        if now.uid != self.uid:
            return [f"the {self.kind} was deleted and created again"]
        found = [
            _image(name, image, dict(now.images).get(name, ""))
            for name, image in self.images
            if not _is_same(image, dict(now.images).get(name))
        ]
        if not self.version and set(now.pods) != set(self.pods):
            found.append(_pods(_names(self.pods), _names(now.pods)))
        if self.version and now.version != self.version:
            found.append(f"the {self.kind} was changed")
        after = dict(now.tags)
        moved = [(name, digest, after[name]) for name, digest in self.tags if after.get(name, digest) != digest]
        found += [_moved(*one) for one in moved]
        if not found and now.generation != self.generation:
            found.append(f"the Deployment was changed (generation {self.generation}, now {now.generation})")
        return found


def _is_same(kept: str, now: str | None) -> bool:
    """Whether a text is still the same; one that was kept redacted is compared by the rest of it."""
    if now is None or PLACEHOLDER not in kept:
        return kept == now
    return re.fullmatch(".+".join(map(re.escape, kept.split(PLACEHOLDER))), now) is not None


def _image(container: str, before: str, now: str) -> str:
    """Describe the change of a container's image; only the tags if both are of one repository."""
    if not now:
        return f"{container} is gone from the Deployment (image {before})"
    repository = before.rpartition(":")[0] + ":"
    if now.startswith(repository) and "/" not in now.removeprefix(repository):
        before, now = before.removeprefix(repository), now.removeprefix(repository)
    return f"the image of {container} was changed ({before} → {now})"


def _moved(name: str, before: str, now: str) -> str:
    """Describe where a tag points now."""
    return f":{reference(name).tag or 'latest'} has moved ({shortened(before)} → {shortened(now)})"


def _pods(before: str, now: str) -> str:
    if not now:
        return f"the pod is gone ({before})"
    return (
        f"the pod was replaced ({before} → {now})" if before else f"there was no pod then, and now there is {now}"
    )


def _names(pods: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in pods)


@dataclass(frozen=True)
class Request:
    """The approval part of a repair request: state and decisions."""

    id: str
    requester: str
    created_at: datetime
    expires_at: datetime
    snapshot: Snapshot
    needed: int = 1
    state: RequestState = RequestState.OPEN
    decisions: tuple[Decision, ...] = ()

    @property
    def approvals(self) -> tuple[Decision, ...]:
        """The approvals, oldest first."""
        return tuple(d for d in self.decisions if d.choice is Choice.APPROVE)

    @property
    def missing(self) -> int:
        """How many approvals are still needed."""
        return max(0, self.needed - len(self.approvals))


class Rule(Enum):
    """Why a click was accepted or not. The values are shown to whoever clicked."""

    APPROVED = "approved"
    COUNTED = "counted: more approvals are needed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    GLASS_BROKEN = "break-glass: carried out without a second person"
    NOT_OPEN = "already decided"
    EXPIRED = "expired"
    NOT_AN_APPROVER = "only approvers can decide"
    FOUR_EYES = "four eyes: whoever asked or joined can't approve it"
    ONE_VOTE = "one vote each"
    ONLY_THE_REQUESTER = "only the requester can withdraw it"
    NO_BREAK_GLASS = "only people on the break-glass list may skip the approval"
    REASON_NEEDED = "a reason is needed"
    NO_TARGET = "what is not in the settings can't be repaired"
    SHELL = "nothing is decided in a shell: nobody knows who uses it"


ACCEPTED = frozenset({Rule.APPROVED, Rule.COUNTED, Rule.DENIED, Rule.WITHDRAWN, Rule.GLASS_BROKEN})


@dataclass(frozen=True)
class Standing:
    """A person's rights at the time of the click, since they may have changed after the request."""

    user: str
    approver: bool = False
    break_glass: bool = False
    joined: bool = False
    """Whether they made the same request while this one was open."""
    shell: bool = False
    """Whether they use a shell, where identities are not verified."""
    unread: frozenset[str] = frozenset()
    """User groups whose members could not be read at the click; they grant no rights."""


@dataclass(frozen=True)
class Click:
    """A decision before it is accepted, by a button or a command: what, by whom, when."""

    choice: Choice
    who: Standing
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Ruling:
    """The result of a click: the next state, and the rule that decided it."""

    rule: Rule
    state: RequestState
    unread: frozenset[str] = frozenset()
    """User groups that could not be read, where being a member of one might have made the click count."""
    begun: bool = True
    """Whether the effect of an approval is known: False while the target is still being checked."""

    @property
    def accepted(self) -> bool:
        """Whether the click was accepted."""
        return self.rule in ACCEPTED


def overdue(request: Request, now: datetime) -> bool:
    """Whether an open request has expired."""
    return request.state is RequestState.OPEN and now >= request.expires_at


def may_start(request: Request, policy: ApprovalPolicy, now: datetime) -> bool:
    """Whether an approved request may still start, claimed or not: an approval is valid for a limited time."""
    if request.state not in (RequestState.APPROVED, RequestState.EXECUTING) or not request.decisions:
        return False
    return now <= start_by(request, policy)


def start_by(request: Request, policy: ApprovalPolicy) -> datetime:
    """The latest start of an approved request; without decisions, counted from the creation."""
    last = request.decisions[-1].at if request.decisions else request.created_at
    return last + policy.start_within


def rule(request: Request, click: Click, policy: ApprovalPolicy) -> Ruling:
    """Decide on a click. A final or claimed request is never changed."""
    refusal = _refusal(request, click, policy)
    if refusal is not None:
        by_group = refusal in (Rule.NOT_AN_APPROVER, Rule.NO_BREAK_GLASS)
        state = RequestState.EXPIRED if refusal is Rule.EXPIRED else request.state
        return Ruling(refusal, state, click.who.unread if by_group else frozenset())
    if click.choice is Choice.APPROVE:
        last = request.missing <= 1
        return Ruling(Rule.APPROVED, RequestState.APPROVED) if last else Ruling(Rule.COUNTED, RequestState.OPEN)
    return {
        Choice.DENY: Ruling(Rule.DENIED, RequestState.DENIED),
        Choice.WITHDRAW: Ruling(Rule.WITHDRAWN, RequestState.WITHDRAWN),
        Choice.BREAK_GLASS: Ruling(Rule.GLASS_BROKEN, RequestState.APPROVED),
    }[click.choice]


def decided(request: Request, click: Click, ruling: Ruling) -> Request:
    """The request after a click: the new state, and the decision if it was accepted."""
    if not ruling.accepted:
        return replace(request, state=ruling.state)
    decision = Decision(click.choice, click.who.user, click.at, click.reason.strip())
    return replace(request, state=ruling.state, decisions=(*request.decisions, decision))


def _refusal(request: Request, click: Click, policy: ApprovalPolicy) -> Rule | None:
    """The first rule that refuses the click: by the request's state, then the person, then the reason."""
    if request.state is not RequestState.OPEN:
        return Rule.EXPIRED if request.state is RequestState.EXPIRED else Rule.NOT_OPEN
    if overdue(request, click.at):
        return Rule.EXPIRED
    refusal = _not_entitled(request, click, policy)
    if refusal is None and click.choice in (Choice.DENY, Choice.BREAK_GLASS) and not click.reason.strip():
        return Rule.REASON_NEEDED
    return refusal


def _not_entitled(request: Request, click: Click, policy: ApprovalPolicy) -> Rule | None:
    who, own = click.who, click.who.user == request.requester
    if click.choice is Choice.WITHDRAW:  # in a shell too, since it only stops something
        return None if own else Rule.ONLY_THE_REQUESTER
    if who.shell:
        return Rule.SHELL
    if click.choice is Choice.BREAK_GLASS:
        return None if who.break_glass else Rule.NO_BREAK_GLASS
    if not who.approver:
        return Rule.NOT_AN_APPROVER
    if click.choice is Choice.APPROVE and (own or who.joined) and not policy.self_approval:
        return Rule.FOUR_EYES
    if click.choice is Choice.APPROVE and any(d.by == who.user for d in request.approvals):
        return Rule.ONE_VOTE
    return None
