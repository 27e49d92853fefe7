"""What a tag points to now: in `image`, and on the card of a restart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.domain.core.images import ResolvedImage
from bot.domain.core.workload import Application, Container
from bot.errors import NotAllowed, NotFound, Transient
from bot.ports.registry import PlatformMissing
from bot.services.health.image_tags import REACH
from tests.commands.fakes import HANG, World, container, deployment, give, pod, text_of
from tests.commands.test_secrets import Room

OLD, NEW, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}", f"sha256:{'c' * 64}"
NAME = "ghcr.io/a/kali:latest"


@dataclass
class FakeRegistry:
    """A registry whose answers are attributes."""

    digest_answer: Any = NEW
    answer: Any = field(default_factory=lambda: ResolvedImage(NEW, OTHER, ("linux/amd64",)))
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def digest(self, image: str) -> str:
        self.asked.append((image, ""))
        return str(await give(self.digest_answer))

    async def resolve(self, image: str, platform: str) -> ResolvedImage:
        self.asked.append((image, platform))
        found: ResolvedImage = await give(self.answer)
        return found


def healthy(
    world: World, image: str = NAME, *, policy: str = "Always", running: str = OLD, arch: str = ""
) -> None:
    one = container(image=image, image_id=f"ghcr.io/a/kali@{running}", pull_policy=policy)
    world.cluster.pods_answer = [pod(containers=(one,))]
    template = (Container("kali", image, pull_policy=policy),)
    world.cluster.deployment_answer = deployment(template=template, images={"kali": image}, architecture=arch)


async def fact(world: World, registry: FakeRegistry) -> tuple[str, dict[str, object]]:
    world.registry = registry
    reply = await world.run("image", lambda ctx: replace(ctx, probe_timeout=0.3))
    [data] = reply.data["containers"]  # type: ignore[misc]
    return next((f.value for f in reply.facts if "points to" in f.label), ""), data


@pytest.mark.parametrize(
    ("registry", "said", "newer"),
    [
        (FakeRegistry(), "sha256:bbbbbbbbbbbb…, another image than the one that runs", True),
        (FakeRegistry(OLD), "the image that runs", False),
        (FakeRegistry(answer=ResolvedImage(NEW, OLD)), "the image that runs", False),
        (FakeRegistry(Transient("The registry is away.")), "unknown", None),
    ],
)
async def test_image_says_what_its_tag_points_to(
    world: World, registry: FakeRegistry, said: str, newer: bool | None
) -> None:
    healthy(world)
    value, data = await fact(world, registry)
    assert (value, data["newer_image"]) == (said, newer)


UNREAD = [
    (FakeRegistry(Transient("The registry is away.", remedy="See to it.")), "the registry is away", "See to it."),
    (FakeRegistry(ValueError("x")), "the registry ghcr.io can't be asked (unexpected ValueError)", ""),
    (FakeRegistry(HANG), "the registry ghcr.io gave no answer in 0.3 s", REACH),
    (FakeRegistry(answer=PlatformMissing("There is none for a.", ())), "there is none for a", ""),
]


@pytest.mark.parametrize(("registry", "why", "remedy"), UNREAD)
async def test_a_registry_that_does_not_say_is_the_headline_with_what_to_do(
    world: World, registry: FakeRegistry, why: str, remedy: str
) -> None:
    healthy(world)
    world.registry = registry
    reply = await world.run("image", lambda ctx: replace(ctx, probe_timeout=0.3))
    assert reply.headline == f"Warning: whether kali's :latest has moved is not known: {why}"
    assert str(reply.findings[0].remedy).startswith(remedy)
    assert {f.label: f.value for f in reply.facts}[":latest points to"] == "unknown"


@pytest.mark.parametrize(("registry", "why", "remedy"), UNREAD)
async def test_of_a_fixed_tag_the_reason_stands_beside_it(
    world: World, registry: FakeRegistry, why: str, remedy: str
) -> None:
    healthy(world, "ghcr.io/a/kali:1.4")
    value, _ = await fact(world, registry)
    assert value == f"unknown: {why}. {remedy}".rstrip()


async def test_an_image_that_is_pinned_is_asked_of_nobody(world: World) -> None:
    healthy(world, f"{NAME}@{OLD}")
    registry = FakeRegistry()
    assert (await fact(world, registry))[0] == ""
    assert registry.asked == []


async def test_the_platform_is_the_deployment_s_else_the_settings(world: World) -> None:
    for arch, platform in (("arm64", "linux/arm64"), ("", "linux/amd64")):
        healthy(world, arch=arch)
        registry = FakeRegistry()
        await fact(world, registry)
        assert registry.asked[-1] == (NAME, platform)


async def test_several_containers_have_a_column(world: World) -> None:
    two = tuple(container(n, image=NAME, image_id=f"x@{d}") for n, d in (("kali", OLD), ("proxy", NEW)))
    world.cluster.pods_answer = [pod(containers=two)]
    world.cluster.deployment_answer = deployment(template=tuple(Container(n, NAME) for n in ("kali", "proxy")))
    world.registry = FakeRegistry()
    reply = await world.run("image")
    assert "another image than the one that runs" in text_of(reply)
    assert "the image that runs" in text_of(reply)


async def nothing(**_: Any) -> list[Any]:
    return []


async def image_on_card(registry: FakeRegistry | None, line: str = "restart --reason why", **given: Any) -> str:
    room = Room()
    room.registry = registry
    room.marks.__dict__["requests"] = nothing
    healthy(room, **given)
    await room.say(line)
    return room.approval_service.asked[-1].forecast.image


@pytest.mark.parametrize("line", ["restart --reason why", "restart --force --reason why"])
async def test_the_card_of_a_restart_says_that_the_tag_has_moved(line: str) -> None:
    said = await image_on_card(FakeRegistry(), line)
    assert said == ":latest has moved: this starts sha256:bbbbbbbbbbbb… instead of sha256:aaaaaaaaaaaa…"


@pytest.mark.parametrize(
    ("registry", "given"),
    [
        (FakeRegistry(OLD), {}),
        (FakeRegistry(), {"policy": "IfNotPresent"}),
        (FakeRegistry(), {"policy": "Never"}),
        (FakeRegistry(), {"image": f"{NAME}@{OLD}"}),
        (None, {}),
    ],
)
async def test_it_says_nothing_where_a_restart_starts_the_same(
    registry: FakeRegistry | None, given: dict[str, str]
) -> None:
    assert await image_on_card(registry, **given) == ""


async def test_it_says_briefly_that_it_is_not_known() -> None:
    said = await image_on_card(FakeRegistry(Transient("The registry ghcr.io can't be asked: connection refused.")))
    assert said == "not known whether :latest has moved: the registry ghcr.io can't be asked: connection refused"


async def test_where_git_owns_the_deployment_the_image_is_to_be_committed(world: World) -> None:
    healthy(world)
    world.registry = FakeRegistry()
    world.target = world.target.model_copy(update={"image_set": ("kali",)})
    ours = frozenset({("secure-agent-pod", "secure-agent-pod")})
    for answer, commit in (
        (Application("secure-agent-pod", "Synced", "Healthy", deployments=ours, path="apps"), True),
        (NotFound("There is none."), False),
        (NotAllowed("May not."), None),
        (HANG, None),
    ):
        world.cluster.application_answer = answer
        reply = await world.run("image", lambda ctx: replace(ctx, probe_timeout=0.3))
        [finding] = reply.findings
        remedy = str(finding.remedy)
        assert ("image set" in remedy) == (commit is False)
        said = f"commit `ghcr.io/a/kali@{OLD}` in apps and sync: Argo CD application secure-agent-pod manages the"
        assert (said in remedy) == bool(commit)
        assert ("name it by its digest in the Deployment, or in Git if Argo CD" in remedy) == (commit is None)
        unread = [line for line in finding.evidence if "Argo CD manages the Deployment is not known: " in line]
        assert bool(unread) == (commit is None)
        assert "`/agentpod image pull --container" in remedy


async def test_no_set_button_is_offered_where_git_owns_the_deployment(world: World) -> None:
    healthy(world, policy="IfNotPresent")
    world.registry = FakeRegistry()
    world.target = world.target.model_copy(update={"image_set": ("kali",)})
    offered = [b.label for b in (await world.run("image")).buttons]
    assert "Set the image" in offered
    world.cluster.application_answer = NotAllowed("May not.")
    assert "Set the image" not in [b.label for b in (await world.run("image")).buttons]
