"""Add an SSH key that may sign in to the pod."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.domain.rbac.writes import SecretChange, Write


class SshKeyAdd(RepairAction):
    """See the module. The request takes a form, so it has no command line to repeat it."""

    name = "ssh keys add"
    title = "New SSH key for {target}"
    done = "SSH key added to {target}"
    effect = "Who holds this key's private half can sign in to the pod, after its next restart."

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return key_file_rights(target)

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        return key_file_writes(target)


def key_file_rights(target: Target) -> list[Right]:
    """The rights to read and change the Secret with the SSH keys."""
    if target.ssh is None:
        return []
    return [Right(verb, "secrets", name=target.ssh.secret) for verb in ("get", "patch")]


def key_file_writes(target: Target) -> list[Write]:
    """What a change of the SSH keys changes in the cluster."""
    if target.ssh is None:
        return []
    return [SecretChange(target.ssh.secret, target.ssh.key, (APPROVAL_ANNOTATION,))]


SSH_KEY_ADD = SshKeyAdd()
