"""The daily digest: the real bot posts it once, at its time, with or without its picture."""

from __future__ import annotations

import io
import os
import struct
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.postgres import Postgres
from tests.scenarios.talk import World, until, words
from tests.scenarios.yesterday import BEATS, put

pytestmark = [pytest.mark.xdist_group("digest"), pytest.mark.timeout(180)]
DAY = timedelta(days=1)
LEAD = timedelta(seconds=10)
"""Time for two bots to start before the digest is due."""
NEVER = "Without its picture"


@asynccontextmanager
async def world(
    at: datetime, *, zone: str = "UTC", missed: int = 0, database: str = "", bots: int = 1, **env: str
) -> AsyncIterator[World]:
    """One or more bots whose digest is due at that minute of the zone, with events of yesterday to report."""
    settings: dict[str, Any] = {"digest": {"at": f"{at:%H:%M}", "timezone": zone}, "alerts": {"poll": "1s"}}
    if database:
        settings["ledger"] = {"url": database}
    async with Sandbox(rate_limits=False, settings=settings, target={"heartbeats": BEATS[1:]}) as sandbox:
        url = database or f"sqlite+aiosqlite:///{sandbox.folder / 'agentpod.db'}"
        await put(url, at.date() - DAY, at.date() - (1 + missed) * DAY)
        for beat in BEATS:
            sandbox.pushgateway.push({"job": str(beat["job"])}, sandbox.pushgateway.clock())
        if missed:
            await sandbox.workspace.panel.apply("slack-missing-scope", "files:write")
            await sandbox.workspace.panel.apply("argocd-out-of-sync", True)
        made = World(sandbox, await sandbox.start_bot(**env))
        for _ in range(bots - 1):
            await sandbox.start_bot(**env)
        yield made


def digests(made: World) -> list[Message]:
    here = [m for m in made.workspace.messages(seed.OPS) if m.ephemeral_for is None]
    return [m for m in here if "pod up" in m.text]


def picture(made: World, message: Message) -> tuple[Image.Image, str]:
    """A message's picture, and its alternative text."""
    [block] = [b for b in message.blocks or [] if b["type"] == "image"]
    file = made.workspace.core.files.get(block["slack_file"]["id"])
    assert file is not None
    assert file.content is not None
    return Image.open(io.BytesIO(file.content)), block["alt_text"]


def zone_where_a_minute_begins(folder: Path, soon: datetime) -> tuple[str, dict[str, str]]:
    """A made-up time zone in which a minute begins at ``soon`` (whole seconds), and the settings to use it.

    A digest's time is set in whole minutes, and the test shouldn't wait for one.
    """
    ahead = -soon.second % 60
    # TZif of RFC 9636, version 1: no transitions and one time type, with its name at the end.
    counts = struct.pack(">4s16x6l", b"TZif", 0, 0, 0, 0, 1, 5)
    (folder / "Soon").write_bytes(counts + struct.pack(">l2b", ahead, 0, 0) + b"SOON\0")
    return "Soon", {"PYTHONTZPATH": os.pathsep.join([str(folder), *zoneinfo.TZPATH])}


async def test_two_bots_post_one_digest_at_its_time_with_its_picture(tmp_path: Path, postgres: Postgres) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + LEAD
    zone, env = zone_where_a_minute_begins(tmp_path, at)
    there = at + timedelta(seconds=-at.second % 60)
    async with world(there, zone=zone, database=postgres.create("digest"), bots=2, **env) as made:
        assert digests(made) == []
        await until(lambda: bool(digests(made)), made.bot.output)
        assert datetime.now(UTC) >= at
        [message] = digests(made)
        shown, alt = picture(made, message)
        assert shown.width > 1000
        assert alt.startswith(f"Timeline of secure-agent-pod on {there - DAY:%a %d %b}: pod down 6 min, no data")
        assert "restarted at 15:24" in alt
        assert "exercise-reminder no data for 1 h, 5 runs; audit-digest late 12 min" in alt
        assert NEVER not in words([message])
        assert " late: it could not be posted" not in words([message])
        # A bot that starts after the digest was posted doesn't post it again.
        await made.sandbox.start_bot()
        await made.ask("digest")
        assert len(digests(made)) == 1


async def test_without_the_files_scope_the_digest_is_text_and_gives_the_reason_once() -> None:
    at = datetime.now(UTC) - timedelta(minutes=3)
    async with world(at, missed=2) as made:
        await until(lambda: bool(digests(made)), made.bot.output)
        [message] = digests(made)
        text = words([message])
    assert "image" not in [block["type"] for block in message.blocks or []]
    assert text.count(NEVER) == 1
    assert "the app lacks the scope files:write. Add files:write under OAuth & Permissions" in text
    assert " late: it could not be posted at its time." in text
    days = [(at - n * DAY).day for n in (3, 2)]
    assert f"No digest was posted for {days[0]}" in text
    assert "🔴 pod: down 6 min, once" in text
    assert f"Not ok at {datetime.now(UTC):%H:}" in text
    assert "Argo CD: " in text


@pytest.mark.parametrize("pushgateway", [True, False])
async def test_a_terminal_shows_the_digest_without_a_bot_with_or_without_a_pushgateway(
    pushgateway: bool,
) -> None:
    settings: dict[str, Any] = {} if pushgateway else {"pushgateway": {"url": ""}}
    async with Sandbox(rate_limits=False, settings=settings, target={"heartbeats": BEATS}) as sandbox:
        yesterday = datetime.now(UTC).date() - DAY
        await put(f"sqlite+aiosqlite:///{sandbox.folder / 'agentpod.db'}", yesterday)
        shown = sandbox.bot()
        await shown.start("digest")
        assert await shown.wait() == 0
        lines = shown.output().splitlines()
    jobs = "session-manager down 2 h 18 min and 1 other" if pushgateway else "pod down 6 min"
    assert lines[0] == f"🔎 {yesterday:%a %d %b}: {jobs}, pod up 99.57 % of 23 h with data"
    assert ("✗ session-manager: down 2 h 18 min, once" in lines) == pushgateway
    assert any("of the pod only: no Pushgateway is set" in line for line in lines) != pushgateway
