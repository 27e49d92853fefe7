"""The fact of a Secret says that a value changed only where that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.domain.core.workload import SecretFacts, SecretKey
from bot.domain.health import secret_memory
from bot.domain.runbook.facts.secret import SecretFact
from bot.errors import AgentpodError, NotFound, Permanent
from bot.services.health.reads import Reads
from bot.services.runbook.readers import secret
from tests.services.workbench import START, opened

FACTS = SecretFacts("s", "u", "1", {"KEY": SecretKey(9, "0a1b2c3d")}, changed_at=START, fingerprint_key="k")
OLD = replace(FACTS, keys={"KEY": SecretKey(9, "ffffffff")})


def reads(answer: SecretFacts | AgentpodError, ledger: Any = None) -> Reads:
    async def found(_: str) -> SecretFacts:
        if isinstance(answer, AgentpodError):
            raise answer
        return answer

    ctx = SimpleNamespace(cluster=SimpleNamespace(secret=found), ledger=ledger)
    return cast("Reads", SimpleNamespace(ctx=ctx, target=SimpleNamespace(name="t")))


async def test_a_write_alone_is_no_change() -> None:
    record = await secret.read(reads(FACTS), SecretFact(name="s"))
    assert any(line.startswith("unchanged since: ") for line in record.lines)
    assert not any(line.startswith("changed: ") for line in record.lines)


async def test_a_change_that_is_remembered_is_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        kept = secret_memory.noted(None, OLD, START - timedelta(minutes=1))
        async with ledger.writing() as tx:
            await tx.set_mark(secret_memory.mark("t", "s"), secret_memory.to_json(kept))
        record = await secret.read(reads(FACTS, ledger), SecretFact(name="s"))
    assert any(line.startswith("changed: ") for line in record.lines)


async def test_only_an_absent_secret_is_absent() -> None:
    assert (await secret.read(reads(NotFound("x")), SecretFact(name="s"))).outcome == {"exists": "false"}
    with pytest.raises(Permanent, match="answers 404"):
        await secret.read(reads(Permanent("The API server answers 404.")), SecretFact(name="s"))
