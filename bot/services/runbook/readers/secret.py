"""Reads what is known of a Secret, without its values."""

from __future__ import annotations

from bot.domain.core import words
from bot.domain.health import secret_memory
from bot.domain.health.secret_memory import Remembered
from bot.domain.runbook.facts.secret import SecretFact
from bot.domain.runbook.record import Record
from bot.errors import AgentpodError, NotFound
from bot.services.health import rights
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader


async def read(reads: Reads, settings: SecretFact) -> Record:
    """Read the keys, the times, and the manager. A Secret that is absent is a fact, not an error."""
    try:
        found = await reads.ctx.cluster.secret(settings.name)
    except NotFound:
        return Record("secret", (), {"exists": "false"})
    change = secret_memory.last_change(found, await _remembered(reads, settings.name))
    lines = [f"key {name}: {key.length} bytes" for name, key in sorted(found.keys.items())]
    changed, created = words.iso(change.unchanged_since), words.iso(found.created_at)
    lines += [f"{'changed' if change.known else 'unchanged since'}: {changed}"] if changed else []
    lines += [f"created: {created}"] if created else []
    lines += [f"managed by: {manager.name}" for manager in found.managers if manager.undoes]
    return Record("secret", tuple(lines), {"exists": "true"})


async def _remembered(reads: Reads, name: str) -> Remembered | None:
    """Return what is remembered of the values; None where that can't be read."""
    if reads.ctx.ledger is None:
        return None
    try:
        kept = await reads.ctx.ledger.mark(secret_memory.mark(reads.target.name, name))
    except AgentpodError:
        return None
    return secret_memory.from_json(kept or "")


READER = FactReader("secret", API, read, lambda _target, settings: rights.secret_rights([settings.name]))
