"""Shared by `image pull` and `image set`: the container, and what a name stands for in its registry."""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass, replace

from bot.domain.core import labels, words
from bot.domain.core.images import ResolvedImage, reference, shortened
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.workload import Container
from bot.errors import AgentpodError, NotFound, Refused, TimedOut, UsageError
from bot.ports.cluster import TrialRead
from bot.ports.registry import ImageRegistry, PlatformMissing
from bot.runbook.context import Context
from bot.services.approvals.actions.image_execution import NOT_ASKED, ImageState
from bot.services.health import deployment_ownership, image_tags
from bot.services.health.deployment_ownership import FoundApplication, Ownership
from commands.repair import restart
from commands.shared import requests


@dataclass(frozen=True)
class Look:
    """A container of the pod template, and the target that it was read with."""

    container: Container
    before: str | None
    """The digest that runs now; None where it is not known."""
    platform: str
    state: ImageState
    read: TrialRead
    whose: Ownership
    """Who would undo a change of the Deployment."""

    @property
    def down(self) -> str:
        """Why the container does not run; empty where it does, or where that is not known."""
        return image_tags.stopped(self.state.pods, self.container.name)

    def with_tag(self, image: str, digest: str) -> Look:
        """The same with what the image's name stands for."""
        state = ImageState(self.state.deployment, self.state.pods, ((image, digest),))
        return replace(self, state=state, read=TrialRead(self.read.trial, state))


async def look(ctx: Context, name: str | None) -> Look:
    """Return the container as it is now, by default the first. Raises `Refused` where a restart does nothing."""
    (seen, read), application = await asyncio.gather(requests.look(ctx), _application(ctx))
    restart.check_possible(ctx, seen)
    wanted = name or ctx.target.container().name
    container = next((one for one in seen.deployment.template if one.name == wanted), None)
    if container is None and ctx.dry_run:  # no Deployment was read
        container = Container(wanted, "<its image>")
    if container is None:
        known = [one.name for one in seen.deployment.template]
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"It has {words.listed(known) or 'none'}."
        raise UsageError(f"{seen.deployment.name} has no container {words.cut(wanted, 63)}.", remedy=hint)
    platform = image_tags.platform_of(seen.deployment, ctx.target)
    state = ImageState(seen.deployment, seen.pods)
    whose = deployment_ownership.ownership(seen.deployment, ctx.target, application)
    return Look(container, image_tags.running(seen.pods, wanted), platform, state, read, whose)


async def _application(ctx: Context) -> FoundApplication:
    """Read the Argo CD Application that the settings name. Never raises."""
    try:
        async with asyncio.timeout(ctx.probe_timeout):
            return await deployment_ownership.application(ctx.cluster, ctx.target)
    except TimeoutError:
        return TimedOut(f"The API server gave no answer in {ctx.probe_timeout:g} s.")


def off(ctx: Context) -> str:
    """The setting that is off where registries are not asked."""
    return "" if ctx.registry is not None else "registry.enabled"


async def resolve(ctx: Context, image: str, platform: str, instead: str) -> tuple[ResolvedImage, str]:
    """Return what an image's name stands for, and when that was built, as words; empty where nobody knows.

    Raises `Refused` where it isn't known; ``instead`` is what to do then.
    """
    registry = ctx.registry
    if registry is None:
        raise Refused(f"Nobody knows what would start: {NOT_ASKED}.", remedy=f"Set it to true. {instead}")
    try:
        found = await registry.resolve(image, platform)
    except NotFound as error:
        host = reference(image).registry
        raise Refused(f"The registry {host} has no image {_called(image)}.", remedy=_correct(image)) from error
    except PlatformMissing as error:
        only = f", only for {words.listed(error.offered)}" if error.offered else ""
        raise Refused(
            f"{_called(image)} has no image for {platform}{only}.",
            remedy="Have it built for that platform, or set targets[].platform.",
        ) from error
    except AgentpodError as error:
        remedy = " ".join(part for part in (error.remedy, instead) if part)
        said = words.lower_first(error.message.rstrip("."))
        raise Refused(f"Nobody knows what would start: {said}.", remedy=remedy) from error
    return found, await _built(ctx, registry, image, found)


def _correct(image: str) -> str:
    if reference(image).digest is not None:
        return "Correct the digest: `/agentpod image` shows the one that runs."
    return "Push it, or correct the tag."


def _called(image: str) -> str:
    named = reference(image)
    return f"{named.path}{'@' if named.digest else ':'}{shortened(named.version)}"


async def _built(ctx: Context, registry: ImageRegistry, image: str, found: ResolvedImage) -> str:
    """When the image for the platform was built. It only explains: never raises."""
    try:
        async with asyncio.timeout(ctx.probe_timeout):
            at = await registry.built(f"{reference(image).repository}@{found.image}")
    except (AgentpodError, TimeoutError):
        return ""
    now = ctx.clock.now()
    return f"built {words.ago(at, now)}" if at is not None and at < now else ""


def form(ctx: Context, line: str, note: str) -> Reply:
    """Ask for the reason."""
    hint = "Approvers and the audit trail see it"
    why = FormField("reason", "Why?", hint=hint, max_length=requests.MAX_REASON, multiline=True)
    return requests.form(ctx, Form(labels.of(line), line, (why,), submit="Ask", note=note))
