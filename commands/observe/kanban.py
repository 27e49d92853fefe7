"""``kanban``: the handbook's four checks of "VibeKanban Not Accessible", in its order."""

from __future__ import annotations

from commands.shared.check_list import check_list

COMMAND = check_list(
    "kanban",
    "VibeKanban: process, port, service, environment",
    ("kanban-process", "kanban-port", "kanban-service", "kanban-env"),
    details="The first check that fails is the headline.",
    more=(("Logs of VibeKanban", "logs --grep vibe-kanban"), ("Services", "services")),
)
