"""`changes`, on a real ledger: what changed and what people did, in order, each with its record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.domain.approvals.approval import Choice
from bot.domain.core.change import BOT, IMAGE, NODE, SECRET, SETTINGS, Change
from bot.domain.core.look import Look
from bot.domain.core.reply import Mention, Reply, parts, plain
from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import Permanent, UsageError
from bot.ports.clock import Clock
from bot.runbook.context import Caller, Context
from bot.services.change_log import ChangeLog
from bot.services.incidents.poll_coverage import pod_coverage
from commands.incidents import changes
from commands.incidents.changes import MOST, SHOWN, ChangesParams
from tests.commands.fakes import World
from tests.people import member
from tests.services.workbench import JONAS, MAYA, SAM, TARGET, Bench, bench, opened
from tests.times import utc

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger)
        await watched(made)
        yield made


async def watched(one: Bench) -> None:
    """The pod was looked at just now."""
    async with one.ledger.writing() as tx:
        await tx.set_mark(pod_coverage(TARGET.name).last, one.clock.now().isoformat())


async def add(
    one: Bench, kind: str, before: str, after: str, target: str = TARGET.name, minutes: float = 0.1
) -> None:
    now = one.clock.now()
    async with one.ledger.writing() as tx:
        await tx.add_changes([Change(target, kind, "", before, after, now, now - minutes * MINUTE)])


def context(one: Bench, **more: Any) -> Context:
    return replace(World().context(), **{"ledger": one.ledger, "clock": cast(Clock, one.clock), **more})


async def asked(one: Bench, since: str = "2h", **more: Any) -> Reply:
    reply = await changes.run(context(one, **more), ChangesParams.model_validate({"since": since}))
    return utc(reply, one.clock.now())


def said(reply: Reply) -> list[str]:
    return [plain(line) for line in reply.body]


async def test_changes_and_actions_are_listed_in_order_newest_last(one: Bench) -> None:
    await add(one, NODE, "node-1", "node-2")
    one.clock.pass_(minutes=1)
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    one.clock.pass_(minutes=1)
    await add(one, SETTINGS, "", "value of alerts.for changed", BOT)
    await add(one, NODE, "a", "b", "another")
    await watched(one)
    reply = await asked(one)
    lines = [line.partition("  ")[2] for line in said(reply)]
    assert lines[0] == "node: node-1 → node-2 · change 1"
    assert lines[1].startswith(f"@{MAYA} asked for restart")
    assert lines[1].endswith(f"({repair.id}) · record 1")
    assert lines[-1] == "settings of the bot: value of alerts.for changed · change 2"
    assert not any("execution" in line or "begun" in line for line in lines)
    assert Mention(JONAS) in parts(reply.body[2])
    assert reply.headline == "2 changes and 3 audit records in the last 2 h"
    assert [c["number"] for c in cast(list[Any], reply.data["changes"])] == [1, 2]
    assert [a["source"] for a in cast(list[Any], reply.data["actions"])] == ["record 1", "record 2", "record 5"]


async def test_a_change_while_the_bot_was_away_lies_between_two_times(one: Bench) -> None:
    await add(one, NODE, "node-1", "node-2", minutes=52)
    assert said(await asked(one))[0].startswith("between 08:08 UTC and 09:00 UTC  node: ")


async def test_nothing_changed(one: Bench) -> None:
    await add(one, NODE, "node-1", "node-2")
    one.clock.pass_(hours=3)
    await watched(one)
    reply = await asked(one)
    assert (reply.headline, reply.body) == ("Nothing changed in the last 2 h", ())
    assert (await asked(one, "1d")).headline == "1 change in the last day"


async def test_it_says_since_when_changes_are_recorded(one: Bench) -> None:
    await recorded(one)
    began = "Changes are recorded since 09:00 UTC. There is no record of earlier ones."
    for since in ("2h", "90d"):
        reply = await asked(one, since)
        assert (reply.headline, said(reply)) == ("Nothing changed since 09:00 UTC", [began])
    await add(one, NODE, "node-1", "node-2")
    reply = await asked(one)
    assert (reply.headline, said(reply)[-1]) == ("1 change in the last 2 h", began)
    one.clock.pass_(hours=3)
    await watched(one)
    assert (await asked(one)).headline == "Nothing changed in the last 2 h"
    assert said(await asked(one)) == []


async def test_a_pod_that_was_looked_at_before_changes_were_recorded_has_no_record_of_then(one: Bench) -> None:
    async with one.ledger.writing() as tx:
        await pod_coverage(TARGET.name).note(tx, one.clock.now() - timedelta(days=30))
    await recorded(one)
    assert (await asked(one, "90d")).headline == "Nothing changed since 09:00 UTC"


async def recorded(one: Bench) -> None:
    """The pod is looked at, and compared for the first time."""
    look = Look(TARGET.name, IMAGE, {"kali": "i:1"}, one.clock.now())
    await ChangeLog(one.ledger).note(look, lambda *_: [])


async def test_not_all_audit_records_are_said_to_be_read(one: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.DENY, JONAS, "no")
    assert (await asked(one)).headline == "2 audit records in the last 2 h, and no other change"
    monkeypatch.setattr(changes, "LISTED", 1)
    assert (await asked(one)).headline == "At least 1 audit record in the last 2 h, and no other change"


async def test_it_says_so_where_nobody_looks(one: Bench) -> None:
    one.clock.pass_(hours=1)
    assert said(await asked(one)) == ["The pod was last looked at 1 h ago: later changes of it are not known."]
    async with one.ledger.writing() as tx:
        await tx.set_mark(pod_coverage(TARGET.name).last, "")
    reply = await asked(one)
    assert reply.headline == "No change is known in the last 2 h"
    assert said(reply) == ["The pod has not been checked yet, so its changes are not known."]


async def test_many_are_counted_and_the_newest_shown(one: Bench) -> None:
    for n in range(SHOWN + 5):
        await add(one, IMAGE, f"i:{n}", f"i:{n + 1}")
    reply = await asked(one)
    assert len(reply.body) == SHOWN + 1
    assert plain(reply.body[0]) == f"The newest {SHOWN} of {SHOWN + 5}: `--tail {SHOWN + 5}` shows all of them"
    assert reply.buttons[0].label == f"The newest {SHOWN + 5}"
    wider = await World().run(reply.buttons[0].command, lambda _: context(one))
    assert len(wider.body) == SHOWN + 5
    assert plain(reply.body[-1]).endswith(f"{SHOWN + 4} → {SHOWN + 5} · change {SHOWN + 5}")
    assert len(cast(list[Any], reply.data["changes"])) == SHOWN + 5


async def test_it_says_how_to_see_what_no_message_shows(one: Bench) -> None:
    for n in range(MOST + 1):
        await add(one, IMAGE, f"i:{n}", f"i:{n + 1}")
    assert plain((await asked(one)).body[0]) == f"The newest 20 of {MOST + 1}: `--tail {MOST}` shows more of them"
    wider = await changes.run(context(one), ChangesParams(tail=MOST))
    said_first = f"The newest {MOST} of {MOST + 1}: `--output json` in a terminal lists them"
    assert (plain(wider.body[0]), len(wider.body)) == (said_first, MOST + 1)
    assert [button.label for button in wider.buttons] == ["Incidents"]


async def test_what_people_did_about_jobs_and_what_all_targets_share_is_listed(one: Bench) -> None:
    now = one.clock.now()
    shared = Problem(PUSHGATEWAY.key(), PUSHGATEWAY.stored, "", "the Pushgateway", "is silent", "critical", now)
    with_jobs = World().context().target
    async with one.ledger.writing() as tx:
        await tx.save_incidents([Incident("i-shared", shared, IncidentState.FIRING, now, fired_at=now)])
        await tx.record(now, "incident", MAYA, "i-shared", {"what": "acknowledged"})
        await tx.record(now, "heartbeat", MAYA, with_jobs.heartbeats[0].job, {"labels": {}, "by_hand": True})
        await tx.record(now, "heartbeat", MAYA, "another job", {"labels": {}, "by_hand": True})
    lines = said(await asked(one, targets=(TARGET.name, "another")))
    assert [line.partition("  ")[2].rpartition(" · ")[0] for line in lines] == [
        f"@{MAYA} acknowledged i-shared",
        f"@{MAYA} pushed a heartbeat by hand ({with_jobs.heartbeats[0].job})",
    ]


async def test_keys_of_a_secret_and_settings_are_for_those_who_may_see_them(one: Bench) -> None:
    await add(one, SECRET, "", "value of TOKEN changed")
    assert "value of TOKEN changed" in str(said(await asked(one)))
    viewer = AccessPolicy(rules=(AccessRule(role=roles.VIEWER, users=(SAM,)),))
    caller = Caller(member(SAM), "slash")
    shown = await asked(one, access=viewer, caller=caller)
    assert said(shown)[0].endswith("Secret: what it holds changed · change 1")
    assert "TOKEN" not in str(shown)


async def test_where_others_see_the_answer_secrets_and_settings_are_left_out_and_it_says_so(one: Bench) -> None:
    await add(one, NODE, "node-1", "node-2")
    await add(one, SECRET, "", "value of TOKEN changed")
    await add(one, SETTINGS, "", "value of slack.app_token changed", BOT)
    asker = World().context().caller
    assert "TOKEN" in str(await asked(one, caller=asker))
    shown = await asked(one, caller=replace(asker, surface="mention", public=True))
    assert "TOKEN" not in str(shown)
    assert "app_token" not in str(shown)
    assert shown.headline == "3 changes in the last 2 h"
    assert said(shown)[1:] == [
        "Not shown here, where others see it: 2 changes of Secrets, ConfigMaps or the bot's settings. "
        "Ask with /agentpod instead, which answers you alone."
    ]


async def test_a_value_that_became_known_as_a_secret_later_is_not_shown(one: Bench) -> None:
    await add(one, IMAGE, "registry/plain-word-1", "registry/plain-word-2")
    ctx = context(one)
    ctx.outside.learn("secrets", ["plain-word-2"])
    reply = await changes.run(ctx, ChangesParams())
    assert "plain-word-1" in str(reply)
    assert "plain-word-2" not in str(reply)


@pytest.mark.parametrize(
    ("since", "why"),
    [("5s", "takes 1 min to 90 d"), ("400d", "takes 1 min to 90 d"), ("2", "unit"), ("x", "duration")],
)
async def test_odd_spans_are_refused_with_the_reason(since: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        await World().run(f"changes --since {since}")


async def test_without_a_ledger_it_says_so(one: Bench) -> None:
    with pytest.raises(Permanent, match="no ledger"):
        await asked(one, ledger=None)
