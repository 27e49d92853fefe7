"""All examples, rendered once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.messages import every
from tests.messages.example import Example


@pytest.fixture(scope="session")
def examples() -> Sequence[Example]:
    """All examples."""
    return every.examples()
