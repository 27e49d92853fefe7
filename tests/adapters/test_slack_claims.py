"""A user's team, as read from every kind of payload, and how the bot is addressed."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.slack import inbound
from bot.adapters.slack.people import Accounts
from bot.adapters.slack.typed import command_line
from bot.domain.rbac.membership import Account
from bot.errors import Transient

OWN, OTHER = "T0OWN", "T0OTHER"
NAMES = ("/agentpod", "agentpod")


def event(envelope: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    said = {"type": "app_mention", "user": "U1", "text": "<@UBOT> status", "ts": "1", "channel": "C1"}
    return {"type": "event_callback", "team_id": OWN, "event": said | fields, **(envelope or {})}


USER = {"id": "U1"}
HOME = {"type": "app_home_opened", "tab": "home", "text": None}
PAYLOADS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("slash", {"command": "/agentpod", "user_id": "U1", "team_id": OTHER}, {OTHER}),
    ("slash of a grid", {"command": "/x", "user_id": "U1", "team_id": "T2", "enterprise_id": "E1"}, {"T2+E1"}),
    ("slash without", {"command": "/agentpod", "user_id": "U1"}, set()),
    ("slash, odd", {"command": "/agentpod", "user_id": "U1", "team_id": None, "enterprise_id": 5}, set()),
    ("own member's mention", event(team=OWN), {OWN}),
    ("stranger's mention", event(team=OWN, user_team=OTHER, source_team=OTHER), {OTHER}),
    ("source_team alone", event(team=OWN, source_team=OTHER), {OTHER}),
    ("user_profile alone", event(team=OWN, user_profile={"team": OTHER}), {OTHER}),
    ("they differ", event(user_team=OWN, source_team=OTHER), {OWN, OTHER}),
    ("team alone", event(team=OTHER), {OTHER}),
    ("a shared channel and no team", event({"is_ext_shared_channel": True}), set()),
    ("no team and nothing of the channel", event(), set()),
    ("no team in a channel of one's own", event({"is_ext_shared_channel": False}), {OWN}),
    ("odd types", event(user_team=["T"], source_team={}, user_profile="x", team=3), set()),
    ("Home", event({"is_ext_shared_channel": False}, **HOME), {OWN}),
    ("Home, shared", event({"is_ext_shared_channel": True}, **HOME), set()),
    (
        "click",
        {"type": "block_actions", "team": {"id": OWN}, "user": {"id": "U1", "team_id": OTHER}, "actions": [{}]},
        {OTHER},
    ),
    (
        "click without",
        {"type": "block_actions", "team": {"id": OWN}, "user": {"id": "U1"}, "actions": [{}]},
        set(),
    ),
    (
        "form",
        {"type": "view_submission", "team": {"id": OWN}, "user": {"id": "U1", "team_id": OTHER}, "view": {}},
        {OTHER},
    ),
]


@pytest.mark.parametrize(("name", "payload", "teams"), PAYLOADS, ids=[p[0] for p in PAYLOADS])
def test_whose_somebody_is_is_read_from_what_is_said_of_them_alone(
    name: str, payload: dict[str, Any], teams: set[str]
) -> None:
    request = inbound.read(payload, "UBOT", NAMES)
    assert request is not None, name
    assert request.user == "U1"
    assert set(request.claims) == {frozenset(ids.split("+")) for ids in teams}


@pytest.mark.parametrize(
    "more",
    [{"bot_id": "B1"}, {"subtype": "bot_message"}, {"edited": {"user": "U1"}}, {"hidden": True}, {"user": None}],
    ids=lambda more: next(iter(more)),
)
def test_what_bots_post_and_what_is_edited_is_no_request(more: dict[str, Any]) -> None:
    assert inbound.read(event(**more), "UBOT", NAMES) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<@UBOT>: status", "status"),
        ("<@UBOT|agentpod>, status", "status"),
        ("<@UBOT> — status", "status"),
        ("@agentpod: status", "status"),
        ("@AgentPod status", "status"),
        ("/agentpod status", "status"),
        ("/agentpod: status --tail 5", "status --tail 5"),
        ("agentpod status", "status"),
        ('Agentpod: logs --grep "a: b"', 'logs --grep "a: b"'),
        ("`status`", "status"),
        ("```/agentpod status```", "status"),
        ("*@agentpod status*", "status"),
        ("\u200b@agentpod\xa0status\u2060", "status"),
        ("：status", "status"),
        ("/agentpod", ""),
        ("<@UBOT>", ""),
        ("agentpods", "agentpods"),
        ("agentpod-x status", "agentpod-x status"),
        ("status <@UBOT>", "status"),
        ("status", "status"),
        ("", ""),
    ],
)
def test_whom_a_line_is_addressed_to_is_no_part_of_it(text: str, line: str) -> None:
    assert command_line(text, "UBOT", NAMES) == line


ANEW, STRICT = {"anew": True}, {"strict": True}


class Slack:
    """A Slack that answers who users are, or fails."""

    def __init__(self) -> None:
        self.asked, self.now, self.away = 0, 1000.0, False

    async def call(self, *_: object, **__: object) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise Transient("Slack is away.")
        return {"user": {"team_id": OWN, "name": "maya", "profile": {"real_name": " Maya\nOrtiz"}}}

    once = call


async def test_people_are_asked_for_once_in_minutes_and_anew_where_something_is_decided() -> None:
    slack = Slack()
    accounts = Accounts(slack, lambda: slack.now)  # type: ignore[arg-type]  # a small Slack
    seen = Account(frozenset({OWN}), name="Maya Ortiz")
    assert accounts.name("U1") == ""
    for seconds, how, asked in (
        (0, {}, 1),
        (200, {}, 1),
        (4, ANEW, 2),
        (1, ANEW, 3),
        (1, STRICT, 3),
        (301, {}, 4),
    ):
        slack.now += seconds
        assert await accounts.account("U1", **how) == seen
        assert slack.asked == asked
    assert (accounts.name("U1"), accounts.name("U2"), slack.asked) == ("Maya Ortiz", "", 4)
    slack.now, slack.away = slack.now + 10, True
    assert await accounts.account("U1", anew=True) == seen, "the last known, for some minutes"
    assert await accounts.account("U1", anew=True, strict=True) is None
    assert await accounts.account("U2") is None
    slack.now += 601
    assert await accounts.account("U1") is None
