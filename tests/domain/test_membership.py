"""Membership by the payload and by Slack's account data; unknown users count as outsiders."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.rbac.membership import Account, Claims, Home, Membership, account, judge

OWN, GRID, OTHER, OTHER_GRID = "T0OWN", "E0OWN", "T0OTHER", "E0OTHER"
ALONE, ORG = Home(OWN), Home(OWN, GRID)


def claims(*ids: str) -> Claims:
    return tuple(frozenset(one.split("+")) for one in ids)


MEMBER = Account(frozenset({OWN}))
CASES: dict[str, tuple[Home, Claims, Account | None, Membership]] = {
    "both say own": (ALONE, claims(OWN), MEMBER, Membership.MEMBER),
    "the payload says another": (ALONE, claims(OTHER), MEMBER, Membership.OTHER),
    "one of the payload's fields says another": (ALONE, claims(OWN, OTHER), MEMBER, Membership.OTHER),
    "the payload says own, Slack another": (ALONE, claims(OWN), Account(frozenset({OTHER})), Membership.OTHER),
    "a stranger, whatever team": (ALONE, claims(OWN), Account(frozenset({OWN}), stranger=True), Membership.OTHER),
    "no payload's team, Slack says own": (ALONE, (), MEMBER, Membership.MEMBER),
    "no payload's team, Slack says another": (ALONE, (), Account(frozenset({OTHER})), Membership.OTHER),
    "nobody says anything": (ALONE, (), None, Membership.UNKNOWN),
    "Slack says nothing of a team": (ALONE, (), Account(), Membership.UNKNOWN),
    "only the payload says own": (ALONE, claims(OWN), None, Membership.UNREAD),
    "only the payload says another": (ALONE, claims(OTHER), None, Membership.OTHER),
    "a guest": (ALONE, claims(OWN), Account(frozenset({OWN}), guest=True), Membership.GUEST),
    "a bot": (ALONE, claims(OWN), Account(frozenset({OWN}), bot=True), Membership.BOT),
    "deactivated": (ALONE, claims(OWN), Account(frozenset({OWN}), deleted=True), Membership.GONE),
    "another company's grid": (ALONE, claims(f"{OTHER}+{OTHER_GRID}"), None, Membership.OTHER),
    "the app's own team is unknown": (Home(), claims(OWN), MEMBER, Membership.UNKNOWN),
    "grid: the organisation's id": (ORG, claims(GRID), MEMBER, Membership.MEMBER),
    "grid: another team of it, by both ids": (ORG, claims(f"T0TWO+{GRID}"), None, Membership.UNREAD),
    "grid: another team of it, by Slack's word": (
        *(ORG, claims("T0TWO"), Account(frozenset({"T0TWO", GRID}), stranger=True)),
        Membership.MEMBER,
    ),
    "grid: a team that nobody knows": (ORG, claims("T0TWO"), None, Membership.UNKNOWN),
    "grid: another company's team": (ORG, claims(OTHER), Account(frozenset({OTHER})), Membership.OTHER),
    "grid: another organisation": (ORG, claims(OTHER_GRID), MEMBER, Membership.OTHER),
}


@pytest.mark.parametrize("name", CASES)
def test_membership_by_payload_and_account(name: str) -> None:
    home, said, seen, expected = CASES[name]
    assert judge("U1", said, home, seen) is expected


def test_slackbot_is_a_bot_although_its_account_is_not_marked() -> None:
    assert judge("USLACKBOT", claims(OWN), ALONE, MEMBER) is Membership.BOT


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"team_id": OWN}, Account(frozenset({OWN}))),
        ({"team_id": OWN, "is_ultra_restricted": True}, Account(frozenset({OWN}), guest=True)),
        ({"team_id": OWN, "is_restricted": True}, Account(frozenset({OWN}), guest=True)),
        (
            {"team_id": "T2", "enterprise_user": {"enterprise_id": GRID, "teams": ["T2", OWN, None]}},
            Account(frozenset({"T2", GRID, OWN})),
        ),
        ({"team_id": 7, "enterprise_user": "x", "deleted": True}, Account(deleted=True)),
        (
            {"enterprise_user": {"teams": "T1"}, "is_bot": True, "is_stranger": True},
            Account(stranger=True, bot=True),
        ),
        ({}, Account()),
    ],
)
def test_an_account_is_parsed_with_missing_fields(user: dict[str, Any], expected: Account) -> None:
    assert account(user) == expected
