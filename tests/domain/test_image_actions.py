"""Approvals that are bound to digests, and what a new pod proves. Pure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.image_action import details
from bot.domain.approvals.actions.image_pull import IMAGE_PULL
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.images import ResolvedImage
from bot.domain.core.workload import Container
from tests.commands.fakes import pod
from tests.fake_registry import AMD, LATEST, NEW, OLD, OTHER
from tests.services.workbench import START

names = st.sampled_from(["ghcr.io/a/b:latest", "c:1", "d"])
digests = st.sampled_from([NEW, OLD, OTHER])
tags = st.dictionaries(names, digests).map(lambda found: tuple(found.items()))
BASE = Snapshot("u", 3, (("kali", LATEST),), (("pod-1", "uid-1"),))


@given(tags, tags)
def test_an_approval_is_void_exactly_where_a_tag_points_elsewhere(
    before: tuple[tuple[str, str], ...], now: tuple[tuple[str, str], ...]
) -> None:
    found = replace(BASE, tags=before).changes(replace(BASE, tags=now))
    moved = [name for name, digest in before if dict(now).get(name, digest) != digest]
    assert len(found) == len(moved)
    assert all("has moved (sha256:" in text for text in found)


@given(tags)
def test_a_request_without_tags_is_void_by_none(now: tuple[tuple[str, str], ...]) -> None:
    assert BASE.changes(replace(BASE, tags=now)) == []
    assert replace(BASE, tags=now).changes(BASE) == []


def wanted() -> RepairRequest:
    request = Request("r-22222222", "U1", START, START, BASE, state=RequestState.EXECUTING)
    found = details("kali", LATEST, AMD, ResolvedImage(NEW, OTHER), OLD)
    return RepairRequest(request, "pod", IMAGE_PULL, subject="kali", details=found)


@pytest.mark.parametrize(
    ("image_id", "good"),
    [
        (f"ghcr.io/a/kali@{NEW}", True),
        (f"docker-pullable://ghcr.io/a/kali@{OTHER}", True),  # the image for the platform
        (f"ghcr.io/a/kali@{OLD}", False),
        (f"docker://{NEW}", False),  # the digest of a configuration, which is no image's
        ("", False),
        (None, False),
        ("something", False),
    ],
)
def test_only_the_digest_that_was_approved_verifies_it(image_id: str | None, good: bool) -> None:
    new = pod(containers=(Container("kali", LATEST, image_id),))
    verified, text = IMAGE_PULL.verified(wanted(), new)
    assert verified is good
    assert ("as approved" in text) is good


def test_without_the_pod_or_the_container_nothing_is_verified() -> None:
    assert IMAGE_PULL.verified(wanted(), None) == (
        False,
        "the new pod is ready, and which image kali runs is not reported",
    )
    assert not IMAGE_PULL.verified(wanted(), pod(containers=(Container("proxy", LATEST, f"x@{NEW}"),)))[0]
