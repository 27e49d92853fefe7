"""What is compared of a pod between two looks: its containers' images and restarts, and its node. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.core import words
from bot.domain.core.change import named, pairs
from bot.domain.core.images import is_digest, pinned, reference, shortened
from bot.domain.core.workload import Container, Pod
from bot.domain.health import container_state, judge_pod
from bot.domain.health.judge_pod import Explained
from bot.domain.health.restarts import approved

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


def restarts(pod: Pod) -> dict[str, str]:
    """Container → its pod, how often it restarted, whether it had run for long, and how it ended last."""
    return {one.name: f"{pod.uid} {one.restarts} {int(_had_settled(one))} {_ending(one)}" for one in pod.lasting}


def _ending(one: Container) -> str:
    return container_state.ending(one.last_termination)


def _had_settled(one: Container) -> bool:
    """Whether its previous run was no part of a crash loop."""
    ended = one.last_termination
    if ended is None or ended.started_at is None or ended.finished_at is None:
        return True
    return ended.finished_at - ended.started_at >= container_state.SETTLED


def restart_changes(
    before: Mapping[str, str], after: Mapping[str, str], explained: Explained = ()
) -> list[tuple[str, str, str]]:
    """What to say of the containers of one pod that restarted, without restarts that were approved: one line.

    Of a crash loop only its first restart counts: an incident counts the others.
    """
    found = {name: _restarted(name, before[name], after[name], explained) for name in {*before} & {*after}}
    said = {name: text for name, text in sorted(found.items()) if text}
    if len(said) == 1:
        return [(name, "", text) for name, text in said.items()]
    alike = [f"{named(n for n in said if said[n] == text)} {text}" for text in dict.fromkeys(said.values())]
    return [("", "", "; ".join(alike))] if alike else []


def _restarted(name: str, before: str, after: str, explained: Explained) -> str:
    """How a container restarted; empty where it did not, or only for an approval or in a crash loop."""
    (then, old, *_), (uid, now, settled, ended) = before.split(" ", 3), after.split(" ", 3)
    between = int(now) - int(old) if then == uid else 0
    more = between - approved(uid, name, int(old), int(now), explained)
    if more <= 0 or (between == 1 and old != "0" and settled == "0"):  # the last run tells nothing of others
        return ""
    how = f" ({ended})" if (uid, name, int(now)) not in explained else ""  # the approved one ended last
    return f"restarted{f' {more} times' if more > 1 else ''}{how}"
