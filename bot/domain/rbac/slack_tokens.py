"""Check Slack credentials by their format, before they are used. Pure."""

from __future__ import annotations

import re

KINDS = {
    "xoxb-": "a bot token",
    "xoxe.xoxb-": "a bot token",
    "xapp-": "an app-level token",
    "xoxp-": "a user token",
    "xoxe.xoxp-": "a user token",
    "xoxe-": "a refresh token",
    "xoxa-": "a legacy workspace token",
    "xoxr-": "a legacy refresh token",
    "xoxc-": "a token of somebody's browser",
    "xoxd-": "a cookie of somebody's browser",
    "xoxs-": "a legacy session token",
    "https://hooks.slack.com/": "an incoming webhook's address",
}
"""Prefixes of credentials, and what they are."""
WANTED = {
    "slack.bot_token": ("a bot token", "xoxb-", 'It begins with xoxb-: "OAuth & Permissions" of the Slack app.'),
    "slack.app_token": (
        "an app-level token",
        "xapp-",
        'It begins with xapp-: "Basic Information" of the Slack app, "App-Level Tokens".',
    ),
}
SECRET = re.compile(r"[0-9a-f]{32}")
"""The format of a signing secret."""


def wrong(setting: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a credential, and what would be right; None if it is valid. The value is never shown."""
    if setting == "slack.signing_secret":
        if SECRET.fullmatch(value):
            return None
        what = _kind(value) or f"{len(value)} characters that are not one"
        right = 'It has 32 characters, 0 to 9 and a to f: "Basic Information" of the Slack app, "Signing Secret".'
        return f"{setting} is no signing secret, but {what}.", right
    wanted, begins, right = WANTED[setting]
    kind = _kind(value)
    if kind == wanted:
        return None
    why = f"{kind}, not {wanted}." if kind else f"not {wanted}: it does not begin with {begins}"
    return f"{setting} is {why}", right


def _kind(value: str) -> str:
    return next((kind for begins, kind in KINDS.items() if value.startswith(begins)), "")
