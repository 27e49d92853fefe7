"""All commands that the bot runs in a target's containers: the built-in ones, and its runbook's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.domain.core.target import Target
from bot.domain.rbac.exec_forms import ExecForm
from bot.services import container_exec
from bot.services.approvals import crontab_file
from bot.services.approvals.actions import container_restart, ssh_keys_copy
from bot.services.approvals.actions import cron_run as running
from bot.services.health.checks import crontab, identity
from commands.observe import cron_scripts, ssh_info, storage
from commands.repair import cron_run, key_file

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook

SOURCES: tuple[Callable[[Target], Sequence[ExecForm]], ...] = (
    container_exec.exec_forms,
    identity.exec_forms,
    storage.exec_forms,
    crontab.exec_forms,
    cron_scripts.exec_forms,
    ssh_info.exec_forms,
    key_file.exec_forms,
    container_restart.exec_forms,
    ssh_keys_copy.exec_forms,
    crontab_file.exec_forms,
    running.exec_forms,
    cron_run.exec_forms,
)
"""The ``exec_forms`` of each module that runs a command in a container."""


def all_exec_forms(target: Target, book: CompiledRunbook | None) -> list[ExecForm]:
    """Return every form without duplicates, in a stable order. ``book`` is the target's runbook."""
    found = [form for source in SOURCES for form in source(target)]
    if book is not None:
        from bot.services.runbook.exec_forms import exec_forms

        found += exec_forms(book.runbook, target)
    return list(dict.fromkeys(found))
