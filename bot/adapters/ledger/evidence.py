"""What is kept of events and logs at an incident's time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select

from bot.adapters.ledger.schema import evidence, from_micros, to_micros
from bot.adapters.ledger.session import OUTSIDE, Session, WriteBuffer
from bot.domain.incidents.evidence import Evidence


class EvidenceStore(Session):
    """Reads evidence."""

    async def evidence(self, incident: str) -> Sequence[Evidence]:
        """See the port."""
        rows = await self._rows(
            select(evidence).where(evidence.c.incident == incident).order_by(evidence.c.number)
        )
        found = []
        for row in rows:
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                found.append(Evidence(str(row.kind), from_micros(row.at), str(row.source), str(row.text)))
        return found


class EvidenceWriting(WriteBuffer):
    """Keeps evidence within a transaction."""

    async def keep_evidence(self, incident: str, kept: Sequence[Evidence]) -> None:
        """See the port."""
        rows: list[dict[str, Any]] = [
            {
                "incident": incident,
                "number": number,
                "kind": one.kind,
                "at": to_micros(one.at),
                "source": one.source,
                "text": one.text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            }
            for number, one in enumerate(OUTSIDE.of(tuple(kept)), 1)
        ]
        if rows:
            self._write(_INSERT, rows)


_INSERT = insert(evidence).values({c.name: bindparam(c.name) for c in evidence.c})
