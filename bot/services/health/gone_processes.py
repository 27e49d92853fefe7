"""How long processes are gone, which the ledger's open incidents know."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta

from bot.domain.core.target import Target
from bot.domain.health.judge_processes import Name
from bot.domain.incidents.sources.process import PROCESS
from bot.services.health.reads import Reads
from bot.services.health.sources import LEDGER, SourceUnavailable

PATIENCE = 1.0
"""Seconds for the ledger: a remedy is worth no more."""


async def gone_for(reads: Reads, absent: Collection[Name]) -> Mapping[Name, timedelta]:
    """How long each is gone, without those of which it is not known. It only explains: never raises."""
    ledger, keys = reads.ctx.ledger, {_key(reads.target, one): one for one in absent}
    if ledger is None or not keys:
        return {}
    asked = [ledger.incidents(live=True, notified=notified, limit=None) for notified in (False, True)]
    try:
        found = await reads.within(PATIENCE).of(LEDGER, asyncio.gather(*asked))
    except SourceUnavailable:
        return {}
    now = reads.ctx.clock.now()
    there = [one for each in found for one in each if one.there and one.key in keys]
    return {keys[one.key]: now - one.problem.since for one in there}


def _key(target: Target, process: Name) -> str:
    return PROCESS.key(target.name, *process)
