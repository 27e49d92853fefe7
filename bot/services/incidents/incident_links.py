"""Links from an incident to its alert, to an earlier one about the same, and to the cards asked for at it."""

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
EARLIER = "Earlier alert"
MOST = 100
"""Most requests that are read."""


async def earlier(links: Linking | None, incident: Incident) -> tuple[Link, ...]:
    """The link to the last alert about the same problem, while the alert names it. Never raises."""
    seen = incident.background.seen if incident.background is not None and incident.open else None
    if links is None or seen is None:
        return ()
    return await links.to(EARLIER, message_keys.incident(seen.source))


async def of(
    links: Linking | None, ledger: Ledger, incident: Incident, *, to_alert: bool = True
) -> tuple[Link, ...]:
    """All links of an incident. Never raises."""
    if links is None:
        return ()
    key = message_keys.incident(incident.id)
    alert = await links.to(ALERT, key) if to_alert else ()
    alert = (*alert, *await earlier(links, incident))
    since = report.begin(incident) - timedelta(hours=1)
    try:
        async with asyncio.timeout(PATIENCE):
            repairs = await ledger.requests(target=incident.problem.target, since=since, limit=MOST)
    except (AgentpodError, TimeoutError) as error:
        logger.info("an alert links no requests: %s", getattr(error, "message", "no answer in time"))
        return alert
    return (*alert, *await request_links.asked_at(links, key, repairs))
