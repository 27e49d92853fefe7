"""Who may run what: closed by default, and every answer says which rule gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    field_validator,
    model_validator,
)

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Line, Mention
from bot.domain.rbac import own_roles, roles
from bot.domain.rbac.membership import Claims, Membership
from bot.domain.rbac.own_roles import ByName, OwnRoles
from bot.domain.rbac.roles import Capability, Role
from bot.domain.rbac.scope import ANY, Targets, covers

_ID = re.compile(r"[UWSCG](?=[A-Z]*[0-9])[A-Z0-9]{5,20}")
_BRACKETS = re.compile(r"^<(?:@|#|!subteam\^)([A-Z0-9]+)(?:\|[^<>]*)?>$")


class AccessRule(BaseModel):
    """Gives a role to people (users or members of user groups), to a channel's people, or to people in a channel.

    ``users`` and ``groups`` say who (either is enough; ``*`` is everybody); ``channels`` narrows it to commands
    given in those channels, or about their requests (:func:`decide_about`). A rule with only ``channels`` is for
    everybody there. ``targets`` narrows it to what concerns those targets. Ids are Slack's: U…, S…, C….

    "Everybody" means full members of the app's own Slack team, or in an Enterprise Grid of its organisation, and
    ``groups`` means those of their members who belong to it. People of other companies (Slack Connect) and bots
    have a role only where ``users`` names their id, and so have guests, but for ``groups`` and ``guests``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    role: ByName
    """What it gives: one of `access.roles`, or a built-in role, as [commands.md](commands.md#roles) has them."""
    users: tuple[str, ...] = ()
    """Users' ids (U…, W…), of whatever company; ``*`` is everybody: the full members of the app's own team."""
    groups: tuple[str, ...] = ()
    """User groups' ids (S…): those of their people who belong to the app's team."""
    channels: tuple[str, ...] = ()
    """Channels' ids: where the rule holds. Without users and groups it is for everybody there: the full members of
    the app's own team (in an Enterprise Grid: its organisation), and nobody of another company."""
    targets: tuple[str, ...] | None = None
    """Targets' names: what the rule holds for. Left out: all targets, and what concerns all of them."""
    guests: bool = False
    """Whether everybody includes the team's single- and multi-channel guests."""
    name: str = ""
    """How refusals and `whoami` call the rule; by default "access rule N"."""

    @field_validator("targets")
    @classmethod
    def _names_a_target(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and not value:  # an empty list could mean none as well as all
            raise ValueError("lists no target: name at least one, or leave targets out for all")
        return value

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not (self.users or self.groups or self.channels):
            raise ValueError("the rule names nobody: list users, groups or channels; everybody is users: ['*']")
        if self.role == roles.NONE:
            raise ValueError("the role none can't be given: who is not listed has it already")
        _check_ids(self.users, "users", ("U", "W"), extra="*")
        _check_ids(self.groups, "groups", ("S",))
        _check_ids(self.channels, "channels", ("C", "G"))
        return self

    def grants(self, who: Identity) -> bool:
        """Whether this rule applies to that person in that place."""
        if self.channels and who.channel not in self.channels:
            return False
        return (self.everybody and self.counts(who)) or self.names(who)

    @property
    def everybody(self) -> bool:
        """Whether it is for whoever is there, and not only for those it names."""
        return "*" in self.users or not (self.users or self.groups)

    def counts(self, who: Identity) -> bool:
        """Whether that person is one of everybody."""
        return who.membership is Membership.MEMBER or (self.guests and who.membership.own)

    def names(self, who: Identity) -> bool:
        """Whether that person is meant by id or by group, and not only as one of everybody."""
        if who.membership is Membership.GONE:
            return False
        return who.user in self.users or (who.membership.own and bool(set(self.groups) & set(who.groups)))


def _check_ids(values: Sequence[str], field: str, prefixes: tuple[str, ...], extra: str = "") -> None:
    for value in values:
        if value != extra and not (value.startswith(prefixes) and value.isalnum() and value.isupper()):
            wanted = " or ".join(prefixes)
            raise ValueError(f"{field} takes Slack ids that begin with {wanted}, not {value!r}")


class AccessPolicy(BaseModel):
    """All rules, and whom to ask for more."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    roles: OwnRoles = {}
    """Roles besides the built-in ones: name → its [capabilities](commands.md#capabilities), and roles whose
    capabilities it takes over, such as ``[viewer, request]``."""
    rules: tuple[AccessRule, ...] = ()
    """Who may run what: whom no rule names may run help and whoami alone."""
    contact: str = ""
    """Whom refusals name: the id of a user, user group or channel, which becomes a mention, or words."""

    @model_validator(mode="wrap")
    @classmethod
    def _rules_know_the_roles(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        with roles.also(*own_roles.given_in(value)):
            return handler(value)

    @field_validator("contact")
    @classmethod
    def _id_alone(cls, value: str) -> str:
        """An id as it is copied from a message: without its brackets and label."""
        return _BRACKETS.sub(r"\1", value.strip())

    def groups(self) -> frozenset[str]:
        """All user groups that any rule names: the only ones worth looking up."""
        return frozenset(g for rule in self.rules for g in rule.groups)

    def known_roles(self) -> tuple[Role, ...]:
        """The roles that rules can give, the built-in ones first."""
        known = roles.known()
        return (*known, *(own_roles.made(name, may) for name, may in self.roles.items() if name not in known))

    def holders(self, capability: Capability) -> tuple[Role, ...]:
        """As :func:`roles.holders`, of all roles that rules can give."""
        return roles.holders(capability, self.known_roles())

    @property
    def narrowed(self) -> bool:
        """Whether a rule is for some targets only, so that it matters which one a command concerns."""
        return any(rule.targets for rule in self.rules)

    def everybody(self) -> bool:
        """Whether a rule is for everybody but guests, so that it matters who is one."""
        return any(rule.everybody and not rule.guests for rule in self.rules)

    def asking(self, after: str = "", otherwise: str = "whoever looks after agentpod's settings") -> str:
        """The sentence that says whom to ask for more, ``after`` whose name it goes on; ids as they are."""
        return f"Ask {self.contact or otherwise}{after}."

    def ask(self, after: str = "", otherwise: str = "whoever looks after agentpod's settings") -> Line:
        """The same for people to read."""
        return self.mentioned(self.asking(after, otherwise))

    def mentioned(self, text: str) -> Line:
        """A text that may name the contact: an id becomes a mention, words stay as they are."""
        before, found, after = text.partition(self.contact) if _ID.fullmatch(self.contact) else (text, "", "")
        return (before, Mention(found), after) if found else text

    def channels(self) -> tuple[str, ...]:
        """All channels that any rule is bound to."""
        return tuple(dict.fromkeys(c for rule in self.rules for c in rule.channels))


@dataclass(frozen=True)
class Identity:
    """Who asks, and where: Slack ids. ``groups`` are those user groups of the policy that the user is in."""

    user: str
    channel: str = ""
    groups: frozenset[str] = frozenset()
    unread_groups: frozenset[str] = frozenset()
    """Groups whose members could not be read: they grant nothing, and a refusal says so."""
    membership: Membership = Membership.UNKNOWN
    claims: Claims = field(default=(), compare=False)
    """What the payload said of their team, to be judged again."""

    @property
    def direct(self) -> bool:
        """Whether they are in no channel: in a direct message, or in the Home tab."""
        return self.channel.startswith(("D", "U", "W"))


UNNAMED = "access rule "
"""How a rule without a name is called, before its number."""


@dataclass(frozen=True)
class RoleGrant:
    """A role that somebody has, and the rule it comes from."""

    role: Role
    rule: str
    targets: tuple[str, ...] = ()
    """What it is for; empty: all targets."""
    number: int = field(default=0, compare=False)
    """The rule's place among all, from 1; 0 for none."""

    def __str__(self) -> str:
        """``a viewer (access rule 1)``, ``an approver for alpha and beta (rule: leads)``."""
        rule = self.rule if self.rule.startswith(UNNAMED) else f"rule: {self.rule}"
        of = f" for {words.listed(self.targets)}" if self.targets else ""
        return f"{words.with_article(str(self.role))}{of} ({rule})"

    def includes(self, other: RoleGrant) -> bool:
        """Whether it gives all that the other does."""
        return self.role.includes(other.role) and covers(self.targets, other.targets)


@dataclass(frozen=True)
class AccessDecision:
    """Whether something is allowed, with the reason in words."""

    allowed: bool
    grant: RoleGrant
    """The one that allows it; of a refusal, the first that they have."""
    needed: Capability
    reason: str


NO_RULE = "no access rule names you"
_ALL = "all targets"


def grants_of(policy: AccessPolicy, who: Identity, *, by_name: bool = False) -> tuple[RoleGrant, ...]:
    """What the rules give, or those that name the person; the role none where they give nothing.

    What another grant includes is left out. The first of equals stays.
    """
    found = [
        RoleGrant(rule.role, rule.name or f"{UNNAMED}{number}", rule.targets or (), number)
        for number, rule in enumerate(policy.rules, start=1)
        if rule.grants(who) and (not by_name or rule.names(who))
    ]
    widest = [g for place, g in enumerate(found) if not _included(g, found[:place], found)]
    return tuple(widest) or (RoleGrant(roles.NONE, NO_RULE),)


def _included(grant: RoleGrant, before: Sequence[RoleGrant], all_: Sequence[RoleGrant]) -> bool:
    """Whether a grant says nothing new: one before it includes it, or any is wider."""
    return any(g.includes(grant) for g in before) or any(g.includes(grant) and not grant.includes(g) for g in all_)


def decide(
    policy: AccessPolicy, who: Identity, needed: Capability, targets: Targets, *, by_name: bool = False
) -> AccessDecision:
    """Whether ``who`` has the capability ``needed`` for all ``targets``; for whatever target with ``ANY``.

    Without a target only a rule for all of them counts. What the role none has is open to everybody.
    """
    held = grants_of(policy, who, by_name=by_name)
    if needed in roles.NONE.may:
        return AccessDecision(True, held[0], needed, "open to everybody")
    able = [grant for grant in held if needed in grant.role.may]
    using, lacking = _using(able, targets)
    if using and not lacking:
        return AccessDecision(True, using[0], needed, f"you are {words.listed(list(map(str, using)))}")
    return AccessDecision(False, held[0], needed, _refusal(policy, held, needed, who, lacking))


def _using(able: Sequence[RoleGrant], targets: Targets) -> tuple[list[RoleGrant], tuple[str, ...]]:
    """The grants by which somebody has a right for targets, each once, and the targets that none is for."""
    if targets is ANY:
        return list(able[:1]), ()
    found = {t: next((g for g in able if covers(g.targets, (t,))), None) for t in targets}
    if not targets:
        found = {_ALL: next((g for g in able if not g.targets), None)}
    using = dict.fromkeys(grant for grant in found.values() if grant is not None)
    return list(using), tuple(target for target, grant in found.items() if grant is None)


def decide_about(
    policy: AccessPolicy, who: Identity, needed: Capability, targets: Targets, places: Sequence[str]
) -> AccessDecision:
    """As :func:`decide`, about what has its ``places``: in a direct message or Home it counts as said there.

    So it does for whom a rule names. One for everybody in a channel does not say who is there.
    """
    here = decide(policy, who, needed, targets)
    if here.allowed or not who.direct:
        return here
    there = (decide(policy, replace(who, channel=place), needed, targets, by_name=True) for place in places)
    return next((decision for decision in there if decision.allowed), here)


def allowed_in(policy: AccessPolicy, who: Identity, needed: Capability, targets: Targets) -> tuple[str, ...]:
    """The channels of the rules in which ``who`` has the capability ``needed``."""
    return tuple(c for c in policy.channels() if decide(policy, replace(who, channel=c), needed, targets).allowed)


def left_out(policy: AccessPolicy, who: Identity, than: Iterable[RoleGrant]) -> str:
    """Which rule would give ``who`` more ``than`` they have, if they were a member of the team; why it does not.

    Empty where none would.
    """
    if who.membership is Membership.GONE:
        return who.membership.why_not
    held = tuple(than)
    as_member = grants_of(policy, replace(who, membership=Membership.MEMBER))
    more = next((grant for grant in as_member if not grant.role.may <= _had(held, grant)), None)
    if who.membership is Membership.MEMBER or more is None:
        return ""
    return f"{more.rule} is for members of the app's own Slack team, and {who.membership.why_not}"


def _had(held: Iterable[RoleGrant], new: RoleGrant) -> set[Capability]:
    """What is held already for all that a new grant is for."""
    return {capability for grant in held if covers(grant.targets, new.targets) for capability in grant.role.may}


def _refusal(
    policy: AccessPolicy, held: Sequence[RoleGrant], needed: Capability, who: Identity, lacking: Sequence[str]
) -> str:
    outside = left_out(policy, who, held)
    none = held[0].role == roles.NONE
    holders = policy.holders(needed)
    wanted = f"it needs the role {holders[0]}"
    if policy.roles:  # one of them may lack just this capability of the role, or be made to have it
        wanted = f"it needs the role {words.either(list(map(str, holders)))} (capability {needed.value})"
    if policy.narrowed and lacking:
        wanted += f" for {words.listed(lacking)}"
    if none:
        reason = f"{wanted}, and {outside or f'{NO_RULE} here'}"
    else:
        reason = f"{wanted}, and you are {words.listed([str(grant) for grant in held])}"
        reason += f"; {outside}" if outside else ""
    if outside and who.membership is not Membership.GONE:
        what = "a role" if none else "more"
        reason += f": only a rule whose users name {who.user} gives you {what}"
    if who.unread_groups:
        reason += f" (the members of {', '.join(sorted(who.unread_groups))} could not be read from Slack)"
    return reason
