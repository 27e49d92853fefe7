"""Checks whether other programs write a Secret, so that a request is refused or carries a warning."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.workload import Manager, SecretFacts
from bot.domain.health import judge_secrets
from bot.domain.health.judge_secrets import External
from bot.errors import AgentpodError, NotFound, Refused
from bot.runbook.context import Context


async def external_secrets(ctx: Context) -> External:
    """Return the ExternalSecrets, or the error if they can't be read: NotFound without the operator."""
    try:
        return await ctx.cluster.external_secrets()
    except AgentpodError as error:
        return error


async def warnings(ctx: Context, seen: SecretFacts, keys: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the card's facts on who else writes the Secret.

    Raises `Refused` if a change of one of these keys would be undone within minutes, or the Secret is immutable.
    """
    if seen.immutable:
        raise Refused(
            f"The Secret {seen.name} is immutable: its values can't be changed.",
            remedy="Delete it and create it again with the new value, then restart the pod.",
        )
    external = await external_secrets(ctx)
    found = judge_secrets.managers(seen, external)
    undone = (judge_secrets.undone_by(found, key) for key in keys)
    if (manager := next(filter(None, undone), None)) is not None:
        who = words.cut(manager.name, 100)
        raise Refused(
            f"{who} writes the Secret {seen.name} and would undo the change within minutes.",
            remedy=f"{manager.where} Then restart the pod.",
        )
    facts = tuple(_fact(m) for m in found[:3])
    if isinstance(external, AgentpodError) and not isinstance(external, NotFound):
        said = f"not known whether an ExternalSecret does: {words.lower_first(words.cut(external.message, 160))}"
        facts += (("Also written by", said),)
    return facts


def _fact(manager: Manager) -> tuple[str, str]:
    if manager.undoes:  # of other keys only
        return "Also written by", f"{words.cut(manager.name, 100)}, other keys only"
    return (
        "Also written by",
        f"{words.cut(manager.name, 100)}, which may undo this at its next turn. {manager.where}",
    )
