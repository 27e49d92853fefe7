# ruff: noqa: PT012 - a file is moved into place at its block's end, so the whole block is under test
"""Backup and restore of a whole ledger, on both databases; a failure is explained and changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.ledger import version
from bot.adapters.ledger.backup import backup, new_file
from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.portable import Reader, Summary
from bot.adapters.ledger.restore import Restored, restore
from bot.domain.approvals.approval import RequestState
from bot.domain.core.audit import verify
from bot.domain.core.history import HistoryEvent
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.message import MessageRef
from bot.errors import AgentpodError, Permanent
from tests.adapters.test_ledger import HOLD, NOW, as_written_by, by_hand, old_row, repair, shared_incident
from tests.adapters.test_ledger import records as trail
from tests.postgres import Postgres

pytestmark = pytest.mark.xdist_group("ledger")
BOTH = ["sqlite", "postgresql"]
numbers = itertools.count(1)
Make = Callable[[str], str]


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """The URL of a new database of a kind."""

    def make(kind: str) -> str:
        number = next(numbers)
        if kind == "sqlite":
            return f"sqlite+aiosqlite:///{tmp_path / f'ledger{number}.db'}"
        server: Postgres = request.getfixturevalue("postgres")
        return server.create(f"backup_{number}")

    return make


@asynccontextmanager
async def opened(url: str, **how: Any) -> AsyncIterator[SqlLedger]:
    made = await open_ledger(url, **how)
    try:
        yield made
    finally:
        await made.close()


async def filled(url: str) -> None:
    """Fill a ledger with rows of every kind."""
    async with opened(url) as ledger:
        open_, done = repair(origin="slash:1"), repair(reason="ünïcode 漢 \u2028")
        async with ledger.writing() as tx:
            for one in (open_, done):
                await tx.add(one)
                await tx.record(NOW, "request", "U1", one.id, {"reason": "漢 \x00", "n": [1, 2.5, None, True]})
            await tx.save_incidents([shared_incident("a", group="g-1"), shared_incident("b", issue="o/r#1")])
            await tx.save_job_states("pod", [JobState("alpha", NOW)])
            await tx.add_history([HistoryEvent("pod", "alpha", NOW, "up")])
            await tx.set_mark("m", "1")
            await tx.enqueue(f"card:{open_.id}", "C1")
            await tx.enqueue(f"card:{done.id}", "C1")
        async with ledger.writing() as tx:
            await tx.save(done.in_state(RequestState.DENIED))
        [first] = await ledger.take(NOW, HOLD, limit=1)
        await ledger.delivered(first, MessageRef("C1", "1.0"))


async def content(url: str) -> Any:
    """The ledger's content, as its own methods return it."""
    async with opened(url) as ledger:
        cases, incidents = await ledger.requests(), await ledger.incidents()
        cards = [await ledger.delivery(f"card:{c.id}") for c in cases]
        shown = [replace(card, unsure=False) for card in cards if card]
        history = await ledger.history(NOW - timedelta(1), NOW + timedelta(1))
        more = (await ledger.job_states(), await ledger.mark("m"), history, await trail(ledger))
        things = [*sorted(cases, key=lambda c: c.id), *sorted(incidents, key=lambda i: i.id)]
        return things, sorted(shown, key=lambda c: c.key), more


async def backed_up(url: str) -> tuple[bytes, Summary]:
    out = io.BytesIO()
    summary = await backup(url, out)
    return out.getvalue(), summary


