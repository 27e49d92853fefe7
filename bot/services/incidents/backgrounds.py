"""Reads what preceded incidents from the ledger. An alert neither waits long for it nor fails because of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.change import BOT, Change
from bot.domain.incidents import background, report
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.background import BEFORE, LOOKED_BACK, Background, SeenBefore
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.errors import AgentpodError
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.alerts")

PATIENCE = 1.0
"""Seconds that an alert waits at most."""
MOST = 100
"""Most restarts, other changes, earlier incidents and requests that are read."""
REQUESTED = timedelta(days=2)
"""How long before an incident a request may have been made that was carried out during it."""
T = TypeVar("T")


async def backgrounds(
    ledger: Ledger, incidents: Sequence[Incident], now: datetime, *, alone: bool
) -> Mapping[str, Background]:
    """Incident id → what preceded it; without those of which nothing did, or which could not be read.

    ``alone``: there is one target, so that the bot's settings are named in its channel.
    """
    found = await asyncio.gather(*(_within(_of(ledger, one, now, alone=alone), one.id) for one in incidents))
    return {one.id: known for one, known in zip(incidents, found, strict=True) if known is not None}


async def changed_before(ledger: Ledger, incidents: Sequence[Incident], *, alone: bool) -> Sequence[Change]:
    """What changed before the incidents of a group, newest first; nothing where that can't be read."""
    since = min(map(report.begin, incidents)) - BEFORE
    until = max(one.fired_at or one.opened_at for one in incidents)
    targets = {one.problem.target for one in incidents} | ({BOT} if alone else set())
    found = await _within(_changes(ledger, incidents, since, until, targets), incidents[0].group) or ()
    return [change.public for change in found]


async def ended_after(ledger: Ledger, incident: Incident, now: datetime) -> str:
    """The last repair that was made before the problem was gone; empty: none, or it can't be read."""
    if incident.there or incident.closed:
        return ""
    repair = await _within(_last_repair(ledger, incident, now), incident.id)
    return f"{repair.action.called(repair)} ({repair.id})" if repair is not None else ""


async def _within(reading: Awaitable[T], id_: str) -> T | None:
    """What a read gives; None, and a line in the log, where it fails or takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await reading
    except TimeoutError:
        logger.warning("what preceded an incident was not read in time", extra={"incident": id_})
    except AgentpodError as error:
        logger.warning("what preceded an incident was not read: %s", error.message, extra={"incident": id_})
    except Exception:
        logger.exception("what preceded an incident was not read", extra={"incident": id_})
    return None


async def _of(ledger: Ledger, incident: Incident, now: datetime, *, alone: bool) -> Background | None:
    targets = (incident.problem.target, *((BOT,) if alone else ()))
    changes, seen = await asyncio.gather(
        _changes(ledger, [incident], report.begin(incident) - BEFORE, now, targets),
        _seen(ledger, incident, now),
    )
    return background.of(report.begin(incident), changes, seen)


async def _changes(
    ledger: Ledger, incidents: Sequence[Incident], since: datetime, until: datetime, targets: Collection[str]
) -> Sequence[Change]:
    """The changes, newest first; without the restarts that are what an incident of the pod is about.

    Restarts are read apart, so that many of them leave room for what caused them.
    """
    of_pod = any(one.problem.kind == POD_HEALTH.stored for one in incidents)
    found = await asyncio.gather(
        *(
            ledger.changes(since, until, targets=targets, restarts=restarts, limit=MOST)
            for restarts in ((False,) if of_pod else (False, True))
        )
    )
    return sorted(chain(*found), key=lambda change: (change.at, change.number), reverse=True)


async def _seen(ledger: Ledger, incident: Incident, now: datetime) -> SeenBefore | None:
    since = now - LOOKED_BACK
    found = await ledger.incidents(key=incident.key, since=since, limit=MOST)
    earlier = [one for one in found if one.id != incident.id and one.opened_at >= since]
    if not earlier:
        return None
    last = earlier[0]
    if last.open:
        return SeenBefore(len(earlier))
    at = last.recovered_at or last.resolved_at
    return SeenBefore(len(earlier), at, await _ending(ledger, last, now), last.id)


async def _ending(ledger: Ledger, last: Incident, now: datetime) -> str:
    """What ended an incident."""
    if last.closed:
        return f"closed: {last.closed}"
    repair = await _last_repair(ledger, last, now)
    return "by itself" if repair is None else f"after {repair.action.called(repair)}"


async def _last_repair(ledger: Ledger, incident: Incident, now: datetime) -> RepairRequest | None:
    """The last repair that was made before the problem was gone."""
    since = report.begin(incident) - REQUESTED
    repairs = await ledger.requests(target=incident.problem.target, since=since, limit=MOST)
    return report.last_repair(incident, report.concerned(incident, repairs, now), now)
