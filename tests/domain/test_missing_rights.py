"""Several missing rights are one finding: one sentence, one remedy, one command."""

from __future__ import annotations

import pytest

from bot.domain.core.summary import rights_said
from bot.errors import MissingRight, NotAllowed
from bot.services.health.sources import API, SourceUnavailable, unread_finding


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (["list pods in a", "list services in a", "list events in a"], "list pods, services or events in a"),
        (["list pods in a", "get pods/log in a"], "list pods; get pods/log in a"),
        (["list pods in a", "list nodes in the whole cluster"], "list pods in a or nodes in the whole cluster"),
        (["list pods", "list events"], "list pods or events"),
        (
            [f"list kind-{n} in a" for n in range(11)][:9],
            "list kind-0, kind-1, kind-2, kind-3, kind-4, kind-5, kind-6 or kind-7; 1 more in a",
        ),
    ],
)
def test_several_rights_are_said_in_one_phrase(rights: list[str], said: str) -> None:
    assert rights_said(rights) == said


def test_a_single_missing_right_has_the_command_that_grants_it() -> None:
    error = MissingRight(
        "list pods", "agentpod", roles="the Roles in deploy/ grant", apply="kubectl apply -k mine"
    )
    finding = unread_finding("pod", "Pod", SourceUnavailable(API, 3.0, error))
    assert (finding.summary, finding.run) == ("the bot may not list pods", "kubectl apply -k mine")
    other = unread_finding("pod", "Pod", SourceUnavailable(API, 3.0, NotAllowed("The gateway refused it.")))
    assert other.run is None, "what else refuses it, no Role mends"