async def restored(url: str, data: bytes, *, force: bool = False) -> tuple[Restored, list[str]]:
    said: list[str] = []
    done = await restore(url, Reader(io.BytesIO(data), "b.jsonl"), force=force, losing=said.append)
    return done, said


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("source", BOTH)
async def test_a_restore_brings_everything_back(source: str, target: str, fresh: Make) -> None:
    there, here = fresh(source), fresh(target)
    await filled(there)
    data, summary = await backed_up(there)
    assert not summary.broken
    done, said = await restored(here, data)
    assert (said, done.summary.rows, done.summary.head) == ([], summary.rows, summary.head)
    assert await content(here) == await content(there)
    async with opened(here) as ledger:
        assert verify(await trail(ledger)) is None
        [i] = await ledger.incidents(group="g-1")
        assert i.id == "i-a"
        async with ledger.writing() as tx:
            await tx.record(NOW, "request", "U1", "more")
        assert verify(await trail(ledger)) is None
        [owed] = await ledger.take(NOW + HOLD, HOLD)
        assert owed.unsure, "it may have been posted after the backup"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_backup_is_made_while_the_bot_runs_and_a_restore_is_not(kind: str, fresh: Make) -> None:
    url = fresh(kind)
    await filled(url)
    async with opened(url) as bot:
        await bot.waiting()
        data, _ = await backed_up(url)
        before = await trail(bot)
        with pytest.raises(Permanent, match="Another agentpod") as refused:
            await restored(url, data, force=True)
        assert "Stop the bot" in str(refused.value.remedy)
        assert await trail(bot) == before
    await restored(url, data, force=True)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_backup_is_a_consistent_snapshot(kind: str, fresh: Make) -> None:
    """Nothing written during the backup is in any of its tables."""
    url = fresh(kind)
    await filled(url)
    async with opened(url) as bot:

        async def write() -> None:
            for _ in range(20):
                async with bot.writing() as tx:
                    new = repair()
                    await tx.add(new)
                    await tx.record(NOW, "request", "U1", new.id)

        writing = asyncio.create_task(write())
        while not writing.done():
            _, summary = await backed_up(url)
            assert summary.rows["cases"] == summary.rows["audit"]
            await asyncio.sleep(0)
        await writing


@pytest.mark.parametrize("kind", BOTH)
async def test_existing_content_is_replaced_only_on_request(kind: str, fresh: Make) -> None:
    there, here = fresh("sqlite"), fresh(kind)
    await filled(there)
    await filled(here)
    data, _ = await backed_up(there)
    before = await content(here)
    with pytest.raises(Permanent, match="is not empty: it holds 2 requests, 2 incidents, 2 messages, 2 audit rec"):
        await restored(here, data)
    assert await content(here) == before
    _, said = await restored(here, data, force=True)
    assert "holds: 2 requests, 2 incidents" in said[0]
    assert await content(here) == await content(there)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_ledger_that_a_bot_has_only_opened_is_empty(kind: str, fresh: Make) -> None:
    there, here = fresh("sqlite"), fresh(kind)
    await filled(there)
    async with opened(here):
        pass
    await restored(here, (await backed_up(there))[0])
    assert await content(here) == await content(there)


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("source", BOTH)
async def test_a_backup_of_an_older_version_is_migrated(source: str, target: str, fresh: Make) -> None:
    there, here = fresh(source), fresh(target)
    await as_written_by(there, 5, old_row(shared_incident("a", group="g-one")))
    data, summary = await backed_up(there)
    assert summary.header.schema == 5, "a backup migrates nothing"
    await restored(here, data)
    async with opened(here) as ledger:
        assert [i.id for i in await ledger.incidents(group="g-one")] == ["i-a"]


def resealed(lines: list[bytes]) -> bytes:
    """The lines with a recomputed checksum."""
    end = json.loads(lines[-1])
    end["sha256"] = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    return b"".join([*lines[:-1], json.dumps(end).encode() + b"\n"])


def header(lines: list[bytes], **changes: Any) -> bytes:
    return resealed([json.dumps({**json.loads(lines[0]), **changes}).encode() + b"\n", *lines[1:]])


