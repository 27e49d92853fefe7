"""Events and log lines are kept when an incident is announced, redacted, and cited in its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply, plain
from bot.domain.core.workload import Container, Event, LogText, Pod, Termination
from bot.domain.health import own_objects
from bot.domain.incidents import alerting, evidence
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.evidence import EVENT, EVENTS, LINES, LOG, LONGEST, UNREAD
from bot.domain.incidents.problem import Problem
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import AgentpodError, NotAllowed, Transient
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.services.incidents.incident_service import IncidentService
from commands.incidents import report
from commands.incidents.report import ReportParams
from tests.commands.fakes import World
from tests.services.workbench import OPS, START, TARGET, Bench, bench, opened, pod
from tests.times import utc

RULES = AlertRules()
MINUTE = timedelta(minutes=1)
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


@dataclass
class Watched:
    """A cluster with pods, events and logs, each of which may be an error."""

    pods_: Sequence[Pod] | AgentpodError = (pod(1),)
    events_: Sequence[Event] | AgentpodError = ()
    lines: Sequence[str] | AgentpodError = ("one", "two")
    truncated: bool = False
    asked: list[tuple[str, bool]] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def pods(self, selector: str) -> Sequence[Pod]:
        assert selector
        if self.hold is not None:
            await self.hold.wait()
        return _or_raised(self.pods_)

    async def events(self) -> Sequence[Event]:
        return _or_raised(self.events_)

    async def logs(self, pod_: str, container: str, *, previous: bool, tail: int, limit_bytes: int) -> LogText:
        assert (tail, limit_bytes) == (LINES, 200_000)
        self.asked.append((container, previous))
        return LogText(tuple(_or_raised(self.lines)), self.truncated)


def _or_raised(value: Any) -> Any:
    if isinstance(value, AgentpodError):
        raise value
    return value


@dataclass
class Kept:
    """A bench whose incidents have their evidence kept."""

    bench: Bench
    cluster: Watched
    keeper: EvidenceKeeper
    service: IncidentService

    async def fires(self, *subjects: str) -> list[Incident]:
        now = self.bench.clock.now()
        made = alerting.step({}, [_problem(subject, now) for subject in subjects], RULES, now)
        async with self.bench.ledger.writing() as tx:
            saved = await self.service.save(tx, {}, made, now)
        await self.keeper.settled()
        return saved

    async def report(self, incident: Incident, *, logs: bool = False, **more: Any) -> Reply:
        ctx = World().context()
        clock = cast(Clock, self.bench.clock)
        ctx = replace(ctx, **{"ledger": self.bench.ledger, "clock": clock, **more})
        return await (report.with_log if logs else report.run)(ctx, ReportParams(id=incident.id))


def _problem(subject: str, now: datetime) -> Problem:
    key = f"heartbeat:{TARGET.name}:{subject}"
    return Problem(key, "heartbeat", TARGET.name, subject, "is late", "critical", now)


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with opened(tmp_path) as ledger:
        one, cluster = bench(ledger), Watched()
        clock = cast(Clock, one.clock)
        clusters = lambda _: cast(Cluster, cluster)  # noqa: E731
        keeper = EvidenceKeeper({TARGET.name: TARGET}, clusters, ledger, clock, Outside())
        service = IncidentService(ledger, clock, RULES, {TARGET.name: OPS}, fired=keeper.keep)
        yield Kept(one, cluster, keeper, service)


def event(reason: str, message: str = "it failed", minutes: float = 1, **more: Any) -> Event:
    made = {"type": "Warning", "object": f"pod/{pod(1).name}", "last_seen": START - minutes * MINUTE, **more}
    return Event(reason=reason, message=message, **made)


async def test_events_are_cited_in_the_report_and_log_lines_only_for_those_who_may_read_logs(kept: Kept) -> None:
    kept.cluster.events_ = [
        event("BackOff", "restarting", 5, count=4),
        event("Killing", "stopped", 9, type="Normal"),
    ]
    [incident] = await kept.fires("sshd")
    reply = await kept.report(incident)
    [file] = reply.excerpts
    assert f"Kubernetes: stopped (event Killing of pod/{pod(1).name})" in file.text.replace("\\", "")
    assert f"Kubernetes: Warning: restarting (4 times) (event BackOff of pod/{pod(1).name})" in file.text.replace(
        "\\", ""
    )
    [shown] = [plain(line) for line in reply.body if "Kubernetes" in plain(line)]
    assert "Warning: restarting" in shown, "the message has warnings only"
    assert reply.body[-1] == "1 more line in the attached file"
    assert "two" not in str(reply)
    assert [b.command for b in reply.buttons] == [f"report logs {incident.id}"]
    whole = await kept.report(incident, logs=True)
    lines, file = whole.excerpts
    assert (lines.text, utc(lines.title, START)) == (
        "one\ntwo",
        "The last 2 lines of kali's log, read at 09:00 UTC",
    )
    assert "- two (line 2 of kali's log)" in file.text


async def test_log_lines_are_offered_to_those_who_may_read_this_target_s_logs(kept: Kept) -> None:
    [incident] = await kept.fires("sshd")
    view = AccessRule(role=roles.VIEWER, users=("U1",))
    for target, offered in (("blue", False), (TARGET.name, True)):
        access = AccessPolicy(rules=(view, AccessRule(role=roles.OPERATOR, users=("U1",), targets=(target,))))
        assert bool((await kept.report(incident, access=access)).buttons) is offered


async def test_it_survives_a_restart_and_is_dropped_with_its_incident(kept: Kept) -> None:
    [incident] = await kept.fires("sshd")
    ledger = kept.bench.ledger
    assert [one.kind for one in await ledger.evidence(incident.id)] == [LOG, LOG]
    over = incident
    for _ in range(2):
        kept.bench.clock.pass_(minutes=2)
        after = alerting.decide(over, None, RULES, kept.bench.clock.now())
        assert after is not None
        over = after
    async with ledger.writing() as tx:
        await tx.save_incidents([over])
    for key in [m.key for m in await ledger.take(kept.bench.clock.now(), MINUTE)]:
        found = await ledger.delivery(key)
        assert found is not None
        await ledger.dropped(found)
    assert await ledger.drop_closed(START + timedelta(days=9)) > 0
    assert await ledger.incident(incident.id) is None
    assert await ledger.evidence(incident.id) == []


async def test_secrets_are_redacted_before_they_are_kept_and_later_ones_when_shown(kept: Kept) -> None:
    kept.keeper.outside.learn("secrets", ["plain-word-0"])
    kept.cluster.lines = [f"token={TOKEN}", "plain-word-0", "plain-word-1 and plain-word-2"]
    kept.cluster.events_ = [event("Failed", f"pull with {TOKEN}")]
    [incident] = await kept.fires("sshd")
    raw = str(await kept.bench.ledger.evidence(incident.id))
    assert TOKEN not in raw
    assert "plain-word-0" not in raw
    assert "plain-word-2" in raw
    outside = Outside()
    outside.learn("secrets", ["plain-word-2"])
    shown = str(await kept.report(incident, logs=True, outside=outside))
    assert "plain-word-2" not in shown
    assert "plain-word-1" in shown.replace("\\", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pods_": Transient("The API server is busy.")}, "The pods could not be listed: The API server is busy."),
        ({"events_": NotAllowed("No right.")}, "The events could not be read: No right."),
        ({"lines": NotAllowed("No right.")}, "The log of kali could not be read: No right."),
        ({"pods_": ()}, "There was no container, so there was no log."),
        ({"lines": ()}, "The log of kali was empty."),
        ({}, "The target had no events when the alert was sent."),
    ],
)
async def test_what_could_not_be_kept_is_said(kept: Kept, change: dict[str, Any], said: str) -> None:
    for name, value in change.items():
        setattr(kept.cluster, name, value)
    [incident] = await kept.fires("sshd")
    assert said in [plain(line) for line in (await kept.report(incident)).body]


async def test_none_is_kept_of_many_at_once_and_that_is_said(kept: Kept) -> None:
    saved = await kept.fires(*(f"j{n}" for n in range(12)))
    assert kept.cluster.asked == []
    shown = await kept.report(saved[0])
    none = "No events and no log lines were stored when the alert was sent."
    assert none in [plain(line) for line in shown.body]


async def test_several_incidents_of_a_target_share_one_read(kept: Kept) -> None:
    saved = await kept.fires("a", "b", "c")
    assert kept.cluster.asked == [("kali", False)]
    for one in saved:
        assert len(await kept.bench.ledger.evidence(one.id)) == 2


async def test_an_incident_that_was_not_saved_after_all_has_none(kept: Kept) -> None:
    async def fail() -> None:
        now = kept.bench.clock.now()
        async with kept.bench.ledger.writing() as tx:
            await kept.service.save(tx, {}, alerting.step({}, [_problem("a", now)], RULES, now), now)
            raise ZeroDivisionError

    ids: list[str] = []
    kept.service.fired = lambda found: (ids.extend(i.id for i in found), kept.keeper.keep(found))[1]
    with pytest.raises(ZeroDivisionError):
        await fail()
    await kept.keeper.settled()
    assert kept.cluster.asked == [("kali", False)]
    assert [await kept.bench.ledger.evidence(id_) for id_ in ids] == [[]]
    [right] = await kept.fires("a")
    assert len(await kept.bench.ledger.evidence(right.id)) == 2


async def test_the_alert_does_not_wait_for_it(kept: Kept) -> None:
    kept.cluster.hold = asyncio.Event()
    now = kept.bench.clock.now()
    async with kept.bench.ledger.writing() as tx:
        [saved] = await kept.service.save(tx, {}, alerting.step({}, [_problem("a", now)], RULES, now), now)
    assert await kept.bench.ledger.waiting() == 1
    assert await kept.bench.ledger.evidence(saved.id) == []
    kept.cluster.hold.set()
    await kept.keeper.settled()
    assert len(await kept.bench.ledger.evidence(saved.id)) == 2


def containers(*made: Container) -> list[Pod]:
    return [replace(pod(1), containers=made)]


ENDED = Termination("Error", 1, START - 5 * MINUTE)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], None),
        (containers(Container("a", "i", ready=True), Container("kali", "i", ready=True)), ("kali", False)),
        (containers(Container("kali", "i", ready=True), Container("b", "i")), ("b", False)),
        (containers(Container("kali", "i", ready=True, last_termination=ENDED)), ("kali", True)),
        (containers(Container("kali", "i", state="terminated", terminated=ENDED)), ("kali", False)),
        (
            containers(
                Container("kali", "i"),
                Container("b", "i", last_termination=replace(ENDED, finished_at=START - 40 * MINUTE)),
            ),
            ("kali", False),
        ),
    ],
)
def test_the_log_that_says_most_is_read(pods: list[Pod], expected: tuple[str, bool] | None) -> None:
    found = evidence.container_to_read(pods, "kali", START)
    assert (found[1:] if found else None) == expected


def test_events_of_others_and_old_ones_are_left_out_and_of_many_the_newest_are_kept() -> None:
    own = own_objects.own(TARGET, [pod(1)], None, (), None)
    gone = f"pod/{TARGET.deployment}-5f-zzz"
    found = [
        event("Mine", "x" * 999),
        event("Old", minutes=40),
        event("Other", object="pod/database-0"),
        event("Gone", object=gone),
        *(event(f"N{n}", minutes=20) for n in range(30)),
    ]
    kept = evidence.of_events(found, own, TARGET.deployment, START)
    assert len(kept) == EVENTS
    assert {"event Mine of", "event Gone of"} <= {one.source.rpartition(" ")[0] for one in kept}
    assert not any("Old" in one.source or "Other" in one.source for one in kept)
    assert max(len(one.text) for one in kept) == LONGEST
    assert {one.kind for one in kept} == {EVENT}
    assert UNREAD not in {one.kind for one in kept}


async def test_an_incident_that_is_announced_beside_an_unexpected_error_is_not_forgotten(kept: Kept) -> None:
    [first, second] = await kept.fires("one", "two")
    read = kept.cluster.pods
    kept.cluster.asked.clear()

    async def breaks(_: str) -> Sequence[Pod]:
        kept.cluster.pods = read  # type: ignore[method-assign]
        kept.keeper.keep([second])
        raise RuntimeError("unexpected")

    kept.cluster.pods = breaks  # type: ignore[method-assign]
    kept.keeper.keep([first])
    await kept.keeper.settled()
    assert kept.cluster.asked == [("kali", False)], "the pod was read for the second"
