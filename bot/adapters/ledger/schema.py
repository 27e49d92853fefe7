"""The tables and columns that queries use; `migrations` creates them.

Times are microseconds since the epoch in UTC: exact, sorted as integers, the same in both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Integer, Text, column, table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

cases = table(
    "cases",
    column("id", Text),
    column("target", Text),
    column("state", Text),
    column("live", Boolean),
    column("requester", Text),
    column("created_at", BigInteger),
    column("expires_at", BigInteger),
    column("held_until", BigInteger),
    column("origin", Text),
    column("version", Integer),
    column("body", Text),
)
deliveries = table(
    "deliveries",
    column("key", Text),
    column("place", Text),
    column("under", Text),
    column("wanted", Integer),
    column("shown", Integer),
    column("channel", Text),
    column("ts", Text),
    column("attempts", Integer),
    column("unsure", Boolean),
    column("error", Text),
    column("retry_at", BigInteger),
    column("held_until", BigInteger),
    column("dead", Boolean),
    column("refused", Boolean),
    column("created_at", BigInteger),
    column("not_before", BigInteger),
)
incidents = table(
    "incidents",
    column("id", Text),
    column("key", Text),
    column("target", Text),
    column("state", Text),
    column("live", Boolean),
    column("told", Boolean),
    column("opened_at", BigInteger),
    column("resolved_at", BigInteger),
    column("version", Integer),
    column("message_group", Text),
    column("issue", Text),
    column("body", Text),
)
jobs = table("jobs", column("key", Text), column("target", Text), column("body", Text))
history = table(
    "history", column("target", Text), column("subject", Text), column("at", BigInteger), column("what", Text)
)
changes = table(
    "changes",
    column("id", BigInteger),
    column("target", Text),
    column("kind", Text),
    column("subject", Text),
    column("before", Text),
    column("after", Text),
    column("at", BigInteger),
    column("not_before", BigInteger),
)
evidence = table(
    "evidence",
    column("incident", Text),
    column("number", Integer),
    column("kind", Text),
    column("at", BigInteger),
    column("source", Text),
    column("text", Text),
)
preferences = table("preferences", column("person", Text), column("body", Text))
marks = table("marks", column("name", Text), column("value", Text))
set_aside = table(
    "set_aside",
    column("kind", Text),
    column("id", Text),
    column("at", BigInteger),
    column("why", Text),
    column("body", Text),
)
audit = table(
    "audit",
    column("number", BigInteger),
    column("at", BigInteger),
    column("kind", Text),
    column("actor", Text),
    column("subject", Text),
    column("data", Text),
    column("previous", Text),
    column("digest", Text),
)


def to_micros(moment: datetime) -> int:
    """Convert an aware datetime to microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Convert microseconds since the epoch to a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=value)
