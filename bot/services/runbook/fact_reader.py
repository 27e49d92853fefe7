"""What reads the facts of one kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.record import Record
from bot.services.health.reads import Reads
from bot.services.health.sources import Source


@dataclass(frozen=True)
class FactReader:
    """Reads facts of one kind."""

    name: str
    """The kind's name."""
    source: Source
    """Whose fault it is where nothing comes."""
    read: Callable[[Reads, Any], Awaitable[Record]]
    """Returns what was read; kind, source and time are filled in. Raises `bot.errors` and `Blocked`."""
    rights: Callable[[Target, Any], Sequence[Right]]
    """The Kubernetes rights that it needs."""
    searched: Callable[[Any, Record], Record] = lambda _settings, record: record
    """Searches or cuts a record once it is redacted: so no pattern can probe for a secret, and no part of one is
    left that could not be recognised."""


def container_name(target: Target, name: str) -> str:
    """Return the named container, or the target's first one."""
    return name or target.container().name
