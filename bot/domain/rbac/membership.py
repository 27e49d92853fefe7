"""Decide whether a Slack user belongs to the app's own team, from the payload and from Slack's ``users.info``.

Unknown users count as outsiders. A payload may lack the team; then ``users.info`` decides. Where the two differ,
the one that says "another company" wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass

LONGEST_NAME = 60
"""Most characters of a person's name."""
SLACKBOT = "USLACKBOT"
"""Slack's own bot. Users can teach it replies, and its account is not marked as a bot."""


class Membership(Enum):
    """A user's relation to the Slack team (or Enterprise Grid organisation) that the app is installed in."""

    MEMBER = "a member"
    GUEST = "a guest"
    """A single- or multi-channel guest."""
    UNREAD = "unread"
    """In the team, but whether as a guest could not be read."""
    OTHER = "of another company"
    """Here by Slack Connect."""
    BOT = "a bot"
    GONE = "deactivated"
    UNKNOWN = "unknown"
    """Neither the payload nor Slack names the user's team."""

    @property
    def own(self) -> bool:
        """Whether it is a person of the app's own team."""
        return self in (Membership.MEMBER, Membership.GUEST, Membership.UNREAD)

    @property
    def why_not(self) -> str:
        """Why somebody does not count as a member of the team, addressed to them."""
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
    """A user's account by Slack's ``users.info``."""

    teams: frozenset[str] = frozenset()
    """Ids of the teams and the organisation that the account belongs to."""
    guest: bool = False
    stranger: bool = False
    bot: bool = False
    deleted: bool = False
    zone: str = ""
    """The time zone of the person, as an IANA name; empty where Slack names none."""
    name: str = ""
    """What the person is called; empty where Slack doesn't say."""


def account(user: Mapping[str, Any]) -> Account:
    """Parse a user from ``users.info``; missing fields and those of another type are ignored."""
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
        zone=zone if isinstance(zone := user.get("tz"), str) else "",
        name=_name(user),
    )


def _name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    said = profile if isinstance(profile, dict) else {}
    names = (said.get("real_name"), said.get("display_name"), user.get("name"))
    return next(
        (words.cut(" ".join(n.split()), LONGEST_NAME) for n in names if isinstance(n, str) and n.strip()), ""
    )


def _is(user: Mapping[str, Any], flag: str) -> bool:
    return bool(user.get(flag))


Claims = tuple[frozenset[str], ...]
"""What a payload says of a user's team: each entry has the ids (T…, E…) that it names for one team."""


def by_payload(claims: Claims, home: Home) -> bool | None:
    """Whether the payload says that the user is in the app's own team; None where it doesn't say.

    In a Grid, the id of another team alone decides nothing: it may be in the same organisation.
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
    """Decide a user's membership from the payload's ``claims`` and the account (None: it could not be read)."""
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
    """Whether the account is of another team.

    In a Grid, Slack marks users of sibling teams as strangers as well.
    """
    if home.enterprise and home.enterprise in seen.teams:
        return False
    return seen.stranger or (bool(seen.teams) and not any(home.has(team) for team in seen.teams))
