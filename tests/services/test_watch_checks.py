"""Checks that raise alerts: each at its own interval, and what can't be told neither raises nor resolves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.adapters.cel import CelExpressions
from bot.domain.core.workload import Application, ExternalSecret
from bot.errors import NotAllowed, NotFound, Transient
from bot.ports.cluster import Cluster as ClusterPort
from bot.ports.ledger import Ledger
from bot.runbook.context import Context
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.incidents.watch_checks import CheckWatch, names
from tests import handbook
from tests.commands.fakes import said
from tests.commands.test_egress_repair import Past, policy
from tests.commands.test_secrets import Cluster, Room
from tests.services.watchbench import Watch, watch
from tests.services.workbench import START, opened

FILE = """
runbook: try
checks:
  services:
    title: Supervised services
    exec: {command: [svstat]}
    expect: lines.all(l, l.startsWith("up"))
    fails:
      says: "'Supervised services: ' + lines.filter(l, !l.startsWith('up'))[0]"
      remedy: Start it.
      offer: restart
    alert: {every: 1m, for: 2m, severity: warning, issue: owner/repository#12}
  slow:
    title: Slow
    exec: {command: [svstat]}
    expect: "true"
    alert: {every: 5m}
  other:
    title: Other
    exec: {command: [other]}
    expect: exit_code == 0
    fails: {verdict: warn}
    alert: {for: 0s}
  silent:
    title: Silent
    exec: {command: [silent]}
    expect: "false"
""".replace("  services:", "  supervised:")
FIRING = "⚠️ WARNING Supervised services: down sshd"


def book(text: str = FILE) -> CompiledRunbook:
    made, problems = compile_runbook(read(text, "try.yaml"), CelExpressions())
    assert made is not None, "\n".join(map(str, problems))
    return made


@dataclass
class World:
    """A watcher of the checks of a healthy pod, which each test can break."""

    of: Watch
    cluster: Cluster
    watcher: CheckWatch

    async def look(self, minutes: float = 0) -> list[str]:
        """Let time pass, make the checks that are due, and return the first lines of the channel's messages."""
        self.of.clock.pass_(minutes=minutes)
        await self.watcher.look()
        await self.of.deliver()
        return self.of.first_lines()

    async def close(self, found: CompiledRunbook | None) -> list[str]:
        """Restart the bot with another runbook."""
        target = self.watcher.target
        await OrphanCloser([target], True, self.of.clock, self.of.incidents, lambda one: names(one, found)).close()
        await self.of.deliver()
        return self.of.first_lines()


def made(of: Watch, **rules: Any) -> World:
    room = Room()
    room.cluster.programs |= {"svstat": said("up sshd"), "other": said("x")}
    room.cluster.external = []
    given = of.rules.model_copy(update=rules)
    context = replace(room.context(), clock=of.clock, book=book(), ledger=of.ledger)
    cluster = cast("ClusterPort", room.cluster)
    watcher = CheckWatch(room.target, lambda _: cluster, of.clock, given, of.incidents, Muting(given), context)
    return World(of, room.cluster, watcher)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as ledger:
        found = made(watch(ledger))
        assert await found.look() == []
        yield found


async def failed(world: World) -> World:
    """The supervised services have failed for two minutes, and the alert is posted."""
    world.cluster.programs["svstat"] = said("up supercronic\ndown sshd")
    assert await world.look(1) == []
    assert await world.look(1) == []
    assert await world.look(1) == [FIRING]
    return world


async def test_a_failing_check_is_one_incident_with_its_remedy_and_its_offer(world: World) -> None:
    await failed(world)
    assert await world.look(1) == [FIRING]
    shown = world.of.chat.shown["1.0"]
    assert "What to do" in {fact.label for fact in shown.facts}
    assert [button.label for button in shown.buttons] == ["Acknowledge", "Diagnose", "Ask for a restart"]
    [incident] = await world.of.ledger.incidents()
    assert (incident.key, incident.problem.kind) == ("check:secure-agent-pod:supervised", "pod")
    assert incident.problem.issue == "owner/repository#12"


REPAIR = """
repairs:
  start-service:
    summary: Start a service
    params: {service: {one_of: [sshd, cron]}}
    steps: [{exec: {command: [svc, -u, "{service}"]}}]
    verify: {check: supervised, within: 20s}
"""


async def test_a_declared_repair_that_the_check_offers_is_a_button(world: World) -> None:
    offering = FILE.replace("offer: restart", "offer: {repair: start-service, service: sshd}") + REPAIR
    assert world.watcher.context is not None
    world.watcher.context = replace(world.watcher.context, book=book(offering))
    await failed(world)
    offered = world.of.chat.shown["1.0"].buttons[-1]
    assert offered.label == "Ask for: start-service sshd"
    assert offered.command.startswith('start-service sshd --reason "Supervised services: down sshd" --target ')


async def test_it_is_resolved_once_it_is_as_expected(world: World) -> None:
    await failed(world)
    world.cluster.programs["svstat"] = said("up sshd")
    assert await world.look(1) == ["🌤️ Supervised services: as expected again, resolved if it stays so"]
    assert await world.look(1) == ["✅ Supervised services: as expected again after 3 min"]


UNKNOWN = [
    Transient("The kubelet can't be reached."),
    NotAllowed("The bot may not run commands."),
    KeyError("a defect"),
]


@pytest.mark.parametrize("answer", UNKNOWN, ids=repr)
async def test_what_can_not_be_told_raises_nothing_and_resolves_nothing(world: World, answer: Any) -> None:
    healthy = dict(world.cluster.programs)
    world.cluster.programs |= {"svstat": answer, "other": answer}
    for _ in range(10):
        assert await world.look(1) == []
    world.cluster.programs = healthy
    await failed(world)
    world.cluster.programs |= {"svstat": answer, "other": answer}
    for _ in range(10):
        assert await world.look(1) == [FIRING]


async def test_a_check_that_crashes_stops_no_other(world: World) -> None:
    world.cluster.programs |= {"svstat": KeyError("a defect"), "other": said("", "", 1)}
    assert await world.look(1) == ["🔴 CRITICAL Other: not as expected"]


async def test_a_check_says_nothing_while_one_that_it_needs_fails(tmp_path: Path) -> None:
    text = FILE.replace("    expect: exit_code == 0\n", "    expect: exit_code == 0\n    needs: [supervised]\n")
    async with opened(tmp_path) as ledger:
        found = made(watch(ledger))
        assert found.watcher.context is not None
        found.watcher.context = replace(cast("Context", found.watcher.context), book=book(text))
        found.cluster.programs |= {"svstat": said("down sshd"), "other": said("", "", 1)}
        for _ in range(3):
            lines = await found.look(1)
        assert lines == [FIRING]
        found.cluster.programs["svstat"] = said("up sshd")
        assert "🔴 CRITICAL Other: not as expected" in await found.look(1)


async def test_each_check_has_its_interval_and_a_round_reads_once(world: World) -> None:
    world.cluster.ran.clear()
    counts = []
    for _ in range(10):
        await world.look(0.5)
        counts.append(len([argv for argv in world.cluster.ran if argv == ("svstat",)]))
    assert counts == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5], "at the fifth minute, two checks share one read"
    assert ("silent",) not in world.cluster.ran


