"""A watcher's cache of incidents is reloaded whenever somebody else has changed the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.problem import Problem
from bot.ports.ledger import Writing
from bot.services.incidents.incident_cache import IncidentCache
from tests.services.watchbench import CRITICAL, Watch, stale, watch, watched
from tests.services.workbench import START

KEY = "heartbeat:secure-agent-pod:alpha"


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Alpha's alert has been posted; beta is healthy."""
    async with watched(tmp_path) as made:
        yield await stale(made)


class Keeper:
    """A cache, and how often it was reloaded."""

    def __init__(self, of: Watch) -> None:
        self.of, self.reloads = of, 0
        self.cache = IncidentCache(of.incidents, self._count)

    async def _count(self, tx: Writing) -> None:
        assert await tx.watched()
        self.reloads += 1

    async def look(self, *problems: Problem, fails: bool = False) -> Incident | None:
        """One evaluation, of alpha only."""
        now = self.of.clock.now()
        async with self.cache.evaluation(now) as tx:
            await self.cache.update(tx, problems, now, [KEY])
            if fails:
                raise ValueError("the look failed after it saved")
        return self.cache.open.get(KEY)


async def alpha(one: Watch) -> Incident:
    [found] = await one.ledger.incidents(live=True)
    assert found.key == KEY
    return found


async def test_own_changes_do_not_reload_the_cache(one: Watch) -> None:
    keeper, problem = Keeper(one), (await alpha(one)).problem
    await keeper.look(problem)
    assert keeper.reloads == 1
    assert (gone := await keeper.look()) is not None
    assert gone.state is IncidentState.RECOVERING
    assert (back := await keeper.look(problem)) is not None
    assert back.state is IncidentState.FIRING
    assert keeper.reloads == 1


async def test_changes_by_others_reload_the_cache(one: Watch) -> None:
    keeper, problem = Keeper(one), (await alpha(one)).problem
    await keeper.look(problem)
    await one.incidents.acknowledge((await alpha(one)).id, "U07MAYA")
    acked = await keeper.look(problem)
    assert acked is not None
    assert acked.state is IncidentState.ACKED
    other = watch(one.ledger, like=one)
    other.source.push("alpha")
    await other.look(1)
    assert (well := await keeper.look()) is not None
    assert well.state is IncidentState.RECOVERING
    assert keeper.reloads == 3


async def test_failed_evaluation_invalidates_the_cache(one: Watch) -> None:
    keeper, problem = Keeper(one), (await alpha(one)).problem
    await keeper.look(problem)
    with pytest.raises(ValueError, match="after it saved"):
        await keeper.look(fails=True)
    assert (await alpha(one)).state is IncidentState.FIRING
    still = await keeper.look(problem)
    assert still is not None
    assert still.recovered_at is None
    assert still.back_at is None, "it was never gone, as far as the ledger knows"
    assert keeper.reloads == 2


async def test_outbox_is_woken_after_the_commit_and_only_for_messages(one: Watch) -> None:
    told: list[IncidentState] = []
    keeper, problem = Keeper(one), (await alpha(one)).problem
    one.incidents.changed = lambda: told.append(IncidentState.RECOVERING)
    await keeper.look(problem)
    assert told == []
    with pytest.raises(ValueError, match="after it saved"):
        await keeper.look(fails=True)
    assert told == []
    await keeper.look()
    assert told == [IncidentState.RECOVERING]
    assert one.first_lines() == [CRITICAL]
    assert (await one.ledger.incidents(since=START))[0].state is IncidentState.RECOVERING


async def test_later_decision_of_another_process_stays(one: Watch) -> None:
    """One replica's evaluation waited for the database while the other one evaluated and committed."""
    slow, quick, problem = Keeper(one), Keeper(one), (await alpha(one)).problem
    await slow.look(problem)
    await quick.look(problem)
    early = one.clock.now()
    one.clock.pass_(seconds=1)
    assert await quick.look() is not None, "it recovers"
    one.clock.time, late = early, one.clock.time
    assert (seen := await slow.look(problem)) is not None
    assert seen.state is IncidentState.RECOVERING, "the problem that the earlier look saw is over"
    one.clock.time = late
    while (await quick.look()) is not None:
        one.clock.pass_(seconds=1)
    late = one.clock.time
    one.clock.time = late - timedelta(seconds=1)
    assert await slow.look(problem) is None, "no second incident"
    assert await one.ledger.incidents(live=True) == []
    one.clock.time = late + timedelta(seconds=1)
    assert await slow.look(problem) is not None, "and a later look does see it"


async def test_process_with_a_clock_far_behind_still_decides(one: Watch) -> None:
    keeper = Keeper(one)
    await keeper.look((await alpha(one)).problem)
    one.clock.time -= timedelta(minutes=15)
    assert (found := await keeper.look()) is not None
    assert found.state is IncidentState.RECOVERING
