"""`image set`: one patch by digest, bound to the old image; the way back, and who else writes the Deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.core.images import ResolvedImage
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application, Manager
from bot.errors import Denied, NotAllowed, Refused, Transient, Uncertain
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.fake_registry import LATEST, NEW, NEWEST, OLD, OTHER, REPOSITORY, TAGGED
from tests.services.pulling import Pulling, approved, asked, pulling, set_asked
from tests.services.succession import succession
from tests.services.workbench import JONAS, TARGET, Bench, bench, opened, said

ARGO = ArgoCD()
PINNED = f"{TAGGED}@{NEW}"
BACK = f'image set {OLD} --container "kali" --back --reason "back from 1.4.2" --target "{TARGET.name}"'


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        cluster = Pulling()
        made = bench(ledger, cluster=cluster, registry=cluster.registry)
        yield made
        await made.executor.stop(1)


async def test_the_image_is_named_by_its_digest_once_and_the_card_has_the_way_back(one: Bench) -> None:
    ended = await approved(one, await set_asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, f"kali runs {NEW[:19]}…, as approved")
    assert pulling(one).deployment_.images == {"kali": PINNED}
    assert pulling(one).rollouts == [ended.id]
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline.startswith(f"✅ Set image 1.4.2 for kali in {TARGET.name}: ready after")
    facts = {fact.label: str(fact.value) for fact in shown.facts}
    assert (facts["Ran before"], facts["Image before"]) == (OLD, LATEST)
    [back] = shown.buttons
    assert (back.label, back.command) == (f"Back to {OLD[:19]}…", BACK)
    assert parse(back.command, BUILTIN).params.model_dump()["tag"] == OLD


async def test_a_pod_that_never_gets_ready_says_so_with_the_way_back(one: Bench) -> None:
    pulling(one).stuck = True
    repair = await set_asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: found.sent_at is not None)
    one.clock.pass_(minutes=11)
    ended = await one.ended(repair)
    shown = card.card(ended, ApprovalPolicy())
    assert said(ended).startswith("not ready in time")
    assert (shown.buttons[0].command, shown.buttons[0].style) == (BACK, "primary")
    assert [button.style for button in shown.buttons[1:]] == ["", ""]


async def test_where_nothing_was_changed_there_is_no_way_back(one: Bench) -> None:
    pulling(one).before = [Denied("The API server refused it: no such image.")]
    ended = await approved(one, await set_asked(one))
    assert said(ended).startswith("nothing was changed: ")
    made = card.card(ended, ApprovalPolicy())
    assert [button.label for button in made.buttons] == ["Ask again"]
    assert not {"Ran before", "Image before"} & {fact.label for fact in made.facts}


async def test_the_way_back_keeps_the_tag(one: Bench) -> None:
    pulling(one).deployment_ = replace(pulling(one).deployment_, images={"kali": f"{REPOSITORY}:1.0"})
    ended = await approved(one, await set_asked(one))
    [back] = card.card(ended, ApprovalPolicy()).buttons
    assert (back.label, back.command) == ("Back to 1.0", BACK.replace(OLD, f"1.0@{OLD}"))


@pytest.mark.parametrize("what", ["tag", "image", "pod"])
async def test_what_changed_since_the_request_voids_it(one: Bench, what: str) -> None:
    repair, cluster = await set_asked(one), pulling(one)
    if what == "tag":
        cluster.registry.names[TAGGED] = ResolvedImage(NEWEST, OTHER)
        why = f":1.4.2 has moved ({NEW[:19]}… → {NEWEST[:19]}…)"
    elif what == "image":
        cluster.change(images={"kali": f"{REPOSITORY}:1.0"})
        why = "the image of kali was changed (latest → 1.0)"
    else:
        cluster._replace_pod("somebody")
        why = "the pod was replaced (pod-1 → pod-2)"
    ended = await approved(one, repair)
    assert (ended.state, said(ended), cluster.sent) == (RequestState.VOID, why, 0)


async def test_a_program_that_has_come_to_write_the_deployment_is_left_alone(one: Bench) -> None:
    repair, cluster = await set_asked(one), pulling(one)
    argo = Manager("Argo CD", "Argo CD application pod", "Change it in Git.", undoes=False)
    cluster.deployment_ = replace(cluster.deployment_, managers=(argo,))
    ended = await approved(one, repair)
    assert (ended.state, cluster.sent) == (RequestState.VOID, 0)
    assert said(ended) == f"Argo CD application pod manages {TARGET.deployment} now"


@pytest.mark.parametrize("by", ["list", "label"])
async def test_an_application_that_has_come_to_own_the_deployment_voids_it(one: Bench, by: str) -> None:
    repair, cluster = await set_asked(one), pulling(one)
    listed = {(TARGET.namespace, TARGET.deployment)} if by == "list" else set()
    cluster.application_ = Application(ARGO.application, "OutOfSync", "Healthy", deployments=frozenset(listed))
    if by == "label":
        cluster.deployment_ = replace(cluster.deployment_, instance=ARGO.application)
    ended = await approved(one, repair)
    assert (ended.state, cluster.sent) == (RequestState.VOID, 0)
    assert said(ended) == f"Argo CD application {ARGO.application} manages {TARGET.deployment} now"


async def test_an_application_that_can_not_be_read_before_the_change_stops_it(one: Bench) -> None:
    repair, cluster = await set_asked(one), pulling(one)
    cluster.application_ = NotAllowed("The account may not get applications.")
    ended = await approved(one, repair)
    assert (ended.state, cluster.sent) == (RequestState.FAILED, 0)
    assert said(ended) == "nothing was changed: the account may not get applications"


async def test_while_an_application_is_read_again_no_registry_is_asked(one: Bench) -> None:
    repair, cluster = await set_asked(one), pulling(one)
    reads: list[str] = []

    async def application(namespace: str, name: str) -> Application:
        reads.append(name)
        raise Transient("The API server is away.")

    cluster.application = application  # type: ignore[method-assign]
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.so(lambda: len(reads) > 3)
    assert cluster.registry.asked == []
    one.clock.pass_(minutes=6)
    ended = await one.ended(repair)
    assert (ended.state, said(ended)) == (RequestState.FAILED, "nothing was changed: the API server is away")


async def test_an_answer_that_is_lost_is_looked_for_and_not_repeated(one: Bench) -> None:
    pulling(one).after = [Uncertain("It is unknown whether it took effect: no answer.")]
    ended = await approved(one, await set_asked(one))
    assert (ended.state, pulling(one).sent) == (RequestState.SUCCEEDED, 1)


async def test_a_patch_that_was_certainly_not_made_is_tried_again(one: Bench) -> None:
    pulling(one).before = [Transient("away")]
    ended = await approved(one, await set_asked(one))
    assert (ended.state, pulling(one).rollouts) == (RequestState.SUCCEEDED, [ended.id])


async def test_another_tag_joins_no_open_request(one: Bench) -> None:
    first = await set_asked(one)
    pulling(one).registry.names[f"{REPOSITORY}:1.5"] = pulling(one).registry.names[TAGGED]
    with pytest.raises(Refused, match=rf"{first.id} \(image set 1\.4\.2\) is already open for the same pod"):
        await set_asked(one, f"{REPOSITORY}:1.5")
    with pytest.raises(Refused, match="is already open for the same pod"):
        await asked(one)


@pytest.mark.parametrize("steps", range(1, 40, 2))
async def test_killed_between_any_two_steps_the_image_is_set_once(tmp_path: Path, steps: int) -> None:
    cluster = Pulling()
    async with succession(tmp_path, cluster=cluster, registry=cluster.registry) as both:
        repair = await set_asked(both.one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert ended.state is RequestState.SUCCEEDED
        assert cluster.rollouts == [repair.id]
        assert cluster.deployment_.images == {"kali": PINNED}
