"""A finding's line: the title once."""

from __future__ import annotations

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import titled


@pytest.mark.parametrize(
    ("title", "summary", "line"),
    [
        ("Argo CD", "Argo CD says app is Synced and Degraded", "Argo CD says app is Synced and Degraded"),
        ("Argo CD", "Argo CD's last sync failed", "Argo CD's last sync failed"),
        ("SSH", "ssh can't be reached", "SSH can't be reached"),
        ("Pod", "pods run instead of one", "Pod: pods run instead of one"),
        ("Disk", "97 % full", "Disk: 97 % full"),
    ],
)
def test_a_summary_that_begins_with_the_title_goes_on_from_it(title: str, summary: str, line: str) -> None:
    assert "".join(titled(Finding("x", title, Verdict.FAIL, summary))) == line
