"""Carries out `ssh keys remove`: removes a key from the file of SSH keys in a Secret."""

from __future__ import annotations

from datetime import datetime

from bot.domain.approvals.actions.ssh_key_remove import LAST, SSH_KEY_REMOVE
from bot.domain.approvals.repair import RepairRequest
from bot.domain.health import ssh_keys
from bot.services.approvals.actions.ssh_key_add import KeyFileChange


class SshKeyRemove(KeyFileChange):
    """See the module."""

    action = SSH_KEY_REMOVE

    def changed(self, repair: RepairRequest, text: str, now: datetime) -> bytes:
        """See `KeyFileChange`."""
        fingerprint = repair.details["fingerprint"]
        left = ssh_keys.removed(text, fingerprint)
        if ssh_keys.is_last(text, fingerprint, now) and LAST not in repair.details:
            raise ssh_keys.BadKey("it has become the only key, and nobody asked for the last one to go")
        return ssh_keys.as_bytes(left)


EXECUTION = SshKeyRemove()
