"""All examples, in the order of the page."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.messages import of_alerts, of_commands, of_others, of_requests
from tests.messages.example import Example

FEATURES = (
    "Status, broken",
    "Observing",
    "Home",
    "Repairs",
    "Requests",
    "Alerts",
    "Incidents",
    "Digest",
    "Own state",
    "Followed logs",
    "Refusals and errors",
    "Slack",
    "General",
)
"""The headings of the page, in their order."""


def examples() -> list[Example]:
    """Render all examples: takes some seconds."""
    found = asyncio.run(_examples())
    return sorted(found, key=lambda one: FEATURES.index(one.feature))


async def _examples() -> list[Example]:
    with tempfile.TemporaryDirectory(prefix="agentpod-messages-") as folder:
        place = Path(folder)
        found = [one async for one in of_commands.examples(place / "commands")]
        found += [one async for one in of_requests.examples(place / "requests")]
        found += of_alerts.examples()
        found += [one async for one in of_others.examples(place / "others")]
    return found
