"""What is compared of a pod between two looks: its containers' images, and its node. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.core import words
from bot.domain.core.change import pairs
from bot.domain.core.images import is_digest, pinned, reference, shortened
from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod

HASH_LABEL = "pod-template-hash"
"""The label with which a Deployment's controller marks the pods of one pod template."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def newest(pods: Sequence[Pod]) -> Pod | None:
    """The newest pod that is neither over nor being deleted."""
    found = judge_pod.live(pods)
    return max(found, key=order) if found else None


def order(pod: Pod) -> str:
    """Sorts pods, and states of one pod, by age: the creation time, then how often its containers restarted."""
    restarts = sum(one.restarts for one in pod.every_container)
    return f"{words.iso(pod.created_at) or ''} {restarts:08}"


def images(pod: Pod) -> dict[str, str]:
    """Container → its image, with the digest that it runs where that is known."""
    return {one.name: _image(one) for one in pod.every_container if one.role != "ephemeral"}


def _image(one: Container) -> str:
    """The image's name, its digest shortened; where the name has none, the digest that runs."""
    if is_digest(one.image):
        return shortened(one.image)
    if named := reference(one.image).digest:
        return pinned(one.image, shortened(named))
    running = _DIGEST.search(one.image_id or "")
    return f"{one.image} ({shortened(running[0])})" if running is not None else one.image


def _learnt(before: str, after: str) -> bool:
    """Whether ``after`` only adds the digest of the same image, which is known once it was pulled."""
    return after.startswith(f"{before} (")


def merged(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """The images to compare the next look with: a digest stays known while the same image is pulled again."""
    return {
        name: before[name] if name in before and _learnt(image, before[name]) else image
        for name, image in after.items()
    }


def image_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The containers whose image differs, with both images."""
    return [
        (name, was, is_ if was else f"{is_} (new container)")
        for name, was, is_ in pairs(before, after)
        if not (was and _learnt(was, is_))
    ]
