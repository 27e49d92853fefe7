"""Settings for all tests: long tests start first, so that all workers end together, and no example is timed."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, settings

from sandbox.environment import BotProcess
from tests import prepared

# A busy machine is no defect; the benchmarks measure durations.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
if sys.platform == "linux":  # elsewhere system libraries don't survive a fork
    BotProcess.spawn = staticmethod(prepared.spawn)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that start a bot or a server first, including the groups that share one, then the quick ones."""
    items.sort(key=lambda item: not is_long(item))


def is_long(item: pytest.Item) -> bool:
    """Whether a test takes seconds, or is one of a group that does."""
    return "scenarios" in item.path.parts or item.get_closest_marker("xdist_group") is not None
