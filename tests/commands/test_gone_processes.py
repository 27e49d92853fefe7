"""The remedy for a process that is gone: it comes back by itself, and once it did not, the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.process import PROCESS
from bot.errors import AgentpodError, Transient
from tests import handbook
from tests.commands.fakes import NOW, World, said

WAITS = "ends. If it does not, ask for a restart."
STEP = "Ask for a restart."


@dataclass
class Book:
    """A ledger with open incidents."""

    kept: list[Incident] = field(default_factory=list)
    error: AgentpodError | None = None

    async def incidents(self, notified: bool = True, **_: Any) -> Sequence[Incident]:
        if self.error is not None:
            raise self.error
        return [one for one in self.kept if one.notified == notified]

    async def job_states(self) -> dict[str, Any]:
        return {}

    async def requests(self, **_: Any) -> list[Any]:
        return []


def gone(minutes: float, state: IncidentState = IncidentState.FIRING, name: str = "supercronic") -> Incident:
    since = NOW - timedelta(minutes=minutes)
    key = PROCESS.key("secure-agent-pod", "kali", name)
    problem = Problem(key, PROCESS.stored, "secure-agent-pod", name, "is not running", "critical", since)
    fired = None if state is IncidentState.PENDING else since
    return Incident("i-1", problem, state, since, fired_at=fired)


@pytest.mark.parametrize(
    ("book", "remedy", "evidence"),
    [
        (Book(), WAITS, "supercronic: not found"),
        (Book([gone(12)]), STEP, "supercronic: not found, for 12 min"),
        (Book([gone(3, IncidentState.PENDING)]), STEP, "supercronic: not found, for 3 min"),
        (Book([gone(0.5)]), WAITS, "supercronic: not found, for 30 s"),
        (Book([gone(12, IncidentState.RECOVERING)]), WAITS, "supercronic: not found"),
        (Book([gone(12, name="sshd")]), WAITS, "supercronic: not found"),
        (Book(error=Transient("It is away.")), WAITS, "supercronic: not found"),
        (None, WAITS, "supercronic: not found"),
    ],
)
@pytest.mark.parametrize("line", ["status", "processes", "cron"])
async def test_once_it_did_not_come_back_the_remedy_is_the_next_step(
    world: World, book: Book | None, remedy: str, evidence: str, line: str
) -> None:
    world.target = handbook.target()
    rows = " 61 claude 06:51:00 /usr/sbin/sshd\n 62 claude 06:51:00 node /usr/bin/vibe-kanban\n"
    world.cluster.programs["ps"] = said(f"PID USER ELAPSED COMMAND\n{rows}")
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=book))
    finding = next(one for one in reply.findings if "supercronic is not running" in one.summary)
    assert str(finding.remedy).endswith(remedy)
    assert (finding.remedy == STEP) == (remedy == STEP)
    rows = [row for table in reply.tables for row in table.rows if row[0] == "supercronic"]
    shown = [f"supercronic: {row[1]}{row[2].removeprefix('-').replace('gone', ',')}" for row in rows]
    assert line == "cron" or evidence in (*finding.evidence, *shown)
