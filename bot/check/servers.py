"""The servers besides the clusters: Slack, the Pushgateway and the ledger."""

from __future__ import annotations

import os
from pathlib import Path

from bot.check import tokens
from bot.check.report import Check, Impact, failed
from bot.domain.approvals.approval import RequestState
from bot.domain.core import aside, words
from bot.errors import AgentpodError
from bot.settings.model import Settings, hidden
from bot.wiring.channels import NAME_A_CHANNEL, missing_channel
from bot.wiring.parts import Parts

_UNREAD = "Was it written by another version of agentpod? Run that one, or go on: the rest of the ledger is used."
_STOPS_THE_START = ("Slack", "Slack Socket Mode")


async def slack(settings: Settings) -> list[Check]:
    """Try the tokens, scopes, people and channels; nothing if a token is missing or has a wrong form."""
    from bot.adapters.slack import check_slack

    if any(tokens.checks(settings)):
        return []
    results = await check_slack(settings.slack, settings.access, settings.channels())
    checks = [
        Check(
            r.title,
            r.ok,
            r.detail,
            r.remedy,
            impact=Impact.START if r.title in _STOPS_THE_START else Impact.PART,
        )
        for r in results
    ]
    unset = missing_channel(settings)
    return [*checks, Check("Slack channel", None, unset, NAME_A_CHANNEL)] if unset else checks


async def pushgateway(parts: Parts) -> list[Check]:
    """Read the Pushgateway's groups."""
    if parts.heartbeats is None:
        return [Check("Pushgateway", None, "pushgateway.url is empty: heartbeats are switched off.")]
    try:
        snapshot = await parts.heartbeats.read({"push_time_seconds"})
    except AgentpodError as error:
        return [failed("Pushgateway", error)]
    return [Check("Pushgateway", True, f"{len(snapshot.groups)} groups at {parts.settings.pushgateway.url}")]


async def ledger(parts: Parts) -> list[Check]:
    """Check that the ledger can be used. Doesn't create the file: the bot does that when it starts."""
    missing = _missing_file(parts.settings.ledger.url)
    if missing is not None:
        return [missing]
    try:
        open_requests = await parts.ledger.requests(
            states={RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING}
        )
        pending = await parts.ledger.waiting()
        unread = await parts.ledger.set_aside(parts.clock.now() - aside.LISTED_FOR)
    except AgentpodError as error:
        return [failed("Ledger", error, Impact.START)]
    counts = f"{words.plural(len(open_requests), 'open request')}, {words.plural(pending, 'pending message')}"
    detail = f"{hidden(parts.settings.ledger.url)}: {counts}"
    return [Check("Ledger", True, detail), *(Check("Ledger", None, line, _UNREAD) for line in aside.lines(unread))]


def _missing_file(url: str) -> Check | None:
    """The result for a SQLite file that doesn't exist yet; None for any other ledger."""
    scheme, _, place = url.partition(":///")
    path = Path(place)
    if not scheme.startswith("sqlite") or path.exists():
        return None
    if os.access(path.parent, os.W_OK):
        return Check("Ledger", True, f"{path}: will be made at the bot's start")
    return Check(
        "Ledger",
        False,
        f"The folder {path.parent} is missing or can't be written, so no request can be kept.",
        "Make it for agentpod's user, or set AGENTPOD_LEDGER__URL to another place.",
        impact=Impact.START,
    )
