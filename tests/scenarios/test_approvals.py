"""Repairs by approval, from the slash command to the final card: the real bot on the pretend cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.repairs import APPROVE, DENY, WITHDRAW, Repair, asked, direct, id_in
from tests.scenarios.talk import World, shell, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("approvals")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    settings = {"probes": {"timeout": "5s"}, "approvals": {"break_glass": [seed.PRIYA]}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    await module_world.workspace.panel.heal()
    yield module_world
    await module_world.workspace.panel.heal()
    for line in (await module_world.ask("approvals")).text.splitlines():
        if "r-" in line:  # leave nothing behind for the next test
            await module_world.ask(f'deny {id_in(line)} --reason "end of the test"', seed.PRIYA)


def generation(world: World) -> int:
    """The Deployment's generation."""
    [found] = world.sandbox.cluster.store.list(kinds.DEPLOYMENT)
    return int(found["metadata"]["generation"])


async def test_two_people_restart_the_pod_and_the_card_shows_the_outcome(world: World) -> None:
    before = generation(world)
    repair = await asked(world, 'restart --reason "the new key"')
    card = await repair.shows("needs approval")
    assert all(part in words([card]) for part in ("the new key", "Recreate", "gpu-1", "secure-agent-kali:latest"))
    assert f"<@{seed.JONAS}>" in card.text  # the approvers are notified
    answer = await repair.click(seed.JONAS)
    assert answer.first_line == "✅ Restart of secure-agent-pod: approved, carried out now"
    card = await repair.shows("✅ Restarted secure-agent-pod: ready after")
    assert not any(b["type"] == "actions" for b in card.blocks)
    await until(lambda: any("Restarted" in line for line in direct(world)), lambda: f"{direct(world)}")
    await repair.thread_says("ready")
    assert generation(world) == before + 1


async def test_a_reason_is_asked_for_in_a_form(world: World) -> None:
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "restart")
    view = await world.workspace.wait_view(seed.MAYA)
    empty = await world.workspace.submit_view(seed.MAYA, view, {"reason": "   "})
    assert "empty" in str(empty.errors)
    sent = await world.workspace.submit_view(seed.MAYA, view, {"reason": "two\nlines “quoted” --force"})
    assert sent.ok
    await until(lambda: "✋" in words(done.messages), lambda: words(done.messages))
    repair = Repair(world, id_in(words(done.messages)))
    await repair.shows("two lines “quoted” --force")
    assert "Forced" not in words([repair.card])


async def test_a_form_that_opened_too_late_is_offered_again(world: World) -> None:
    await world.break_("slack-late-triggers")
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "restart")
    await until(lambda: "could not open: open it from here" in words(done.messages), lambda: words(done.messages))
    await world.workspace.panel.heal()
    await world.workspace.click(seed.MAYA, done.messages[-1], APPROVE)  # the first button: Open the form
    view = await world.workspace.wait_view(seed.MAYA)
    await world.workspace.submit_view(seed.MAYA, view, {"reason": "second try"})
    newest = world.workspace.messages
    await until(lambda: "second try" in words(newest(seed.OPS)), lambda: words(newest(seed.OPS)[-2:]))


async def test_a_button_opens_the_form_when_there_is_no_trigger(world: World) -> None:
    """A mention or direct message has no trigger id; a click on a button has one."""
    world.workspace.dm(seed.MAYA, "restart --force")
    here = world.workspace.messages

    def offers() -> list[Message]:
        return [m for m in here(seed.DM_MAYA, seed.MAYA) if "Open the form" in m.all_text()]

    await until(lambda: bool(offers()), lambda: f"{direct(world)}")
    await world.workspace.click(seed.MAYA, offers()[-1], APPROVE)
    view = await world.workspace.wait_view(seed.MAYA)
    await world.workspace.submit_view(seed.MAYA, view, {"reason": "by message"})
    await until(lambda: "by message" in words(here(seed.OPS)), lambda: words(here(seed.OPS)[-2:]))


async def test_neither_the_requester_nor_a_user_without_a_role_can_approve(world: World) -> None:
    repair = await asked(world, 'restart --reason "mine"', seed.JONAS)
    own = await repair.click(seed.JONAS)
    assert "somebody else has to approve" in own.first_line
    assert "Four eyes" in own.text
    for stranger, word in ((seed.SAM, "no access rule names you"), (seed.MAYA, "role approver")):
        assert word in (await repair.click(stranger)).text
    assert "needs approval" in repair.card.text
    trail = "\n".join(said for _, _, said, _ in (await world.ask("audit --tail 20")).rows())
    assert f"{seed.SAM} was refused" in trail
    assert f"{seed.JONAS} was refused: four eyes" in trail
    assert "withdrawn" in (await repair.click(seed.JONAS, WITHDRAW)).first_line.lower()
    late = await repair.world.ask(f"approve {repair.id}", seed.PRIYA)
    assert late.first_line == "Too late: Restart of secure-agent-pod was already withdrawn"
    assert "Withdrawn by" in late.text, late.text
    stranger_too = await repair.world.ask(f"approve {repair.id}", seed.SAM)
    assert stranger_too.first_line == late.first_line
    assert "no access rule names you" in stranger_too.text


