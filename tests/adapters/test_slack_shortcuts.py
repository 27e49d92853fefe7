"""Shortcuts: which line they run, and whose messages they believe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.adapters.slack import inbound, payload, shortcuts
from bot.domain.core.reply import Button, Reply
from bot.runbook.grammar import called
from commands.registry import BUILTIN
from sandbox.slack import seed
from tests.messages.example import message as rendered

ALERT = Reply(
    "🔴 CRITICAL backup: no heartbeat of i-0123456 for 2 h",
    body=("EC2 instance i-abcdefg is gone",),
    buttons=(
        Button("Acknowledge", "ack i-7k2m9xw"),
        Button("Ask for a restart", 'restart --reason "i-9999999 says so"'),
    ),
    notes=("i-7k2m9xw · secure-agent-pod",),
)
SOLVED = Reply("✅ backup", buttons=(Button("Report", "report i-7k2m9xw"),))
TWO = Reply("⚠️ 2 incidents", notes=("i-7k2m9xw", "i-7k2m9xv"))


def of(reply: Reply, user: str = seed.BOT_USER, **more: Any) -> dict[str, Any]:
    """The payload of "Acknowledge incident" on a message."""
    shown = rendered("Slack", "an alert", reply).messages[0]
    return {
        "type": "message_action",
        "callback_id": "ack",
        "trigger_id": "1.2.abc",
        "response_url": "https://hooks.example.com/app/1",
        "user": {"id": seed.MAYA, "team_id": seed.TEAM_ID},
        "team": {"id": seed.TEAM_ID},
        "channel": {"id": seed.OPS, "name": "ops"},
        "message": {"type": "message", "user": user, "ts": "17.5", **shown, **more},
    }


def credited(did: str) -> dict[str, Any]:
    """The payload on an answer that says above who brought it here, by a line that names an incident."""
    by = {"type": "mrkdwn", "text": f"{did} <@U1>: /agentpod logs --grep i-7k2m9xw", "verbatim": True}
    return of(ALERT, blocks=[{"type": "context", "elements": [by]}])


@pytest.mark.parametrize("reply", [ALERT, SOLVED], ids=["firing", "solved"])
def test_an_alert_s_shortcut_is_about_its_incident(reply: Reply) -> None:
    request = inbound.read(of(reply, thread_ts="17.1"), seed.BOT_USER)
    assert request is not None
    assert (request.surface, request.user, request.channel) == ("shortcut", seed.MAYA, seed.OPS)
    assert request.line == "ack i-7k2m9xw"
    assert (request.thread_ts, request.below, request.public) == ("17.1", "", False)
    assert request.dedup == "shortcut:1.2.abc"


@pytest.mark.parametrize(
    "body",
    [
        of(ALERT, user=seed.SAM),
        of(ALERT, user=""),
        of(TWO),
        of(Reply("nothing")),
        of(Reply("nothing", notes=("xi-7k2m9xw i-7k2m9xwz",))),
        of(Reply("nothing", notes=("Asked by Maya: /agentpod logs --grep i-7k2m9xw", "i-7k2m9xw is mine"))),
        credited("Shared by"),
        credited("Asked by"),
        of(ALERT) | {"message": None},
    ],
    ids=[
        *("somebody's", "nobody's", "of two", "of none", "other ids", "words of people"),
        *("shared", "asked for", "no message"),
    ],
)
def test_other_messages_are_about_no_incident(body: dict[str, Any]) -> None:
    request = inbound.read(body, seed.BOT_USER)
    assert request is not None
    assert request.line is None
    several = body == of(TWO)
    assert ("is about several incidents" if several else "is not an alert from agentpod") in request.said


@pytest.mark.parametrize(
    "blocks", [None, "x", [None, 5, {"type": "actions", "elements": "x"}], [{"type": "context"}]]
)
def test_blocks_of_any_shape_are_read(blocks: object) -> None:
    assert shortcuts.incidents_of({"user": seed.BOT_USER, "blocks": blocks}, seed.BOT_USER) == set()


def test_without_a_known_bot_no_message_is_its_own() -> None:
    assert shortcuts.incidents_of({"user": "", "blocks": of(ALERT)["message"]["blocks"]}, "") == set()


def test_an_unknown_shortcut_is_answered() -> None:
    for body in (
        of(ALERT) | {"callback_id": "gone"},
        {"type": "shortcut", "callback_id": "ack", "user": {"id": "U1"}},
    ):
        request = inbound.read(body, seed.BOT_USER)
        assert request is not None
        assert (request.line, request.said[:13]) == (None, "This shortcut")


def test_the_status_goes_below_the_message_and_a_global_one_to_the_person() -> None:
    request = inbound.read(of(ALERT) | {"callback_id": "status_here"}, seed.BOT_USER)
    assert request is not None
    assert (request.line, request.below, request.public) == ("status", "17.5", True)
    body = {"type": "shortcut", "callback_id": "restart", "trigger_id": "t", "user": {"id": seed.MAYA}}
    request = inbound.read(body, seed.BOT_USER)
    assert request is not None
    assert (request.line, request.channel, request.trigger, request.public) == ("restart", seed.MAYA, "t", False)


def test_the_payloads_are_sound_and_every_shortcut_runs_a_command() -> None:
    assert payload.sound(json.loads(json.dumps(of(ALERT))))
    assert len({s.callback for s in shortcuts.SHORTCUTS}) == len(shortcuts.SHORTCUTS)
    for shortcut in shortcuts.SHORTCUTS:
        assert called(shortcut.line, BUILTIN) is not None
        assert len(shortcut.name) <= 24
        assert len(shortcut.description) <= 150
