"""The key of a message is the text that the ledger stores."""

from __future__ import annotations

import pytest

from bot.domain.approvals import message_keys as requests
from bot.domain.incidents import message_keys as incidents
from bot.domain.outbox.key import MessageKey

SPAN = "2026-11-23T09:00:00+00:00|2026-11-23T09:05:00+00:00"


@pytest.mark.parametrize(
    ("key", "stored", "id_", "more"),
    [
        (requests.card("r-1"), "card:r-1", "r-1", ()),
        (requests.progress("r-1"), "progress:r-1", "r-1", ()),
        (requests.value("r-1"), "value:r-1", "r-1", ()),
        (requests.unposted("r-1"), "unposted:r-1", "r-1", ()),
        (requests.outcome("r-1"), "outcome:r-1", "r-1", ()),
        (requests.outcome("r-1", "U2"), "outcome:r-1:U2", "r-1", ("U2",)),
        (incidents.incident("i-1"), "incident:i-1", "i-1", ()),
        (incidents.notice("i-1", 3), "notice:i-1:0003", "i-1", ("0003",)),
        (incidents.group("g-1"), "group:g-1", "g-1", ()),
        (incidents.over("g-1"), "over:g-1", "g-1", ()),
        (incidents.issue("o/r#1"), "bridge:o/r#1", "o/r#1", ()),
        (MessageKey.of("deaf", SPAN), f"deaf:{SPAN}", "2026-11-23T09", None),
    ],
)
def test_the_stored_format_of_keys_is_stable(
    key: MessageKey, stored: str, id_: str, more: tuple[str, ...] | None
) -> None:
    assert (key, str(key), MessageKey(stored)) == (stored, stored, key)
    assert (key.kind, key.rest, key.id) == (stored.partition(":")[0], stored.partition(":")[2], id_)
    assert key.startswith(MessageKey.prefix(key.kind))
    assert more is None or key.more == more


@pytest.mark.parametrize("odd", ["", "card", ":", "card:", "card::"])
def test_an_unusual_stored_key_is_parsed(odd: str) -> None:
    key = MessageKey(odd)
    assert (key, key.kind, key.id) == (odd, odd.partition(":")[0], "")
