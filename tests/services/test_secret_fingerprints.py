"""Values of Secrets are saved as fingerprints only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest_asyncio

from bot.domain.core.workload import SecretFacts, SecretKey
from bot.domain.health import secret_memory
from bot.domain.health.secret_memory import Age
from bot.errors import AgentpodError, NotAllowed, NotFound
from bot.ports.cluster import Cluster
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
