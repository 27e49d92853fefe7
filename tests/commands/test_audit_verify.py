"""`audit verify --anchor`: a trail that was rewritten as a whole is found by a digest kept outside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from bot.adapters.ledger.ledger import SqlLedger
from bot.adapters.sinks.anchor_file.file import AnchorFile
from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply, plain
from bot.errors import UsageError
from bot.runbook.context import Repairs
from bot.services.digest.post_digest import ANCHORS
from tests.commands.fakes import NOW, World
from tests.services.workbench import opened

NO_REPAIRS = cast("Repairs", object())


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    async with opened(tmp_path) as made:
        yield made


async def write(ledger: SqlLedger, actor: str, count: int = 5) -> None:
    async with ledger.writing() as tx:
        for number in range(count):
            await tx.record(NOW, "read", actor, "logs", {"n": number})


async def anchored(ledger: SqlLedger, *numbers: int) -> list[Anchor]:
    """Keep anchors of these records in the ledger, a day apart."""
    records = [r async for r in ledger.records()]
    made = [
        Anchor(n, records[n - 1].digest, NOW - timedelta(days=len(numbers) - place), f"day {n}")
        for place, n in enumerate(numbers)
    ]
    async with ledger.writing() as tx:
        text = ""
        for anchor in made:
            text = anchors.with_anchor(text, anchor)
        await tx.set_mark(ANCHORS, text)
    return made


async def keep(ledger: SqlLedger, text: str) -> None:
    async with ledger.writing() as tx:
        await tx.set_mark(ANCHORS, text)


async def verify(ledger: SqlLedger, arguments: str = "--anchor", file: Path | None = None) -> Reply:
    store = None if file is None else AnchorFile(str(file))
    return await World().run(
        f"audit verify {arguments}",
        lambda ctx: replace(ctx, ledger=ledger, repairs=NO_REPAIRS, anchor_store=store),
    )


def filed(path: Path, made: list[Anchor]) -> Path:
    """Write anchors to a file."""
    path.write_text("".join(f"{anchors.line(anchor)}\n" for anchor in made))
    return path


async def test_a_trail_agrees_with_its_anchors(ledger: SqlLedger) -> None:
    await write(ledger, "U1")
    await anchored(ledger, 2, 4)
    await write(ledger, "U1")
    said = await verify(ledger)
    assert said.verdict is Verdict.OK
    assert said.headline.startswith("The audit trail is intact and agrees with 2 anchors, the newest (")
    assert said.body[0] == "Records after 4 are verified by the chain alone."


async def test_a_trail_rewritten_from_its_start_is_found_by_the_anchor_alone(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    await write(ledger, "U1")
    made = await anchored(ledger, 2, 4)
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other") as forged:
        await write(forged, "U2")
        assert (await verify(forged, "")).headline == "The audit trail is intact: 5 records"
        said = await verify(forged, f"--anchor {made[1]}")
    assert said.verdict is Verdict.FAIL
    assert said.headline == (
        "The audit trail differs from this anchor at record 4: it was rewritten, or the anchor was miscopied"
    )
    assert said.body[0] == "Compare the anchor with the small print of its digest again, character by character."
    assert [fact.value for fact in said.facts if fact.label == "Anchors compared"] == ["1"]
    assert not any("earlier anchor" in plain(line) for line in said.body)


async def test_a_trail_rewritten_in_part_can_be_trusted_up_to_the_last_anchor_that_agrees(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    await write(ledger, "U1", 2)
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other") as forged:
        await write(forged, "U1", 2)
        await write(forged, "U2", 3)
        await write(ledger, "U1", 3)
        made = await anchored(ledger, 2, 4, 5)
        await keep(forged, await ledger.mark(ANCHORS) or "")
        said = await verify(forged)
    assert said.verdict is Verdict.FAIL
    assert "rewritten: record 4 doesn't have the digest that was anchored (" in said.headline
    assert said.body[0].startswith("It can be trusted up to record 2, as anchored (")  # type: ignore[union-attr]
    assert said.data["anchors"] == {"agree": 1, "differ": [4, 5], "beyond": [], "unreadable": 0}
    assert made[2].number == 5


async def test_a_trail_shorter_than_its_anchor_was_cut(ledger: SqlLedger) -> None:
    said = await verify(ledger, f"--anchor 1:{'a' * 64}")
    assert said.headline == (
        "The audit trail is empty, and this anchor is of record 1: it was cut, or the anchor was miscopied"
    )
    await write(ledger, "U1")
    said = await verify(ledger, f"--anchor 1234:{'a' * 64}")
    assert said.verdict is Verdict.FAIL
    assert said.headline == (
        "The audit trail ends with record 5, and this anchor is of record 1,234: "
        "it was cut, or the anchor was miscopied"
    )


@pytest.mark.parametrize("line", ["nonsense", '{"number": 2}', "[]", '{"number":0,"digest":"","at":"","key":""}'])
async def test_an_anchor_that_cannot_be_read_is_unknown_and_never_green(ledger: SqlLedger, line: str) -> None:
    await write(ledger, "U1")
    await anchored(ledger, 3)
    await keep(ledger, f"{await ledger.mark(ANCHORS)}\n{line}")
    said = await verify(ledger)
    assert said.verdict is Verdict.UNKNOWN
    assert "1 anchor in the ledger can't be read" in said.headline
    assert said.body[0] == "Line 2 of the ledger's anchors. Those that can be read agree: 1."


async def test_no_anchor_at_all_is_unknown(ledger: SqlLedger) -> None:
    await write(ledger, "U1")
    said = await verify(ledger)
    assert said.verdict is Verdict.UNKNOWN
    assert said.headline == "Could not tell whether the audit trail was rewritten: the ledger has no anchors yet"


@pytest.mark.parametrize("value", ["x", "12", "12:abc", "0:" + "a" * 64, "a" * 64, "/etc/passwd"])
async def test_what_is_no_anchor_is_refused(ledger: SqlLedger, value: str) -> None:
    with pytest.raises(UsageError, match="takes a record's number and digest"):
        await verify(ledger, f"--anchor {value}")


def test_the_oldest_anchors_are_dropped_and_unreadable_lines_stay() -> None:
    text = "nonsense"
    for number in range(1, anchors.MOST_KEPT):
        text = anchors.with_anchor(text, Anchor(number, "a" * 64, NOW, str(number)))
    assert anchors.kept(text).unreadable == [1]
    text = anchors.with_anchor(text, Anchor(7, "b" * 64, NOW, "last"))
    found = anchors.kept(text)
    assert len(found.anchors) == anchors.MOST_KEPT
    assert found.unreadable == []
    assert anchors.of_key(text, "last") == Anchor(7, "b" * 64, NOW, "last")


async def test_the_file_s_anchors_count_besides_the_ledger_s(ledger: SqlLedger, tmp_path: Path) -> None:
    await write(ledger, "U1")
    made = await anchored(ledger, 2, 4)
    said = await verify(ledger, file=filed(tmp_path / "a", made[:1]))
    assert said.verdict is Verdict.OK
    assert said.headline.startswith("The audit trail is intact and agrees with 2 anchors, the newest (")
    assert said.body == (
        "Records after 2 are verified by the chain alone.",
        f"Anchors in {tmp_path / 'a'} that agree: 1 of 1.",
    )
    assert said.data["anchors"]["file"] == {"anchors": 1, "agree": 1, "unreadable": 0, "error": None}


async def test_a_trail_rewritten_with_the_ledger_s_anchors_is_found_by_the_file(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    await write(ledger, "U1", 2)
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other") as forged:
        await write(forged, "U1", 2)
        await write(forged, "U2", 3)
        await write(ledger, "U1", 3)
        file = filed(tmp_path / "a", await anchored(ledger, 2, 5))
        await anchored(forged, 2, 4, 5)
        assert (await verify(forged)).verdict is Verdict.OK, "consistent in itself"
        said = await verify(forged, file=file)
    assert said.verdict is Verdict.FAIL
    assert "rewritten: record 5 doesn't have the digest that was anchored (" in said.headline
    assert said.body[0].startswith("It can be trusted up to record 2, as anchored ("), "4 is of the ledger"  # type: ignore[union-attr]
    assert said.body[1] == f"Anchors in {file} that agree: 1 of 2."


async def test_anchors_beyond_the_end_in_the_file_alone_are_a_cut(ledger: SqlLedger, tmp_path: Path) -> None:
    await write(ledger, "U1")
    made = await anchored(ledger, 2)
    said = await verify(ledger, file=filed(tmp_path / "a", [*made, Anchor(9, "a" * 64, NOW, "day 9")]))
    assert said.headline.startswith("The audit trail was cut: it ends with record 5, and record 9 was anchored")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "can't be read"),
        ("", "has no anchors yet"),
        ("nonsense\n", "1 anchor in"),
        ('{"number": 2', "1 anchor in"),
    ],
)
async def test_a_file_without_readable_anchors_is_unknown_and_never_green(
    ledger: SqlLedger, tmp_path: Path, text: str | None, why: str
) -> None:
    await write(ledger, "U1")
    await anchored(ledger, 3)
    if text is not None:
        (tmp_path / "a").write_text(text)
    said = await verify(ledger, file=tmp_path / "a")
    assert said.verdict is Verdict.UNKNOWN
    assert why in said.headline
    assert str(tmp_path / "a") in "\n".join([said.headline, *map(str, said.body)])


async def test_an_unreadable_file_does_not_hide_what_the_ledger_s_anchors_find(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    await write(ledger, "U1")
    await keep(ledger, anchors.with_anchor("", Anchor(3, "b" * 64, NOW, "day 3")))
    assert (await verify(ledger, file=tmp_path)).verdict is Verdict.FAIL
