"""What a restart would cost, by the target's runbook: facts for a card, read before anybody approves."""

from __future__ import annotations

from bot.domain.core.planned import THEN
from bot.runbook.context import Context


async def facts(ctx: Context, wanted: bool | tuple[str, ...]) -> list[tuple[str, str]]:
    """Return labels and values; ``wanted`` are names of the runbook's entries, or whether to show all or none."""
    if ctx.book is None or not ctx.book.impact or not wanted:
        return []
    from bot.services.runbook import impact  # the engine is loaded at its first use

    found = await impact.read(ctx, None if isinstance(wanted, bool) else wanted)
    return [(title, THEN) for title, _ in found] if ctx.dry_run else impact.together(found)
