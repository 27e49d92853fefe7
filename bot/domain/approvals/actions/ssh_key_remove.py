"""Remove an SSH key from the pod; the last key only where the request says so explicitly."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.approvals.actions.ssh_key_add import after_a_change, key_file_off, key_file_rights, key_file_writes
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.writes import Write

LAST = "last"
"""The detail of a request that may remove the last key."""


class SshKeyRemove(RepairAction):
    """See the module."""

    name = "ssh keys remove"
    title = "Removal of an SSH key of {target}"
    done = "SSH key removed from {target}"
    mends = frozenset({"check"})

    def effect(self, *, is_last: bool) -> str:
        """What will happen."""
        if is_last:
            return "It is the last key: NOBODY can sign in once the pod has the change, by a copy or a restart."
        return (
            "Whoever holds it can't sign in once the pod has the new keys, by a copy or a restart. Sessions go on."
        )

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(
            f"ssh keys remove {wanted.subject}{' --last' if LAST in wanted.details else ''}", wanted
        )

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return after_a_change(wanted, "an SSH key was removed")

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        return key_file_off(wanted, target)

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return key_file_rights(target)

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        return key_file_writes(target)


SSH_KEY_REMOVE = SshKeyRemove()
