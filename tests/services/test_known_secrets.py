"""Which Secrets' values are redacted, and which parts of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from bot.domain.core.outside import Outside
from bot.domain.core.workload import Right
from bot.ports.cluster import Cluster
from bot.services.health.secret_values import KnownSecrets
from tests import handbook

SPEC = {"encrypted_file": "/c.yaml", "key_file": "/key"}


class Reads:
    """A cluster that records how the values are read."""

    def __init__(self) -> None:
        self.read: list[tuple[str, bool]] = []

    async def secret_values(self, names: Collection[str], *, files: bool = False) -> frozenset[str]:
        [name] = names
        self.read.append((name, files))
        return frozenset({f"the-value-of-{name}"})


async def test_config_files_are_redacted_where_they_are_rotated() -> None:
    target, cluster, outside = handbook.target(configs_rotate=SPEC), Reads(), Outside()
    known = KnownSecrets([target], lambda _: cast("Cluster", cluster), outside)
    assert await known.look() == []
    assert cluster.read == [("agent-configs", True), ("agent-secrets-tier2", False)]
    assert "the-value-of" not in outside.text("the-value-of-agent-configs the-value-of-agent-secrets-tier2")
    assert [right.name for right in KnownSecrets.rights(target)] == ["agent-configs", "agent-secrets-tier2"]


async def test_a_secret_of_both_kinds_is_read_as_the_others() -> None:
    target, cluster = handbook.target(configs_rotate=SPEC, secrets=["agent-configs"]), Reads()
    await KnownSecrets([target], lambda _: cast("Cluster", cluster), Outside()).look()
    assert cluster.read == [("agent-configs", False)]


def test_without_the_rotation_they_are_not_read() -> None:
    found: Any = KnownSecrets.rights(handbook.target())
    assert found == [Right("get", "secrets", name="agent-secrets-tier2")]
