"""A bad address is Permanent for every server that JSON is posted to, with the setting to change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.sinks.anchor_url.client import AnchorUrl
from bot.adapters.sinks.health_bridge.client import HealthBridge
from bot.domain.core.anchors import Anchor
from bot.errors import Permanent

ANCHOR = Anchor(1, "a" * 64, datetime(2026, 11, 23, 9, tzinfo=UTC), "2026-11-23")


@pytest.mark.parametrize(
    ("sink", "given", "setting"),
    [(AnchorUrl, ("key", ANCHOR), "ledger.anchor.url"), (HealthBridge, ({},), "bridge.url")],
)
@pytest.mark.parametrize("url", ["nowhere", "ftp://host/"])
async def test_an_address_that_is_none_is_permanent(sink: Any, given: Any, setting: str, url: str) -> None:
    made = sink(url, "")
    with pytest.raises(Permanent) as raised:
        await made.send(*given)
    await made.close()
    assert (raised.value.message, raised.value.remedy) == (f"{setting} is not an address.", f"Set {setting}.")
