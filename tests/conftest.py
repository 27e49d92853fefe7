"""The order of a whole run: what takes long begins first, so that all workers end at about the same time."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a bot or a server first, the groups that share one among them; then the many quick ones."""
    items.sort(key=lambda item: not is_long(item))


def is_long(item: pytest.Item) -> bool:
    """Whether a test takes seconds, or is one of a group that does."""
    return "scenarios" in item.path.parts or item.get_closest_marker("xdist_group") is not None
