"""An unusable ledger stops the bot at once with an explanation, before it connects to Slack."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.ledger.errors import translate
from bot.adapters.ledger.file import FileLock
from bot.app import Bot
from bot.errors import AgentpodError, Permanent
from bot.settings.model import LedgerSettings, Settings, SlackSettings
from sandbox.environment import Sandbox, free_port
from tests.adapters.test_slack_edges import other_server
from tests.scenarios.talk import until


def _folder(path: Path) -> None:
    path.mkdir()


def _text(path: Path) -> None:
    path.write_text("no database " * 100)


def _damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE ledger_version (number INTEGER)")
        database.executemany("INSERT INTO ledger_version VALUES (?)", [(n,) for n in range(5000)])
    raw = bytearray(path.read_bytes())
    raw[4096:] = os.urandom(len(raw) - 4096)
    path.write_bytes(raw)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE ledger_version (number INTEGER)")
        database.execute("INSERT INTO ledger_version VALUES (999)")


def _of_no_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE ledger_version (number INTEGER)")
        database.execute("INSERT INTO ledger_version VALUES ('x')")


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE incidents (id INTEGER)")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _lock_is_a_folder(path: Path) -> None:
    path.with_name(path.name + ".lock").mkdir()


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (_folder, "is a folder, and has to be a file"),
        (_text, "is not a SQLite database"),
        (_damaged, "is damaged"),
        (_newer, "has schema version 999, and this agentpod knows none above"),
        (_of_no_version, "is damaged: it does not say which version"),
        (_foreign, "has a table 'incidents' that is not agentpod's"),
        (_pipe, "has to be a file"),
        (_device, "has to be a file"),
        (_link_to_itself, "can't be written: too many levels of symbolic links"),
        (_lock_is_a_folder, "can't be written: is a directory"),
    ],
)
async def test_an_unusable_ledger_is_explained_without_connecting_to_slack(
    tmp_path: Path, prepare: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "ledger.db"
    prepare(path)
    with pytest.raises(Permanent, match=says) as caught:
        await _bot(path, "http://127.0.0.1:9/api/").run()
    assert caught.value.remedy


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"The folder of the ledger .* does not exist"):
        await _bot(tmp_path / "nowhere" / "ledger.db", "http://127.0.0.1:9/api/").run()


async def test_a_too_long_name_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="can't be written: file name too long"):
        await _bot(tmp_path / ("x" * 300), "http://127.0.0.1:9/api/").run()


async def test_the_ledger_opened_is_the_file_that_was_examined_and_locked(tmp_path: Path) -> None:
    path = tmp_path / "a ledger.db"
    lock = FileLock(path)
    try:
        with pytest.raises(Permanent, match="uses the ledger"):
            await _bot(tmp_path / "a%20ledger.db", "http://127.0.0.1:9/api/").run()
    finally:
        lock.release()


async def test_a_failed_start_releases_the_file(tmp_path: Path) -> None:
    async with other_server() as base:
        for _ in range(2):
            with pytest.raises(AgentpodError, match=r"Slack"):
                await _bot(tmp_path / "ledger.db", f"{base}/nowhere/").run()


async def test_a_link_to_another_bot_s_file_is_refused_like_the_file(tmp_path: Path) -> None:
    path, link = tmp_path / "ledger.db", tmp_path / "link.db"
    link.symlink_to(path)
    lock = FileLock(path)
    try:
        with pytest.raises(Permanent, match="uses the ledger"):
            await _bot(link, "http://127.0.0.1:9/api/").run()
    finally:
        lock.release()


def _bot(path: Path, api: str) -> Bot:
    slack = SlackSettings(bot_token="xoxb-made-up", app_token="xapp-made-up", api_url=api)
    ops = {"host": "127.0.0.1", "port": free_port()}
    ledger = LedgerSettings(url=f"sqlite+aiosqlite:///{path}")
    return Bot(Settings(slack=slack, ledger=ledger, ops=ops))


async def test_secret_values_are_read_while_the_ledger_is_locked() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        with closing(sqlite3.connect(house.folder / "agentpod.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            bot = await house.start_bot()
            await until(lambda: "no ledger yet" in bot.output(), bot.output)
        assert "Secrets are known" in bot.output().partition("no ledger yet")[0]


async def test_an_unreachable_server_is_retried_and_reported_once_at_start() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        bot = await house.start_bot(AGENTPOD_LEDGER__URL=f"postgresql+asyncpg://a:b@127.0.0.1:{free_port()}/x")
        await until(lambda: "nothing can be delivered" in bot.output(), bot.output)
        assert bot.output().count("no ledger yet") == 1


@pytest.mark.parametrize("name", ["AGENTPOD_LEDGER__URL", "AGENTPOD_SLACK__API_URL"])
async def test_sigterm_ends_a_start_that_waits_for_a_silent_server(name: str) -> None:
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    urls = {
        "AGENTPOD_LEDGER__URL": f"postgresql+asyncpg://a:b@{place}/x",
        "AGENTPOD_SLACK__API_URL": f"http://{place}/api/",
    }
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        bot = house.bot(**{name: urls[name]})
        await bot.start("run")
        await asked.wait()
        assert await bot.stop() == 0
        assert "did not answer" not in bot.output()
        assert "no ledger yet" not in bot.output()
    server.close()


def test_a_silent_server_is_reported_as_not_answering() -> None:
    gone = TimeoutError()
    gone.__cause__ = asyncio.CancelledError()
    assert translate(gone, "db").message == "The ledger db can't be reached: no answer."