async def test_a_denial_shows_its_reason(world: World) -> None:
    repair = await asked(world, 'restart --reason "why not"')
    card = repair.card
    await world.workspace.click(seed.PRIYA, card, DENY)
    view = await world.workspace.wait_view(seed.PRIYA)
    about = f"Restart of secure-agent-pod ({repair.id}). Nothing is changed; the requester gets the reason."
    assert view.body["title"]["text"] == "Deny"
    assert view.body["blocks"][0]["text"]["text"] == about
    await world.workspace.submit_view(seed.PRIYA, view, {"reason": "a job is running"})
    final = await repair.shows("⛔")
    assert "a job is running" in words([final])
    await until(lambda: any("denied" in line for line in direct(world)), lambda: f"{direct(world)}")


async def test_an_equal_request_joins_the_open_one_and_another_kind_is_refused(world: World) -> None:
    repair = await asked(world, 'restart --reason "first"')
    again = await world.ask('restart --reason "second"', seed.JONAS)
    assert again.first_line == "✋ Restart of secure-agent-pod: already asked for"
    await repair.shows(", ")
    other = await world.ask('restart --force --reason "third"', seed.JONAS)
    assert repair.id in other.first_line
    assert "is already open for the same pod" in other.first_line


async def test_an_approval_is_void_when_the_target_has_changed(world: World) -> None:
    repair = await asked(world, 'restart --reason "as it was"')
    store = world.sandbox.cluster.store
    [found] = store.list(kinds.DEPLOYMENT)
    changed = json.loads(json.dumps(found))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/derio-net/secure-agent-kali:v2"
    changed["metadata"]["generation"] += 1
    store.put(kinds.DEPLOYMENT, changed)
    before = generation(world)
    await repair.click(seed.PRIYA)
    final = await repair.shows("🚫")
    assert "the image of kali was changed (latest → v2)" in words([final])
    assert generation(world) == before


async def test_break_glass_is_for_its_list_only_and_is_announced(world: World) -> None:
    repair = await asked(world, 'restart --force --reason "it hangs"')
    refused = await world.ask(f'break-glass {repair.id} --reason "now"', seed.JONAS)
    assert "not on the break-glass list" in refused.first_line
    alone = await world.ask(f'break-glass {repair.id} --reason "nobody is awake"', seed.PRIYA)
    assert "by your decision alone" in alone.first_line
    final = await repair.shows("✅")
    assert final.text.startswith("💥 BREAK-GLASS")
    assert "nobody is awake" in words([final])


@pytest.mark.parametrize(
    "value", ['{"c":"approve r-zzzzzzzz"}', '{"c":"approve ../../etc"}', "approve", "{}", "[]"]
)
async def test_a_forged_button_does_nothing_and_is_answered(world: World, value: str) -> None:
    repair = await asked(world, 'restart --reason "forged"')
    action: dict[str, Any] = {"action_id": APPROVE, "value": value}
    card = repair.card
    for block in card.blocks:
        for element in block.get("elements", ()):
            if element.get("action_id") == APPROVE:
                element["value"] = value
    done = await world.workspace.click(seed.PRIYA, card, action["action_id"])
    answer = await world.final(lambda: done.messages)
    assert "There is no request" in answer.text or "did not make that button" in answer.text
    assert (await world.ask(f"approvals {repair.id}")).text.count("open")


async def test_the_card_shows_a_pause_requested_by_the_api_server(world: World) -> None:
    repair = await asked(world, 'restart --reason "the API server throttles"')
    await world.break_("kube-429")
    await world.workspace.slash(seed.PRIYA, seed.OPS, "/agentpod", f"approve {repair.id}")
    await repair.shows("waiting 2 s, the API server asked for a pause")
    await world.workspace.panel.heal()
    await repair.shows("✅ Restarted")


