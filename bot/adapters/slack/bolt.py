"""Creates the Bolt app."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.adapters.slack import sdk_logs
from bot.adapters.slack.api import Api
from bot.adapters.slack.needed import needed
from bot.settings.model import SlackSettings


def bolt_app(settings: SlackSettings, api: Api, who: dict[str, Any]) -> AsyncApp:
    """Return a Bolt app without the parts that delay acknowledgements.

    Authorisation uses the known identity ``who``, and the bot's own events are ignored elsewhere, by user id.
    """
    http = settings.mode == "http"
    secret = needed(settings.signing_secret, "slack.signing_secret") if http else ""
    known = AuthorizeResult(
        enterprise_id=who.get("enterprise_id"),
        team_id=who.get("team_id"),
        bot_id=who.get("bot_id"),
        bot_user_id=str(who.get("user_id", "")),
        bot_token=api.client.token,
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return known

    return AsyncApp(
        # Without a name Bolt reads callers' source files to find one. It configures the logger of that name, which
        # must not be one of the bot's.
        name="bolt",
        logger=sdk_logs.BOLT,
        signing_secret=secret,
        client=api.web_client(None, []),
        authorize=authorize,
        request_verification_enabled=http,
        ignoring_self_events_enabled=False,
        ignoring_self_assistant_message_events_enabled=False,
        ssl_check_enabled=http,
        url_verification_enabled=http,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
