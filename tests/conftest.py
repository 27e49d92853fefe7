"""Settings for all tests: long tests start first, so that all workers end together, and no example is timed."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from sandbox.environment import BotProcess
from tests import prepared

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler.protocol import Scheduling

    from tests.postgres import Postgres

# A busy machine is no defect; the benchmarks measure durations.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
if sys.platform == "linux":  # elsewhere system libraries don't survive a fork
    BotProcess.spawn = staticmethod(prepared.spawn)


@pytest.fixture(autouse=True)
def _same_log() -> Iterator[None]:
    """Undo what a test that runs a command of the terminal sets up for the process's log."""
    loggers = (logging.getLogger(), logging.getLogger("agentpod"))
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        logger.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Debian's PostgreSQL, one server for all tests of a process: each test creates its own database."""
    from tests.postgres import Postgres

    with Postgres() as server:
        yield server


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that start a bot or a server first, including the groups that share one, then the quick ones."""
    items.sort(key=lambda item: not is_long(item))


def pytest_collection_finish() -> None:
    """Leave the modules and the collected tests, which live to the end, out of all later garbage collections."""
    gc.collect()
    gc.freeze()


LONG = ("scenarios", "sandbox_page", "verdicts")
"""Folders whose tests, or files, take long."""
SINGLE = ("tests/scenarios/", "tests/verdicts/")
"""Folders whose tests are handed out one by one, unless a group's mark keeps them together."""


def is_long(item: pytest.Item) -> bool:
    """Whether a test takes seconds, or is one of a group that does."""
    return not {*LONG}.isdisjoint(item.path.parts) or item.get_closest_marker("xdist_group") is not None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Hand quick tests out by file: with thousands of single ones, the scheduler itself takes seconds."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class ByFile(LoadGroupScheduling):
        """Groups by their mark, all other tests by their file."""

        def _split_scope(self, nodeid: str) -> str:
            group = super()._split_scope(nodeid)
            return nodeid.partition("::")[0] if group == nodeid and not nodeid.startswith(SINGLE) else group

    return ByFile(config, log)
