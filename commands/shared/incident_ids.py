"""Which incident a command is about: the one of its id, or the only open one; and what is answered for neither."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from bot.domain.core import labels, words
from bot.domain.core.reply import Button, Reply
from bot.domain.incidents import incident_card
from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.concerned import concerned
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.ports.ledger import Ledger
from bot.runbook.context import Context
from commands.shared import shape

MOST = 5
"""Most incidents to choose from."""
MOST_READ = 10_000
"""Most incidents that are read before those that the caller may not see are left out."""


def sees(ctx: Context, incident: Incident) -> bool:
    """Whether the caller may see the incident."""
    return shape.sees(ctx, concerned(incident, ctx.targets))


async def unknown(ctx: Context, ledger: Ledger, id_: str, command: str) -> UsageError:
    """Return the error for an id that no announced incident has, with the nearest id or the newest ones.

    ``command`` is the one that was given the id.
    """
    newest = [i for i in await ledger.incidents(limit=MOST_READ) if sees(ctx, i)]
    near = difflib.get_close_matches(id_, [i.id for i in newest], n=1, cutoff=0.7)
    if near:
        remedy = f"Did you mean {ctx.prefix} {command} {near[0]}?"
    elif newest:
        remedy = f"The newest are {words.listed([f'{i.id} ({i.problem.subject})' for i in newest[:3]])}."
    else:
        remedy = f"{ctx.prefix} incidents lists them."
    return UsageError("There is no incident with that id.", remedy=remedy)


async def only_open(
    ctx: Context,
    ledger: Ledger,
    line: str,
    needs: Capability,
    *,
    ended: bool = False,
    unanswered: bool = False,
    label: str = "",
) -> str | Reply:
    """Return the id of the only open incident that the caller may run ``line`` about; else a choice.

    ``line`` is the command's, with ``{}`` for the id. ``ended``: it is as useful once an incident is over, so the
    newest are offered where none is open. Other lines are about a problem that is gone only where none is there.
    ``unanswered``: where some are not acknowledged, no other is meant. ``label`` is a choice's, with ``{}`` for
    the subject.
    """

    def meant(found: Sequence[Incident]) -> list[Incident]:
        return [_shown(ctx, i) for i in found if concerns(ctx, i) and _may(ctx, i, needs)]

    found = meant(await ledger.incidents(live=True, limit=None))
    found = found if ended else [i for i in found if i.there] or found
    of = f" of {named}" if (named := target_named(ctx)) else ""
    headline = f"Which one? {len(found)} incidents{of} are open" if found else f"No incident{of} is open"
    left = [i for i in found if i.state is IncidentState.FIRING] if unanswered else []
    if left and len(left) < len(found):
        headline = f"Which one? {len(left)} of {len(found)} open incidents{of} are not acknowledged"
        found = left
    if len(found) == 1:
        return found[0].id
    if not found and ended:
        found = meant(await ledger.incidents(limit=MOST_READ))
    if ctx.caller.is_terminal:
        raise UsageError(f"{headline}.", remedy=_named(ctx, found, line))
    return Reply(headline, buttons=tuple(_choices(found, line, label)), shareable=False, repeatable=False)


def target_named(ctx: Context) -> str:
    """The target that --target names; empty without it, and where the settings have only one."""
    return ctx.target.name if ctx.several and not ctx.others else ""


def concerns(ctx: Context, incident: Incident) -> bool:
    """Whether an incident is about the target that --target names; without it each one is."""
    named = target_named(ctx)
    return not named or named in concerned(incident, ctx.targets)


def _shown(ctx: Context, incident: Incident) -> Incident:
    return incident_card.with_target(incident, several=ctx.several)


def _may(ctx: Context, incident: Incident, needs: Capability) -> bool:
    return shape.allowed(ctx, needs, concerned(incident, ctx.targets)).allowed


def _named(ctx: Context, found: Sequence[Incident], line: str) -> str:
    """The line for each choice, for a terminal."""
    lines = [f"{ctx.prefix} {line.format(one.id)} ({one.problem.subject})" for one in found[:MOST]]
    return f"Say which: {words.either(lines)}." if lines else f"{ctx.prefix} incidents lists those that are over."


def _choices(found: Sequence[Incident], line: str, label: str) -> Iterator[Button]:
    label = label or f"{labels.of(line)} {{}}"
    for one in found[:MOST]:
        yield Button(label.format(one.problem.subject), line.format(one.id))
    yield Button(labels.of("incidents"), "incidents")
