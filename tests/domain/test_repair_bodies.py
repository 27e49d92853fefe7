"""Requests in the ledger: every action ever stored is still read and written unchanged; others are refused."""

from __future__ import annotations

import pytest

from bot.domain.approvals.actions.registry import builtin
from bot.domain.approvals.forecast import NOTHING
from bot.domain.approvals.repair import from_json, to_json
from bot.domain.core.stored import Unreadable

KEPT = (
    '{"v":1,"request":{"id":"r-7k2m9xwq","requester":"U1","created_at":"2026-11-24T09:00:00Z",'
    '"expires_at":"2026-11-24T09:30:00Z","snapshot":{"uid":"u","generation":3,"images":[["kali","i:1"]],'
    '"pods":[["pod-1","uid-1"]],"version":"","kind":"Deployment","tags":[],"file":""},"needed":1,"state":"open","decisions":[]},'
    '"target":"pod","action":"%s","reason":"why","subject":"s/K","details":{"key":"K"},"facts":[],"effect":"",'
    '"forecast":{"changes":[{"object":"Pod p","path":"a.b","before":"1","after":null}],"untried":"","losses":[{'
    '"name":"work","title":"Work","things":["a: 1"],"more":false,"unknown":""}],"cron":"none","down_for":'
    '{"least":1.0,"most":2.0,"restarts":3,"fastest":1.2,"slowest":1.5},'
    '"image":":latest has moved","restarts":true,"stuck":"","no_cron":"","doubt":"","spared":false},'
    '"channel":"C1","asked_in":"","origin":"","joined":[],"beside":"","reminded_at":null,"messaged":null,"held":null,"mark":null,"sent_at":null,"progress":null,'
    '"wait":null,"outcome":null,"version":0}'
)
NAMES = [
    "configs rotate",
    "cron edit",
    "cron run",
    "cron undo",
    "declared-repair",
    "egress repair",
    "egress repair --create",
    "heartbeats push",
    "image pull",
    "image set",
    "restart",
    "restart --container",
    "restart --force",
    "secrets set",
    "ssh keys add",
    "ssh keys copy",
    "ssh keys remove",
]


@pytest.mark.parametrize("name", NAMES)
def test_stored_bodies_round_trip_exactly(name: str) -> None:
    repair = from_json(KEPT % name)
    assert repair.action is builtin()[name]
    assert to_json(repair) == KEPT % name


def test_a_body_from_before_there_were_forecasts_is_read() -> None:
    before = KEPT[: KEPT.index('"forecast"')] + KEPT[KEPT.index('"channel"') :]
    assert from_json(before % "restart").forecast == NOTHING


def test_a_body_from_before_requests_named_their_alert_is_read() -> None:
    assert from_json(KEPT.replace('"beside":"",', "") % "restart").beside == ""


def test_a_body_from_before_there_were_reminders_is_read() -> None:
    found = from_json(KEPT.replace('"reminded_at":null,"messaged":null,', "") % "restart")
    assert (found.reminded_at, found.messaged) == (None, None)


def test_a_body_from_before_cards_named_a_new_image_is_read() -> None:
    assert from_json(KEPT.replace('"image":":latest has moved",', "") % "restart").forecast.image == ""
    assert (
        from_json(
            KEPT.replace(',"stuck":"","no_cron":"","doubt":"","spared":false', "") % "restart"
        ).forecast.warnings
        == ()
    )


def test_a_prediction_from_before_it_said_how_long_the_restarts_took_is_read() -> None:
    found = from_json(KEPT.replace(',"fastest":1.2,"slowest":1.5', "") % "restart").forecast.down_for
    assert found is not None
    assert found.drawn_from == "by the last 3 restarts"


def test_the_stored_names_are_those_of_all_actions() -> None:
    assert set(NAMES) == set(builtin().names)


def test_a_body_from_before_snapshots_had_tags_is_read() -> None:
    assert from_json(KEPT.replace(',"tags":[]', "") % "restart").request.snapshot.tags == ()


@pytest.mark.parametrize("action", ["restart --gently", "", "RESTART"])
def test_a_body_of_an_unknown_action_can_not_be_read(action: str) -> None:
    with pytest.raises(Unreadable):
        from_json(KEPT % action)


@pytest.mark.parametrize("action", ["7", "null", "[]", "{}"])
def test_a_body_whose_action_is_no_name_can_not_be_read(action: str) -> None:
    with pytest.raises(Unreadable):
        from_json((KEPT % "x").replace('"x"', action))