BAD: dict[str, tuple[Callable[[list[bytes]], bytes], str]] = {
    "empty": (lambda _: b"", "is no backup of agentpod's"),
    "another program's": (lambda _: b'{"format": "x"}\n', "is no backup of agentpod's"),
    "a SQLite file": (lambda _: b"SQLite format 3\0" * 100, "is no backup of agentpod's"),
    "nothing but brackets": (lambda _: b"[" * 100_000, "is no backup of agentpod's"),
    "a newer schema": (lambda x: header(x, schema=version.LATEST + 1), "A newer agentpod"),
    "a newer form": (lambda x: header(x, form=2), "A newer agentpod"),
    "no version": (lambda x: header(x, schema=0), "has no version"),
    "a version that is no number": (lambda x: header(x, schema="x"), "line 1 can't be read"),
    "no columns": (lambda x: header(x, columns=None), "line 1 can't be read"),
    "another table": (
        lambda x: header(x, columns={**json.loads(x[0])["columns"], "pg_class": ["x"]}),
        "its rows are not as many",
    ),
    "no end": (lambda x: b"".join(x[:-1]), "is cut off"),
    "cut in a line": (lambda x: b"".join(x)[:-9], "is cut off"),
    "only its header": (lambda x: x[0], "is cut off"),
    "a row less": (lambda x: b"".join([*x[:3], *x[4:]]), "checksum"),
    "a row less, resealed": (lambda x: resealed([*x[:3], *x[4:]]), "its rows are not as many|audit trail"),
    "a letter changed": (lambda x: b"".join(x).replace(b'"U1"', b'"U2"', 1), "checksum"),
    "no JSON": (lambda x: b"".join([*x[:3], b"{broken\n", *x[3:]]), "line 4 can't be read"),
    "deep": (lambda x: b"".join([*x[:3], b"[" * 100_000 + b"\n", *x[3:]]), "line 4 can't be read"),
    "no text": (lambda x: b"".join([*x[:3], b'["marks","\xff","1"]\n', *x[3:]]), "line 4 can't be read"),
    "a list for a value": (lambda x: b"".join([*x[:3], b'["marks",[1],"1"]\n', *x[3:]]), "is no row of its table"),
    "a value too few": (lambda x: b"".join([*x[:3], b'["marks","1"]\n', *x[3:]]), "is no row of its table"),
    "a row of no table": (lambda x: b"".join([*x[:3], b'["pg_class","1"]\n', *x[3:]]), "line 4 can't be read"),
    "something behind": (lambda x: b"".join([*x, b"x\n"]), "something follows its end"),
    "audit changed, resealed": (
        lambda x: resealed(
            [line.replace(b'"U1"', b'"U2"') if line.startswith(b'["audit"') else line for line in x]
        ),
        "audit trail in the backup is broken: record 1 was changed",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_an_invalid_backup_is_reported_and_changes_nothing(what: str, fresh: Make) -> None:
    there, here = fresh("sqlite"), fresh("sqlite")
    await filled(there)
    data, _ = await backed_up(there)
    change, says = BAD[what]
    with pytest.raises(Permanent, match=says) as refused:
        await restored(here, change(data.splitlines(keepends=True)))
    assert refused.value.remedy
    assert not os.path.exists(here.partition(":///")[2])  # noqa: ASYNC240 - a test's file


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("marks", ["a", None]),
        ("marks", ["same", "1"]),
        ("jobs", ["\ud800", "pod", "{}"]),
        ("history", ["t", "s", 1 << 80, "up"]),
    ],
)
async def test_rows_that_the_database_refuses_change_nothing(
    kind: str, table: str, values: list[Any], fresh: Make
) -> None:
    there, here = fresh("sqlite"), fresh(kind)
    await filled(there)
    await filled(here)
    before = await content(here)
    data, _ = await backed_up(there)
    lines = data.splitlines(keepends=True)
    end = json.loads(lines[-1])
    end["rows"][table] += 2
    row = json.dumps([table, *values]).encode() + b"\n"
    with pytest.raises(AgentpodError):
        await restored(here, resealed([*lines[:-1], row, row, json.dumps(end).encode() + b"\n"]), force=True)
    assert await content(here) == before


@pytest.mark.parametrize("kind", BOTH)
async def test_a_broken_audit_trail_is_restored_only_on_request(kind: str, fresh: Make, request: Any) -> None:
    url, here = fresh(kind), fresh(kind)
    await filled(url)
    by_hand(url, request, "UPDATE audit SET actor = 'x' WHERE number = 2")
    data, summary = await backed_up(url)
    assert summary.broken == "record 2 was changed after it was written"
    with pytest.raises(Permanent, match="audit trail in the backup is broken"):
        await restored(here, data)
    await restored(here, data, force=True)
    async with opened(here) as ledger:
        broken = verify(await trail(ledger))
        assert broken is not None
        assert broken.number == 2


async def test_values_that_only_sqlite_can_store_are_converted_or_refused(fresh: Make) -> None:
    there = fresh("sqlite")
    await filled(there)
    with closing(sqlite3.connect(there.partition(":///")[2])) as raw, raw:
        raw.execute("INSERT INTO marks VALUES ('nul', 'a' || char(0) || 'b'), ('blob', x'ff'), ('number', 7)")
    here = fresh("postgresql")
    await restored(here, (await backed_up(there))[0])
    async with opened(here) as ledger:
        assert [await ledger.mark(name) for name in ("nul", "blob", "number")] == ["a\ufffdb", "\ufffd", "7"]
    with closing(sqlite3.connect(there.partition(":///")[2])) as raw, raw:
        raw.execute("UPDATE deliveries SET created_at = 'x'")
    with pytest.raises(Permanent, match="row of 'deliveries' in the backup holds what this database can't keep"):
        await restored(fresh("postgresql"), (await backed_up(there))[0])


# -- the file


