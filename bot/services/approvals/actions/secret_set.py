"""Another value for a Secret's key: it goes from its form to the API server, and is kept nowhere."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

from pydantic import SecretStr

from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.repair import RepairRequest
from bot.services.approvals.actions.execution import Execution
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.approvals.secret_writer import STOPPED, UNSURE


class SecretSet(Execution):
    """See the module."""

    action = SECRET_SET

    async def store(self, case: RepairRequest, value: SecretStr, holder: LeaseHolder) -> RepairRequest:
        """See `Execution`."""
        return await holder.kept(case, partial(holder.secret_writer.store, case, value))

    async def carry_out(
        self,
        case: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,  # noqa: ARG002 - a Secret is looked at anew
        *,
        sent: bool,  # noqa: ARG002 - it is always taken over
    ) -> None:
        """Find out what became of it: whoever gave the value is gone, and so is the value."""
        why = STOPPED if holder.ledger.exclusive else UNSURE
        await holder.kept(case, lambda ours: holder.secret_writer.found(case, ours, why))
