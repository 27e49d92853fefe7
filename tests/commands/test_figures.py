"""A healthy `status` has figures: how long the pod is up, its restarts, its disk, its jobs."""

from __future__ import annotations

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.summary import RIGHTS
from tests.commands.fakes import World
from tests.messages.worlds import ACCOUNT, BROKEN

FIGURES = "Up 7 h · 0 restarts · disk 31 % · 3 jobs on time"


@pytest.mark.parametrize("line", ["status", ""])
async def test_a_healthy_pod_is_answered_with_its_figures(line: str) -> None:
    assert (await World().run(line)).body == (FIGURES,)


@pytest.mark.parametrize("line", ["status", ""])
@pytest.mark.parametrize("broken", ["crashing", "disk nearly full", "the API server is away"])
async def test_where_something_is_wrong_or_unknown_there_are_none(broken: str, line: str) -> None:
    world = World()
    BROKEN[broken](world)
    assert (await world.run(line)).body == ()


async def test_a_figure_that_is_not_known_is_left_out() -> None:
    world = World(heartbeats=None)
    assert (await world.run("status")).body == (FIGURES.rpartition(" · ")[0],)


async def test_five_missing_rights_are_one_sentence_and_one_command() -> None:
    world = World()
    BROKEN["five rights missing"](world)
    reply = await world.run("status")
    unknown = [finding for finding in reply.findings if finding.verdict is Verdict.UNKNOWN]
    assert [finding.probe for finding in unknown] == [RIGHTS]
    assert unknown[0].remedy == f"Grant {ACCOUNT} these rights: the Roles in deploy/ grant them."
    assert unknown[0].run == "kubectl apply -k deploy/overlays/mine"
    assert reply.headline.startswith("Could not tell: the bot may not list pods, ")
    assert [b.command for b in reply.buttons] == ["can-i status"]
