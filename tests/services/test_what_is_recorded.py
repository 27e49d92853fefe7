"""The watchers record what changes: images, node, pod template, Secrets, Argo CD, the crontab, the settings."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from pydantic import SecretStr

from bot.domain.core.change import RESTART
from bot.domain.core.look import Fingerprints
from bot.domain.core.target import Target
from bot.domain.core.workload import Application, Container, Pod, Right, SecretFacts, SecretKey, Termination
from bot.errors import NotAllowed
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.change_log import ChangeLog
from bot.services.health.check import run_checks
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.secret_fingerprints import SecretWatch
from bot.services.incidents.muting import Muting
from bot.services.incidents.watch_checks import CheckWatch
from bot.services.incidents.watch_pod import PodWatch
from bot.settings.model import Settings
from bot.wiring import settings_changes
from tests.commands.fakes import World, said
from tests.commands.test_cron import PATH
from tests.commands.test_secrets import Room
from tests.services.test_change_log import Away
from tests.services.watchbench import Watch, watch
from tests.services.workbench import START, FakeCluster, opened, pod

HASH = "pod-template-hash"


@pytest_asyncio.fixture
async def of(tmp_path: Path) -> AsyncIterator[Watch]:
    async with opened(tmp_path) as ledger:
        yield watch(ledger)


@dataclass
class Templated(FakeCluster):
    """A cluster whose Deployment can be read as the API server's JSON."""

    template: dict[str, Any] = field(default_factory=dict)
    generation: int = 1
    asked: list[Right] = field(default_factory=list)
    refused: bool = False

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        assert (version, selector) == ("v1", None)
        self.asked.append(right)
        if self.refused:
            raise NotAllowed("no")
        meta = {"creationTimestamp": "2026-11-01T00:00:00Z", "generation": self.generation}
        return {"metadata": meta, "spec": {"template": self.template}}


def watcher(of: Watch, cluster: Templated, prints: bool = True) -> PodWatch:
    log = ChangeLog(of.ledger, Fingerprints(b"key") if prints else None)
    clusters = lambda _: cast("Cluster", cluster)  # noqa: E731
    return PodWatch(of.target, clusters, of.clock, of.rules, of.incidents, Muting(of.rules), None, log)


def running(
    number: int, image: str = "r/kali:1", node: str = "node-1", template: str = "one", minutes: float = 0
) -> Pod:
    made = pod(number)
    one = Container("kali", image, state="running", ready=True)
    at = START.replace(minute=int(minutes))
    return replace(made, created_at=at, node=node, containers=(one,), labels={HASH: template})


async def lines(of: Watch) -> list[str]:
    found = await of.ledger.changes(START.replace(year=2025), START.replace(year=2027))
    return [change.text for change in reversed(found)]


async def test_images_and_the_node_of_the_newest_pod(of: Watch) -> None:
    one = watcher(of, Templated())
    await one.look([running(1)])
    of.clock.pass_(minutes=5)
    await one.look([running(1), running(2, "r/kali:2", "node-2", minutes=4)])
    assert await lines(of) == ["image of kali: 1 → 2", "node: node-1 → node-2"]
    [image, _] = reversed(await of.ledger.changes(START, START.replace(hour=23)))
    assert (image.at - image.not_before).total_seconds() == pytest.approx(300, abs=1)


async def test_a_container_that_restarted_by_itself(of: Watch) -> None:
    one, before = watcher(of, Templated()), running(1)
    await one.look([before])
    [container] = before.containers
    ended = Termination("OOMKilled", 137, START)
    await one.look([replace(before, containers=(replace(container, restarts=1, last_termination=ended),))])
    assert await lines(of) == ["container kali: restarted (OOMKilled, exit code 137)"]


@pytest.mark.parametrize("state", ["v2", "", "u", "u x 1 ends"])
async def test_a_mark_of_another_format_holds_up_no_alert_and_is_replaced(of: Watch, state: str) -> None:
    one, before = watcher(of, Templated()), replace(running(1), uid="u")
    kept = {"at": START.isoformat(), "order": "", "key": "", "state": {"kali": state}}
    async with of.ledger.writing() as tx:
        await tx.set_mark(f"seen:{RESTART}:{of.target.name}", json.dumps(kept))
    [container] = before.containers
    for restarts in (3, 4):
        await one.look([replace(before, containers=(replace(container, restarts=restarts),))])
    assert [line.partition(" (")[0] for line in await lines(of)] == ["container kali: restarted"]


