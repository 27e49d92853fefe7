"""Whether somebody in Slack belongs to the app's own team: by what a payload says, and by what Slack says of them.

Unknown is not own. A payload can lack its team; Slack's answer about a person decides then. Where the two differ,
whichever says "another company" is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

SLACKBOT = "USLACKBOT"
"""Slack's own; it says what others have taught it to, and is no bot by its account."""


class Membership(Enum):
    """What somebody is to the Slack team (in an Enterprise Grid: the organisation) that the app belongs to."""

    MEMBER = "a member"
    GUEST = "a guest"
    """A single- or multi-channel guest."""
    UNREAD = "unread"
    """Of the team; whether as a guest could not be read."""
    OTHER = "of another company"
    """By Slack Connect."""
    BOT = "a bot"
    GONE = "deactivated"
    UNKNOWN = "unknown"
    """Neither the payload nor Slack said whose member it is."""

    @property
    def own(self) -> bool:
        """Whether it is a person of the app's own team."""
        return self in (Membership.MEMBER, Membership.GUEST, Membership.UNREAD)

    @property
    def why_not(self) -> str:
        """Why somebody is not counted among the team's members, said to them."""
        return _WHY[self]


_WHY = {
    Membership.MEMBER: "you are one",
    Membership.GUEST: "you are a guest",
    Membership.UNREAD: "Slack did not say whether you are a guest (agentpod needs the scope users:read)",
    Membership.OTHER: "you belong to another company",
    Membership.BOT: "you are a bot",
    Membership.GONE: "your account is deactivated",
    Membership.UNKNOWN: "Slack did not say which team you belong to",
}


@dataclass(frozen=True)
class Home:
    """The team that the app is installed in, and its organisation in an Enterprise Grid (else empty)."""

    team: str = ""
    enterprise: str = ""

    def has(self, id_: str) -> bool:
        """Whether an id is the team's (T…) or its organisation's (E…)."""
        return bool(id_) and id_ in (self.team, self.enterprise)


@dataclass(frozen=True)
class Account:
    """What Slack says of a person."""

    teams: frozenset[str] = frozenset()
    """Ids of the teams and the organisation that the account belongs to."""
    guest: bool = False
    stranger: bool = False
    bot: bool = False
    deleted: bool = False


def account(user: Mapping[str, Any]) -> Account:
    """A person as Slack's ``users.info`` has them. What is missing or of another type says nothing."""
    grid = user.get("enterprise_user")
    grid = grid if isinstance(grid, dict) else {}
    listed = grid.get("teams")
    ids = [user.get("team_id"), grid.get("enterprise_id"), *(listed if isinstance(listed, list) else ())]
    return Account(
        frozenset(i for i in ids if isinstance(i, str) and i),
        guest=_is(user, "is_restricted") or _is(user, "is_ultra_restricted"),
        stranger=_is(user, "is_stranger"),
        bot=_is(user, "is_bot") or _is(user, "is_workflow_bot"),
        deleted=_is(user, "deleted"),
    )


def _is(user: Mapping[str, Any], flag: str) -> bool:
    return bool(user.get(flag))


Claims = tuple[frozenset[str], ...]
"""What a payload says of somebody's team: each entry has the ids (T…, E…) that it gives for one team."""


def by_payload(claims: Claims, home: Home) -> bool | None:
    """Whether all that a payload says of a person's team means the app's own; None where it says nothing.

    In a Grid another team's id alone says nothing: it may be of the same organisation.
    """
    if not claims or not home.team:
        return None
    verdicts = [_own(ids, home) for ids in claims]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _own(ids: frozenset[str], home: Home) -> bool | None:
    if any(home.has(i) for i in ids):
        return True
    return None if home.enterprise and not any(i.startswith("E") for i in ids) else False


def judge(user: str, claims: Claims, home: Home, seen: Account | None) -> Membership:
    """What ``user`` is. ``claims`` are the payload's, ``seen`` is what Slack says (None: it could not be read)."""
    if seen is not None and seen.deleted:
        return Membership.GONE
    if user == SLACKBOT or (seen is not None and seen.bot):
        return Membership.BOT
    said = by_payload(claims, home)
    if not home.team:
        return Membership.UNKNOWN
    if said is False:
        return Membership.OTHER
    if seen is None:
        return Membership.UNREAD if said else Membership.UNKNOWN
    if _elsewhere(seen, home):
        return Membership.OTHER
    if not (said or seen.teams):
        return Membership.UNKNOWN
    return Membership.GUEST if seen.guest else Membership.MEMBER


def _elsewhere(seen: Account, home: Home) -> bool:
    """Whether Slack says that somebody is of another team. In a Grid those of other teams are strangers, too."""
    if home.enterprise and home.enterprise in seen.teams:
        return False
    return seen.stranger or (bool(seen.teams) and not any(home.has(team) for team in seen.teams))
