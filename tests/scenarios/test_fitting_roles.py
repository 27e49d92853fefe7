"""Roles that fit: an auditor of the trail, an operator without logs, an approver for one of two targets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import APPROVE, DENY, Repair, asked
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-fitting-roles")]
AUDITOR, OPERATOR, OF_HOME, OF_ALL = seed.SAM, seed.MAYA, seed.JONAS, seed.PRIYA
RULES = [
    {"role": "auditor", "users": [AUDITOR], "name": "auditors"},
    {"role": "quiet-operator", "users": [OPERATOR], "name": "quiet"},
    {"role": "approver", "users": [OF_HOME], "targets": ["home"], "name": "leads of home"},
    {"role": "approver", "users": [OF_ALL], "name": "leads"},
]
AT_HOME = "you are an approver for home (rule: leads of home)"
REFUSED = f"it needs the role approver (capability decide) for away, and {AT_HOME}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    settings = {
        "access": {
            "roles": {"quiet-operator": ["viewer", "handle-incidents", "request"]},
            "rules": RULES,
            "contact": OF_ALL,
        },
        "targets": [{"name": "home", "heartbeats": []}, {"name": "away", "heartbeats": []}],
        "probes": {"timeout": "3s"},
    }
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def test_an_auditor_reads_the_trail_and_nothing_else(world: World) -> None:
    answer = await world.ask("audit verify", AUDITOR)
    assert "The audit trail is intact" in answer.text
    assert (await world.ask("audit", AUDITOR)).first_line.startswith(("Nothing in the last", "1 record"))
    for line in ("status", "logs", "incidents", "approvals", "dashboard", "digest", "restart", "ack i-7k2m9xw"):
        refused = (await world.ask(line, AUDITOR)).first_line
        assert refused.startswith("You may not run"), (line, refused)
        assert "and you are an auditor (rule: auditors)" in refused
    assert (await world.ask("whoami", AUDITOR)).first_line == "You are an auditor (rule: auditors)"


async def test_an_operator_without_logs_asks_for_repairs_and_reads_no_log(world: World) -> None:
    logs, audit = "operator (capability read-logs)", "operator or auditor (capability read-audit)"
    for line, role, of in (
        ("logs", logs, "home"),
        ("logs --follow", logs, "home"),
        ("audit", audit, "home and away"),
    ):
        assert (await world.ask(line, OPERATOR)).first_line == (
            f"You may not run {line.split()[0]}: it needs the role {role} for {of}, "
            "and you are a quiet-operator (rule: quiet)."
        )
    repair = await asked(world, 'restart --reason "quiet"', OPERATOR)
    assert "You may not run approve" in (await world.ask(f"approve {repair.id}", OPERATOR)).first_line
    await world.ask(f"withdraw {repair.id}", OPERATOR)
    await repair.shows("withdrawn")


async def _open(world: World, target: str) -> Repair:
    return await asked(world, f'restart --target {target} --reason "why"', OPERATOR)


async def test_an_approver_of_one_target_is_refused_at_the_other_s_card_and_that_is_recorded(world: World) -> None:
    repair = await _open(world, "away")
    assert json.dumps({"type": "user", "user_id": OF_HOME}) not in json.dumps(repair.card.blocks), "not mentioned"
    for button in (APPROVE, DENY):
        answer = await repair.click(OF_HOME, button)
        assert REFUSED in answer.first_line
        assert [m.ephemeral_for for m in answer.messages] == [OF_HOME]
        mention = {"type": "user", "user_id": OF_ALL}
        assert json.dumps(mention) in json.dumps([m.blocks for m in answer.messages]), "whom to ask"
    for line in (f"approve {repair.id}", f'deny {repair.id} --reason "no"', f"approvals {repair.id}"):
        assert REFUSED.partition("approver")[0] in (await world.ask(line, OF_HOME)).first_line
    assert "needs approval" in repair.card.text
    trail = (await world.ask("audit --tail 50", AUDITOR)).text
    assert f"approve: {REFUSED}" in trail
    assert f"deny: {REFUSED}" in trail
    await repair.click(OF_ALL)
    await repair.shows("✅ Restarted")


async def test_an_approver_of_one_target_approves_there(world: World) -> None:
    repair = await _open(world, "home")
    await repair.click(OF_HOME)
    await repair.shows("✅ Restarted")


async def test_an_approver_of_one_target_sees_that_one_only(world: World) -> None:
    away, home = await _open(world, "away"), await _open(world, "home")
    listed = (await world.ask("approvals", OF_HOME)).text
    assert home.id in listed
    assert away.id not in listed
    assert "Not shown: away, for which you have no role here." in listed
    refused = await world.ask("status --target away", OF_HOME)
    assert f"it needs the role viewer (capability view) for away, and {AT_HOME}" in refused.text
    assert 'You may with --target "home".' in refused.text
    assert "You may not" not in (await world.ask("status", OF_HOME)).text
    world.workspace.open_home(OF_HOME)

    def shown() -> str:
        view = world.workspace.home_of(OF_HOME)
        return json.dumps(view.body["blocks"], ensure_ascii=False) if view is not None else ""

    await until(lambda: "Not shown: away" in shown(), shown)
    assert home.id in shown()
    assert away.id not in shown()
    whole = (await world.ask("approvals", OF_ALL)).text
    assert away.id in whole
    assert home.id in whole
    for one in (away, home):
        await world.ask(f"withdraw {one.id}", OPERATOR)
