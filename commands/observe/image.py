"""``image``: which image each container runs, since when, and its limits beside the Deployment's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from bot.domain.core import words
from bot.domain.core.images import TagNow, pull_policy, reference, shortened
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Fact, Reply, Table
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Right
from bot.domain.health import judge_image
from bot.domain.health.deployment_owner import Ways
from bot.domain.health.judge_image import ContainerImage
from bot.domain.rbac.roles import Capability
from bot.errors import TimedOut
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health import deployment_ownership, image_tags
from bot.services.health.check import Check, run_checks
from bot.services.health.checks.argocd import ArgocdCheck
from bot.services.health.reads import Reads
from bot.services.health.rights import POD_READ, deployment_right
from bot.services.health.sources import API, SourceUnavailable
from commands.shared import part_answer


class ImageCheck(Check):
    """Compares the pod's containers with the Deployment's pod template."""

    id, title = judge_image.PROBE, judge_image.TITLE

    images: Sequence[ContainerImage] = ()
    platform = ""
    """The platform of the images."""
    ways = Ways()
    """How the images can be changed."""
    judge: Callable[[Mapping[str, TagNow]], Finding] | None = None
    """Judges what was read again, with what the tags point to; None where nothing was read."""

    async def run(self, reads: Reads) -> Finding:
        """Read the pod and the Deployment, and have them compared."""
        pod, owner, ways = await asyncio.gather(reads.pod(), reads.owner(), self._ways(reads))
        now, self.ways = reads.ctx.clock.now(), ways
        self.platform = image_tags.platform_of(owner if isinstance(owner, Deployment) else None, reads.target)
        self.images = judge_image.images_of(pod, owner, reads.target)
        self.judge = partial(judge_image.judge_images, self.images, pod, owner, reads.target, now, ways=ways)
        return self.judge({})

    async def _ways(self, reads: Reads) -> Ways:
        """How the images can be changed. It only explains: never raises."""
        owner, target = await reads.owner(), reads.target
        if not isinstance(owner, Deployment):
            return Ways()
        application = deployment_ownership.application(reads.ctx.cluster, target)
        try:
            found = await reads.within(reads.seconds / 2).of(API, application)
        except SourceUnavailable as silent:
            found = TimedOut(f"The API server gave no answer in {silent.waited:g} s.")
        return deployment_ownership.ownership(owner, target, found).ways(target)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The pod, its Deployment, and the Application that may own that."""
        return (*POD_READ, deployment_right(target), *ArgocdCheck.rights(target))


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Compare the running containers with the Deployment."""
    began = ctx.clock.monotonic()
    check = ImageCheck()
    outcomes = await run_checks(ctx, [check])
    images, now = check.images, ctx.clock.now()
    tags = await _tags(ctx, images, check.platform)
    if check.judge is not None and any(tag.moved or tag.unknown for tag in tags.values()):
        finding = check.judge(tags)
        outcomes = [replace(one, finding=replace(finding, seconds=one.finding.seconds)) for one in outcomes]
    return part_answer.reply(
        ctx,
        outcomes,
        began,
        own="image",
        facts=_facts(images[0], now, tags) if len(images) == 1 else (),
        tables=[_table(images, now, tags)] if len(images) > 1 else (),
        more=(*_new_images(check.ways, images, tags), ("Pods", "pods")),
        data={"containers": [_data(image, tags) for image in images]},
    )


async def _tags(ctx: Context, images: Sequence[ContainerImage], platform: str) -> dict[str, TagNow]:
    """What each image's tag points to now, by container; without those that are pinned by a digest."""
    if ctx.registry is None:
        return {}
    asked = [
        image_tags.Running(one.name, name, one.container.digest)
        for one in images
        if reference(name := one.wanted.image if one.wanted else one.container.image).digest is None
    ]
    found = await image_tags.read(ctx.registry, asked, platform, ctx.probe_timeout)
    return {one.container: one for one in found}


