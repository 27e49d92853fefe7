"""Adapters that connect on first use behave like the adapter itself, and have every method of its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.domain.core import moments
from bot.domain.core.workload import Pod
from bot.errors import Permanent, Transient
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.wiring import seals
from bot.wiring.lazy import LazyCluster, LazyLedger


class Api:
    """The two methods of a cluster that are used here."""

    closed = False

    async def pods(self, selector: str) -> Sequence[Pod]:
        raise Transient(f"no answer for {selector}")

    async def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[tuple[str, float], None]:
        try:
            for _ in range(2):
                yield selector, patience
        finally:
            self.closed = True


@pytest.mark.parametrize(("port", "stand_in"), [(Cluster, LazyCluster), (Ledger, LazyLedger)])
def test_a_lazy_adapter_has_every_method_of_its_port(port: type, stand_in: type) -> None:
    assert [n for n in vars(port) if not n.startswith("_") and n not in vars(stand_in)] == []


async def test_every_call_waits_for_the_connection() -> None:
    connected, api = asyncio.Event(), Api()

    async def find() -> Any:
        await connected.wait()
        return api

    cluster = LazyCluster(find)
    asked = asyncio.create_task(cluster.pods("app=x"))
    done, _ = await asyncio.wait({asked}, timeout=0)
    assert not done
    connected.set()
    with pytest.raises(Transient, match="no answer for app=x"):
        await asked
    async with aclosing(cluster.follow("app=y", patience=3.0)) as lists:
        assert await anext(lists) == ("app=y", 3.0)
    assert api.closed


async def test_a_failed_connection_is_reported_with_its_reason() -> None:
    async def find() -> Any:
        raise Permanent("there is no kubeconfig")

    cluster = LazyCluster(find)
    with pytest.raises(Permanent, match="no kubeconfig"):
        await cluster.info()
    with pytest.raises(Permanent, match="no kubeconfig"):
        await anext(cluster.follow("app=x"))


async def test_opening_the_ledger_is_retried(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    ledger = LazyLedger(f"sqlite+aiosqlite:///{folder / 'ledger.db'}")
    told: list[bool] = []
    ledger.on_change(lambda: told.append(True))
    with pytest.raises(Permanent, match="does not exist"):
        await ledger.waiting()
    folder.mkdir()
    assert not ledger.exclusive
    assert await asyncio.gather(*(ledger.waiting() for _ in range(3))) == [0, 0, 0]
    assert ledger.exclusive
    assert told == [True], "once it is there, whoever waits for it looks"
    await ledger.close()


async def test_a_terminal_accepts_the_times_that_the_bot_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments._Key, "value", b"the bot's key 16")
    monkeypatch.setattr(moments._Key, "others", frozenset())
    url, stored = (
        f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}",
        moments.write(datetime(2026, 11, 30, tzinfo=UTC)),
    )
    bot = LazyLedger(url)
    assert await bot.waiting() == 0
    monkeypatch.setattr(moments._Key, "value", b"the terminal's 2")
    assert isinstance(moments.parts(stored)[0], str)
    terminal = LazyLedger(url, exclusive=False)
    assert await terminal.waiting() == 0
    assert isinstance(moments.parts(stored)[0], moments.Moment)
    assert await terminal.mark(seals.SEALS) == b"the bot's key 16".hex(), "only the bot's is kept"
    await bot.close()
    for number in range(2 * seals.MOST):  # the tokens are new
        monkeypatch.setattr(moments._Key, "value", f"another key {number:04}".encode())
        bot = LazyLedger(url)
        await bot.waiting()
        await bot.close()
    assert len((await terminal.mark(seals.SEALS) or "").split()) == seals.MOST
    await terminal.close()


def test_what_is_no_key_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments._Key, "others", frozenset())
    moments.accept(["", "xyz", "ab", "00" * 16])
    assert moments._Key.others == {bytes(16)}


async def test_concurrent_callers_share_one_attempt_to_open_the_ledger(tmp_path: Path) -> None:
    ledger = LazyLedger(f"sqlite+aiosqlite:///{tmp_path / 'volume' / 'ledger.db'}")
    failed = await asyncio.gather(*(ledger.waiting() for _ in range(5)), return_exceptions=True)
    assert isinstance(failed[0], Permanent)
    assert all(error is failed[0] for error in failed)
    with pytest.raises(Permanent) as caught:
        await ledger.waiting()
    assert caught.value is not failed[0], "who comes later has it tried again"
