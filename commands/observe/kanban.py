"""``kanban``: the handbook's four checks of "VibeKanban Not Accessible", in its order, and its address's."""

from __future__ import annotations

from collections.abc import Sequence

from bot.runbook.context import Context
from bot.services.health.check import Check
from bot.services.health.checks.network import NetworkCheck
from commands.shared.check_list import check_list


def _address(ctx: Context) -> Sequence[Check]:
    """The check of the address that people use: the others can all be ok where it does not answer."""
    return [check for check in NetworkCheck.of(ctx) if "kanban" in check.id]


COMMAND = check_list(
    "kanban",
    "VibeKanban: process, port, service, environment, address",
    ("kanban-process", "kanban-port", "kanban-service", "kanban-env"),
    details="The first check that fails is the headline. The address is checked as in `status`.",
    more=(("Logs of VibeKanban", "logs --grep vibe-kanban"), ("Services", "services")),
    beside=_address,
)
