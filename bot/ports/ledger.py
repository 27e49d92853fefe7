"""The database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.aside import Aside
from bot.domain.core.audit import Record
from bot.domain.core.history import HistoryEvent
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage


class Writing(Protocol):
    """One transaction of the ledger. Transactions run one after the other, also those of several replicas."""

    async def now(self, here: datetime) -> datetime:
        """See `Ledger.now`."""

    async def case(self, id_: str) -> RepairRequest | None:
        """A case as it is now."""

    async def from_origin(self, origin: str) -> RepairRequest | None:
        """The case that one Slack request led to, if it came before."""

    async def open_cases(self, target: str) -> Sequence[RepairRequest]:
        """The target's cases that are not at their end, oldest first."""

    async def add(self, case: RepairRequest) -> None:
        """Keep a new case. `Conflict` at the transaction's end where its id or its origin is taken."""

    async def save(self, case: RepairRequest) -> RepairRequest:
        """Keep a case over the version that it was read as, and give it with its new one.

        `Conflict` at the transaction's end where somebody else has saved it meanwhile: nothing of it is kept then.
        """

    async def record(
        self, at: datetime, kind: str, actor: str, subject: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """Add to the audit trail's end; it gets its number when the transaction is kept."""

    async def enqueue(self, key: MessageKey, place: str, under: str = "") -> None:
        """A message is enqueued, or (where the key is known) has to be brought up to date where it is."""

    async def enqueue_all(self, pending: Sequence[tuple[MessageKey, str, str]]) -> None:
        """The same for many: key, place and under of each. In one thread they are sent in order."""

    async def refresh(self, key: MessageKey) -> None:
        """A message that was enqueued before has to be brought up to date; one that never was stays unsaid."""

    async def unposted(self, keys: Sequence[MessageKey]) -> frozenset[MessageKey]:
        """Those of the messages that are pending and not posted yet."""

    async def mark(self, name: str) -> str | None:
        """A single value that is kept under a name."""

    async def set_mark(self, name: str, value: str) -> None:
        """Keep a single value."""

    async def watched(self) -> str:
        """Changes with every incident that is saved and everything that is remembered, by whatever process."""

    async def incident(self, id_: str) -> Incident | None:
        """An incident as it is now."""

    async def newest_incidents(self, since: datetime) -> Mapping[str, Incident]:
        """By key the open incident, or the last one that ended ``since``."""

    async def save_incidents(self, changed: Sequence[Incident]) -> None:
        """Keep incidents. `Conflict` at the transaction's end where another one of the same key is open."""

    async def job_states(self) -> Mapping[str, JobState]:
        """What is remembered of each job, by ``target/job``."""

    async def remember(self, target: str, changed: Sequence[JobState]) -> None:
        """Keep what is known of jobs."""

    async def forget(self, keys: Sequence[str]) -> None:
        """Forget jobs, each as ``target/job``."""

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """Keep what happened; the same thing twice is one."""


class Ledger(Protocol):
    """The database: requests, pending messages, and the audit trail.

    Every method may raise `Transient` (the database can't be reached, is locked, or its disk is full: nothing of
    the transaction was kept) or `Permanent` (it can't be written, or is of a newer version), with a remedy.
    `Uncertain` where the connection was lost while a commit was under way: look before it is done again.
    """

    @property
    def exclusive(self) -> bool:
        """Whether no other process can use it, so that what others held is free."""

    async def now(self, here: datetime) -> datetime:
        """The time by which leases go, where it is ``here`` by this process's clock: one for all replicas.

        It is the server's; a file is used on one machine, whose clock it is.
        """

    def on_change(self, call: Callable[[], None]) -> None:
        """Have ``call`` called after each commit; of other processes' commits while :meth:`watch` runs."""

    async def watch(self) -> None:
        """Look for other processes' commits until cancelled."""

    def writing(self) -> AbstractAsyncContextManager[Writing]:
        """A transaction: kept when the block ends, forgotten when it raises."""

    async def case(self, id_: str) -> RepairRequest | None:
        """A case as it is now."""

    async def cases(
        self,
        *,
        states: Collection[RequestState] | None = None,
        target: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[RepairRequest]:
        """Cases, newest first: those in one of ``states``, of a target, created ``since``."""

    async def overdue(self, now: datetime) -> Sequence[RepairRequest]:
        """Open cases whose time to decide is over."""

    async def unheld(self, now: datetime) -> Sequence[RepairRequest]:
        """Approved or executing cases that no process holds now: nobody claimed them, or the time is over."""

    def records(
        self, *, after: int = 0, since: datetime | None = None, limit: int | None = None, newest: bool = False
    ) -> AsyncGenerator[Record, None]:
        """The audit trail, oldest first (``newest``: the other way round), read bit by bit."""

    async def take(
        self, now: datetime, hold: timedelta, limit: int = 20, *, without: Collection[str] = ()
    ) -> Sequence[OutboxMessage]:
        """Deliveries that are due and that no other process sends at present; they are ours for ``hold``.

        Those in a thread are due once the message above is posted and up to date. Oldest first, and none for
        places ``without``.
        """

    async def next_due(self, now: datetime) -> datetime | None:
        """When the next delivery comes due by time alone; None for none. What else makes one due is a commit."""

    async def next_deadline(self, now: datetime) -> datetime | None:
        """When time next does something to a case: ``now`` for those under way; None where none is open."""

    async def delivered(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """The message shows what was ``wanted`` when the delivery was taken.

        Where another process noted meanwhile that it posted it elsewhere, that counts.
        """

    async def failed(
        self,
        delivery: OutboxMessage,
        error: str,
        at: datetime,
        *,
        dead: bool = False,
        unsure: bool,
        refused: bool = False,
    ) -> None:
        """It was not delivered: to be tried again ``at`` that time; or never, and given up then (``dead``).

        ``unsure``: it may have been posted all the same. ``refused``: it won't be before somebody mends what is in
        the way.
        """

    async def reroute_pending(self, places: Mapping[str, str], since: datetime) -> int:
        """What is pending ``since`` and nowhere yet goes to the place of its kind, given up or not; says how many.

        A kind that ``places`` does not name stays where it is.
        """

    async def delivery(self, key: MessageKey) -> OutboxMessage | None:
        """What is known of a message."""

    async def mark(self, name: str) -> str | None:
        """A single value that is kept under a name."""

    async def dropped(self, delivery: OutboxMessage) -> None:
        """A message that was never posted is not wanted any more, nor is what would go into its thread."""

    async def dead(self, since: datetime, limit: int = 20) -> Sequence[OutboxMessage]:
        """Messages that were given up ``since``, that are refused, or that nobody takes for long, newest first."""

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        """What could not be read and was set aside ``since``, so that the rest goes on; newest first."""

    async def waiting(self) -> int:
        """How many deliveries are due or held, and not dead."""

    async def incident(self, id_: str) -> Incident | None:
        """An incident as it is now."""

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        told: bool = True,
        group: str = "",
        issue: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """Incidents that somebody was ``told`` of, or nobody was, newest first: open or over; open or ended
        ``since``; of one message or of one GitHub issue.
        """

    async def job_states(self) -> Mapping[str, JobState]:
        """What is remembered of each job, by ``target/job``."""

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """What happened from ``since`` on and before ``until``, in order; ``beats``: heartbeats too."""

    async def forget_history(self, before: datetime) -> None:
        """Throw away what happened before, but each subject's last state: it goes on until the next one."""

    async def drop_closed(self, before: datetime, limit: int = 500) -> int:
        """Drop what was over ``before``, at most ``limit`` requests, incidents and messages each; how many.

        What is open, pending or needed by something that is kept stays, and so does the whole audit trail.
        """
