"""Add an SSH key that may sign in to the pod."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, restart_line
from bot.domain.approvals.actions.ssh_keys_copy import COPY, copy_button
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.domain.rbac.writes import SecretChange, Write


class SshKeyAdd(RepairAction):
    """See the module."""

    name = "ssh keys add"
    title = "New SSH key for {target}"
    done = "SSH key added to {target}"
    by_form = True
    mends = frozenset({"check"})
    effect = "Whoever holds the private key can sign in once the pod has this key: after a copy, or a restart."

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return after_a_change(wanted, "an SSH key was added")

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        return key_file_off(wanted, target)

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return key_file_rights(target)

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        return key_file_writes(target)


def after_a_change(wanted: Wanted, reason: str) -> tuple[Button, ...]:
    """The buttons after a change of the keys: copy them into the pod where that is possible, or restart it."""
    copies = COPY in wanted.details
    restart = Button("Ask for a restart", restart_line(reason, wanted.target), style="" if copies else "primary")
    return (copy_button(wanted.target, reason), restart) if copies else (restart,)


def key_file_off(wanted: Wanted, target: Target) -> str:
    """The setting that no longer has the request's file of SSH keys; empty while it does."""
    spec, details = target.ssh, wanted.details
    same = spec is not None and (spec.secret, spec.key) == (details.get("secret"), details.get("key"))
    return "" if same else "targets[].ssh"


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
