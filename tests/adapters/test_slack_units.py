"""A number stays on one line with its unit in Slack, except in what people paste."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.slack import blocks, units
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Excerpt, Fact, Reply, Table
from sandbox.slack import seed
from tests.adapters.slack_bench import rig


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("up 6 h 51 min, then 3 s", "up 6~h~51~min, then 3~s"),
        ("disk 31 % used, 33.8 GiB free", "disk 31~% used, 33.8~GiB free"),
        ("took 0.1 s", "took 0.1~s"),
        ("1 d 5 h ago", "1~d~5~h ago"),
        ("in 5 min · 2 h at most", "in 5~min · 2~h at most"),
        ("5 days, 4 jobs, 3 heartbeats, 2 sessions, 1 MiBs", "5 days, 4 jobs, 3 heartbeats, 2 sessions, 1 MiBs"),
        ("exit 1 during 250m", "exit 1 during 250m"),
    ],
)
def test_a_measure_is_not_broken(text: str, shown: str) -> None:
    assert units.joined({"text": text}) == {"text": shown.replace("~", units.NO_BREAK)}


def _everywhere(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _everywhere(part)]
    if isinstance(value, list):
        return [text for part in value for text in _everywhere(part)]
    return [value] if isinstance(value, str) else []


def test_all_that_people_read_and_nothing_that_they_paste() -> None:
    reply = Reply(
        "Down for 6 h",
        Verdict.FAIL,
        body=("prose 5 min, `code 5 min`",),
        findings=(Finding("p", "Disk", Verdict.FAIL, "31 %", ("evidence 7 s",), "wait 8 s", "run 9 s"),),
        facts=(Fact("Age", "2 d"), Fact("Line", "sleep 3 s", code=True)),
        tables=(Table(("Name", "Age"), (("one", "4 h"),)),),
        excerpts=(Excerpt("log 1 s"),),
        buttons=(Button("Snooze 2 h", 'snooze i-1 "2 h"', confirm="For 2 h?"),),
        notes=("took 3 s",),
    )
    [message] = blocks.render(reply).messages
    texts = _everywhere(units.joined(message.blocks))
    plain = {
        text for text in texts if " " in text and units.NO_BREAK not in text and any(c.isdigit() for c in text)
    }
    pasted = {"code 5 min", "run 9 s", "sleep 3 s", "log 1 s", '{"c":"snooze i-1 \\"2 h\\""}'}
    assert plain == pasted
    assert pasted <= set(texts)


async def test_what_is_sent_has_them_and_the_notification_is_plain() -> None:
    async with rig() as bot:
        await bot.slack.chat.post(seed.OPS, Reply("full for 6 h"))
        shown = await bot.answer(seed.OPS, seed.MAYA, "full for 6 h")
        assert "6\\xa0h" in repr(shown.blocks)
        assert shown.text == "full for 6 h"
