"""Determines the schema version of a database from its tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.errors import Permanent

LATEST = 8
"""The schema version that this agentpod writes."""
TABLE = "ledger_version"
NUMBERS = f"SELECT number FROM {TABLE}"  # noqa: S608 - a constant
OURS = frozenset({"cases", "deliveries", "audit", "incidents", "jobs", "history", "marks"})
TABLES = OURS | {"set_aside", "changes", "evidence", "preferences"}
"""The tables that a backup contains: all but the version's own."""


def judge(tables: Collection[str], numbers: Sequence[object]) -> int:
    """Return the schema version of a database with these tables and these rows in `TABLE`; 0 for an empty one.

    Raises Permanent if it is damaged, newer than `LATEST`, or has tables of the same names that are not ours.
    """
    if TABLE in tables:
        found = numbers[0] if len(numbers) == 1 else None
        if not isinstance(found, int) or found <= 0:
            remedy = "Restore a backup; keep the damaged database. Nothing was touched."
            raise Permanent(
                "The ledger is damaged: it does not say which version of its schema it has.", remedy=remedy
            )
        if found > LATEST:
            raise Permanent(
                f"The ledger has schema version {found}, and this agentpod knows none above {LATEST}.",
                remedy="Run the newer agentpod that wrote it, or restore a backup from before. "
                "Nothing was touched.",
            )
        return found
    if foreign := sorted(OURS.intersection(tables)):
        raise Permanent(
            f"The database has a table {foreign[0]!r} that is not agentpod's.",
            remedy="Give agentpod a database of its own in ledger.url.",
        )
    return 0
