"""``image pull``: when there is nothing to pull, what nobody can know, and what the card says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.container_restart import CONTAINER_RESTART
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.image_action import DIGEST, IMAGE
from bot.domain.approvals.actions.image_pull import COMMIT, IMAGE_PULL, SETTABLE, why_not
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.images import ResolvedImage
from bot.domain.core.workload import Application, Container
from bot.domain.health.deployment_owner import Ways
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, Refused, Transient
from bot.ports.registry import PlatformMissing
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, container, deployment, pod
from tests.commands.test_secrets import Room
from tests.fake_registry import LATEST, NEW, OLD, OTHER, REPOSITORY, FakeRegistry

LINE = "image pull --reason 'a fix'"


async def _none(**_: Any) -> list[Any]:
    return []


def room_with(registry: FakeRegistry | None, *, image: str = LATEST, policy: str | None = "Always") -> Room:
    """A pod that runs the old image."""
    room = Room()
    room.registry = registry
    one = container(image=image, image_id=f"{REPOSITORY}@{OLD}", pull_policy=policy)
    room.cluster.pods_answer = [pod(containers=(one,))]
    template = (Container("kali", image, pull_policy=policy),)
    room.cluster.deployment_answer = deployment(template=template, images={"kali": image})
    room.marks.__dict__["requests"] = _none
    return room


@pytest.mark.parametrize(
    ("registry", "said", "remedy"),
    [
        (None, "Nobody knows what would start: the registries of images are not asked", "restart"),
        (
            FakeRegistry({LATEST: Transient("The registry ghcr.io can't be asked: no route.")}),
            "Nobody knows what would start: the registry ghcr.io can't be asked: no route.",
            "restart",
        ),
        (FakeRegistry({LATEST: Permanent("The registry's answer is no image manifest.")}), "no image manif", "re"),
        (
            FakeRegistry({LATEST: NotFound("The registry ghcr.io has no image a/kali latest.")}),
            "has no",
            "Push it",
        ),
        (
            FakeRegistry({LATEST: PlatformMissing("There is no image for linux/amd64.", ("linux/arm64",))}),
            "a/kali:latest has no image for linux/amd64, only for linux/arm64.",
            "targets[].platform",
        ),
        (
            FakeRegistry({LATEST: ResolvedImage(OLD, OTHER)}),
            "Nothing to pull: :latest points to sha256:aaaaaaaaaaaa…, which kali runs.",
            "restart",
        ),
        (FakeRegistry({LATEST: ResolvedImage(NEW, OLD)}), "Nothing to pull", "restart"),
    ],
)
async def test_what_can_not_be_pulled_is_refused(registry: FakeRegistry | None, said: str, remedy: str) -> None:
    for line in (LINE, "image pull"):
        with pytest.raises(Refused) as refused:
            await room_with(registry).say(line)
        assert said in refused.value.message
        assert remedy in str(refused.value.remedy)


@pytest.mark.parametrize(
    ("image", "policy", "said"),
    [
        (f"{LATEST}@{OLD}", "Always", "is pinned to sha256:aaaaaaaaaaaa…"),
        (LATEST, "IfNotPresent", "The imagePullPolicy of kali is IfNotPresent"),
        (LATEST, "Never", "The imagePullPolicy of kali is Never"),
        (f"{REPOSITORY}:1.0", None, "The imagePullPolicy of kali is IfNotPresent"),
    ],
)
async def test_an_image_that_a_restart_does_not_pull_is_refused_and_nobody_is_asked(
    image: str, policy: str | None, said: str
) -> None:
    registry = FakeRegistry()
    with pytest.raises(Refused) as refused:
        await room_with(registry, image=image, policy=policy).say(LINE)
    assert said in refused.value.message
    assert "in the Deployment" in str(refused.value.remedy)
    assert registry.asked == []


@pytest.mark.parametrize(
    ("image", "policy"), [(LATEST, None), (REPOSITORY, None), (LATEST, "Always"), (f"{REPOSITORY}:1.0", "Always")]
)
def test_what_a_restart_pulls_can_be_pulled(image: str, policy: str | None) -> None:
    assert why_not(Container("kali", image, pull_policy=policy), Ways()) == ("", "")


async def test_an_unknown_container_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Refused, match="has no container kalli") as refused:
        await room_with(FakeRegistry()).say(f"{LINE} --container kalli")
    assert refused.value.remedy == "Did you mean kali?"


async def test_a_deployment_that_is_scaled_to_none_is_refused() -> None:
    room = room_with(FakeRegistry())
    room.cluster.deployment_answer = replace(room.cluster.deployment_answer, wanted=0)
    with pytest.raises(Refused, match="is scaled to 0"):
        await room.say(LINE)


@pytest.mark.parametrize(
    ("built", "words"),
    [
        (NOW - timedelta(days=3), ", built 3 d ago"),
        (NOW + timedelta(days=3), ""),  # the clock of whoever built it was wrong
        (None, ""),
        (Transient("away"), ""),
    ],
)
async def test_the_card_says_what_runs_what_the_tag_points_to_and_the_cost(built: Any, words: str) -> None:
    room = room_with(FakeRegistry(built_at=built))
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject) == (IMAGE_PULL, "kali")
    assert asked.effect == (
        f"sha256:aaaaaaaaaaaa… runs; :latest points to sha256:bbbbbbbbbbbb…{words}. The old pod ends before the "
        "new one starts (Recreate). Everything in it is down until the new one is ready."
    )
    assert asked.snapshot.tags == ((LATEST, NEW),)
    assert (asked.details[IMAGE], asked.details[DIGEST]) == (LATEST, NEW)
    assert asked.forecast.restarts
    assert asked.forecast.image == ""  # it is the change itself, and no surprise
    assert room.registry is not None
    assert (f"{REPOSITORY}@{OTHER}", "built") in room.registry.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("actions", "range_"),
    [
        ((), None),
        ((RESTART,), "4 s to 21 s"),  # how long restarts take, as long as no pull is on record
        ((RESTART, IMAGE_PULL), "9 s to 41 s"),
        ((CONTAINER_RESTART, FORCE_RESTART), None),
    ],
)
async def test_the_downtime_is_predicted_by_pulls_or_else_by_restarts(
    actions: tuple[RepairAction, ...], range_: str | None
) -> None:
    room = room_with(FakeRegistry())

    async def done(**_: Any) -> list[RepairRequest]:
        return [_took(action, 10.0 * number) for number, action in enumerate(actions, start=1)]

    room.marks.__dict__["requests"] = done
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert (str(asked.forecast.down_for) if asked.forecast.down_for else None) == range_


def _took(action: RepairAction, seconds: float) -> RepairRequest:
    request = Request("r-22222222", "U1", NOW, NOW, Snapshot("u", 1), state=RequestState.SUCCEEDED)
    outcome = ExecutionResult("", NOW, seconds=seconds)
    subject = "kali" if action is CONTAINER_RESTART else ""
    return RepairRequest(request, "secure-agent-pod", action, subject=subject, outcome=outcome)


async def test_the_card_says_that_the_old_image_does_not_run_and_keeps_whether_there_is_a_way_back() -> None:
    for settable, kept in (("kali",), "yes"), ((), None):
        room = room_with(FakeRegistry())
        room.target = room.target.model_copy(update={"image_set": settable})
        [one] = room.cluster.pods_answer[0].containers
        crashing = replace(one, state="waiting", reason="CrashLoopBackOff")
        room.cluster.pods_answer = [pod(containers=(crashing,))]
        await room.say(LINE)
        [asked] = room.approval_service.asked
        assert asked.effect.startswith("sha256:aaaaaaaaaaaa… does not run (CrashLoopBackOff); :latest points to")
        assert asked.details.get(SETTABLE) == kept


OURS = frozenset({("secure-agent-pod", "secure-agent-pod")})
BY_ARGO = Application("secure-agent-pod", "Synced", "Healthy", deployments=OURS, path="apps/agent-pod")
COMMITS = " in apps/agent-pod and sync: Argo CD application secure-agent-pod manages the Deployment."


async def test_where_git_owns_the_deployment_the_way_back_is_a_commit() -> None:
    room = room_with(FakeRegistry())
    room.target = room.target.model_copy(update={"image_set": ("kali",)})
    room.cluster.application_answer = BY_ARGO
    await room.say(LINE)
    [asked] = room.approval_service.asked
    back = f"Commit `{REPOSITORY}@{OLD}`{COMMITS}"
    assert (asked.details.get(SETTABLE), asked.details[COMMIT]) == (None, back)
    ended = replace(_took(IMAGE_PULL, 40), details=asked.details)
    assert not IMAGE_PULL.next_steps(ended)
    assert not IMAGE_PULL.after_failure(ended)
    assert dict(IMAGE_PULL.results(ended)) == {"To go back": back}
    asked_only = replace(ended, request=replace(ended.request, state=RequestState.OPEN))
    assert not IMAGE_PULL.results(asked_only)


async def test_no_way_back_is_offered_where_nobody_knows_whose_the_deployment_is() -> None:
    room = room_with(FakeRegistry())
    room.target = room.target.model_copy(update={"image_set": ("kali",)})
    room.cluster.application_answer = NotAllowed("May not.")
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert {SETTABLE, COMMIT}.isdisjoint(asked.details)


@pytest.mark.parametrize(
    ("image", "policy", "what"),
    [
        (f"{LATEST}@{OLD}", "Always", "another image"),
        (LATEST, "Never", "imagePullPolicy: Always, or another image,"),
    ],
)
async def test_what_a_restart_does_not_pull_is_to_be_committed_where_git_owns_it(
    image: str, policy: str, what: str
) -> None:
    room = room_with(FakeRegistry(), image=image, policy=policy)
    room.target = room.target.model_copy(update={"image_set": ("kali",)})
    room.cluster.application_answer = BY_ARGO
    with pytest.raises(Refused) as refused:
        await room.say(LINE)
    assert refused.value.remedy == f"Commit {what}{COMMITS}"


async def test_a_pod_that_does_not_run_can_get_another_image() -> None:
    room = room_with(FakeRegistry())
    room.cluster.pods_answer = []
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert asked.effect.startswith(":latest points to sha256:bbbbbbbbbbbb…; what runs is not known. The old")


async def test_image_offers_the_pull_where_the_tag_has_moved_and_a_restart_pulls_it() -> None:
    def lines(reply: Any) -> list[str]:
        return [button.command for button in reply.buttons]

    room = room_with(FakeRegistry())
    assert 'image pull --container "kali" --target "secure-agent-pod"' in lines(await room.say("image"))
    for other in (room_with(FakeRegistry({LATEST: ResolvedImage(OLD, OTHER)})), room_with(None)):
        assert "image pull" not in " ".join(lines(await other.say("image")))
    assert "image pull" not in " ".join(lines(await room_with(FakeRegistry(), policy="IfNotPresent").say("image")))


async def test_the_headline_of_image_says_that_the_tag_has_moved() -> None:
    reply = await room_with(FakeRegistry()).say("image")
    assert reply.headline == "Warning: :latest has moved: the next restart starts sha256:bbbbbbbbbbbb…"


def test_the_request_can_be_made_again_from_the_card() -> None:
    for line in ('image pull --container "kali"', LINE):
        assert parse(line, BUILTIN).command.name == "image pull"
    with pytest.raises(AgentpodError):
        parse("image pull latest", BUILTIN)
