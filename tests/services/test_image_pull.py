"""`image pull`: bound to a digest, asked for again before the restart, and compared with what then runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.forecast import Forecast
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.images import ResolvedImage
from bot.errors import NotAllowed, NotFound, Refused, TimedOut, Transient, Uncertain
from bot.ports.registry import PlatformMissing
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.fake_registry import LATEST, NEW, NEWEST, OLD, OTHER
from tests.services.pulling import Pulling, approved, asked, pulling
from tests.services.succession import succession
from tests.services.workbench import JONAS, PRIYA, TARGET, Bench, bench, opened, said

SHORT = {digest: f"{digest[:19]}…" for digest in (OLD, NEW, NEWEST, OTHER)}


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        cluster = Pulling()
        made = bench(ledger, cluster=cluster, registry=cluster.registry)
        yield made
        await made.executor.stop(1)


def shown(repair: RepairRequest) -> dict[str, str]:
    return {fact.label: str(fact.value) for fact in card.card(repair, ApprovalPolicy()).facts}


@pytest.mark.parametrize("reported", [NEW, OTHER])
async def test_the_pod_is_restarted_once_and_runs_what_was_approved(one: Bench, reported: str) -> None:
    pulling(one).pulls = reported  # the index or the image for the platform: runtimes report either
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, f"kali runs {SHORT[NEW]}, as approved")
    assert pulling(one).rollouts == [ended.id]
    facts = shown(ended)
    assert facts["Verified"] == said(ended)
    assert facts["Ran before"] == OLD
    assert ended.outcome is not None
    assert ended.outcome.seconds is not None


@pytest.mark.parametrize("image", ["", ":latest has moved"])
async def test_a_restart_that_could_start_another_image_ends_with_the_one_that_runs(
    one: Bench, image: str
) -> None:
    pulling(one).pulls = NEW
    repair = await one.ask()
    async with one.ledger.writing() as tx:
        await tx.save(replace(repair, forecast=Forecast(image=image)))
    ended = await approved(one, repair)
    assert ended.state is RequestState.SUCCEEDED
    assert (shown(ended).get("Now") == f"kali runs {SHORT[NEW]}") is bool(image)


@pytest.mark.parametrize(
    ("reported", "text"),
    [
        (NEWEST, f"the new pod is ready, but kali runs {SHORT[NEWEST]}, not {SHORT[NEW]}"),
        (OLD, f"the new pod is ready, but kali runs {SHORT[OLD]}, not {SHORT[NEW]}"),
        ("", "the new pod is ready, and which image kali runs is not reported"),
    ],
)
async def test_a_pod_that_runs_something_else_is_not_called_verified(one: Bench, reported: str, text: str) -> None:
    pulling(one).pulls = reported
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    assert "Verified" not in shown(ended)
    assert ended.outcome is not None
    assert ended.outcome.advice == "image"


async def test_a_tag_that_has_moved_since_voids_it(one: Bench) -> None:
    repair = await asked(one)
    pulling(one).registry.names[LATEST] = ResolvedImage(NEWEST, OTHER)
    ended = await approved(one, repair)
    assert (ended.state, said(ended)) == (
        RequestState.VOID,
        f":latest has moved ({SHORT[NEW]} → {SHORT[NEWEST]})",
    )
    assert pulling(one).sent == 0


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimedOut("The registry ghcr.io gave no answer in 3 s."), "the registry ghcr.io gave no answer in 3 s"),
        (Transient("The registry ghcr.io can't be asked: no route."), "can't be asked: no route"),
        (NotFound("The registry ghcr.io has no image a/kali latest."), "has no image a/kali latest"),
        (NotAllowed("The registry ghcr.io has no a/kali, or does not let the bot read it."), "does not let"),
        (PlatformMissing("There is no image for linux/amd64 under that name.", ()), "no image for linux/amd64"),
    ],
)
async def test_without_the_registrys_answer_nothing_is_done(one: Bench, error: Exception, text: str) -> None:
    repair = await asked(one)
    pulling(one).registry.names[LATEST] = error
    ended = await approved(one, repair)
    assert ended.state is RequestState.FAILED
    assert said(ended).startswith("nothing was changed: ")
    assert text in said(ended)
    assert pulling(one).sent == 0


async def test_a_registry_that_is_away_for_a_moment_is_asked_again(one: Bench) -> None:
    repair = await asked(one)
    pulling(one).registry.errors = [Transient("The registry ghcr.io answered HTTP 503.")] * 3
    assert (await approved(one, repair)).state is RequestState.SUCCEEDED


async def test_where_registries_are_no_longer_asked_nothing_is_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=Pulling())
        ended = await approved(one, await asked(one))
        assert ended.state is RequestState.FAILED
        assert "registries of images are not asked (registry.enabled)" in said(ended)
        assert pulling(one).sent == 0
        await one.executor.stop(1)


async def test_a_change_that_was_made_needs_no_registry_any_more(one: Bench) -> None:
    repair = await asked(one)
    pulling(one).after = [Uncertain("It is unknown whether the restart took effect: no answer.")]
    pulling(one).registry.errors = [None, *[NotFound("It is gone.")] * 10]
    ended = await approved(one, repair)
    assert (ended.state, pulling(one).sent) == (RequestState.SUCCEEDED, 1)


async def test_a_pod_that_never_gets_ready_fails_and_says_what_ran_before(one: Bench) -> None:
    pulling(one).stuck = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: found.sent_at is not None)
    one.clock.pass_(minutes=11)
    ended = await one.ended(repair)
    assert said(ended).startswith("not ready in time")
    assert shown(ended)["Ran before"] == OLD


@pytest.mark.parametrize("stuck", [False, True])
@pytest.mark.parametrize("settable", [False, True])
async def test_the_way_back_is_offered_where_the_image_can_be_set(one: Bench, settable: bool, stuck: bool) -> None:
    pulling(one).stuck = stuck
    repair = await asked(one, settable=settable)
    await one.say(repair, Choice.APPROVE, JONAS)
    if stuck:
        await one.until(repair, lambda found: found.sent_at is not None)
        one.clock.pass_(minutes=11)
    made = card.card(await one.ended(repair), ApprovalPolicy())
    line = f'image set {OLD} --container "kali" --back --reason "back from {SHORT[NEW]}" --target "{TARGET.name}"'
    offered = [button.command for button in made.buttons if button.label == f"Back to {SHORT[OLD]}"]
    assert offered == ([line] if settable else [])
    if settable:
        assert parse(line, BUILTIN).params.model_dump()["back"] is True


async def test_a_request_that_changed_nothing_can_be_asked_for_again(one: Bench) -> None:
    repair = await asked(one, settable=True)
    pulling(one).registry.names[LATEST] = Transient("The registry ghcr.io can't be asked: no route.")
    ended = await approved(one, repair)
    [again] = card.card(ended, ApprovalPolicy()).buttons
    assert (again.label, again.command) == (
        "Ask again",
        f'image pull --container "kali" --reason "why" --target "{TARGET.name}"',
    )
    assert "Ran before" not in shown(ended)
    assert shown(ended)["What to do"].startswith("Ask again when ghcr.io answers.")


async def test_it_waits_for_the_same_pod_as_a_restart_and_neither_voids_the_other(one: Bench) -> None:
    first = await one.ask()
    with pytest.raises(Refused, match=rf"{first.id} \(restart\) is already open for the same pod"):
        await asked(one)
    await one.say(first, Choice.DENY, JONAS, "no")
    await asked(one)
    with pytest.raises(Refused, match=r"\(image pull\) is already open for the same pod"):
        await one.ask(user=PRIYA)


async def test_a_newer_request_after_the_tag_has_moved_takes_the_place_of_the_old_one(one: Bench) -> None:
    first = await asked(one)
    second = await asked(one, NEWEST)
    assert second.id != first.id
    assert (await one.now(first)).state is RequestState.VOID


@pytest.mark.parametrize("steps", range(1, 40, 2))
async def test_killed_between_any_two_steps_the_pod_is_restarted_once(tmp_path: Path, steps: int) -> None:
    cluster = Pulling()
    async with succession(tmp_path, cluster=cluster, registry=cluster.registry) as both:
        repair = await asked(both.one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, f"kali runs {SHORT[NEW]}, as approved")
        assert cluster.rollouts == [repair.id]
