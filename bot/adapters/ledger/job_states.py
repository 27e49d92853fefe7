"""The stored state of each watched job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select

from bot.adapters.ledger.marks import MarkWriting
from bot.adapters.ledger.schema import jobs
from bot.adapters.ledger.session import Session
from bot.adapters.ledger.upserts import upsert
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import JobState


class JobStateStore(Session):
    """Reads the states of jobs."""

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port."""
        return dict(await self._load_rows("job", await self._rows(select(jobs)), _load))


class JobStateWriting(MarkWriting):
    """Reads and saves the states of jobs within a transaction. Many rows are saved with one statement."""

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port. A state that can't be read is set aside, and its job starts over."""
        return dict(await self._load_rows("job", await self._read(select(jobs)), _load))

    async def save_job_states(self, target: str, changed: Sequence[JobState]) -> None:
        """See the port."""
        if changed:
            self._touch()
            rows = [{"key": f"{target}/{m.job}", "target": target, "body": job_state.to_json(m)} for m in changed]
            self._write(upsert(self._dialect, jobs, "key"), rows)

    async def drop_job_states(self, keys: Sequence[str]) -> None:
        """See the port."""
        if keys:
            self._touch()
            self._write(_FORGET, {"these": list(keys)})


def _load(row: Row[Any]) -> tuple[str, JobState]:
    """Return a job's key (``target/job``) and its state. Raises ValueError for a row that can't be read."""
    return str(row.key), job_state.from_json(row.body)


_FORGET = delete(jobs).where(jobs.c.key.in_(bindparam("these", expanding=True)))
