"""Puts the parts of repairs together: requests, their execution, and what time does to them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.target import Target
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.approvals.approval_service import ApprovalService, Freshen
from bot.services.approvals.recovery import RequestRecovery
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import SecretWriter
from bot.settings.model import Settings


class RepairObserver(Protocol):
    """Who counts repairs."""

    def repair_ended(self, action: str, state: str, seconds: float | None) -> None:
        """``seconds`` from the change to ready, where it was followed to there."""


def process_name() -> str:
    """How the ledger names this process: unique among replicas and over restarts."""
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
    ) -> None:
        """Connects to nothing; :meth:`tasks` does the work. ``changed`` is told when a message is pending."""
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
        )
        channel = settings.slack.channel or ""
        channels = {name: channel for name in targets if channel}
        self.approval_service = ApprovalService(
            ledger, clock, policy, settings.access, channels, self.executor, changed
        )

    def tasks(self, freshen: Freshen) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The background tasks by name; they use ``freshen`` to look up groups."""
        self.approval_service.freshen = freshen
        return {"housekeeping": RequestRecovery(self.approval_service, self.executor).run}

    async def stop(self, seconds: float) -> None:
        """Let the changes under way be made and written down, within ``seconds``."""
        await self.executor.stop(seconds)
        with contextlib.suppress(AgentpodError):
            await self.approval_service.sum_up(all_=True)

    def _ended(self, case: RepairRequest) -> None:
        seconds = case.outcome.seconds if case.outcome else None
        self._observer.repair_ended(case.action.name, case.state.value, seconds)
