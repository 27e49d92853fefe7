"""Reads objects of the Kubernetes API."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from bot.domain.core.workload import Right
from bot.domain.runbook import flat
from bot.domain.runbook.facts.object import Kubernetes
from bot.domain.runbook.record import MAX_LINES, Record
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader

MOST = 200
"""Most objects of a list."""


async def read(reads: Reads, settings: Kubernetes) -> Record:
    """Read one object, or a list of them."""
    found = await reads.ctx.cluster.objects(_right(settings), settings.version, settings.selector)
    items = found.get("items")
    if not isinstance(items, list):
        return _record(found, cut=False)
    return _record({"items": items[:MOST]}, cut=len(items) > MOST)


def _record(found: Mapping[str, Any], *, cut: bool) -> Record:
    lines = tuple(islice(flat.flattened(found), MAX_LINES + 1))  # what is beyond is not even made
    return Record("kubernetes", lines, truncated=cut)


def _right(settings: Kubernetes) -> Right:
    verb = "get" if settings.name else "list"
    name = "" if settings.name is None else settings.name
    return Right(verb, settings.resource, settings.group, name=name, namespace=settings.namespace)


READER = FactReader("kubernetes", API, read, lambda _target, settings: (_right(settings),))
