"""Many short outages are one problem, whose remedy is for what explains them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.target import Target
from bot.domain.health import pod_remedies
from bot.domain.health.outages import Outage, Outages
from bot.domain.incidents import pod_watch

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hows", "remedy"),
    [
        (("not ready", "evicted", "not ready", "evicted"), pod_remedies.EVICTED),
        (("evicted", "evicted", "not ready"), pod_remedies.EVICTED),
        (
            ("not ready", "not ready", "evicted"),
            "Its readiness comes and goes: the events say what its probe answers.",
        ),
    ],
)
def test_of_equally_many_kinds_the_one_that_explains_the_rest_says_what_to_do(
    hows: tuple[str, ...], remedy: str
) -> None:
    seen = tuple(Outage(NOW + timedelta(minutes=n), how) for n, how in enumerate(hows))  # type: ignore[arg-type]
    problem = pod_watch.repeated(Target(), [], Outages(seen=seen, first_at=NOW), NOW + timedelta(hours=1))
    assert problem is not None
    assert dict(problem.facts)["What to do"] == remedy
