"""Model-based test of alerts: any order of pushes, failures, outages, restarts, acks and snoozes."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain.heartbeats.heartbeat import PUSH_FAILED, PUSHED
from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.problem import Reason
from bot.errors import Refused
from tests.services.watchbench import AWAY, JOBS, Watch, watch
from tests.services.workbench import START, opened

T = TypeVar("T")
WHICH = st.sampled_from(JOBS)
DEADLINE = timedelta(minutes=10)
SOON = 3
"""Polls in a row after which a problem has to be reported."""


class Alerts(RuleBasedStateMachine):
    """The real watcher, outbox worker and ledger, beside a simple model of what the Pushgateway shows."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.one: Watch
        self.success = dict.fromkeys(JOBS, 0.0)
        self.failure = dict.fromkeys(JOBS, 0.0)
        self.wrong = dict.fromkeys(JOBS, 0)
        """Job → number of polls in a row in which it had a problem."""
        self.first: datetime | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(wait=st.sampled_from(["0s", "1m"]))
    def opens(self, wait: str) -> None:
        """``wait``: how long a problem has to last, at most `SOON` of the shortest polls."""
        ledger = self.run(self.stack.enter_async_context(opened(Path(self.folder.name))))
        self.one = watch(ledger, **{"for": wait})

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    @rule(job=WHICH)
    def pushes(self, job: str) -> None:
        self.one.source.push(job)

    @rule(job=WHICH)
    def fails(self, job: str) -> None:
        self.one.source.fail(job)

    @rule()
    def gateway_restarts_empty(self) -> None:
        self.one.source.groups.clear()

    @rule(blind=st.booleans())
    def source(self, blind: bool) -> None:
        self.one.source.error = AWAY if blind else None

    @rule()
    def bot_restarts(self) -> None:
        self.one = watch(self.one.ledger, like=self.one)

    @rule(who=WHICH, minutes=st.sampled_from([None, 5, 90]))
    def answers(self, who: str, minutes: int | None) -> None:
        for incident in self._told(live=True):
            if incident.problem.subject != who:
                continue
            try:
                if minutes is None:
                    self.run(self.one.incidents.acknowledge(incident.id, "U1"))
                else:
                    until = self.one.clock.time + timedelta(minutes=minutes)
                    self.run(self.one.incidents.snooze(incident.id, "U1", until))
            except Refused:
                pass

    @rule(looks=st.integers(1, 6), minutes=st.sampled_from([0.5, 2, 4, 70]), pushing=st.sets(WHICH))
    def time_passes(self, looks: int, minutes: float, pushing: set[str]) -> None:
        for _ in range(looks):
            self.one.clock.pass_(minutes=minutes)
            for job in sorted(pushing):
                self.one.source.push(job)
            self._look()

    @rule(cycles=st.integers(1, 4))
    def comes_and_goes_and_stays_away(self, cycles: int) -> None:
        for _ in range(cycles):
            self.time_passes(4, 4, set())
            self.time_passes(4, 0.5, set(JOBS))
        self.time_passes(4, 4, set())

    def _look(self) -> None:
        self.run(self.one.look())
        if self.one.source.error is not None:
            self.wrong = dict.fromkeys(JOBS, 0)
            return
        now = self.one.clock.time
        self.first = self.first or now
        for (_, job), group in ((key[0], g) for key, g in self.one.source.groups.items()):
            self.success[job] = max(self.success[job], group.gauges.get(PUSHED, 0.0))
            self.failure[job] = group.gauges.get(PUSH_FAILED, 0.0)
        for job in JOBS:
            since = max(self.success[job], self.first.timestamp() if not self.success[job] else 0.0)
            stale = now.timestamp() >= since + DEADLINE.total_seconds()
            wrong = stale or self.failure[job] > self.success[job]
            self.wrong[job] = self.wrong[job] + 1 if wrong else 0
        self._nobody_is_silent(now)

    def _nobody_is_silent(self, now: datetime) -> None:
        told = {i.problem.subject: i for i in self._told(live=True)}
        for job in JOBS:
            if self.wrong[job] < SOON:
                continue
            assert job in told, f"{job} is wrong, and nobody was told"
            incident = told[job]
            assert incident.state in (IncidentState.FIRING, IncidentState.ACKED), incident.state
            quiet = incident.state is IncidentState.ACKED or incident.snoozed(now)
            rules = self.one.rules
            # A flapping job is not reported again before its problem stays.
            last = max(incident.notices[-1].at, (incident.back_at or START) if incident.flapping else START)
            latest = last + max(rules.remind, rules.flap_window) + timedelta(minutes=5)
            assert quiet or now <= latest, f"{job} is wrong, and nothing was said since {incident.notices[-1]}"

    def _told(self, live: bool | None = None) -> list[Incident]:
        return list(self.run(self.one.ledger.incidents(live=live, since=None if live else START)))

    async def _newest(self) -> list[Incident]:
        """The newest incidents, including those that were never announced."""
        async with self.one.ledger.writing() as tx:
            return list((await tx.newest_incidents(START)).values())

    @invariant()
    def no_end_without_a_beginning(self) -> None:
        if not hasattr(self, "one"):
            return
        for incident in self.run(self._newest()):
            assert incident.notified or not incident.notices, "something is said of what nobody was told of"
        for incident in self._told():
            reasons = [n.reason for n in incident.notices]
            assert reasons[0] in (Reason.FIRST_FIRING, Reason.FLAPPING, Reason.BLIND), reasons
            assert not {Reason.RESOLVED, Reason.SIGHT_REGAINED} & set(reasons[:-1]), reasons

    @invariant()
    def one_open_incident_a_subject(self) -> None:
        if hasattr(self, "one"):
            counts = Counter(i.key for i in self._told(live=True))
            assert all(n == 1 for n in counts.values()), counts

    @invariant()
    def slack_hears_of_an_end_only_after_the_beginning(self) -> None:
        if not hasattr(self, "one"):
            return
        begun = 0
        for _, thread, reply in self.one.chat.said:
            begun += thread is None
            assert begun or not reply.headline.startswith("✅"), reply.headline


Alerts.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    # To shrink a story takes longer than a test may: SHRINK=1 does it.
    phases=(Phase.reuse, Phase.generate, *([Phase.shrink] if os.environ.get("SHRINK") else [])),
    suppress_health_check=list(HealthCheck),
)
test_alerts_stay_true = Alerts.TestCase
