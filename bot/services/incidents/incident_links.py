"""Links between an incident's alert and the cards of the repairs that were asked for at it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from bot.domain.core.reply import Link
from bot.domain.incidents import message_keys, report
from bot.domain.incidents.alerting import Incident
from bot.errors import AgentpodError
from bot.ports.ledger import Ledger
from bot.services.approvals import request_links
from bot.services.approvals.request_links import ALERT, Linking

logger = logging.getLogger("agentpod.alerts")

PATIENCE = 1.0
"""Seconds that an alert waits for its requests."""
MOST = 100
"""Most requests that are read."""


async def of(
    links: Linking | None, ledger: Ledger, incident: Incident, *, to_alert: bool = True
) -> tuple[Link, ...]:
    """The links to an incident's alert and to the cards of what was asked for at it. Never raises."""
    if links is None:
        return ()
    key = message_keys.incident(incident.id)
    alert = await links.to(ALERT, key) if to_alert else ()
    since = report.begin(incident) - timedelta(hours=1)
    try:
        async with asyncio.timeout(PATIENCE):
            repairs = await ledger.requests(target=incident.problem.target, since=since, limit=MOST)
    except (AgentpodError, TimeoutError) as error:
        logger.info("an alert links no requests: %s", getattr(error, "message", "no answer in time"))
        return alert
    return (*alert, *await request_links.asked_at(links, key, repairs))
