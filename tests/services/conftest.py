"""The fixture `one`: a bench with its own ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.services.workbench import Bench, bench, opened


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    """The services of one bot process on a new ledger."""
    async with opened(tmp_path) as ledger:
        made = bench(ledger)
        yield made
        await made.executor.stop(1)
