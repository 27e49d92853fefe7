"""Describe ExternalSecrets: their conditions, their store, and what they do to their Secret. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Table
from bot.domain.core.workload import ExternalSecret

MOST = 20
"""Maximum ExternalSecrets that are shown."""
_POLICIES = {
    "Owner": "owns",
    "Orphan": "fills",
    "Merge": "adds keys to",
    "None": "does not fill",
}
"""What the ``creationPolicy`` of an ExternalSecret means for its Secret."""


def state(external: ExternalSecret) -> str:
    """``synced``, or what the operator says."""
    if external.ready == "True":
        return "synced"
    return words.cut(external.message or external.reason or "no word from the operator", 160)


def verdict(external: ExternalSecret) -> Verdict:
    """How its Ready condition is."""
    return {"True": Verdict.OK, "False": Verdict.FAIL}.get(external.ready, Verdict.UNKNOWN)


def table(external: Sequence[ExternalSecret], now: datetime) -> Table:
    """The ExternalSecrets, unsynced ones first. Each cell says what it is: Slack may show rows as lines."""
    ordered = sorted(external, key=lambda e: e.ready == "True")[:MOST]
    rows = tuple(
        (
            words.cut(one.name, 100),
            words.cut(", ".join([one.reason or f"Ready {one.ready}", *one.others]), 100),
            f"refreshed {words.ago(one.refreshed_at, now)}" if one.refreshed_at else "never refreshed",
            f"from {words.cut(one.store, 100)}" if one.store else "-",
            f"{_POLICIES.get(one.policy, one.policy)} Secret {words.cut(one.secret, 100)}",
        )
        for one in ordered
    )
    columns = ("ExternalSecret", "Ready", "When", "Store", "Secret")
    more = len(external) - len(ordered)
    title = f"External Secrets, {MOST} of {len(external)}" if more else "External Secrets"
    return Table(columns, rows, title, tuple(verdict(one) for one in ordered))


def as_data(external: Sequence[ExternalSecret]) -> list[object]:
    """The ExternalSecrets for ``--output json``."""
    return [
        {
            "name": one.name,
            "ready": one.ready,
            "reason": one.reason,
            "message": one.message,
            "refreshed_at": words.iso(one.refreshed_at),
            "store": one.store,
            "secret": one.secret,
            "policy": one.policy,
            "conditions": list(one.others),
        }
        for one in external
    ]
