"""The alert of a crash shows the container's last log lines, if the settings say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply, plain
from bot.domain.core.workload import Container, Termination
from bot.domain.incidents import alerting, message_keys
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.outbox.message import OutboxMessage
from bot.errors import NotAllowed, Transient
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.services.incidents.incident_messages import IncidentMessages
from bot.services.incidents.incident_service import IncidentService
from tests.services.test_evidence import MINUTE, Watched
from tests.services.workbench import OPS, START, TARGET, Bench, bench, opened, pod

RULES = AlertRules(crash_log=True)
KALI = Container("kali", "i", last_termination=Termination("Error", 1, START - MINUTE))
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
LOG = ["starting", f"\x1b[31mtoken={TOKEN}\x1b[0m", "can't open config.json"]


@dataclass
class Alerting:
    """A bench on which a crash is announced."""

    bench: Bench
    cluster: Watched
    rules: AlertRules = RULES
    shared: Any = False

    async def crash(self, advice: str = "logs --container kali --previous") -> Incident:
        ledger, clock = self.bench.ledger, cast(Clock, self.bench.clock)
        clusters = lambda _: cast(Cluster, self.cluster)  # noqa: E731
        keeper = EvidenceKeeper({TARGET.name: TARGET}, clusters, ledger, clock, Outside())
        service = IncidentService(ledger, clock, self.rules, {TARGET.name: OPS}, fired=keeper.keep)
        keeper.shows = service.show_again if self.rules.crash_log else None
        now = clock.now()
        key, name = POD_HEALTH.key(TARGET.name), TARGET.name
        problem = Problem(key, "pod", name, name, "kali keeps crashing", "critical", now, advice=advice)
        async with ledger.writing() as tx:
            [saved] = await service.save(tx, {}, alerting.step({}, [problem], self.rules, now), now)
        await keeper.settled()
        return saved

    async def alert(self, incident: Incident) -> Reply:
        made = IncidentMessages(
            self.bench.ledger, cast(Clock, self.bench.clock), self.rules, is_shared=self._is_shared
        )
        kind = next(kind for kind in made.kinds(OPS) if kind.name == message_keys.INCIDENT)
        reply = await kind.render(OutboxMessage(message_keys.incident(incident.id), OPS))
        assert reply is not None
        return reply

    async def _is_shared(self, place: str) -> bool:
        assert place == OPS
        if isinstance(self.shared, Exception):
            raise self.shared
        return bool(self.shared)


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Alerting]:
    async with opened(tmp_path) as ledger:
        crashed = replace(pod(1), containers=(KALI,))
        yield Alerting(bench(ledger), Watched(pods_=[crashed], lines=LOG))


def facts(reply: Reply) -> dict[str, str]:
    return {fact.label: plain(fact.value) for fact in reply.facts}


async def test_the_lines_are_in_the_alert_redacted_after_one_read(one: Alerting) -> None:
    incident = await one.crash()
    reply = await one.alert(incident)
    [shown] = reply.excerpts
    assert shown.title == "The last 3 lines of kali's log before its restart"
    assert shown.text.split("\n")[::2] == ["starting", "can't open config.json"]
    assert TOKEN not in shown.text
    assert "\x1b" not in shown.text
    assert "logs --container kali --previous" in " ".join(button.command for button in reply.buttons)
    assert one.cluster.asked == [("kali", True)]
    await one.alert(incident)
    assert one.cluster.asked == [("kali", True)], "drawn anew, it is not read anew"


async def test_the_alert_that_is_posted_already_is_drawn_anew(one: Alerting) -> None:
    incident = await one.crash()
    found = await one.bench.ledger.delivery(message_keys.incident(incident.id))
    assert found is not None
    assert found.wanted == 2


async def test_without_the_setting_an_alert_has_no_line_of_a_log(one: Alerting) -> None:
    one.rules = AlertRules()
    incident = await one.crash()
    reply = await one.alert(incident)
    assert (reply.excerpts, "Last lines" in facts(reply)) == ((), False)
    found = await one.bench.ledger.delivery(message_keys.incident(incident.id))
    assert found is not None
    assert found.wanted == 1


@pytest.mark.parametrize(
    ("shared", "why"),
    [
        (True, "not shown: this channel is shared with another company"),
        (
            Transient("Slack gave no answer."),
            "not shown: it is not known whether this channel is shared with another company: Slack gave no answer",
        ),
    ],
)
async def test_a_channel_that_may_be_another_company_s_shows_none(one: Alerting, shared: Any, why: str) -> None:
    one.shared = shared
    reply = await one.alert(await one.crash())
    assert (reply.excerpts, facts(reply)["Last lines"]) == ((), why)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (NotAllowed("No right."), "not shown: the log of kali could not be read: No right"),
        ((), "not shown: the log of kali was empty"),
    ],
)
async def test_what_could_not_be_read_says_why(one: Alerting, lines: Any, why: str) -> None:
    one.cluster.lines = lines
    assert facts(await one.alert(await one.crash()))["Last lines"] == why


async def test_events_that_could_not_be_read_hide_no_line(one: Alerting) -> None:
    one.cluster.events_ = NotAllowed("No right.")
    assert (await one.alert(await one.crash())).excerpts


OLD = replace(KALI, last_termination=Termination("Error", 1, START - 40 * MINUTE))
SIDECAR = Container("sidecar", "i", last_termination=Termination("Error", 1, START - MINUTE / 2))


@pytest.mark.parametrize(
    ("containers", "kept"),
    [((KALI, SIDECAR), "sidecar's log before its restart"), ((OLD,), "kali's log")],
)
async def test_a_log_that_is_not_the_crash_s_is_not_shown_and_the_alert_says_so(
    one: Alerting, containers: tuple[Container, ...], kept: str
) -> None:
    one.cluster.pods_ = [replace(pod(1), containers=containers)]
    reply = await one.alert(await one.crash())
    why = f"not shown: the bot kept {kept}, not kali's log before its restart"
    assert (reply.excerpts, facts(reply)["Last lines"]) == ((), why)


async def test_a_stack_trace_keeps_its_indents(one: Alerting) -> None:
    one.cluster.lines = ["Traceback:", "  File x", "    raise  Y  "]
    [shown] = (await one.alert(await one.crash())).excerpts
    assert shown.text == "Traceback:\n  File x\n    raise  Y"


@pytest.mark.parametrize("advice", ["status", "events"])
async def test_a_problem_that_is_no_crash_shows_no_line(one: Alerting, advice: str) -> None:
    reply = await one.alert(await one.crash(advice))
    assert (reply.excerpts, "Last lines" in facts(reply)) == ((), False)


async def test_once_it_is_over_the_lines_are_gone(one: Alerting) -> None:
    incident = await one.crash()
    one.bench.clock.pass_(minutes=2)
    over = alerting.decide(incident, None, one.rules, one.bench.clock.now())
    assert over is not None
    async with one.bench.ledger.writing() as tx:
        await tx.save_incidents([over])
    assert (await one.alert(over)).excerpts == ()