def _new_images(
    ways: Ways, images: Sequence[ContainerImage], tags: Mapping[str, TagNow]
) -> Iterator[tuple[str, str]]:
    """Yield label and command line for each container whose tag has moved, where a repair starts the new image."""
    for image in images:
        if image.name not in tags or not tags[image.name].moved:
            continue
        one, of = image.wanted or image.container, f" for {image.name}" if len(images) > 1 else ""
        container = f"--container {words.quoted(one.name)}"
        if pull_policy(one.image, one.pull_policy) == "Always":
            yield f"Pull the new image{of}", f"image pull {container}"
        elif one.name in ways.settable:
            yield f"Set the image{of}", f"image set {reference(one.image).version} {container}"


def _tag_now(image: ContainerImage, tag: TagNow) -> str:
    if judge_image.is_unread(image, tag):
        return "unknown"
    if tag.unknown:
        return f"unknown: {tag.unknown}.{f' {tag.remedy}' if tag.remedy else ''}"
    if tag.same:
        return "the image that runs"
    found = shortened(tag.digest) or "unknown"
    return f"{found}, another image than the one that runs" if tag.moved else found


def _facts(image: ContainerImage, now: datetime, tags: Mapping[str, TagNow]) -> list[Fact]:
    """Return one container as facts: a table with a single row would be too wide for a phone."""
    facts = [
        Fact("Container", image.name, code=True),
        Fact("Image", image.container.image, code=True),
        Fact("Running digest", image.digest or "not reported", code=image.digest is not None),
        *(Fact(f"{tag.tag} points to", _tag_now(image, tag)) for tag in tags.values()),
        Fact("Since", _since(image, now)),
        Fact("Limits", _limits(image)),
    ]
    return [*facts, *([Fact("Pull policy", policy)] if (policy := image.container.pull_policy) else [])]


def _table(images: Sequence[ContainerImage], now: datetime, tags: Mapping[str, TagNow]) -> Table:
    now_at = [[_tag_now(i, tags[i.name]) if i.name in tags else "-"] if tags else [] for i in images]
    rows = tuple(
        (i.name, i.container.image, _short(i.digest), *tag, _since(i, now), _limits(i))
        for i, tag in zip(images, now_at, strict=True)
    )
    columns = ("Container", "Image", "Digest", *(["Its tag points to"] if tags else []), "Since", "Limits")
    return Table(columns, rows, "", tuple(i.verdict for i in images))


def _since(image: ContainerImage, now: datetime) -> str:
    if image.container.state != "running":
        return f"not running ({image.container.reason or image.container.state})"
    at = image.container.started_at
    return "unknown" if at is None else f"{words.moment(at)} ({words.ago(at, now)})"


def _limits(image: ContainerImage) -> str:
    return ", ".join(pair.text for pair in image.limits) or "none"


def _short(digest: str | None) -> str:
    return shortened(digest or "-")


def _data(image: ContainerImage, tags: Mapping[str, TagNow]) -> dict[str, object]:
    tag = tags.get(image.name)
    return {
        "name": image.name,
        "image": image.container.image,
        "digest": image.digest,
        "deployment_image": image.wanted.image if image.wanted else None,
        "tag_points_to": tag.digest or None if tag else None,
        "newer_image": tag.moved if tag and tag.digest and tag.running else None,
        "since": words.iso(image.container.started_at),
        "pull_policy": image.container.pull_policy,
        "limits": {p.resource: p.now for p in image.limits},
        "deployment_limits": {p.resource: p.wanted for p in image.limits},
    }


COMMAND = Command(
    name="image",
    summary="The running image and limits, beside the Deployment's",
    needs=Capability.VIEW,
    run=run,
    examples=("image",),
    details=(
        "Warns about :latest, and about an image, a digest or limits other than the Deployment's. Asks the "
        "image's registry what its tag points to now."
    ),
    rights=ImageCheck.rights,
)
