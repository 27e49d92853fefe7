"""Members of user groups: decisions rely only on a fresh answer from Slack."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bot.adapters.slack.errors import refusal
from bot.adapters.slack.groups import Groups
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Click, Request, Rule, Snapshot, Standing, rule
from bot.errors import AgentpodError, Transient
from tests.commands.fakes import NOW


class Slack:
    """A Slack that lists the group's members, or fails."""

    error: AgentpodError | None = None
    seconds = 1000.0
    asked = 0

    def __init__(self) -> None:
        self.members = ["U1"]

    async def call(self, method: str, *_: object, **__: object) -> dict[str, Any]:
        assert method == "usergroups.users.list"
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {"users": self.members}

    once = call


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def groups(slack: Slack) -> Groups:
    return Groups(cast("Any", slack), ["S1"], lambda: slack.seconds)


async def test_a_group_that_can_not_be_read_gives_nothing_where_something_is_decided(
    slack: Slack, groups: Groups
) -> None:
    assert (await groups.identity("U1", "C1", fresh=True)).groups == {"S1"}
    slack.seconds += 6
    slack.error = Transient("Slack is away.")
    who = await groups.identity("U1", "C1", fresh=True)
    assert (who.groups, who.unread_groups) == (frozenset(), {"S1"})
    assert (await groups.identity("U1", "C1")).groups == {"S1"}, "what decides nothing goes on"
    slack.error = None
    assert (await groups.identity("U1", "C1", fresh=True)).groups == {"S1"}


async def test_what_shows_logs_asks_slack_each_time_but_not_while_slack_fails(
    slack: Slack, groups: Groups
) -> None:
    """A role just taken away grants nothing, but an outage of Slack doesn't take a role away."""
    assert (await groups.identity("U1", "C1", anew=True)).groups == {"S1"}
    slack.members = []
    slack.seconds += 0.01
    assert (await groups.identity("U1", "C1")).groups == {"S1"}
    assert (await groups.identity("U1", "C1", anew=True)).groups == frozenset()
    slack.members, slack.seconds = ["U1"], slack.seconds + 0.01
    assert (await groups.identity("U1", "C1", anew=True)).groups == {"S1"}
    slack.error, asked = Transient("Slack is away."), slack.asked
    for _ in range(5):
        slack.seconds += 0.01
        assert (await groups.identity("U1", "C1", anew=True)).groups == {"S1"}, "the last known will do"
    assert slack.asked == asked + 1, "it is not asked again and again"


async def test_the_last_known_members_are_not_believed_for_ever(slack: Slack, groups: Groups) -> None:
    await groups.warm()
    slack.error = Transient("Slack is away.")
    slack.seconds += 601
    who = await groups.identity("U1", "C1")
    assert (who.groups, who.unread_groups) == (frozenset(), {"S1"})


async def test_nobody_is_in_a_group_that_was_deleted(slack: Slack, groups: Groups) -> None:
    slack.error = refusal("usergroups.users.list", "no_such_subteam", {})
    who = await groups.identity("U1", "C1", fresh=True)
    assert (who.groups, who.unread_groups) == (frozenset(), frozenset())


def test_a_refusal_says_which_group_could_not_be_read() -> None:
    request = Request("r-1", "U1", NOW, NOW.replace(hour=23), Snapshot("uid", 1))
    ruling = rule(request, Click(Choice.APPROVE, Standing("U2", unread=frozenset({"S1"})), NOW), ApprovalPolicy())
    assert (ruling.rule, ruling.unread) == (Rule.NOT_AN_APPROVER, {"S1"})


async def test_the_members_of_a_group_that_can_not_be_read_are_not_taken_for_none(
    slack: Slack, groups: Groups
) -> None:
    slack.error = Transient("Slack is away.")
    with pytest.raises(Transient, match="S1"):
        await groups.members(["S1"])
    slack.seconds += 16
    slack.error, slack.members = None, ["U1", "U2"]
    assert await groups.members(["S1"]) == {"U1", "U2"}
