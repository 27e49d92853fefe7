"""The anchor file: each anchor is appended once, and no failure of the file loses or hides one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.adapters.sinks.anchor_file.file import MAX_BYTES, AnchorFile
from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor, KeptAnchors
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import NotFound, Permanent, Transient

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def anchor(number: int, digit: str = "a") -> Anchor:
    return Anchor(number, digit * 64, AT, f"day {number}")


async def deliver(path: Path, one: Anchor) -> None:
    await AnchorFile(str(path)).deliver(OutboxMessage(MessageKey.of("anchor-file", one.key), "file"), one)


async def test_anchors_are_appended_to_a_file_of_the_bot_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for number in (1, 2):
        await deliver(path, anchor(number))
    assert path.read_text() == f"{anchors.line(anchor(1))}\n{anchors.line(anchor(2))}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert await AnchorFile(str(path)).anchors() == KeptAnchors([anchor(1), anchor(2)], [])


async def test_one_that_is_there_already_is_not_appended_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for number in (*range(1, 600), 598, 599):
        await deliver(path, anchor(number))
    assert len(path.read_text().splitlines()) == 599


async def test_another_anchor_of_the_same_day_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for digit in "ab":
        await deliver(path, anchor(1, digit))
    assert (await AnchorFile(str(path)).anchors()).anchors == [anchor(1, "a"), anchor(1, "b")]


@pytest.mark.parametrize("cut", [1, 40, len(anchors.line(anchor(2)))])
async def test_a_write_that_was_cut_off_is_made_again_on_a_line_of_its_own(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{anchors.line(anchor(1))}\n{anchors.line(anchor(2))[:cut]}")
    for number in (2, 3):
        await deliver(path, anchor(number))
    assert await AnchorFile(str(path)).anchors() == KeptAnchors([anchor(1), anchor(2), anchor(3)], [])


@pytest.mark.parametrize("text", ["nonsense\n", '{"number": 2', "{}\n{}\n"])
async def test_what_is_no_cut_off_write_stays_unreadable(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    assert (await AnchorFile(str(path)).anchors()).unreadable
    await deliver(path, anchor(3))
    found = await AnchorFile(str(path)).anchors()
    assert found.unreadable
    assert found.anchors == [anchor(3)]


async def test_a_file_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="its folder doesn't exist") as caught:
        await deliver(tmp_path / "gone" / "a.jsonl", anchor(1))
    assert "ledger.anchor.file" in (caught.value.remedy or "")
    with pytest.raises(Transient, match="can't be written: Is a directory"):
        await deliver(tmp_path, anchor(1))
    with pytest.raises(Permanent, match="not a regular file"):
        await AnchorFile(str(tmp_path)).anchors()
    with pytest.raises(NotFound, match="doesn't exist"):
        await AnchorFile(str(tmp_path / "a.jsonl")).anchors()


async def test_a_pipe_or_a_huge_file_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Permanent, match="not a regular file"):
        await deliver(tmp_path / "pipe", anchor(1))
    with pytest.raises(Permanent, match="not a regular file"):
        await AnchorFile(str(tmp_path / "pipe")).anchors()
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Permanent, match="larger than 4 MiB"):
        await AnchorFile(str(tmp_path / "huge")).anchors()
