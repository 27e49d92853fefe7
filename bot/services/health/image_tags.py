"""Asks registries what the tags of a pod's images point to, beside the images that its containers run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.images import TagNow, pull_policy, reference
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Pod
from bot.domain.health import judge_pod
from bot.errors import AgentpodError
from bot.ports.registry import ImageRegistry

logger = logging.getLogger("agentpod.registry")

MOST = 10
"""Images of one pod that are asked for."""


REACH = "See whether the registry runs, and whether the bot may connect to it."


@dataclass(frozen=True)
class Running:
    """A container's image by name, and the digest that runs."""

    container: str
    image: str
    digest: str | None


def pulled_anew(deployment: Deployment, pods: Sequence[Pod]) -> list[Running]:
    """The images whose tag a restart reads anew: imagePullPolicy Always, and not pinned by a digest."""
    found = []
    for one in deployment.template:
        named = reference(one.image)
        if pull_policy(one.image, one.pull_policy) == "Always" and named.digest is None:
            found.append(Running(one.name, one.image, running(pods, one.name)))
    return found


def running(pods: Sequence[Pod], container: str) -> str | None:
    """The digest of the image that a container runs in a pod that stays; None where it is not known."""
    stay = [pod for pod in judge_pod.live(pods) if not pod.deleting]
    return next((found.digest for pod in stay if (found := pod.container(container)) is not None), None)


def stopped(pods: Sequence[Pod], container: str) -> str:
    """Why a container does not run in a pod that stays; empty where it does, or where that is not known."""
    stay = [pod for pod in judge_pod.live(pods) if not pod.deleting]
    found = next((one for pod in stay if (one := pod.container(container)) is not None), None)
    if found is None or found.state not in ("waiting", "terminated"):
        return ""
    return found.reason or found.state


def platform_of(deployment: Deployment | None, target: Target) -> str:
    """The platform of the target's images."""
    chosen = deployment.architecture if deployment is not None else ""
    return f"linux/{chosen}" if chosen else target.platform


async def read(registry: ImageRegistry, images: Sequence[Running], platform: str, seconds: float) -> list[TagNow]:
    """Ask for all of them side by side, at most so long. Never raises: what is not known has its reason."""
    return list(await asyncio.gather(*(_read(registry, one, platform, seconds) for one in images[:MOST])))


async def _read(registry: ImageRegistry, one: Running, platform: str, seconds: float) -> TagNow:
    named = reference(one.image)
    try:
        async with asyncio.timeout(seconds):
            digest = await registry.digest(one.image)
            if not digest or digest == one.digest:
                return TagNow(one.container, named, one.digest, digest, bool(digest))
            found = await registry.resolve(one.image, platform)
    except TimeoutError:
        why = f"the registry {named.registry} gave no answer in {seconds:g} s"
        return TagNow(one.container, named, one.digest, unknown=why, remedy=REACH)
    except AgentpodError as error:
        why, remedy = words.lower_first(error.message.rstrip(".")), error.remedy or ""
        return TagNow(one.container, named, one.digest, unknown=why, remedy=remedy)
    except Exception as error:
        logger.exception("asking a registry met an unexpected error")
        why = f"the registry {named.registry} can't be asked (unexpected {type(error).__name__})"
        return TagNow(one.container, named, one.digest, unknown=why)
    same = one.digest is not None and found.is_run_as(one.digest)
    return TagNow(one.container, named, one.digest, found.digest, same)
