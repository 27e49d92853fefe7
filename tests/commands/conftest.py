"""A healthy world, which each test can break."""

from __future__ import annotations

import pytest

from tests.commands.fakes import World


@pytest.fixture
def world() -> World:
    """A world in which everything is healthy."""
    return World()
