"""Approval requests: who may decide, what a decision leads to, and what makes a request void.

Pure: times are arguments, and nothing is stored here. The ledger makes each transition conditional on the state
that it was decided from, so that of two bots or two clicks exactly one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.domain.core import ids
from bot.domain.core.target import parse_duration


class RequestState(Enum):
    """Where a request stands. What is final stays as it is, whatever the clock does."""

    OPEN = "open"
    """Waits for decisions."""
    APPROVED = "approved"
    """Has all approvals; no bot has claimed it yet."""
    EXECUTING = "executing"
    """Claimed by one bot: from here on the call may have been made."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOID = "void"
    """What was asked for has changed since."""

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
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
    # Failed without a start: no bot was there to claim it in time.
    RequestState.APPROVED: frozenset({RequestState.EXECUTING, RequestState.VOID, RequestState.FAILED}),
    # Void after the claim: the last look before the call saw a change.
    RequestState.EXECUTING: frozenset({RequestState.SUCCEEDED, RequestState.FAILED, RequestState.VOID}),
    RequestState.SUCCEEDED: frozenset(),
    RequestState.FAILED: frozenset(),
    RequestState.DENIED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.VOID: frozenset(),
}
"""What may follow what. EXECUTING can only be reached through APPROVED."""


class ApprovalPolicy(BaseModel):
    """How many have to agree, for how long one waits for them, and who may go ahead alone in an emergency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    needed: int = Field(default=1, ge=1, le=10)
    """Approvals until a request is carried out, each by another person."""
    self_approval: bool = False
    """Whether the approval of whoever asked, or joined, counts."""
    open_at_once: int = Field(default=5, ge=1, le=100)
    """How many requests one person may have open; all shells together count as one."""
    expires_after: timedelta = timedelta(minutes=30)
    """How long a request waits for decisions."""
    start_within: timedelta = timedelta(minutes=5)
    """How long after the last approval it may still begin, if no bot was there at once."""
    follow_for: timedelta = timedelta(minutes=10)
    """How long a restart is followed until it has failed."""
    break_glass: tuple[str, ...] = ()
    """Users (U…) and user groups (S…) who may go ahead alone, which is recorded and said loudly. Empty: nobody."""

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

    def needed_for(self, *, shell: bool) -> int:
        """The approvals that a new request needs: of a shell's, one may be that of whoever sits at it."""
        return self.needed + (shell and not self.self_approval)

    def lets_alone(self, user: str, groups: frozenset[str]) -> bool:
        """Whether somebody in these groups may go ahead alone."""
        return not {user, *groups}.isdisjoint(self.break_glass)

    def groups(self) -> frozenset[str]:
        """The user groups that the break-glass list names."""
        return frozenset(g for g in self.break_glass if g.startswith("S"))


class Choice(Enum):
    """What somebody can say to a request."""

    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True)
class Decision:
    """One thing that somebody said, and that counted."""

    choice: Choice
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What a request is bound to: an approval is for this and nothing else."""

    uid: str
    generation: int
    images: tuple[tuple[str, str], ...] = ()
    """Container name and image, in the Deployment's order."""
    pods: tuple[tuple[str, str], ...] = ()
    """Name and UID of each pod that the action ends: where there was none, one that comes is a change."""
    version: str = ""
    """The object's resource version, where any change of it counts and pods don't; empty for a Deployment."""
    kind: str = "Deployment"
    """What the object is, in words."""

    def changes(self, now: Snapshot) -> list[str]:
        """What is different now, in words; empty when the approval still fits."""
        if now.uid != self.uid:
            return [f"the {self.kind} was deleted and made anew"]
        found = [
            _image(name, image, dict(now.images).get(name, ""))
            for name, image in self.images
            if dict(now.images).get(name) != image
        ]
        if not self.version and set(now.pods) != set(self.pods):
            found.append(_pods(_names(self.pods), _names(now.pods)))
        if self.version and now.version != self.version:
            found.append(f"the {self.kind} was changed")
        if not found and now.generation != self.generation:
            found.append(f"the Deployment was changed (generation {self.generation}, now {now.generation})")
        return found


