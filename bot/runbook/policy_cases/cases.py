"""A file of policy cases: who runs what where, and what the settings must say to it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from bot.domain.approvals.approval import Choice
from bot.domain.rbac.membership import Membership

_ID = re.compile(r"[A-Z][A-Z0-9]+")
MOST_CASES = 1000
MOST_VOTES = 20
DIRECT = "dm"

_Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_Line = Annotated[str, StringConstraints(max_length=500)]
_KINDS = {"member": Membership.MEMBER, "guest": Membership.GUEST, "stranger": Membership.OTHER}


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(_Entry):
    """Somebody in Slack, for cases to name."""

    user: _Text
    """Their id (U…, W…)."""
    groups: tuple[str, ...] = ()
    """The user groups (S…) that they are in."""
    kind: Literal["member", "guest", "stranger"] = "member"
    """Whether they are a full member of the app's team, a guest there, or of another company."""

    @field_validator("user")
    @classmethod
    def _user_id(cls, value: str) -> str:
        return _slack_id(value, "UW", "a user's id, such as U0123456789")

    @field_validator("groups")
    @classmethod
    def _group_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            _slack_id(one, "S", "a user group's id, such as S0123456789")
        return value

    @property
    def membership(self) -> Membership:
        """Their relation to the app's team."""
        return _KINDS[self.kind]


class Case(_Entry):
    """One command line of one person, and what must come of it."""

    name: str = Field(default="", max_length=300)
    """What the case shows; by default made of its other fields."""
    who: _Text
    """A name of `people`, or a user's id."""
    in_: _Text = Field(default=DIRECT, alias="in")
    """The channel (C…, G…) in which it is typed; ``dm``: in a direct message."""
    run: _Line
    """The command line. Where it lacks arguments, the command's name is enough."""
    target: str | None = None
    """The target that it is about; by default that of --target, or the first.

    A runbook's command is then about the only one that has it; a repair that several have is refused.
    """
    expect: Literal["allowed", "refused"]
    """Whether the rules allow it. A repair that is allowed is requested."""
    rule: int | str | None = None
    """The rule, by number or name, that allows it, or that would have to name this person, channel or target."""
    because: str = Field(default="", max_length=300)
    """Words from the reason of the refusal; with votes, of the last one's."""
    approvals: int | None = Field(default=None, ge=0, le=20)
    """How many approvals the request needs; 0: it is no request."""
    approvers: tuple[_Text, ...] | None = None
    """The users and user groups that its card mentions."""
    approve: tuple[_Text, ...] = Field(default=(), max_length=MOST_VOTES)
    """Who approves then, in this order: names of `people`, or users' ids."""
    deny: tuple[_Text, ...] = Field(default=(), max_length=MOST_VOTES)
    withdraw: tuple[_Text, ...] = Field(default=(), max_length=MOST_VOTES)
    break_glass: tuple[_Text, ...] = Field(default=(), max_length=MOST_VOTES)
    then: Literal["executed", "waiting", "refused", "denied", "withdrawn"] | None = None
    """What comes of the last vote; all before it must count."""

    @field_validator("in_")
    @classmethod
    def _channel(cls, value: str) -> str:
        return (
            value
            if value == DIRECT
            else _slack_id(value, "CG", f"a channel's id, such as C0123456789, or {DIRECT}")
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = [choice.value for choice, votes in self._votes().items() if votes]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}: make a case of each")
        if bool(given) is (self.then is None):
            raise ValueError("needs then, for what comes of the votes" if given else "has then, and nobody votes")
        if self.expect == "refused" and (given or self.approvals is not None or self.approvers is not None):
            raise ValueError("a refused command makes no request: leave out approvals, approvers and votes")
        if self.because and (self.then or self.expect) != "refused":
            raise ValueError("has because, and nothing is refused")
        return self

    def _votes(self) -> dict[Choice, tuple[str, ...]]:
        return {
            Choice.APPROVE: self.approve,
            Choice.DENY: self.deny,
            Choice.WITHDRAW: self.withdraw,
            Choice.BREAK_GLASS: self.break_glass,
        }

    @property
    def votes(self) -> tuple[tuple[Choice, str], ...]:
        """Who decides what, in order."""
        return tuple((choice, who) for choice, votes in self._votes().items() for who in votes)

    @property
    def title(self) -> str:
        """The case in words."""
        where = "in a direct message" if self.in_ == DIRECT else f"in {self.in_}"
        of = f" for {self.target}" if self.target else ""
        return self.name or f"{self.who} runs {self.run or 'nothing but the name'}{of} {where}"


class Only(_Entry):
    """A command, and all whom the rules let run it."""

    run: _Line
    target: str | None = None
    """The target that it is about; by default that of --target, or the first."""
    may: tuple[_Text, ...]
    """Users, user groups and ``everybody``, each with ``in C…`` where a rule is for a channel; nobody else."""

    @property
    def title(self) -> str:
        """The entry in words."""
        of = f" for {self.target}" if self.target else ""
        return f"who may run {self.run or 'nothing but the name'}{of}"


class PolicyCases(_Entry):
    """A whole file."""

    people: dict[_Text, Person] = {}
    cases: tuple[Case, ...] = Field(default=(), max_length=MOST_CASES)
    only: tuple[Only, ...] = Field(default=(), max_length=MOST_CASES)

    @model_validator(mode="after")
    def _has_some(self) -> Self:
        if not (self.cases or self.only):
            raise ValueError("has no cases: list some under cases or only")
        return self

    def person(self, who: str) -> Person:
        """The person of that name or user's id. Raises ValueError for neither."""
        return self.people[who] if who in self.people else Person(user=who)


def _slack_id(value: str, prefixes: str, wanted: str) -> str:
    if value[:1] not in prefixes or not _ID.fullmatch(value):
        raise ValueError(f"takes {wanted}, not {value[:40]!r}")
    return value
