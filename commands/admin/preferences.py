"""``preferences``: what the caller gets by direct message, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field as Param

from bot.domain.core.reply import Button, Fact, Form, FormField, Reply
from bot.domain.outbox import preferences as domain
from bot.domain.outbox.preferences import Preferences
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Permanent, Refused, UsageError
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.outbox import preferences as service

YesNo = Literal["yes", "no"]


class PreferencesParams(Params):
    """What to change; without any, they are shown."""

    action: Literal["show", "edit", "reset"] = Param(
        default="show",
        json_schema_extra={"positional": True},
        description="edit opens a form, reset goes back to the defaults",
    )
    dm: str | None = Param(
        default=None,
        max_length=40,
        description="The alerts that you get by direct message: critical, warning, all or none",
    )
    quiet: str | None = Param(
        default=None,
        max_length=40,
        description="Your quiet hours in your time zone, such as 22:00-07:00, or none: alerts wait until they end",
    )
    wake: YesNo | None = Param(
        default=None, description="Whether critical alerts come during your quiet hours as well"
    )
    requests: domain.Requests | None = Param(
        default=None,
        description="Direct messages about requests that need your approval: always, awake (outside of your quiet "
        "hours) or never",
    )


async def run(ctx: Context, params: PreferencesParams) -> Reply:
    """Show or change the caller's preferences."""
    if ctx.caller.is_terminal:
        raise Refused("Preferences are those of a person in Slack, and a shell is none.", remedy="Ask in Slack.")
    ledger, user = _ledger(ctx), ctx.caller.identity.user
    before = domain.of(user, await ledger.preferences())
    if params.action == "edit":
        return Reply(TITLE, form=_form(before), shareable=False, repeatable=False)
    if params.action == "reset":
        await service.reset(ledger, ctx.clock, user)
        return _shown(Preferences(user), "Your preferences are the defaults again")
    given = (params.dm, params.quiet, params.wake, params.requests)
    if all(value is None for value in given):
        return _shown(before, TITLE)
    wanted = await _with_zone(ctx, _wanted(before, params))
    await service.save(ledger, ctx.clock, wanted)
    return _shown(wanted, "Your preferences are saved")


TITLE = "Your preferences"


def _ledger(ctx: Context) -> Ledger:
    if ctx.ledger is None:
        raise Permanent("There is no ledger here.", remedy="Set AGENTPOD_LEDGER__URL.")
    return ctx.ledger


def _wanted(before: Preferences, params: PreferencesParams) -> Preferences:
    try:
        return replace(
            before,
            alerts=before.alerts if params.dm is None else domain.severities(params.dm),
            quiet=before.quiet if params.quiet is None else domain.quiet_hours(params.quiet),
            wake=before.wake if params.wake is None else params.wake == "yes",
            requests=params.requests or before.requests,
        )
    except ValueError as error:
        text = str(error)
        raise UsageError(f"{text[0].upper()}{text[1:]}.") from error


async def _with_zone(ctx: Context, wanted: Preferences) -> Preferences:
    """The preferences with the caller's zone as Slack has it now; the one before while it can't be read."""
    if ctx.people is None:
        return wanted
    try:
        zone = await ctx.people.zone(wanted.user)
    except AgentpodError:
        zone = ""
    return domain.in_zone(wanted, zone) if zone else wanted


def _shown(one: Preferences, headline: str) -> Reply:
    facts = [
        Fact("Alerts by direct message", " and ".join(one.alerts) or "none"),
        Fact("Quiet hours", f"{one.quiet.replace('-', ' to ')} ({one.zone})" if one.quiet else "none"),
    ]
    if one.quiet or one.wake:
        facts.append(Fact("Critical alerts in quiet hours", _critical(one)))
    facts.append(Fact("Requests that need you", _REQUESTS[one.requests]))
    buttons = [Button("Change preferences", "preferences edit", style="primary")]
    if one != Preferences(one.user, zone=one.zone):
        buttons.append(Button("Reset preferences", "preferences reset"))
    return Reply(
        headline,
        body=(_WHAT,) if one.alerts else (),
        facts=tuple(facts),
        buttons=tuple(buttons),
        shareable=False,
        repeatable=False,
        data={"preferences": service.audited(one) | {"user": one.user}},
    )


def _critical(one: Preferences) -> str:
    """What happens to critical alerts in quiet hours."""
    if "critical" not in one.alerts:
        return "not sent: you get no critical alerts by direct message"
    return "sent" if one.wake else "held back until quiet hours end"


_WHAT = "You get the alerts of the targets whose incidents you may see. Quiet hours end with a summary."
_REQUESTS = {
    "always": "sent at any time",
    "awake": "sent outside of quiet hours, if still open then",
    "never": "not sent",
}


_ALERTS = (("all", "All"), ("critical", "Critical ones"), ("warning", "Warnings only"), ("none", "None"))
_WAKE = (("no", "Held back until quiet hours end"), ("yes", "Sent at once"))
_ASKED = (("always", "At any time"), ("awake", "Not in quiet hours"), ("never", "Never"))


def _form(before: Preferences) -> Form:
    alerts = "all" if before.alerts == domain.SEVERITIES else "".join(before.alerts) or "none"
    return Form(
        title="Change preferences",
        command="preferences",
        fields=(
            FormField("dm", "Alerts by direct message", initial=alerts, options=_ALERTS),
            FormField(
                "quiet",
                "Quiet hours",
                "In your time zone, such as 22:00-07:00, or none",
                initial=before.quiet or "none",
            ),
            FormField(
                "wake", "Critical alerts in quiet hours", initial="yes" if before.wake else "no", options=_WAKE
            ),
            FormField("requests", "Requests that need you", initial=before.requests, options=_ASKED),
        ),
        submit="Save",
        note="What I send you by direct message, and when.",
    )


COMMAND = Command(
    "preferences",
    "What you get by direct message, and your quiet hours",
    Capability.VIEW,
    run,
    PreferencesParams,
    group="Alerts",
    concerns=Concerns.NOTHING,
    quick=True,
    offered=lambda ctx: not ctx.caller.is_terminal,
    unoffered="is about a person in Slack, and a shell is none",
    examples=("preferences", "preferences --dm critical --quiet 22:00-07:00", "preferences reset"),
    details="Alerts come as one message each, which changes as the channel's does. In quiet hours they are held "
    "back, and summed up at their end. Quiet hours are in your Slack time zone.",
)
