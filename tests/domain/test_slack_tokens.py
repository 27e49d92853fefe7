"""Slack's credentials by their format: what they are, what would be right, and that no value is shown."""

from __future__ import annotations

import pytest

from bot.domain.rbac.slack_tokens import wrong

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("slack.bot_token", "xoxb-1-2-abc"),
        ("slack.bot_token", "xoxe.xoxb-1-abc"),
        ("slack.app_token", "xapp-1-A0-2-abc"),
        ("slack.signing_secret", SECRET),
    ],
)
def test_well_formed_credentials_are_accepted(setting: str, value: str) -> None:
    assert wrong(setting, value) is None


@pytest.mark.parametrize(
    ("setting", "value", "said", "right"),
    [
        ("slack.bot_token", "xoxp-1-secret", "slack.bot_token is a user token, not a bot token.", "xoxb-"),
        ("slack.bot_token", "xoxe.xoxp-1-secret", "slack.bot_token is a user token, not a bot token.", "xoxb-"),
        ("slack.bot_token", "xapp-1-secret", "slack.bot_token is an app-level token, not a bot token.", "xoxb-"),
        ("slack.bot_token", "xoxe-1-secret", "slack.bot_token is a refresh token, not a bot token.", "xoxb-"),
        (
            "slack.bot_token",
            "XOXB-secret",
            "slack.bot_token is not a bot token: it does not begin with xoxb-",
            "xoxb-",
        ),
        (
            "slack.bot_token",
            "https://hooks.slack.com/services/T/B/secret",
            "slack.bot_token is an incoming webhook's address, not a bot token.",
            "xoxb-",
        ),
        (
            "slack.app_token",
            "hello",
            "slack.app_token is not an app-level token: it does not begin with xapp-",
            "xapp-",
        ),
        (
            "slack.app_token",
            "xoxb-1-secret",
            "slack.app_token is a bot token, not an app-level token.",
            "App-Level",
        ),
        (
            "slack.signing_secret",
            "xapp-1-secret",
            "slack.signing_secret is no signing secret, but an app-level token.",
            "32",
        ),
        (
            "slack.signing_secret",
            SECRET[:-1],
            "slack.signing_secret is no signing secret, but 31 characters that",
            "32",
        ),
        (
            "slack.signing_secret",
            SECRET.upper(),
            "slack.signing_secret is no signing secret, but 32 characters",
            "a to f",
        ),
    ],
)
def test_wrong_kinds_of_credentials_are_named(setting: str, value: str, said: str, right: str) -> None:
    found = wrong(setting, value)
    assert found is not None
    assert found[0].startswith(said)
    assert right in found[1]
    assert "secret" not in " ".join(found).replace(setting, "").replace("signing secret", "").replace(
        "Signing Secret", ""
    )