async def test_after_a_restart_of_the_bot_the_same_pod_is_no_change_and_another_one_is(of: Watch) -> None:
    await watcher(of, Templated()).look([running(1)])
    await watcher(of, Templated()).look([running(1)])
    assert await lines(of) == []
    await watcher(of, Templated()).look([])
    await watcher(of, Templated()).look([running(2, "r/kali:2", minutes=1)])
    assert await lines(of) == ["image of kali: 1 → 2"]


async def test_the_pod_template_is_read_when_a_pod_of_another_one_appears(of: Watch) -> None:
    spec = {"containers": [{"name": "kali", "env": [{"name": "MODE", "value": "fast"}]}]}
    cluster = Templated(template={"spec": spec})
    one = watcher(of, cluster)
    for _ in range(3):
        await one.look([running(1)])
    assert [str(right) for right in cluster.asked] == ['get deployments.apps "secure-agent-pod"']
    cluster.template = {"spec": {"containers": [{"name": "kali", "env": [{"name": "MODE", "value": "slow"}]}]}}
    cluster.generation = 2
    of.clock.pass_(minutes=1)
    await one.look([running(2, template="two", minutes=1)])
    assert await lines(of) == ["pod template: env MODE of kali changed"]
    assert len(cluster.asked) == 2


async def test_a_pod_template_that_can_t_be_read_is_asked_for_once_a_minute(of: Watch) -> None:
    cluster = Templated(refused=True)
    one = watcher(of, cluster)
    for _ in range(6):
        await one.look([running(1)])
        of.clock.pass_(seconds=20)
    assert len(cluster.asked) == 2


async def test_a_pod_template_that_could_not_be_compared_is_compared_later(of: Watch) -> None:
    cluster = Templated(template={"spec": {"serviceAccountName": "a"}})
    one = watcher(of, cluster)
    await one.look([running(1)])
    cluster.template, cluster.generation = {"spec": {"serviceAccountName": "b"}}, 2
    of.clock.pass_(minutes=1)
    assert one.change_log is not None
    working, one.change_log.ledger = one.change_log.ledger, cast("Ledger", Away())
    await one.look([running(2, template="two", minutes=1)])
    one.change_log.ledger = working
    of.clock.pass_(minutes=2)
    await one.look([running(2, template="two", minutes=1)])
    assert await lines(of) == ["pod template: serviceAccountName a → b"]


@dataclass
class Secrets:
    facts: SecretFacts

    async def secret(self, name: str) -> SecretFacts:
        if name != self.facts.name:
            raise NotAllowed("no")
        return self.facts


async def test_keys_of_a_secret(of: Watch) -> None:
    name = of.target.every_secret[0]
    keys = {"A": SecretKey(9, "0a"), "B": SecretKey(9, "0b")}
    cluster = Secrets(SecretFacts(name, "u", "1", keys, fingerprint_key="k"))
    one = SecretWatch(of.target, lambda _: cast("Cluster", cluster), of.ledger, of.clock, ChangeLog(of.ledger))
    await one.look()
    await one.look()
    assert await lines(of) == []
    cluster.facts = replace(cluster.facts, keys={"A": SecretKey(9, "ff"), "C": SecretKey(1, "0c")})
    of.clock.pass_(minutes=5)
    again = SecretWatch(of.target, lambda _: cast("Cluster", cluster), of.ledger, of.clock, ChangeLog(of.ledger))
    await one.look()
    await again.look()
    assert await lines(of) == [f"Secret {name}: value of A changed, C new, B gone"]
    cluster.facts = replace(cluster.facts, keys={"A": SecretKey(9), "D": SecretKey(3)}, fingerprint_key="")
    await one.look()
    assert (await lines(of))[1:] == [f"Secret {name}: D new, C gone"], "values of another key are not compared"


