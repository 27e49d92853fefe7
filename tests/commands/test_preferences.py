"""``preferences``: shown, changed in words and in a form, reset; bad words change nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.core.reply import Reply, plain
from bot.domain.outbox.preferences import Preferences
from bot.errors import AgentpodError, Permanent, Refused, Transient, UsageError
from bot.runbook.context import Caller, Context
from bot.services.outbox.preferences import BOT, reset
from commands.admin import preferences
from commands.admin.preferences import PreferencesParams
from commands.shared.audit_words import said_about
from tests.commands.fakes import World
from tests.people import member
from tests.services.watchbench import FakePeople
from tests.services.workbench import MAYA, OPS, opened


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[Context]:
    async with opened(tmp_path) as ledger:
        caller = Caller(member(MAYA, OPS), "slash")
        yield replace(World().context(), ledger=ledger, caller=caller, people=FakePeople())


async def say(ctx: Context, **given: str) -> Reply:
    return await preferences.run(ctx, PreferencesParams.model_validate(given))


def facts(reply: Reply) -> dict[str, str]:
    return {fact.label: plain(fact.value) for fact in reply.facts}


async def test_somebody_without_any_is_shown_the_defaults(ctx: Context) -> None:
    reply = await say(ctx)
    assert facts(reply) == {
        "Alerts by direct message": "none",
        "Quiet hours": "none",
        "Requests that need you": "sent at any time",
    }
    assert [b.command for b in reply.buttons] == ["preferences edit"]
    assert await ctx.ledger.preferences() == []  # type: ignore[union-attr]


async def test_they_are_changed_in_words_and_what_is_not_named_stays(ctx: Context) -> None:
    await say(ctx, dm="critical", quiet="22:00-07:00")
    reply = await say(ctx, wake="yes", requests="awake")
    saved = Preferences(MAYA, ("critical",), "22:00-07:00", "Europe/Berlin", wake=True, requests="awake")
    assert await ctx.ledger.preferences() == [saved]  # type: ignore[union-attr]
    assert (
        facts(reply)
        == facts(await say(ctx))
        == {
            "Alerts by direct message": "critical",
            "Quiet hours": "22:00 to 07:00 (Europe/Berlin)",
            "Critical alerts in quiet hours": "sent",
            "Requests that need you": "sent outside of quiet hours, if still open then",
        }
    )
    assert [b.command for b in reply.buttons] == ["preferences edit", "preferences reset"]


@pytest.mark.parametrize("dm", ["warning", "none"])
async def test_who_gets_no_critical_alerts_is_told_that_quiet_hours_change_nothing(ctx: Context, dm: str) -> None:
    reply = await say(ctx, dm=dm, wake="yes")
    said = "not sent: you get no critical alerts by direct message"
    assert facts(reply)["Critical alerts in quiet hours"] == said


async def test_the_form_has_them_and_its_answers_are_read_again(ctx: Context) -> None:
    for given in (
        {},
        {"dm": "all", "quiet": "22:00-07:00", "wake": "yes", "requests": "never"},
        {"dm": "warning"},
    ):
        before = await say(ctx, **given)
        form = (await say(ctx, action="edit")).form
        assert form is not None
        assert form.command == "preferences"
        await say(ctx, **{field.name: field.initial for field in form.fields})
        assert facts(await say(ctx)) == facts(before)


async def test_reset_goes_back_to_the_defaults(ctx: Context) -> None:
    await say(ctx, dm="all", quiet="22:00-07:00")
    assert facts(await say(ctx, action="reset"))["Quiet hours"] == "none"
    assert await ctx.ledger.preferences() == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dm": "urgent"}, "Alerts by direct message are critical, warning, all or none."),
        ({"quiet": "at night", "dm": "all"}, "Quiet hours are two times of day, such as 22:00-07:00, or none."),
        ({"quiet": "07:00-07:00"}, "name two different times."),
    ],
)
async def test_other_words_are_refused_and_change_nothing(ctx: Context, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        await say(ctx, **given)
    assert error.value.message.endswith(said)
    assert await ctx.ledger.preferences() == []  # type: ignore[union-attr]


async def test_while_the_zone_can_not_be_read_the_one_before_stays(ctx: Context) -> None:
    class Away(FakePeople):
        async def zone(self, user: str) -> str:
            raise Transient(f"{user} can't be read.")

    await say(ctx, quiet="22:00-07:00")
    reply = await say(replace(ctx, people=Away()), dm="all")
    assert facts(reply)["Quiet hours"] == "22:00 to 07:00 (Europe/Berlin)"


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"caller": Caller(member("root"), "terminal")}, Refused), ({"ledger": None}, Permanent)],
)
async def test_a_shell_and_a_bot_without_ledger_have_none(
    ctx: Context, changes: dict[str, object], error: type[AgentpodError]
) -> None:
    with pytest.raises(error):
        await say(replace(ctx, **changes))  # type: ignore[arg-type]


async def test_the_audit_trail_says_who_changed_whose(ctx: Context) -> None:
    assert ctx.ledger is not None
    await say(ctx, dm="all")
    await reset(ctx.ledger, ctx.clock, MAYA, by=BOT, reason="the account is deactivated")
    records = [record async for record in ctx.ledger.records()]
    assert [plain(said_about(record, ctx.clock.now())) for record in records] == [
        f"@{MAYA} changed their preferences",
        f"the bot reset the preferences of @{MAYA} (the account is deactivated)",
    ]
