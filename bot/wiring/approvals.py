"""Puts the parts of repairs together: the desk, the workshop, the courier and what time does to cases."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from bot.domain.approvals.repair import (
    RepairRequest,
)
from bot.domain.core.target import Target
from bot.errors import AgentpodError
from bot.ports.chat import (
    Chat,
)
from bot.ports.clock import (
    Clock,
)
from bot.ports.cluster import (
    Cluster,
)
from bot.ports.ledger import (
    Ledger,
)
from bot.services.approvals import approval_messages
from bot.services.approvals.approval_messages import RequestMessages
from bot.services.approvals.approval_service import ApprovalService, Freshen
from bot.services.approvals.recovery import RequestRecovery
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import SecretWriter
from bot.services.outbox.worker import MessageRenderer, OutboxWorker, Sink
from bot.settings.model import (
    Settings,
)


class RepairObserver(Protocol):
    """Who counts repairs and the messages about them."""

    def repair_ended(self, action: str, state: str, seconds: float | None) -> None:
        """``seconds`` from the change to ready, where it was followed to there."""

    def delivery(self, kind: str, outcome: str) -> None:
        """``outcome`` is ok, retry or dead."""


def process_name() -> str:
    """How the ledger names this process: unique among replicas and over restarts."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Repairs:
    """The desk for commands, and the background tasks behind it."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
        cluster_of: Callable[[str], Cluster],
        observer: RepairObserver,
    ) -> None:
        """Connects to nothing; :meth:`tasks` does the work."""
        self._settings, self._ledger, self._clock, self._observer = settings, ledger, clock, observer
        self._outbox_worker: OutboxWorker | None = None
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
            self._changed,
            self._ended,
        )
        channel = settings.slack.channel or ""
        channels = {name: channel for name in targets if channel}
        self.approval_service = ApprovalService(
            ledger, clock, policy, settings.access, channels, self.executor, self._changed
        )

    def wake(self) -> None:
        """Something is owed."""
        self._changed()

    def tasks(
        self,
        chat: Chat,
        freshen: Freshen,
        more: Mapping[str, MessageRenderer] | None = None,
        sinks: Mapping[str, Sink] | None = None,
    ) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The background tasks by name; they use ``chat`` for messages and ``freshen`` to look up groups.

        ``more`` are the writers of other messages than those about repairs, ``sinks`` where others go.
        """
        settings = self._settings
        self.approval_service.freshen = freshen
        news = RequestMessages(self._ledger, self._clock, settings.approvals, settings.access)
        writers = {**dict.fromkeys(approval_messages.KINDS, news), **(more or {})}
        self._outbox_worker = OutboxWorker(
            self._ledger, chat, self._clock, writers, sinks or {}, self._observer.delivery, news.arrived
        )
        housekeeping = RequestRecovery(self.approval_service, self.executor)
        return {"deliveries": self._outbox_worker.run, "housekeeping": housekeeping.run}

    async def stop(self, seconds: float) -> None:
        """Let the changes under way be made and written down, then send what is owed, within ``seconds`` each."""
        await self.executor.stop(seconds)
        with contextlib.suppress(AgentpodError):
            await self.approval_service.sum_up(all_=True)
        if self._outbox_worker is not None:
            await self._outbox_worker.finish(seconds)

    def _changed(self) -> None:
        if self._outbox_worker is not None:
            self._outbox_worker.wake()

    def _ended(self, case: RepairRequest) -> None:
        seconds = case.outcome.seconds if case.outcome else None
        self._observer.repair_ended(case.action.name, case.state.value, seconds)
