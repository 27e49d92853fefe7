"""Carries out `ssh keys add`: adds a key to the file of SSH keys in a Secret."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.repair import RepairRequest
from bot.domain.health import ssh_keys
from bot.errors import NotFound
from bot.services.approvals.actions.execution import Execution
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.approvals.secret_writer import plan_change


class KeyFileChange(Execution):
    """A change of the file of SSH keys, which is one key of a Secret."""

    @abstractmethod
    def changed(self, repair: RepairRequest, text: str, now: datetime) -> bytes:
        """The file's new content. Raises `ssh_keys.BadKey` where the change can't be made."""

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        cluster = holder.cluster_of(repair.target)
        with contextlib.suppress(NotFound):  # no file was read
            await cluster.authorized_keys(repair.details["secret"], repair.details["key"])
        await plan_change(repair, holder, b"<the file as it is then, with the change>")

    async def preview(self, repair: RepairRequest, holder: LeaseHolder, seen: Any = None) -> bool:  # noqa: ARG002
        """See `Execution`."""
        await self.plan(repair, holder)
        return True

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,  # noqa: ARG002 - the Secret is read anew
        *,
        sent: bool,
    ) -> None:
        """See `Execution`."""

        def change(text: str) -> bytes:
            return self.changed(repair, text, holder.clock.now())

        off = holder.off(repair)
        await holder.conclude_with(
            repair, lambda lease: holder.secret_writer.file(repair, change, lease, sent=sent, off=off)
        )


class SshKeyAdd(KeyFileChange):
    """See the module."""

    action = SSH_KEY_ADD

    def changed(self, repair: RepairRequest, text: str, now: datetime) -> bytes:  # noqa: ARG002
        """See `KeyFileChange`."""
        return ssh_keys.as_bytes(ssh_keys.added(text, ssh_keys.parse_key(repair.details["line"])))


EXECUTION = SshKeyAdd()
