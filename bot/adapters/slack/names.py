"""What people and channels are called in Slack, for a terminal: Slack's own clients put names for ids."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from bot.adapters.slack.api import Api
from bot.adapters.slack.quiet import QuietObserver
from bot.domain.core import words
from bot.domain.rbac.membership import LONGEST_NAME, account
from bot.errors import AgentpodError
from bot.settings.model import SlackSettings

SECONDS = 2.0
"""How long an answer in a terminal waits for names; ids stay where none came."""
MOST = 40
"""Most ids that are looked up for one answer."""


async def names_of(settings: SlackSettings, ids: Collection[str]) -> dict[str, str]:
    """Return the names that Slack has for these users and channels; those that it doesn't say are left out."""
    if settings.bot_token is None or not ids:
        return {}
    api = Api(settings.bot_token.get_secret_value(), settings.api_url, QuietObserver())
    try:
        found = await asyncio.gather(*(_name(api, one) for one in sorted(ids)[:MOST]))
    finally:
        await api.close()
    return {id_: name for id_, name in found if name}


async def _name(api: Api, id_: str) -> tuple[str, str]:
    try:
        if id_.startswith(("C", "G")):
            answer = await api.once("conversations.info", SECONDS, channel=id_)
            return id_, _text(answer.get("channel"), "name")
        answer = await api.once("users.info", SECONDS, user=id_)
    except AgentpodError:
        return id_, ""
    user = answer.get("user")
    return id_, account(user).name if isinstance(user, dict) else ""


def _text(found: Mapping[str, Any] | None, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return words.cut(value.strip(), LONGEST_NAME) if isinstance(value, str) else ""
