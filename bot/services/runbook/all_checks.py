"""All checks of a target: the bot's own, and those that its runbook adds to `status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check
from bot.services.health.checks import registry
from bot.services.health.reads import CheckContext

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook


def all_checks(ctx: CheckContext) -> list[Check]:
    """Return the checks, the bot's own first."""
    from bot.services.runbook import declared_check

    # Each check (bot/services/health/checks/) reads its facts, and gives them to its judge (bot/domain/health/).
    return [*registry.checks_of(ctx), *declared_check.status_checks(ctx)]


def runbook_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the runbook's part of them needs."""
    from bot.services.runbook import declared_check

    return declared_check.status_rights(book, target)
