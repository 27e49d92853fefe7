"""Builds the approval service with its executor and its background task."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.target import Target
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.ports.people import People
from bot.services.approvals.approval_service import ApprovalService, Freshen
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import SecretWriter
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.domain.approvals.receipt import Receipt
    from bot.services.approvals.receipts import ReceiptKeeper
    from bot.services.health.reads import CheckContext


class RepairObserver(Protocol):
    """Counts repairs, for the metrics."""

    def repair_ended(self, action: str, state: str, seconds: float | None) -> None:
        """Count a repair that ended; ``seconds`` from the change to a ready pod, if it became ready."""


def process_name() -> str:
    """A name for this process in leases, unique among replicas and across restarts."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Approvals:
    """The approval service for commands, and the background tasks behind it."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
        cluster_of: Callable[[str], Cluster],
        observer: RepairObserver,
        changed: Callable[[], None] = lambda: None,
        check_context: Callable[[Target], CheckContext] | None = None,
    ) -> None:
        """Make no connection; :meth:`tasks` does the work. ``changed`` is called when messages were enqueued."""
        self._observer = observer
        policy = settings.approvals
        targets: Mapping[str, Target] = {t.name: t for t in settings.targets}
        self.executor = RepairExecutor(
            process_name(),
            ledger,
            clock,
            policy,
            targets,
            cluster_of,
            SecretWriter(clock, cluster_of),
            changed,
            self._ended,
            check_context,
        )
        channel = settings.slack.channel or ""
        channels = {name: channel for name in targets if channel}
        self.approval_service = ApprovalService(
            ledger, clock, policy, settings.access, channels, self.executor, changed
        )

    def tasks(self, freshen: Freshen, people: People) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The background tasks by name. Sets ``freshen``, which looks up the groups of whoever decides."""
        from bot.services.approvals.approver_messages import ApproverMessages
        from bot.services.approvals.recovery import RequestRecovery  # not needed until Slack is connected

        self.approval_service.freshen = freshen
        self.executor.executions  # noqa: B018 - loaded before somebody waits for one
        messages = ApproverMessages(self.approval_service, people)
        return {"recovery": RequestRecovery(self.approval_service, self.executor, messages, self._receipts()).run}

    async def follow(self, one: Receipt) -> None:
        """Keep the answer to whoever asked for a repair up to date. Raises as the ledger does."""
        await self._receipts().follow(one)

    def _receipts(self) -> ReceiptKeeper:
        from bot.services.approvals.receipts import ReceiptKeeper

        service = self.approval_service
        return ReceiptKeeper(service.ledger, service.clock, service.changed)

    async def stop(self, seconds: float) -> None:
        """Let changes in flight end, within ``seconds``, and record the sums of refusals."""
        await self.executor.stop(seconds)
        with contextlib.suppress(AgentpodError):
            await self.approval_service.sum_up(all_=True)

    def _ended(self, repair: RepairRequest) -> None:
        seconds = repair.outcome.seconds if repair.outcome else None
        self._observer.repair_ended(repair.action.name, repair.state.value, seconds)