async def test_a_clock_that_is_set_back_stops_no_check(world: World) -> None:
    world.cluster.ran.clear()
    await world.look(-600)
    assert ("svstat",) in world.cluster.ran


async def test_maintenance_mutes_checks(tmp_path: Path) -> None:
    window = {"name": "upgrade", "start": START, "lasts": "1h"}
    async with opened(tmp_path) as ledger:
        found = made(watch(ledger, maintenance=[window]))
        found.cluster.programs["svstat"] = said("down sshd")
        for _ in range(5):
            assert await found.look(10) == []
        assert await found.look(10) == [FIRING]


# Closed with the file


@pytest.mark.parametrize(
    "text",
    [
        "runbook: empty\n",
        FILE.replace("    alert: {every: 1m, for: 2m, severity: warning, issue: owner/repository#12}\n", ""),
    ],
    ids=["the check is gone", "its alert is gone"],
)
async def test_what_the_file_no_longer_watches_is_closed(world: World, text: str) -> None:
    await failed(world)
    assert await world.close(book()) == [FIRING]
    assert await world.close(book(text)) == ["⚪ Supervised services: closed, the check raises no alerts any more"]


async def test_without_a_runbook_its_incidents_are_closed(world: World) -> None:
    await failed(world)
    assert "closed" in (await world.close(None))[0]


