"""Whether others in the conversation see an answer, by how it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.slack.request import SlackRequest

URL = "https://hooks.slack.example/1"


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ({"surface": "mention"}, True),
        ({"surface": "mention", "private": True}, False),
        ({"surface": "slash", "response_url": URL}, False),
        ({"surface": "slash"}, True),
        ({"surface": "button", "response_url": URL}, False),
        ({"surface": "button", "response_url": URL, "below": "1.2"}, True),
        ({"surface": "dm", "channel": "D1"}, False),
        ({"surface": "button", "channel": "D1", "response_url": URL}, False),
        ({"surface": "button", "channel": "U1"}, False),
    ],
)
def test_others_see_what_is_posted_in_a_conversation(given: dict[str, Any], public: bool) -> None:
    request = SlackRequest(**{"user": "U1", "channel": "C1", "line": "changes", "dedup": "d"} | given)
    assert request.public is public
