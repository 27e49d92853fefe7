"""Names of images as registries read them, and what is said where a tag has moved."""

from __future__ import annotations

import pytest

from bot.domain.approvals.forecast import Forecast, another_image, facts
from bot.domain.core.images import ResolvedImage, TagNow, reference, shortened

OLD, NEW = f"sha256:{'ab12cd34ef56' * 5}aaaa", f"sha256:{'cd' * 32}"


@pytest.mark.parametrize(
    ("image", "registry", "path", "version"),
    [
        ("kali", "docker.io", "library/kali", "latest"),
        ("kali:1", "docker.io", "library/kali", "1"),
        ("team/kali", "docker.io", "team/kali", "latest"),
        ("docker.io/kali:1", "docker.io", "library/kali", "1"),
        ("index.docker.io/kali", "docker.io", "library/kali", "latest"),
        ("ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1"),
        ("localhost/kali", "localhost", "kali", "latest"),
        ("host:5000/kali", "host:5000", "kali", "latest"),
        (f"ghcr.io/a:v1@{NEW}", "ghcr.io", "a", NEW),
    ],
)
def test_short_names_are_docker_hub_s(image: str, registry: str, path: str, version: str) -> None:
    named = reference(image)
    assert (named.registry, named.path, named.version) == (registry, path, version)
    assert named.is_valid


@pytest.mark.parametrize(
    "image",
    ["", ":1", "a b", "ghcr.io/A/b", "ghcr.io/../x", "-h.io/a", f"a@{NEW}0", "a@sha256:", "a:-1", "ä.de/a"],
)
def test_junk_is_no_name(image: str) -> None:
    assert not reference(image).is_valid


def test_a_digest_is_shortened_and_found_as_index_or_image() -> None:
    assert shortened(OLD) == "sha256:ab12cd34ef56…"
    found = ResolvedImage(OLD, NEW)
    assert found.is_run_as(OLD)
    assert found.is_run_as(NEW)
    assert not found.is_run_as("sha256:x")


def tag(running: str | None = OLD, digest: str = "", same: bool = False, unknown: str = "") -> TagNow:
    return TagNow("kali", reference("ghcr.io/a:latest"), running, digest, same, unknown)


MOVED = ":latest has moved: this starts sha256:cdcdcdcdcdcd… instead of sha256:ab12cd34ef56…"


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ([], ""),
        ([tag(digest=OLD, same=True)], ""),
        ([tag(digest=NEW)], MOVED),
        ([tag(running=None, digest=NEW)], ""),
        (
            [tag(unknown="the registry ghcr.io gave no answer in 3 s")],
            "not known whether :latest has moved: the registry ghcr.io gave no answer in 3 s",
        ),
        ([tag(digest=NEW), tag(digest=OLD, same=True)], f"kali: {MOVED}"),
    ],
)
def test_the_card_says_only_that_a_tag_has_moved_or_why_it_is_not_known(tags: list[TagNow], said: str) -> None:
    assert another_image(tags) == said
    assert [value for label, value in facts(Forecast(image=said)) if label == "New image"] == (
        [said] if said else []
    )
