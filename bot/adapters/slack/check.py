"""Slack's part of `agentpod check`: tokens, scopes, user groups and channels, each with what it means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import UNKNOWN_METHOD, SlackRefused, translate
from bot.adapters.transport.sessions import by_environment
from bot.domain.rbac.access import AccessPolicy
from bot.domain.rbac.membership import account
from bot.errors import AgentpodError, NotFound, Permanent
from bot.settings.model import SlackSettings

SCOPES = {
    "app_mentions:read": "commands by mention",
    "chat:write": "cards, alerts, digests, and answers in threads and direct messages",
    "commands": "the slash command",
    "files:write": "whole logs as files, and the digest's picture",
    "im:history": "commands in a direct message",
    "usergroups:read": "access rules by user group",
    "users:read": "access rules for everybody: guests and other companies' people are told by it",
}
"""What each scope is for."""
FAR = timedelta(days=100)
"""For when a message is scheduled that is taken back at once. Slack takes 120 days at most."""
MOST_NAMED = 100
"""People of the access rules that are looked up."""
TRIED = "agentpod tried whether it may post here, and could not take this message back. It means nothing else."


@dataclass(frozen=True)
class CheckResult:
    """One line of the report; ``ok`` None is a note."""

    title: str
    ok: bool | None
    detail: str
    remedy: str | None = None


class _Quiet:
    """An observer for a short look: nothing is counted."""

    def acked(self, kind: str, seconds: float) -> None:
        """Nobody counts."""

    def redelivered(self, kind: str) -> None:
        """Nobody counts."""

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        """Nobody counts."""

    def connected(self, connected: bool) -> None:
        """Nobody counts."""

    def delivery_failed(self, reason: str) -> None:
        """Nobody counts."""


async def check_slack(
    settings: SlackSettings, access: AccessPolicy, channels: Mapping[str, str]
) -> list[CheckResult]:
    """Try what the bot will need of Slack; never raises for what it finds.

    ``channels``: where it posts by itself, by id, each with the setting that names it.
    """
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    api = Api(token, settings.api_url, _Quiet())
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
    """Whether the bot may post in a channel. Never raises for what it finds.

    A message is scheduled for a far day and taken back at once: Slack looks at the channel as for any other,
    nobody sees it, and it needs no scope that the bot has not.
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
    """The reason alone: how it was found out is not what the reader is after."""
    why = error.message.partition(": ")[2] if isinstance(error, SlackRefused) else ""
    return why or error.message


def _known(error: AgentpodError) -> bool | None:
    """False for a refusal; None where it is not known."""
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
    """Whom the access rules name in vain: a role of theirs is nobody's."""
    named = sorted({user for rule in access.rules for user in rule.users} - {"*"})
    for user in named[:MOST_NAMED]:
        try:
            found = account((await api.call("users.info", 5, user=user)).get("user") or {})
        except NotFound:
            why = "Slack knows nobody of that id"
        except AgentpodError:  # the scopes say why, or Slack is away; people of other companies can be hidden
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
