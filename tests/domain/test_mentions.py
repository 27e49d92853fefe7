"""Names in place of ids, for answers in a terminal."""

from __future__ import annotations

import pytest

from bot.domain.core.mentions import mentioned, with_names
from bot.domain.core.reply import Card, Fact, Mention, Reply, Table

MAYA, JONAS, OPS, GROUP = Mention("U07MAYA"), Mention("U07JONAS"), Mention("C07OPS"), Mention("S07TEAM")
REPLY = Reply(
    "Done",
    body=(("asked by ", MAYA, " in ", OPS), "as it was"),
    facts=(Fact("Approved", (JONAS, " at 9:00")),),
    tables=(Table(("Who",), (((MAYA, " asked"),),)),),
    cards=(Card((("for ", GROUP),)),),
    data={"by": "U07MAYA"},
)


def test_users_and_channels_are_looked_up_and_user_groups_stay() -> None:
    assert mentioned(REPLY) == {MAYA.id, JONAS.id, OPS.id}


def test_names_stand_wherever_ids_did_and_nowhere_in_data() -> None:
    named = with_names(REPLY, {MAYA.id: "Maya", JONAS.id: "Jonas", OPS.id: "ops"})
    assert named.body == (("asked by ", "Maya", " in ", "#ops"), "as it was")
    assert named.facts[0].value == ("Jonas", " at 9:00")
    assert named.tables[0].rows == ((("Maya", " asked"),),)
    assert (named.cards, named.data) == (REPLY.cards, REPLY.data)


def test_an_id_without_a_name_stays() -> None:
    assert with_names(REPLY, {}) == REPLY


def test_a_name_that_two_have_is_followed_by_the_id() -> None:
    named = with_names(REPLY, {MAYA.id: "Kim", JONAS.id: "Kim"})
    assert named.facts[0].value == ("Kim (U07JONAS)", " at 9:00")


@pytest.mark.parametrize("other", ["Kim\u200b", "\u2060kim", "Ｋｉｍ", " Kim"])
def test_names_that_look_alike_are_one_name(other: str) -> None:
    named = with_names(REPLY, {MAYA.id: "Kim", JONAS.id: other})
    assert named.facts[0].value == (f"{other} (U07JONAS)", " at 9:00")


def test_nobody_passes_for_the_bot() -> None:
    named = with_names(REPLY, {JONAS.id: "The bot"})
    assert named.facts[0].value == ("The bot (U07JONAS)", " at 9:00")
