"""Values of Secrets are saved as fingerprints only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.workload import Right, SecretFacts, SecretKey
from bot.domain.health import secret_memory
from bot.domain.health.secret_memory import Age
from bot.errors import AgentpodError, NotAllowed, NotFound
from bot.ports.cluster import Cluster
from bot.services.change_log import ChangeLog
from bot.services.health.secret_fingerprints import SecretWatch
from tests.services.watchbench import Watch, watch
from tests.services.workbench import START, opened

TIER2, SSH = "agent-secrets-tier2", "agent-ssh-keys"


@dataclass
class Secrets:
    """A cluster with Secrets by name, each readable or an error."""

    found: dict[str, SecretFacts | AgentpodError] = field(default_factory=dict)

    async def secret(self, name: str) -> SecretFacts:
        if isinstance(answer := self.found[name], AgentpodError):
            raise answer
        return answer


FACTS = SecretFacts(
    TIER2, "u", "1", {"KEY": SecretKey(9, "0a1b2c3d")}, changed_at=START - timedelta(days=1), fingerprint_key="k"
)


@pytest_asyncio.fixture
async def of(tmp_path: Path) -> AsyncIterator[Watch]:
    async with opened(tmp_path) as ledger:
        yield watch(ledger)


async def test_changed_value_is_told_from_a_rewrite(of: Watch) -> None:
    secrets = Secrets({TIER2: FACTS, SSH: NotFound("gone")})
    watcher = SecretWatch(of.target, lambda _: cast("Cluster", secrets), of.incidents.ledger, of.clock)
    await watcher.look()
    started = of.clock.now() + timedelta(minutes=1)
    of.clock.pass_(minutes=5)
    await watcher.look()

    async def remembered() -> secret_memory.Remembered | None:
        return secret_memory.from_json(await of.incidents.ledger.mark(f"secret:{of.target.name}/{TIER2}") or "")

    touched = replace(FACTS, resource_version="2", changed_at=of.clock.now())
    assert secret_memory.age(touched, started, await remembered()) is Age.SAME
    changed = replace(touched, keys={"KEY": SecretKey(9, "ffffffff")})
    assert secret_memory.age(changed, started, await remembered()) is Age.CHANGED
    secrets.found[TIER2] = changed
    of.clock.pass_(minutes=5)
    await watcher.look()
    assert secret_memory.age(changed, started, await remembered()) is Age.CHANGED
    assert secret_memory.age(changed, of.clock.now() + timedelta(minutes=1), await remembered()) is Age.SAME


async def test_unreadable_secret_keeps_its_fingerprints(of: Watch) -> None:
    secrets = Secrets({TIER2: FACTS, SSH: replace(FACTS, name=SSH)})
    watcher = SecretWatch(of.target, lambda _: cast("Cluster", secrets), of.incidents.ledger, of.clock)
    await watcher.look()
    before = await of.incidents.ledger.mark(f"secret:{of.target.name}/{SSH}")
    secrets.found = {TIER2: NotAllowed("no"), SSH: NotAllowed("no")}
    await watcher.look()
    assert before is not None
    assert await of.incidents.ledger.mark(f"secret:{of.target.name}/{SSH}") == before


async def test_the_secret_of_the_config_files_is_compared_as_well(of: Watch) -> None:
    """One that can't be read yet is no change, and neither is the first look at it."""
    spec = ConfigsRotateSpec(encrypted_file="/c/configs.yaml", key_file="/c/key")
    target = of.target.model_copy(update={"configs_rotate": spec})
    configs = replace(FACTS, name=spec.secret)
    secrets = Secrets({TIER2: FACTS, SSH: NotFound("gone"), spec.secret: NotAllowed("no")})
    ledger = of.incidents.ledger
    watcher = SecretWatch(target, lambda _: cast("Cluster", secrets), ledger, of.clock, ChangeLog(ledger))

    async def recorded() -> list[str]:
        now = of.clock.now()
        return [c.text for c in await ledger.changes(START, now, targets=(target.name,), limit=9)]

    for found in (NotAllowed("no"), configs):
        secrets.found[spec.secret] = found
        await watcher.look()
        of.clock.pass_(minutes=5)
    assert await recorded() == []
    secrets.found[spec.secret] = replace(configs, keys={"KEY": SecretKey(9, "ffffffff")})
    await watcher.look()
    assert await recorded() == [f"Secret {spec.secret}: value of KEY changed"]
    assert Right("get", "secrets", name=spec.secret) in SecretWatch.rights(target)


@pytest.mark.parametrize("first", [True, False])
async def test_a_clock_that_was_ahead_once_neither_stops_the_record_nor_dates_it(of: Watch, first: bool) -> None:
    """``first``: it was ahead at the first poll of all."""
    secrets = Secrets({TIER2: FACTS, SSH: NotFound("gone")})
    log = ChangeLog(of.incidents.ledger, clock=of.clock)
    watcher = SecretWatch(of.target, lambda _: cast("Cluster", secrets), of.incidents.ledger, of.clock, log)
    right = of.clock.time
    if not first:
        await watcher.look()
    of.clock.pass_(hours=6)
    await watcher.look()
    of.clock.time = right + timedelta(minutes=5)
    secrets.found[TIER2] = replace(FACTS, keys={"KEY": SecretKey(9, "ffffffff")})
    await watcher.look()
    [change, *_] = await of.incidents.ledger.changes(START - timedelta(days=1), START + timedelta(days=1))
    assert change.text == f"Secret {TIER2}: value of KEY changed"
    assert change.at - right < timedelta(minutes=6)
    assert change.not_before < right if first else change.not_before - right < timedelta(minutes=1)
    memory = secret_memory.from_json(await of.incidents.ledger.mark(f"secret:{of.target.name}/{TIER2}") or "")
    assert memory is not None
    assert max(memory.since, memory.until, memory.others_until or memory.since) <= of.clock.time


async def test_what_another_replica_has_remembered_since_is_left_alone(of: Watch) -> None:
    secrets = Secrets({TIER2: FACTS, SSH: NotFound("gone")})
    watcher = SecretWatch(of.target, lambda _: cast("Cluster", secrets), of.incidents.ledger, of.clock)
    of.clock.pass_(seconds=40)
    await watcher.look()
    before = await of.incidents.ledger.mark(f"secret:{of.target.name}/{TIER2}")
    of.clock.time -= timedelta(seconds=40)
    secrets.found[TIER2] = replace(FACTS, keys={"KEY": SecretKey(9, "ffffffff")})
    await watcher.look()
    assert await of.incidents.ledger.mark(f"secret:{of.target.name}/{TIER2}") == before
