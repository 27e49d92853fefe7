"""The write transaction of the ledger, put together from one mixin per feature."""

from __future__ import annotations

from bot.adapters.ledger.audit_trail import AuditWriting
from bot.adapters.ledger.evidence import EvidenceWriting
from bot.adapters.ledger.history import HistoryWriting
from bot.adapters.ledger.incidents import IncidentWriting
from bot.adapters.ledger.job_states import JobStateWriting
from bot.adapters.ledger.marks import MarkWriting
from bot.adapters.ledger.outbox import OutboxWriting
from bot.adapters.ledger.preferences import PreferenceWriting
from bot.adapters.ledger.recorded_changes import ChangeWriting
from bot.adapters.ledger.requests import RequestWriting


class SqlWriting(
    RequestWriting,
    AuditWriting,
    OutboxWriting,
    IncidentWriting,
    JobStateWriting,
    MarkWriting,
    HistoryWriting,
    ChangeWriting,
    EvidenceWriting,
    PreferenceWriting,
):
    """The Writing port on an open transaction."""
