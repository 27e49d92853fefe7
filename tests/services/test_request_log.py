"""Each step of a repair is logged as one line, with the people and the target."""

from __future__ import annotations

import logging

import pytest

from bot.domain.approvals.approval import Choice
from bot.errors import Conflict, Permanent, Uncertain
from bot.logs import new_request_id
from tests.services.test_secret_writer import approved, give
from tests.services.workbench import JONAS, MAYA, TARGET, Bench

CLAIMED, SENT, UNSURE = "repair claimed", "repair sent", "repair may have been sent"


@pytest.fixture(autouse=True)
def _hear(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agentpod.repairs")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.INFO]


async def test_restart_logs_claimed_sent_and_done_once_each(one: Bench, caplog: pytest.LogCaptureFixture) -> None:
    repair = await one.ask()
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    await one.idle(repair)
    assert lines(caplog) == [CLAIMED, SENT, "repair succeeded"]
    for record in caplog.records:
        said = vars(record)
        assert (said["repair"], said["action"], said["target"]) == (repair.id, "restart", TARGET.name)
        assert (said["requested_by"], said["approved_by"]) == (MAYA, JONAS)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (Permanent("no"), None, [CLAIMED, "repair failed"]),
        (Conflict("changed"), None, [CLAIMED, SENT, "repair succeeded"]),
        (None, Uncertain("lost"), [CLAIMED, UNSURE, SENT, "repair succeeded"]),
    ],
)
async def test_retries_and_pauses_are_logged(
    one: Bench,
    caplog: pytest.LogCaptureFixture,
    before: Exception | None,
    after: Exception | None,
    says: list[str],
) -> None:
    one.cluster.before, one.cluster.after = [before], [after]
    repair = await one.ask()
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    await one.idle(repair)
    assert lines(caplog) == says


async def test_value_logs_claimed_sent_and_stored_once_each(one: Bench, caplog: pytest.LogCaptureFixture) -> None:
    repair = await approved(one)
    await give(one, repair)
    assert lines(caplog) == [CLAIMED, SENT, "repair succeeded"]
    assert "hunter" not in caplog.text


async def test_ends_without_execution_are_logged_once(one: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await one.say(await one.ask(), Choice.DENY, JONAS, "not now")
    await one.say(await one.ask(), Choice.WITHDRAW, MAYA)
    await one.ask()
    one.clock.pass_(hours=2)
    await one.approval_service.expire()
    await one.approval_service.expire()
    await one.ask()
    one.cluster.change()
    await one.ask()
    assert lines(caplog) == ["repair denied", "repair withdrawn", "repair expired", "repair void"]


async def test_command_ids_differ_from_repair_ids(one: Bench) -> None:
    assert new_request_id().startswith("req-")
    assert (await one.ask()).id.startswith("r-")
