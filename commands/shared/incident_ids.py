"""The incidents that a caller may see, and the error for an id that none of them has."""

from __future__ import annotations

import difflib

from bot.domain.core import words
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.concerned import concerned
from bot.errors import UsageError
from bot.ports.ledger import Ledger
from bot.runbook.context import Context
from commands.shared import shape


def sees(ctx: Context, incident: Incident) -> bool:
    """Whether the caller may see the incident."""
    return shape.sees(ctx, concerned(incident, ctx.targets))


async def unknown(ctx: Context, ledger: Ledger, id_: str, command: str) -> UsageError:
    """Return the error for an id that no announced incident has, with the nearest id or the newest ones.

    ``command`` is the one that was given the id.
    """
    newest = [i for i in await ledger.incidents(limit=50) if sees(ctx, i)]
    near = difflib.get_close_matches(id_, [i.id for i in newest], n=1, cutoff=0.7)
    if near:
        remedy = f"Did you mean {ctx.prefix} {command} {near[0]}?"
    elif newest:
        remedy = f"The newest are {words.listed([f'{i.id} ({i.problem.subject})' for i in newest[:3]])}."
    else:
        remedy = f"{ctx.prefix} incidents lists them."
    return UsageError("There is no incident of that id.", remedy=remedy)
