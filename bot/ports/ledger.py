"""The ledger: the database of requests, incidents, pending messages, history and the audit trail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.aside import Aside
from bot.domain.core.audit import Record
from bot.domain.core.change import Change
from bot.domain.core.history import HistoryEvent
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.evidence import Evidence
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.domain.outbox.preferences import Preferences


class Writing(Protocol):
    """One transaction of the ledger. Transactions are serialised, also between replicas."""

    async def now(self, here: datetime) -> datetime:
        """See `Ledger.now`."""

    async def request(self, id_: str) -> RepairRequest | None:
        """A repair request by id."""

    async def from_origin(self, origin: str) -> RepairRequest | None:
        """The repair request that this Slack request opened, if Slack delivered it before."""

    async def open_requests(self, target: str) -> Sequence[RepairRequest]:
        """The target's repair requests that have not ended, oldest first."""

    async def add(self, repair: RepairRequest) -> None:
        """Insert a repair request. The commit raises `Conflict` where its id or origin exists already."""

    async def save(self, repair: RepairRequest) -> RepairRequest:
        """Update a repair request, and return it with its new version.

        The commit raises `Conflict`, and nothing is saved, where the request is no longer at the version that it
        was read as.
        """

    async def record(
        self, at: datetime, kind: str, actor: str, subject: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """Append a record to the audit trail; its number is assigned at the commit."""

    async def last_record(self) -> Record | None:
        """The newest record of the audit trail, without those of this transaction; None for an empty trail."""

    async def enqueue(
        self, key: MessageKey, place: str, under: str = "", *, not_before: datetime | None = None
    ) -> None:
        """Enqueue a message, in the thread of the message ``under`` if that is given.

        Where a message of this key exists, it will be updated in place. ``not_before``: when a new one is due.
        """

    async def enqueue_all(self, pending: Sequence[tuple[MessageKey, str, str]]) -> None:
        """Enqueue many messages, each as (key, place, under). Those in one thread are sent in this order."""

    async def refresh(self, key: MessageKey) -> None:
        """Have a message updated in place; a no-op where it was never enqueued."""

    async def delayed(self, place: str, now: datetime) -> Sequence[MessageKey]:
        """The keys of the unposted messages for a place that are not due before a time after ``now``."""

    async def delay(self, key: MessageKey, not_before: datetime | None) -> None:
        """Change when an unposted message is due; None: now."""

    async def unposted(self, keys: Sequence[MessageKey]) -> frozenset[MessageKey]:
        """The keys of those of the messages that are pending and not posted yet."""

    async def mark(self, name: str) -> str | None:
        """The value of a mark: a single string under a name."""

    async def read_marks(self, names: Collection[str]) -> None:
        """Read marks, and `watched`, in one query ahead of `mark`: a transaction that needs several is faster."""

    async def set_mark(self, name: str, value: str) -> None:
        """Set the value of a mark."""

    async def watched(self) -> str:
        """A mark that changes whenever any process saves an incident or a job state, to validate caches by."""

    async def incident(self, id_: str) -> Incident | None:
        """An incident by id."""

    async def newest_incidents(self, since: datetime) -> Mapping[str, Incident]:
        """Key → the open incident, or else the last one that ended ``since``."""

    async def save_incidents(self, changed: Sequence[Incident]) -> None:
        """Save incidents. The commit raises `Conflict` where another one of the same key is open."""

    async def job_states(self) -> Mapping[str, JobState]:
        """``target/job`` → the job's saved state."""

    async def save_job_states(self, target: str, changed: Sequence[JobState]) -> None:
        """Save the states of a target's jobs."""

    async def drop_job_states(self, keys: Sequence[str]) -> None:
        """Delete the states of jobs, each given as ``target/job``."""

    async def add_changes(self, found: Sequence[Change]) -> None:
        """Record changes; their numbers are assigned at the commit."""

    async def keep_evidence(self, incident: str, kept: Sequence[Evidence]) -> None:
        """Keep events and log lines for an incident, for which nothing was kept before."""

    async def preferences(self) -> Sequence[Preferences]:
        """The preferences of all who have set any."""

    async def save_preferences(self, one: Preferences) -> None:
        """Save a person's preferences."""

    async def drop_preferences(self, user: str) -> None:
        """Delete a person's preferences; a no-op where there are none."""

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """Add events to the history; one that is there already is not added again."""


class Ledger(Protocol):
    """The database: requests, pending messages, and the audit trail.

    Every method may raise `Transient` (the database can't be reached, is locked, or its disk is full: the
    transaction was rolled back) or `Permanent` (it can't be written, or is of a newer version), with a remedy; and
    `Uncertain` where the connection was lost during the commit: read again before repeating it.
    """

    @property
    def exclusive(self) -> bool:
        """Whether no other process can use the ledger, so that every lease of another process is void."""

    async def now(self, here: datetime) -> datetime:
        """The time that leases are compared with, the same for all replicas.

        It is the database server's; for a file, which only one machine uses, it is ``here``, this process's time.
        """

    def on_change(self, call: Callable[[], None]) -> None:
        """Register a callback for every commit; for those of other processes only while :meth:`watch` runs."""

    async def watch(self) -> None:
        """Watch for other processes' commits until cancelled."""

    def writing(self) -> AbstractAsyncContextManager[Writing]:
        """A transaction: committed when the block ends, rolled back when it raises."""

    async def request(self, id_: str) -> RepairRequest | None:
        """A repair request by id."""

    async def requests(
        self,
        *,
        states: Collection[RequestState] | None = None,
        target: str | None = None,
        targets: Collection[str] | None = None,
        requester: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> Sequence[RepairRequest]:
        """Repair requests, newest first: in one of ``states``, of a target, or of one of several.

        Also by who asked, and created ``since``.
        """

    async def overdue(self, now: datetime) -> Sequence[RepairRequest]:
        """Open requests whose time to be decided on is over."""

    async def without_lease(self, now: datetime) -> Sequence[RepairRequest]:
        """Approved or executing requests without a valid lease: never claimed, or the lease has ended."""

    def records(
        self, *, after: int = 0, since: datetime | None = None, limit: int | None = None, newest: bool = False
    ) -> AsyncGenerator[Record, None]:
        """The audit trail, oldest first (``newest``: newest first), read in batches."""

    async def take(
        self, now: datetime, hold: timedelta, limit: int = 20, *, without: Collection[str] = ()
    ) -> Sequence[OutboxMessage]:
        """Lease messages that are due and not leased by another process, for ``hold``; returns them, oldest first.

        A message in a thread is due once the thread's first message is posted and up to date. Messages for the
        places in ``without`` are left out.
        """

    async def next_due(self, now: datetime) -> datetime | None:
        """When the next message becomes due by time alone, not by a commit; None for none."""

    async def next_deadline(self, now: datetime) -> datetime | None:
        """The next deadline: ``now`` while a request is approved or executing, else the first expiry, or None."""

    async def delivered(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """Record that a message was posted, with the content that was ``wanted`` when it was leased.

        Where another process recorded meanwhile that it posted the message elsewhere, that record stays.
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
        """Record a failed delivery, to be retried ``at`` that time, or given up at that time (``dead``).

        ``unsure``: the message may have been posted all the same. ``refused``: it can't be delivered until
        somebody fixes the cause.
        """

    async def reroute_pending(self, places: Mapping[str, str], since: datetime) -> int:
        """Move messages that are unposted, pending or given up, to their kind's place; returns how many.

        Only those enqueued ``since``. Kinds that are not in ``places`` aren't moved.
        """

    async def delivery(self, key: MessageKey) -> OutboxMessage | None:
        """A message of the outbox by key."""

    async def posted_at(self, at: MessageRef) -> MessageKey | None:
        """The key of the message that is posted there; None for one that is not of the outbox."""

    async def mark(self, name: str) -> str | None:
        """The value of a mark: a single string under a name."""

    async def dropped(self, delivery: OutboxMessage) -> None:
        """Record that an unposted message is no longer needed, nor the messages that belong in its thread."""

    async def dead(self, since: datetime, limit: int = 1000) -> Sequence[OutboxMessage]:
        """Messages given up ``since``, refused, or undelivered for long, newest first."""

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        """Rows that could not be read and were set aside ``since``, newest first."""

    async def waiting(self) -> int:
        """How many messages are pending, leased ones included; those given up are not counted."""

    async def incident(self, id_: str) -> Incident | None:
        """An incident by id."""

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        notified: bool = True,
        group: str = "",
        issue: str = "",
        key: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """Incidents, newest first.

        ``live``: only open ones, or only ended ones. ``since``: open, or ended since then. ``notified``: those
        that were announced, or those that never were. ``group``, ``issue`` and ``key``: those of one group
        message, GitHub issue or problem.
        """

    async def job_states(self) -> Mapping[str, JobState]:
        """``target/job`` → the job's saved state."""

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """The events from ``since`` until before ``until``, in order; ``beats``: heartbeats as well."""

    async def changes(
        self,
        since: datetime,
        until: datetime,
        *,
        targets: Collection[str] | None = None,
        restarts: bool | None = None,
        limit: int = 100,
    ) -> Sequence[Change]:
        """The changes noticed from ``since`` to ``until``, newest first; None for ``targets``: all.

        ``restarts``: only those of containers, or only the others.
        """

    async def preferences(self) -> Sequence[Preferences]:
        """The preferences of all who have set any."""

    async def evidence(self, incident: str) -> Sequence[Evidence]:
        """What was kept of events and logs when an incident was announced, in order; empty for nothing."""

    async def drop_history(self, before: datetime) -> None:
        """Delete older events, except each subject's last one, whose state lasts until the next event."""

    async def drop_closed(self, before: datetime, limit: int = 500) -> int:
        """Delete what ended ``before``, at most ``limit`` rows of each kind; returns how many.

        Whatever is open, pending or referred to by a row that stays is kept, and so is the whole audit trail.
        """
