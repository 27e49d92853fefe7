"""The executions by action name: one line for each action of `bot.domain.approvals.actions.registry`."""

from __future__ import annotations

from bot.domain.core.registry import Registry
from bot.services.approvals.actions.execution import Execution
from bot.services.approvals.actions.force_restart import ForceRestart
from bot.services.approvals.actions.restart import Restart
from bot.services.approvals.actions.secret_set import SecretSet
from bot.services.approvals.actions.ssh_key_add import SshKeyAdd
from bot.services.approvals.actions.ssh_key_remove import SshKeyRemove

BUILTIN: Registry[Execution] = Registry(
    "execution", (Restart(), ForceRestart(), SecretSet(), SshKeyAdd(), SshKeyRemove())
)
