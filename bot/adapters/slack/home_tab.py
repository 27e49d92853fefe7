"""The Home tab that shows a reply. Pure."""

from __future__ import annotations

from datetime import datetime

from bot.adapters.slack import blocks
from bot.adapters.slack.draft import Json
from bot.adapters.slack.pages import VIEW
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply


def view(
    reply: Reply, *, prefix: str = "/agentpod", outside: Outside = blocks.PATTERNS, now: datetime | None = None
) -> Json:
    """Return the view. The same command in a conversation shows what finds no room in it."""
    rendered = blocks.render(
        reply,
        prefix=prefix,
        attached=False,
        tables=False,
        room=VIEW,
        shows_all=f"{prefix} {reply.command}",
        outside=outside,
        now=now,
    )
    return {"type": "home", "blocks": rendered.messages[0].blocks}
