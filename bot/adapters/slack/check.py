"""Slack's part of `agentpod check`: checks tokens, scopes, users, user groups and channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import UNKNOWN_METHOD, SlackRefused, translate
from bot.adapters.slack.quiet import QuietObserver
from bot.adapters.transport.sessions import by_environment
from bot.domain.rbac.access import AccessPolicy
from bot.domain.rbac.membership import account
from bot.errors import AgentpodError, NotFound, Permanent
from bot.settings.model import SlackSettings

SCOPES = {
    "app_mentions:read": "commands by mention",
    "channels:read": "logs --follow, which no channel shows that is shared with another company",
    "chat:write": "cards, alerts, digests, and answers in threads and direct messages",
    "commands": "the slash command",
    "files:write": "whole logs as files, and the digest's picture",
    "groups:read": "logs --follow in private channels",
    "im:history": "commands in a direct message",
    "usergroups:read": "access rules by user group",
    "users:read": "access rules for everybody: it tells guests and other companies' people apart",
}
"""The scopes that the bot needs, each with the feature that needs it."""
FAR = timedelta(days=100)
"""How far ahead the trial message is scheduled, before it is deleted. Slack allows at most 120 days."""
MOST_NAMED = 100
"""Maximum users of the access rules that are looked up."""
TRIED = "agentpod tried whether it may post here, and could not take this message back. It means nothing else."


@dataclass(frozen=True)
class CheckResult:
    """One line of the report; ``ok`` is None for a note."""

    title: str
    ok: bool | None
    detail: str
    remedy: str | None = None


async def check_slack(
    settings: SlackSettings, access: AccessPolicy, channels: Mapping[str, str]
) -> list[CheckResult]:
    """Check what the bot needs of Slack. Problems are results, never exceptions.

    ``channels``: the ids of the channels that the bot posts to by itself, each with the setting that names it.
    """
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    api = Api(token, settings.api_url, QuietObserver())
    try:
        return [result async for result in _all(api, settings, access, channels)]
    finally:
        await api.close()


async def _all(
    api: Api, settings: SlackSettings, access: AccessPolicy, channels: Mapping[str, str]
) -> AsyncIterator[CheckResult]:
    try:
        who = await api.call("auth.test", 10)
    except AgentpodError as error:
        yield CheckResult("Slack", False, error.message, error.remedy)
        return
    yield CheckResult("Slack", True, f"{who.get('user')} in {who.get('team')}")
    yield _scopes({k.lower(): v for k, v in who["_headers"].items()}.get("x-oauth-scopes"), access)
    if settings.mode == "socket":
        yield await _app_token(api, settings)
    if access.groups():
        yield await _user_groups(api, access)
    async for result in _named(api, access):
        yield result
    for channel, setting in channels.items():
        yield await check_channel(api, channel, setting)


async def check_channel(api: Api, channel: str, setting: str) -> CheckResult:
    """Check whether the bot may post in a channel. Problems are results, never exceptions.

    It schedules a message for a far day and deletes it at once: Slack checks the channel as for any other message,
    nobody sees it, and it needs no further scope.
    """
    title = f"Slack channel {channel}"
    day = datetime.now(UTC) + FAR
    at = int(day.timestamp())
    try:
        made = await api.once("chat.scheduleMessage", 10, channel=channel, post_at=at, text=TRIED)
    except AgentpodError as error:
        return CheckResult(title, _known(error), f"{setting}: {_why(error)}", error.remedy)
    id_ = str(made.get("scheduled_message_id", ""))
    try:
        await api.call("chat.deleteScheduledMessage", 15, channel=channel, scheduled_message_id=id_)
    except AgentpodError as error:
        said = f"{setting}: agentpod may post there, but could not take its trial back: {error.message}"
        return CheckResult(title, None, said, f"It comes on {day:%-d %B %Y}: delete it then.")
    return CheckResult(title, True, f"{setting}: agentpod may post there")


def _why(error: AgentpodError) -> str:
    """Return the reason only, without the method that Slack refused."""
    why = error.message.partition(": ")[2] if isinstance(error, SlackRefused) else ""
    return why or error.message


def _known(error: AgentpodError) -> bool | None:
    """Return False if Slack refused to post, None if it is unknown whether the bot may."""
    untried = isinstance(error, SlackRefused) and error.word in (*UNKNOWN_METHOD, "restricted_too_many")
    return False if isinstance(error, Permanent) and not untried else None


def _scopes(header: str | None, access: AccessPolicy) -> CheckResult:
    if header is None:
        return CheckResult("Slack scopes", None, "The server does not say which scopes the app has.")
    granted = {s.strip() for s in header.split(",")}
    needed = {s: why for s, why in SCOPES.items() if s != "usergroups:read" or access.groups()}
    missing = [f"{scope} ({why})" for scope, why in needed.items() if scope not in granted]
    if not missing:
        return CheckResult("Slack scopes", True, f"all {len(needed)} are granted")
    detail = f"Missing: {', '.join(missing)}; these features will not work."
    return CheckResult(
        "Slack scopes", False, detail, "Apply deploy/slack-manifest.yaml and install the app again."
    )


async def _app_token(api: Api, settings: SlackSettings) -> CheckResult:
    token = settings.app_token.get_secret_value() if settings.app_token else ""
    try:
        async with asyncio.timeout(15):
            headers = {"Authorization": f"Bearer {token}"}
            opened = await api.client.api_call("apps.connections.open", headers=headers)
    except Exception as error:
        failure = translate("apps.connections.open", error, settings.api_url)
        return CheckResult("Slack Socket Mode", False, failure.message, failure.remedy)
    way = by_environment(str(opened.get("url", "")))
    return CheckResult("Slack Socket Mode", True, f"the app token opens connections; the socket goes {way}")


async def _named(api: Api, access: AccessPolicy) -> AsyncIterator[CheckResult]:
    """Yield a note for each user in the access rules who can't use the role: unknown, deactivated or a bot."""
    named = sorted({user for rule in access.rules for user in rule.users} - {"*"})
    for user in named[:MOST_NAMED]:
        try:
            found = account((await api.call("users.info", 5, user=user)).get("user") or {})
        except NotFound:
            why = "Slack knows nobody of that id"
        except AgentpodError:  # a missing scope is reported above; Slack may be down or hide the user
            continue
        else:
            why = "the account is deactivated" if found.deleted else "it is a bot" if found.bot else ""
        if why:
            said = f"{user} is named in the access rules, and {why}: that gives nobody a role."
            yield CheckResult("Slack people", None, said, "Take the id from the person's profile: Copy member ID.")


async def _user_groups(api: Api, access: AccessPolicy) -> CheckResult:
    for group in sorted(access.groups()):
        try:
            await api.call("usergroups.users.list", 10, usergroup=group)
        except AgentpodError as error:
            return CheckResult("Slack user groups", False, f"{group}: {error.message}", error.remedy)
    return CheckResult("Slack user groups", True, f"{len(access.groups())} can be read")