def _image(container: str, before: str, now: str) -> str:
    """What became of a container's image; of two of one repository only the tags."""
    if not now:
        return f"{container} is gone from the Deployment (image {before})"
    repository = before.rpartition(":")[0] + ":"
    if now.startswith(repository) and "/" not in now.removeprefix(repository):
        before, now = before.removeprefix(repository), now.removeprefix(repository)
    return f"the image of {container} was changed ({before} → {now})"


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
    """One request and what was said to it so far."""

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
        """The approvals that count, oldest first."""
        return tuple(d for d in self.decisions if d.choice is Choice.APPROVE)

    @property
    def missing(self) -> int:
        """How many approvals are still needed."""
        return max(0, self.needed - len(self.approvals))


class Rule(Enum):
    """Why a click counted or did not; the words are for the one who clicked."""

    APPROVED = "approved"
    COUNTED = "counted: more approvals are needed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    GLASS_BROKEN = "break-glass: carried out without a second person"
    NOT_OPEN = "already decided"
    EXPIRED = "expired"
    NOT_AN_APPROVER = "only approvers decide"
    FOUR_EYES = "four eyes: who asked for it, or joined, can't approve it"
    ONE_VOTE = "one vote each"
    ONLY_THE_REQUESTER = "only who asked can withdraw it"
    NO_BREAK_GLASS = "only the break-glass list may go ahead alone"
    REASON_NEEDED = "a reason is needed"
    NO_TARGET = "what is not in the settings can't be repaired"
    SHELL = "a shell decides nothing, since nobody knows who sits at it"


ACCEPTED = frozenset({Rule.APPROVED, Rule.COUNTED, Rule.DENIED, Rule.WITHDRAWN, Rule.GLASS_BROKEN})


@dataclass(frozen=True)
class Standing:
    """What somebody may do at the time of the click, not of the request: rights can be taken away in between."""

    user: str
    approver: bool = False
    break_glass: bool = False
    joined: bool = False
    """Whether they asked for the same while it was open."""
    shell: bool = False
    """Whether they sit at a shell, where anybody can be who they like."""
    unread: frozenset[str] = frozenset()
    """User groups whose members could not be read at the click: they give nothing."""


@dataclass(frozen=True)
class Click:
    """One click, or its like: what was chosen, by whom, when."""

    choice: Choice
    who: Standing
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Ruling:
    """What a click leads to: the state that follows, and the rule that says so."""

    rule: Rule
    state: RequestState
    unread: frozenset[str] = frozenset()
    """User groups that could not be read, where membership of one might have made it count."""
    begun: bool = True
    """Whether it is known by now what an approval led to: False while the target is still being looked at."""

    @property
    def accepted(self) -> bool:
        """Whether the click counted."""
        return self.rule in ACCEPTED


def overdue(request: Request, now: datetime) -> bool:
    """Whether a request that waits has waited too long."""
    return request.state is RequestState.OPEN and now >= request.expires_at


def may_start(request: Request, policy: ApprovalPolicy, now: datetime) -> bool:
    """Whether what was approved may still begin, claimed or not: an approval is for now, not for some day."""
    if request.state not in (RequestState.APPROVED, RequestState.EXECUTING) or not request.decisions:
        return False
    return now <= start_by(request, policy)


def start_by(request: Request, policy: ApprovalPolicy) -> datetime:
    """Until when what was approved may begin; of what nobody decided on, from its beginning."""
    last = request.decisions[-1].at if request.decisions else request.created_at
    return last + policy.start_within


def rule(request: Request, click: Click, policy: ApprovalPolicy) -> Ruling:
    """What a click leads to. A final or claimed request is never changed by one."""
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
    """The request after a click: its state, and the decision where it counted."""
    if not ruling.accepted:
        return replace(request, state=ruling.state)
    decision = Decision(click.choice, click.who.user, click.at, click.reason.strip())
    return replace(request, state=ruling.state, decisions=(*request.decisions, decision))


def _refusal(request: Request, click: Click, policy: ApprovalPolicy) -> Rule | None:
    """The first rule that forbids it: the request's own state first, then the person, then the form."""
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
    if who.shell:
        return Rule.SHELL
    if click.choice is Choice.WITHDRAW:
        return None if own else Rule.ONLY_THE_REQUESTER
    if click.choice is Choice.BREAK_GLASS:
        return None if who.break_glass else Rule.NO_BREAK_GLASS
    if not who.approver:
        return Rule.NOT_AN_APPROVER
    if click.choice is Choice.APPROVE and (own or who.joined) and not policy.self_approval:
        return Rule.FOUR_EYES
    if click.choice is Choice.APPROVE and any(d.by == who.user for d in request.approvals):
        return Rule.ONE_VOTE
    return None