# Built-in checks


BROKEN: dict[str, tuple[str, Any, str]] = {
    "address": (
        "services_answer",
        [],
        "🔴 CRITICAL Services: 192.168.55.215 (SSH) is not assigned to any Service",
    ),
    "application": (
        "application_answer",
        Application("secure-agent-pod", "Synced", "Degraded", "a" * 40),
        "🔴 CRITICAL Argo CD says secure-agent-pod is Synced and Degraded",
    ),
    "external secret": (
        "external",
        [ExternalSecret("tokens", "agent-tokens", "False", "SecretSyncedError", "no such path")],
        "🔴 CRITICAL External Secrets: tokens is not synced: no such path",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_built_in_check_alerts_after_five_minutes(world: World, name: str) -> None:
    where, answer, firing = BROKEN[name]
    healthy = getattr(world.cluster, where)
    setattr(world.cluster, where, answer)
    for _ in range(5):
        assert await world.look(1) == []
    assert await world.look(1) == [firing]
    setattr(world.cluster, where, healthy)
    await world.look(1)
    assert (await world.look(1))[0].startswith("✅ ")


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("application_answer", Application("secure-agent-pod", "OutOfSync", "Progressing", "a" * 40)),
        ("application_answer", NotFound("there is no Application")),
        ("external", NotFound("no such kind")),
        ("external", [ExternalSecret("tokens", "agent-tokens")]),
        ("services_answer", Transient("The API server can't be reached.")),
    ],
    ids=["out of sync", "no application", "no operator", "no word yet", "unreadable"],
)
async def test_a_state_on_its_way_or_unknown_is_no_alert(world: World, where: str, answer: Any) -> None:
    setattr(world.cluster, where, answer)
    for _ in range(10):
        assert await world.look(1) == []


async def test_checks_that_do_not_apply_are_not_made() -> None:
    target = Room().target.model_copy(update={"services": (), "argocd": None})
    assert names(target, None) == {"external-secrets"}
    assert names(Room().target, book()) == {
        "external-secrets",
        "services",
        "argocd",
        "supervised",
        "slow",
        "other",
    }


async def test_a_policy_that_a_repair_left_missing_is_an_incident_until_it_is_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = made(watch(ledger))
        assert world.watcher.context is not None
        target = handbook.target(egress={})
        past = Past()
        world.watcher.context = replace(world.watcher.context, target=target, ledger=cast("Ledger", past))
        world.cluster.policies_answer = NotFound("There is none.")
        [line] = await world.look()
        assert line.startswith("🔴 CRITICAL Egress policy: agent-egress is missing, and egress is open: r-")
        assert world.of.chat.shown["1.0"].buttons[-1].label == "Repair the egress policy"
        world.cluster.policies_answer = policy("True")
        assert await world.look(2) == ["🌤️ Egress policy: as expected again, resolved if it stays so"]


def test_only_a_target_with_the_repair_has_an_alert_about_the_policy() -> None:
    assert "egress-policy" in names(handbook.target(egress={}), None)
    assert "egress-policy" not in names(handbook.target(), None)
