"""A healthy world, for each test to break."""

from __future__ import annotations

import pytest

from tests.commands.fakes import World


@pytest.fixture
def world() -> World:
    """Everything is well."""
    return World()
