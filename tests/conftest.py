"""For all tests: what takes long begins first, so that all workers end together; and no example is timed."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, settings

from sandbox.environment import BotProcess
from tests import prepared

# A busy machine is no defect: how long things take is measured by the benchmarks.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
if sys.platform == "linux":  # elsewhere the system's libraries don't survive a fork
    BotProcess.spawn = staticmethod(prepared.spawn)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a bot or a server first, the groups that share one among them; then the many quick ones."""
    items.sort(key=lambda item: not is_long(item))


def is_long(item: pytest.Item) -> bool:
    """Whether a test takes seconds, or is one of a group that does."""
    return "scenarios" in item.path.parts or item.get_closest_marker("xdist_group") is not None