async def test_a_card_is_updated_after_an_outage_of_slack(world: World) -> None:
    repair = await asked(world, 'restart --reason "slack is away"')
    await world.break_("slack-500")
    await world.workspace.slash(seed.PRIYA, seed.OPS, "/agentpod", f"approve {repair.id}")
    database = world.sandbox.folder / "agentpod.db"

    def ended() -> bool:
        import sqlite3

        with sqlite3.connect(database) as connection:
            found = connection.execute("SELECT state FROM cases WHERE id = ?", (repair.id,)).fetchone()
        connection.close()
        return found == ("succeeded",)

    await until(ended, lambda: world.bot.output()[-2000:])
    assert "needs approval" in repair.card.text
    await world.workspace.panel.heal()
    await repair.shows("✅ Restarted")


async def test_the_audit_trail_can_be_exported_and_verified_from_a_terminal(world: World) -> None:
    await asked(world, 'restart --reason "for the record"')
    exported = await _terminal(world, "audit", "export")
    records = [json.loads(line) for line in exported.splitlines()]
    assert [r["number"] for r in records] == list(range(1, len(records) + 1))
    assert {"request", "decision", "refusal", "execution", "outcome"} <= {r["kind"] for r in records}
    assert "intact" in await _terminal(world, "audit", "verify", "--head", records[-1]["digest"])
    assert "the end is missing" in await _terminal(world, "audit", "verify", "--head", "0" * 64, code=1)


async def test_a_terminal_names_people_and_json_has_their_ids(world: World) -> None:
    repair = await asked(world, 'restart --reason "who was it"')
    shown = await _terminal(world, "approvals", repair.id)
    assert "Maya Lindqvist" in shown
    assert seed.MAYA not in shown
    assert seed.MAYA in await _terminal(world, "--output", "json", "approvals", repair.id)


async def _terminal(world: World, *words_: str, code: int = 0) -> str:
    ended, said = await shell(world.bot.env, *words_)
    assert ended == code, said
    return said


async def test_a_second_bot_on_the_same_file_is_refused_and_a_repair_survives_a_kill(world: World) -> None:
    other = world.sandbox.bot(AGENTPOD_OPS__PORT="0")
    calls = len(world.workspace.record.of("auth.test"))
    await other.start()
    assert await asyncio.wait_for(other.wait(), 20) == 2
    assert f"Another agentpod (process {world.bot.pid} on " in other.output()
    assert other.output().count("uses the ledger") == 1
    assert "Traceback" not in other.output()
    assert len(world.workspace.record.of("auth.test")) == calls
    assert world.workspace.connections == 1
    world.sandbox.cluster.simulation.speed = 3.0
    before = generation(world)
    repair = await asked(world, 'restart --reason "killed in the middle"')
    await repair.click(seed.JONAS)
    await repair.shows("under way")
    assert f"Restart of secure-agent-pod is under way ({repair.id}" in (await world.ask("status")).text
    world.bot = await _killed(world)
    world.sandbox.cluster.simulation.speed = 0.0
    await repair.shows("✅ Restarted")
    assert generation(world) == before + 1


async def _killed(world: World) -> Any:
    import signal

    await world.bot.stop(signal.SIGKILL)
    return await world.sandbox.start_bot()


@pytest_asyncio.fixture(loop_scope="module")
async def bound() -> AsyncIterator[World]:
    """A bot whose rules grant roles in the operations channel only."""
    rules = [
        {"role": "operator", "channels": [seed.OPS], "users": [seed.MAYA]},
        {"role": "approver", "channels": [seed.OPS], "users": [seed.JONAS]},
    ]
    settings = {"probes": {"timeout": "5s"}, "access": {"rules": rules, "contact": "Priya"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def test_roles_in_the_request_s_channel_apply_in_direct_messages_about_it(bound: World) -> None:
    repair = await asked(bound, "secrets set GITHUB_TOKEN --reason rotated")
    here = bound.workspace.messages
    bound.workspace.dm(seed.JONAS, f"approve {repair.id}")
    await repair.shows("waiting for the requester to enter it")
    await until(
        lambda: "approved" in words(here(seed.DM_JONAS, seed.JONAS)), lambda: f"{direct(bound, seed.JONAS)}"
    )
    await until(lambda: any("enter it by" in line for line in direct(bound)), lambda: f"{direct(bound)}")
    await bound.workspace.click(seed.MAYA, here(seed.DM_MAYA, seed.MAYA)[-1], APPROVE)  # the first button
    view = await bound.workspace.wait_view(seed.MAYA)
    await bound.workspace.submit_view(seed.MAYA, view, {"value": "another-value"})
    await repair.shows("✅")
    bound.workspace.dm(seed.SAM, f"approve {repair.id}")
    said = lambda: words(here(seed.DM_SAM, seed.SAM))  # noqa: E731 - it is an argument
    await until(lambda: "no access rule names you" in said(), said)
