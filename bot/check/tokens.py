"""Slack's tokens: whether they are set, and have the form of their kind."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from bot.check.report import Check, Impact
from bot.domain.rbac import slack_tokens
from bot.settings.model import Settings

NEEDS = "slack.bot_token slack.app_token slack.signing_secret slack.mode"
"""The settings that are judged."""


def checks(settings: Settings) -> Iterator[Check]:
    """Find tokens that are not set, and those whose format doesn't fit their setting."""
    yield from _absent_tokens(settings)
    yield from wrong_tokens(settings)


def _absent_tokens(settings: Settings) -> Iterator[Check]:
    for name in missing_tokens(settings):
        variable = "AGENTPOD_" + name.upper().replace(".", "__")
        remedy = f"Set {variable}; docs/slack.md says where to find it."
        yield Check("Slack", False, f"{name} is not set.", remedy, impact=Impact.START)


def wrong_tokens(settings: Settings) -> Iterator[Check]:
    """Find tokens whose format doesn't fit their setting, without asking Slack."""
    for name, value in _tokens(settings).items():
        if value is not None and (found := slack_tokens.wrong(name, value.get_secret_value())):
            yield Check("Slack", False, *found, impact=Impact.START)


def missing_tokens(settings: Settings) -> list[str]:
    """The names of the settings for tokens that the mode needs and that are not set."""
    return [name for name, value in _tokens(settings).items() if value is None]


def _tokens(settings: Settings) -> dict[str, SecretStr | None]:
    """The tokens that the mode needs, by setting name."""
    slack = settings.slack
    if slack.mode == "socket":
        return {"slack.bot_token": slack.bot_token, "slack.app_token": slack.app_token}
    return {"slack.bot_token": slack.bot_token, "slack.signing_secret": slack.signing_secret}
