"""Records missing from the audit trail are detected by the ledger's requests and incidents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.runbook.context import Repairs
from commands.admin.audit_verify import VerifyParams, verify
from tests.commands.fakes import World
from tests.services.workbench import JONAS, MAYA, PRIYA, Bench

BROKEN = "The audit trail is broken: "


async def verified(one: Bench) -> Reply:
    ctx = replace(World().context(), ledger=one.ledger, repairs=cast(Repairs, one.approval_service))
    return await verify(ctx, VerifyParams())


async def restarted(one: Bench) -> str:
    """A request that somebody joined, approved and carried out."""
    repair = await one.ask(MAYA)
    await one.ask(PRIYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    return repair.id


def without(folder: Path, which: str = "1 = 1") -> None:
    """Delete records from the file, as anybody with access to it can."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute(f"DELETE FROM audit WHERE {which}")  # noqa: S608 - of these tests
    connection.close()


async def denied(one: Bench) -> str:
    repair = await one.ask()
    await one.say(repair, Choice.DENY, JONAS, "no")
    return repair.id


async def withdrawn(one: Bench) -> str:
    repair = await one.ask()
    await one.say(repair, Choice.WITHDRAW, MAYA)
    return repair.id


async def expired(one: Bench) -> str:
    repair = await one.ask()
    one.clock.pass_(hours=1)
    await one.approval_service.expire()
    return repair.id


async def void(one: Bench) -> str:
    repair = await one.ask()
    one.cluster.change(uid="another")
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.VOID
    return repair.id


async def still_open(one: Bench) -> str:
    return (await one.ask()).id


@pytest.mark.parametrize("story", [restarted, denied, withdrawn, expired, void, still_open])
async def test_emptied_audit_trail_is_detected(
    one: Bench, story: Callable[[Bench], object], tmp_path: Path
) -> None:
    id_ = await story(one)  # type: ignore[misc]
    assert (await verified(one)).verdict is Verdict.OK
    without(tmp_path)
    found = await verified(one)
    assert found.verdict is Verdict.FAIL, "a terminal ends with exit code 1"
    assert found.headline.startswith(f"{BROKEN}it was emptied: the ledger has request {id_}")


async def test_trail_is_whole_after_the_request_was_deleted(one: Bench) -> None:
    await restarted(one)
    records = (await verified(one)).data["records"]
    await one.deliver()
    assert await one.ledger.drop_closed(one.clock.now() + timedelta(days=400)) > 0
    assert await one.ledger.requests() == []
    found = await verified(one)
    assert (found.verdict, found.data["records"]) == (Verdict.OK, records)


async def test_empty_ledger_has_a_whole_trail(one: Bench) -> None:
    assert (await verified(one)).headline == "The audit trail is intact: 0 records"


@pytest.mark.parametrize(
    ("gone", "says"),
    [
        ("number > 1", "records of request {} and 3 more are missing"),
        ("number > 2", "records of the decision on {} and 2 more are missing"),
        ("kind = 'outcome'", "records of the outcome of {} are missing"),
        ("number = 2", "record 2 is missing"),
        ("number in (2, 3)", "records 2 to 3 are missing"),
    ],
)
async def test_cut_trail_names_what_is_missing_once(one: Bench, gone: str, says: str, tmp_path: Path) -> None:
    id_ = await restarted(one)
    without(tmp_path, gone)
    found = await verified(one)
    assert (found.verdict, found.headline) == (Verdict.FAIL, BROKEN + says.format(id_))


async def test_records_of_other_requests_are_not_counted(one: Bench, tmp_path: Path) -> None:
    await denied(one)
    second = await denied(one)
    without(tmp_path, f"subject = '{second}'")
    assert (await verified(one)).headline == f"{BROKEN}records of request {second} and 1 more are missing"
