"""Commands judge heartbeats by the watcher's job states, as alerts do, without creating a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.heartbeats.heartbeat import POLLED, HeartbeatPoll
from bot.domain.heartbeats.judge_heartbeats import SEE
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import JobState
from bot.errors import Transient, Unreachable
from bot.wiring.lazy import LazyLedger
from tests.commands.fakes import FRESH, HANG, NOW, World, give, text_of
from tests.times import utc

LOST = "the Pushgateway restarted at 12:10 UTC and lost its heartbeat"
LINES = ["heartbeats", "status", "dashboard"]


@dataclass
class Book:
    """A ledger with job states, or one that fails."""

    kept: Any = field(default_factory=dict)
    polled: str | None = None

    async def mark(self, name: str) -> str | None:
        return self.polled if name == POLLED else None

    async def job_states(self) -> Mapping[str, JobState]:
        found: Mapping[str, JobState] = await give(self.kept)
        return found

    async def incidents(self, **_: Any) -> list[Any]:
        return []

    async def requests(self, **_: Any) -> list[Any]:
        return []

    async def dead(self, _: datetime) -> list[Any]:
        return []


def remembered(world: World, ago: timedelta) -> dict[str, JobState]:
    """The job states after the watcher has polled a full gateway."""
    job_states = {}
    for policy in world.target.heartbeats:
        groups = [g for g in FRESH if g.job.replace("_", "-") == policy.job]
        memory = job_state.look(policy, groups, None, NOW - ago).memory
        job_states[f"{world.target.name}/{policy.job}"] = memory
    return job_states


@pytest.mark.parametrize("line", LINES)
async def test_a_series_that_a_restarted_gateway_lacks_goes_on_ageing_as_for_the_alert(
    world: World, line: str
) -> None:
    assert world.heartbeats
    others = [g for g in FRESH if g.job != "session_manager"]
    world.heartbeats.answer = HeartbeatPoll(others, NOW + timedelta(minutes=10))
    book = Book(remembered(world, timedelta()))
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=book, clock=_Later(30)))  # type: ignore[arg-type]
    assert reply.verdict is Verdict.FAIL
    reply = utc(reply, NOW)
    text = text_of(reply) + str(reply.tables)
    assert "session-manager is stale" in text
    assert "never seen" not in text
    assert LOST in text


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("minutes", [2, 300])
async def test_of_an_empty_gateway_no_job_is_judged(world: World, line: str, minutes: int) -> None:
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((), NOW + timedelta(minutes=1))
    book = Book(remembered(world, timedelta()))
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=book, clock=_Later(minutes)))  # type: ignore[arg-type]
    assert reply.verdict is Verdict.UNKNOWN
    reply = utc(reply, NOW)
    text = text_of(reply) + str(reply.tables)
    assert "the Pushgateway holds no heartbeats at all" in text
    assert text.count("lost its heartbeat") == 1, "once, not of each job"
    assert not any(word in text for word in ("never seen", "stale for", "is stale", "is late", "up,"))
    for table in reply.tables:
        assert set(table.verdicts) == {Verdict.UNKNOWN}, "what is only remembered is not known now"
        assert all(row[2].startswith("unknown") for row in table.rows)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("away", [Unreachable("The Pushgateway can't be reached: no.", remedy="See to it."), HANG])
async def test_of_a_gateway_that_is_away_the_last_successes_are_shown_as_of_when(
    world: World, line: str, away: object
) -> None:
    assert world.heartbeats
    world.heartbeats.answer = away
    book = Book(remembered(world, timedelta()), (NOW + timedelta(minutes=1)).isoformat())
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=book, clock=_Later(300)))  # type: ignore[arg-type]
    assert reply.verdict is Verdict.UNKNOWN
    text = text_of(utc(reply, NOW)) + str(reply.tables)
    assert text.count("as of 12:01 UTC, when the Pushgateway last answered") == 1, "once, not of each job"
    assert "6 h ago" in text
    assert not any(word in text for word in ("never", "stale for", "is stale", "is late", "up,"))
    if line != "dashboard":
        assert ("See to it." in text) == (away is not HANG)


@pytest.mark.parametrize("kept", [HANG, Transient("the database is away"), {}])
async def test_without_a_memory_only_the_gateway_is_spoken_of(world: World, kept: object) -> None:
    assert world.heartbeats
    world.heartbeats.answer = Transient("The Pushgateway refuses.")
    reply = await world.run("heartbeats", lambda ctx: replace(ctx, ledger=Book(kept)))  # type: ignore[arg-type]
    assert (reply.tables, reply.findings[0].remedy) == ((), SEE)


@dataclass
class _Later:
    """A clock that is some minutes ahead."""

    minutes: float

    def now(self) -> Any:
        return NOW + timedelta(minutes=self.minutes)

    def monotonic(self) -> float:
        return 100.0


@pytest.mark.parametrize("kept", [HANG, Transient("the database is away"), {}])
async def test_an_unavailable_ledger_leaves_the_gateway_s_data(world: World, kept: object) -> None:
    reply = await world.run("heartbeats", lambda ctx: replace(ctx, ledger=Book(kept)))  # type: ignore[arg-type]
    assert reply.verdict is Verdict.OK


async def test_another_target_s_job_states_are_not_used(world: World) -> None:
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll(())
    others = {f"another/{key.partition('/')[2]}": m for key, m in remembered(world, timedelta()).items()}
    reply = await world.run("heartbeats", lambda ctx: replace(ctx, ledger=Book(others)))  # type: ignore[arg-type]
    assert "the state of every job is unknown" in text_of(reply)


async def test_reading_what_commands_of_a_terminal_read_creates_no_database(tmp_path: Path) -> None:
    file = tmp_path / "agentpod.db"
    ledger = LazyLedger(f"sqlite+aiosqlite:///{file}", exclusive=False)
    assert await ledger.job_states() == {}
    assert await ledger.requests() == ()
    assert await ledger.incidents() == ()
    assert await ledger.mark("any") is None
    await ledger.close()
    assert not file.exists()
