"""Reads objects of the Kubernetes API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Any

from bot.domain.core.workload import Right
from bot.domain.runbook import flat
from bot.domain.runbook.facts.object import ABSENT, Kubernetes
from bot.domain.runbook.record import MAX_LINES, Record
from bot.errors import NoSuchKind, NotFound
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader

MOST = 200
"""Most objects of a list."""


async def read(reads: Reads, settings: Kubernetes) -> Record:
    """Read one object, or a list of them. What does not exist is a fact, not an error."""
    try:
        found = await reads.ctx.cluster.objects(_right(settings), settings.version, settings.selector)
    except NoSuchKind:
        group = f" of {settings.group}/{settings.version}" if settings.group else ""
        return absent(f"no {settings.resource}{group} in this cluster")
    except NotFound:
        if settings.name is None:
            raise
        return absent(f"no {settings.resource} {settings.name}")
    items = found.get("items")
    if not isinstance(items, list):
        return await _record(reads, found, cut=False)
    if not items:
        which = f" with {settings.selector}" if settings.selector else ""
        return absent(f"no {settings.resource}{which} in {settings.namespace or reads.target.namespace}")
    return await _record(reads, {"items": items[:MOST]}, cut=len(items) > MOST)


def absent(said: str) -> Record:
    """Return the record of objects that are not there, with a line that says so."""
    return Record("kubernetes", (), {"exists": "false", ABSENT: said})


async def _record(reads: Reads, found: Mapping[str, Any], *, cut: bool) -> Record:
    """Redact the data and make it into lines, in a thread: there may be much of it."""

    def lines() -> tuple[str, ...]:
        clean = reads.ctx.outside.data(found)
        return tuple(islice(flat.flattened(clean), MAX_LINES + 1))  # what is beyond is not even made

    return Record("kubernetes", await asyncio.to_thread(lines), truncated=cut)


def _right(settings: Kubernetes) -> Right:
    verb = "get" if settings.name else "list"
    name = "" if settings.name is None else settings.name
    return Right(verb, settings.resource, settings.group, name=name, namespace=settings.namespace)


READER = FactReader("kubernetes", API, read, lambda _target, settings: (_right(settings),))
