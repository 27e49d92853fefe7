"""Stored bodies have a version; unreadable ones are refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.core.stored import LARGEST, Stored, Unreadable


@dataclass(frozen=True)
class Thing:
    name: str
    at: datetime
    parts: tuple[datetime, ...] = ()


AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
THING = Thing("one", AT, (AT,))


def _renamed(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {("name" if k == "title" else k): v for k, v in fields.items()}


FIRST, SECOND = Stored(Thing), Stored(Thing, (_renamed,))


def test_a_body_has_its_version_and_round_trips() -> None:
    assert FIRST.dump(THING).startswith('{"v":1,"name":"one"')
    assert FIRST.load(FIRST.dump(THING)) == THING
    assert SECOND.load(SECOND.dump(THING)) == THING


@pytest.mark.parametrize("version", ["", '"v":1,'])
def test_an_older_body_is_migrated(version: str) -> None:
    assert SECOND.load(f'{{{version}"title":"one","at":"{AT.isoformat()}","parts":["{AT.isoformat()}"]}}') == THING


def test_a_newer_body_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"a newer agentpod wrote it \(form 2, and this one knows 1\)"):
        FIRST.load(SECOND.dump(THING))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        '{"v":1}',
        '{"v":"x","name":"one"}',
        '{"v":-1,"name":"one"}',
        '{"v":1,"name":7,"at":"2026-11-24T09:00:00Z"}',
        '{"name":"one","at":"2026-11-24T09:00:00"}',
        '{"name":"one","at":"2026-11-24T09:00:00Z","parts":["2026-11-24T09:00:00"]}',
        '{"name":"one","at":1e400}',
        "[" * 100_000,
        "x" * (LARGEST + 1),
        b"{}",
        None,
        7,
    ],
    ids=range(18),
)
def test_anything_else_is_refused(text: object) -> None:
    for stored in (FIRST, SECOND):
        with pytest.raises(Unreadable):
            stored.load(text)
