"""Carries out `secrets set`: writes a value from a form to a Secret's key; the value is stored nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

from pydantic import SecretStr

from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.repair import RepairRequest
from bot.services.approvals.actions.execution import Execution
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.approvals.secret_writer import STOPPED, UNSURE, plan_change


class SecretSet(Execution):
    """See the module."""

    action = SECRET_SET

    async def store(self, repair: RepairRequest, value: SecretStr, holder: LeaseHolder) -> RepairRequest:
        """See `Execution`."""
        return await holder.conclude_with(repair, partial(holder.secret_writer.store, repair, value))

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        await plan_change(repair, holder, b"<the value from the form>")

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
        sent: bool,  # noqa: ARG002 - only called after a takeover
    ) -> None:
        """Find out whether the value was stored: the process that had it has ended, and the value is lost."""
        why = STOPPED if holder.ledger.exclusive else UNSURE
        await holder.conclude_with(repair, lambda lease: holder.secret_writer.found(repair, lease, why))


EXECUTION = SecretSet()