def test_a_backup_file_is_complete_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    with pytest.raises(ZeroDivisionError), new_file(path, force=False, ledger=None) as out:
        out.write(b"half")
        assert not path.exists()
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []
    with new_file(path, force=False, ledger=None) as out:
        out.write(b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Permanent, match="exists"), new_file(path, force=False, ledger=None):
        pass
    with new_file(path, force=True, ledger=None) as out:
        out.write(b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_created_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    with pytest.raises(Permanent, match="file exists"), new_file(path, force=False, ledger=None):
        path.write_text("another's")
    assert path.read_text() == "another's"


@pytest.mark.parametrize("place", ["ledger.db", "ledger.db-wal", "ledger.db.lock"])
def test_a_backup_does_not_overwrite_the_ledger(tmp_path: Path, place: str) -> None:
    ledger = tmp_path / "ledger.db"
    with (
        pytest.raises(Permanent, match="belongs to the ledger"),
        new_file(tmp_path / place, force=True, ledger=ledger),
    ):
        pass


@pytest.mark.parametrize(("place", "says"), [("no/b", "no such file"), ("", "is no file")])
def test_an_unusable_path_is_reported(tmp_path: Path, place: str, says: str) -> None:
    with pytest.raises(Permanent, match=says) as refused, new_file(tmp_path / place, force=True, ledger=None):
        pass
    assert refused.value.remedy


# -- the command line


def agentpod(*words: str, url: str, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "AGENTPOD_LEDGER__URL": url}
    return subprocess.run(
        [sys.executable, "-m", "bot", *words], input=stdin, capture_output=True, check=False, env=env, **more
    )


async def test_backup_and_restore_from_a_terminal_by_file_or_pipe(fresh: Make, tmp_path: Path) -> None:
    url, here, third = fresh("sqlite"), fresh("sqlite"), fresh("sqlite")
    await filled(url)
    path = str(tmp_path / "b.jsonl")
    done = agentpod("ledger", "backup", path, url=url)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"2 requests, 2 incidents, 2 messages, 2 audit records" in done.stderr
    again = agentpod("ledger", "backup", path, url=url)
    assert (again.returncode, again.stderr.count(b"\n")) == (2, 2)
    assert b"--force" in again.stderr
    assert agentpod("ledger", "restore", path, url=here).returncode == 0
    piped = agentpod("ledger", "backup", "-", url=url)
    assert agentpod("ledger", "restore", "-", url=third, stdin=piped.stdout).returncode == 0
    assert await content(here) == await content(third) == await content(url)


@pytest.mark.parametrize("words", [(), ("backup",), ("save", "x"), ("backup", "a", "b"), ("backup", "--now")])
def test_ledger_without_a_valid_subcommand_shows_usage(words: tuple[str, ...], tmp_path: Path) -> None:
    done = agentpod("ledger", *words, url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    assert done.returncode == 2
    assert b"agentpod ledger backup FILE" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_does_not_create_a_missing_ledger(tmp_path: Path) -> None:
    done = agentpod("ledger", "backup", str(tmp_path / "b"), url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    assert (done.returncode, done.stderr.startswith(b"agentpod: There is no ledger")) == (2, True)
    assert list(tmp_path.iterdir()) == []


async def large(url: str) -> None:
    async with opened(url) as ledger, ledger.writing() as tx:
        for _ in range(100):
            await tx.record(NOW, "k", "a", "s", {"x": "y" * 2000})


def test_a_full_disk_is_reported_and_leaves_no_partial_backup(fresh: Make, tmp_path: Path) -> None:
    url = fresh("sqlite")
    asyncio.run(large(url))
    (tmp_path / "to").mkdir()
    limit = ["/bin/sh", "-c", 'ulimit -f 128; trap "" XFSZ; exec "$@"', "sh", sys.executable, "-m", "bot"]
    env = {**os.environ, "AGENTPOD_LEDGER__URL": url}
    done = subprocess.run(
        [*limit, "ledger", "backup", str(tmp_path / "to" / "b")], capture_output=True, check=False, env=env
    )
    assert (done.returncode, done.stderr.startswith(b"agentpod: The backup")) == (2, True), done.stderr
    assert list((tmp_path / "to").iterdir()) == []


async def test_a_backup_knows_every_table_of_a_ledger(fresh: Make) -> None:
    url = fresh("sqlite")
    async with opened(url):
        pass
    with closing(sqlite3.connect(url.partition(":///")[2])) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == version.TABLES | {version.TABLE}