async def test_the_revision_of_argo_cd(of: Watch) -> None:
    room = Room()
    room.cluster.external = []
    log = ChangeLog(of.ledger)
    context = replace(room.context(), clock=of.clock, ledger=of.ledger)
    clusters = lambda _: cast("Cluster", room.cluster)  # noqa: E731
    one = CheckWatch(room.target, clusters, of.clock, of.rules, of.incidents, Muting(of.rules), context, log)
    for revision in ("a" * 40, "a" * 40, None, "b" * 40):
        room.cluster.application_answer = Application("secure-agent-pod", "Synced", "Healthy", revision)
        await one.look()
        of.clock.pass_(minutes=1)
    said_ = "Argo CD revision of secure-agent-pod: aaaaaaaaaaaa → bbbbbbbbbbbb"
    assert await lines(of) == [said_]


async def test_lines_of_the_crontab_when_somebody_has_it_read(of: Watch) -> None:
    world = World()
    log = ChangeLog(of.ledger, Fingerprints(b"key"))
    for text in ("* * * * * a --token x\n", "* * * * * a --token x\n", "* * * * * b\n1 * * * * c\n"):
        world.cluster.programs[PATH] = said(text)
        context = replace(world.context(), clock=of.clock, change_log=log)
        assert world.target.crontab is not None
        await run_checks(context, [CrontabCheck(world.target.crontab)])
        await log.settled()
        of.clock.pass_(minutes=10)
    assert await lines(of) == ["crontab /home/claude/.crontab: 2 lines added, 1 line gone"]
    assert "token" not in (await of.ledger.mark(f"seen:crontab:{world.target.name}") or "")


async def test_names_of_the_settings_that_changed(of: Watch) -> None:
    def given(**more: Any) -> Settings:
        slack = {"bot_token": SecretStr("xoxb-1"), "app_token": SecretStr("xapp-1"), "channel": "C07OPSPOD01"}
        return Settings.model_validate({"slack": slack | more.pop("slack", {}), **more})

    log = ChangeLog(of.ledger, Fingerprints(b"key"))
    for settings in (given(), given(), given(alerts={"for": "5m"}, slack={"app_token": SecretStr("xapp-2")})):
        await settings_changes.note(settings, ChangeLog(of.ledger, log.fingerprints), of.clock)
        of.clock.pass_(minutes=1)
    assert await lines(of) == ["settings of the bot: value of slack.app_token changed, alerts.for_ new"]
    assert "xapp" not in (await of.ledger.mark("seen:settings:") or "")


async def test_a_change_of_one_of_two_rules_with_the_same_name(of: Watch) -> None:
    def given(first: str, second: str) -> Settings:
        rules = [{"name": "ops", "role": first, "users": ["U1"]}, {"name": "ops", "role": second, "users": ["U2"]}]
        return Settings.model_validate({"access": {"rules": rules}})

    prints = Fingerprints(b"key")
    for roles in (("viewer", "viewer"), ("approver", "viewer"), ("viewer", "approver")):
        await settings_changes.note(given(*roles), ChangeLog(of.ledger, prints), of.clock)
        of.clock.pass_(minutes=1)
    assert await lines(of) == ["settings of the bot: value of access.rules[ops].role changed"] * 2


async def test_more_settings_than_are_kept_are_compared_in_groups(of: Watch) -> None:
    def given(*names: str) -> Settings:
        rules = [{"name": name, "role": "viewer", "users": ["U1"]} for name in names]
        return Settings.model_validate({"access": {"rules": rules}, "log": {"level": "error"}})

    names = [f"r{n}" for n in range(settings_changes.MOST)]
    for rules in (names, names, ["new", *names], [*names[:-1], "other"]):
        await settings_changes.note(given(*rules), ChangeLog(of.ledger, Fingerprints(b"key")), of.clock)
        of.clock.pass_(minutes=1)
    assert await lines(of) == ["settings of the bot: value of access.… changed"] * 2


def test_what_is_compared_of_settings_is_the_same_in_every_process() -> None:
    target = Target.model_validate({"heartbeats": [{"job": "a", "stale_after": "10m"}]})
    settings = Settings.model_validate({"targets": [target.model_dump(exclude_defaults=True)]})
    one, two = (list(settings_changes._leaves(settings.model_dump(exclude_defaults=True), "")) for _ in range(2))
    assert one == two
    assert not any(" at 0x" in text for _, text in one)
