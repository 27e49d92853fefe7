"""What is compared of a pod and of its pod template, and how a difference is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.look import Fingerprints
from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health import pod_changes, template_changes

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DIGESTS = {name: f"sha256:{name * 64}" for name in "ab"}
PRINT = Fingerprints(b"key").of


def pod(image: str = "r/kali:latest", digest: str = "a", minutes: float = 0, **other: Any) -> Pod:
    one = Container("kali", image, f"r/kali@{DIGESTS[digest]}" if digest else None)
    at = AT + timedelta(minutes=minutes)
    return replace(Pod(f"p{minutes}", "u", "Running", "n1", created_at=at, containers=(one,)), **other)


def seen(*pods: Pod) -> list[tuple[str, str, str]]:
    """What is recorded of pods that are looked at one after the other."""
    state, found = pod_changes.images(pods[0]), []
    for one in pods[1:]:
        after = pod_changes.merged(state, pod_changes.images(one))
        found += pod_changes.image_changes(state, after)
        state = after
    return found


def test_another_tag_and_another_digest_of_the_same_tag_are_changes() -> None:
    assert seen(pod(), pod("r/kali:2", "b")) == [
        ("kali", "r/kali:latest (sha256:aaaaaaaaaaaa…)", "r/kali:2 (sha256:bbbbbbbbbbbb…)")
    ]
    assert seen(pod(), pod(digest="b")) == [
        ("kali", "r/kali:latest (sha256:aaaaaaaaaaaa…)", "r/kali:latest (sha256:bbbbbbbbbbbb…)")
    ]


@pytest.mark.parametrize(
    ("was", "now", "texts"),
    [
        (
            f"ghcr.io/owner/kali:1.4.2@{DIGESTS['a']}",
            f"ghcr.io/owner/kali:1.4.2@{DIGESTS['b']}",
            ("ghcr.io/owner/kali:1.4.2@sha256:aaaaaaaaaaaa…", "ghcr.io/owner/kali:1.4.2@sha256:bbbbbbbbbbbb…"),
        ),
        (
            "reg.corp:5000/agents/kali:1.4.1",
            "reg.corp:5000/agents/kali:1.5.0",
            (
                "reg.corp:5000/agents/kali:1.4.1 (sha256:aaaaaaaaaaaa…)",
                "reg.corp:5000/agents/kali:1.5.0 (sha256:bbbbbbbbbbbb…)",
            ),
        ),
        (
            f"reg.corp:5000/agents/kali@{DIGESTS['a']}",
            f"reg.corp:5000/agents/other@{DIGESTS['b']}",
            ("reg.corp:5000/agents/kali@sha256:aaaaaaaaaaaa…", "reg.corp:5000/agents/other@sha256:bbbbbbbbbbbb…"),
        ),
        (DIGESTS["a"], DIGESTS["b"], ("sha256:aaaaaaaaaaaa…", "sha256:bbbbbbbbbbbb…")),
    ],
)
def test_of_an_image_s_name_only_the_digest_is_shortened(was: str, now: str, texts: tuple[str, str]) -> None:
    assert seen(pod(was), pod(now, "b")) == [("kali", *texts)]


def test_an_image_that_is_pulled_again_is_no_change_until_its_digest_is_another() -> None:
    assert seen(pod(), pod(digest="", minutes=1), pod(minutes=1)) == []
    assert len(seen(pod(), pod(digest="", minutes=1), pod(digest="b", minutes=1))) == 1


def test_an_image_that_can_t_be_pulled_is_a_change_at_once_and_not_again_with_its_digest() -> None:
    [(_, _, after)] = seen(pod(), pod("r/kali:2", ""), pod("r/kali:2", "b"))
    assert after == "r/kali:2"


def test_a_new_container_is_said_to_be_new_and_one_of_kubectl_debug_counts_not() -> None:
    more = replace(pod(), containers=(*pod().containers, Container("proxy", "r/proxy:1")))
    debug = replace(pod(), ephemeral_containers=(Container("debug", "busybox", role="ephemeral"),))
    assert seen(pod(), more, pod()) == [
        ("proxy", "", "r/proxy:1 (new container)"),
        ("proxy", "r/proxy:1", ""),
    ]
    assert seen(pod(), debug) == []


def test_the_newest_pod_that_stays_is_compared() -> None:
    old, new = pod(), pod(minutes=5)
    assert pod_changes.newest([new, old]) is new
    assert pod_changes.newest([replace(new, deleting=True), old]) is old
    assert pod_changes.newest([]) is None
    restarted = replace(new, containers=(replace(new.containers[0], restarts=1),))
    assert pod_changes.order(old) < pod_changes.order(new) < pod_changes.order(restarted)


def template(**changes: Any) -> Mapping[str, Any]:
    kali = {
        "name": "kali",
        "image": "r/kali:1",
        "env": [{"name": "TOKEN", "value": "s3cr3t-value"}, {"name": "MODE", "value": "fast"}],
        "args": ["--password", "hunter2"],
        "resources": {"limits": {"memory": "8Gi"}},
        "securityContext": {"privileged": False},
        "volumeMounts": [{"name": "home", "mountPath": "/home"}],
    }
    spec = {"containers": [kali | changes.pop("kali", {})], "serviceAccountName": "agent"}
    return {
        "metadata": {"annotations": changes.pop("annotations", {}), "creationTimestamp": None},
        "spec": spec | changes,
    }


def difference(before: Mapping[str, Any], after: Mapping[str, Any], prints: Any = PRINT) -> str:
    one, two = (template_changes.fields(each, prints) for each in (before, after))
    found = template_changes.changes(one, two)
    assert len(found) <= 1
    return found[0][2] if found else ""


ENV = [{"name": "TOKEN", "value": "an0ther-value"}, {"name": "MODE", "value": "fast"}]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"kali": {"image": "r/kali:2"}}, ""),
        ({"kali": {"resources": {"limits": {"memory": "4Gi"}}}}, "resources.limits.memory of kali 8Gi → 4Gi"),
        ({"kali": {"resources": {}}}, "resources.limits.memory of kali gone"),
        ({"kali": {"env": ENV}}, "env TOKEN of kali changed"),
        ({"kali": {"env": ENV[1:]}}, "env TOKEN of kali gone"),
        ({"kali": {"env": [*template()["spec"]["containers"][0]["env"], {"name": "X"}]}}, "env X of kali new"),
        ({"kali": {"args": ["--password", "letmein"]}}, "args of kali changed"),
        ({"kali": {"securityContext": {"privileged": True}}}, "securityContext.privileged of kali false → true"),
        ({"serviceAccountName": "root"}, "serviceAccountName agent → root"),
        ({"hostNetwork": True}, "hostNetwork true (new)"),
        ({"annotations": {"note": "x"}}, "annotations.note new"),
        (
            {"kali": {"volumeMounts": [{"name": "home", "mountPath": "/h"}]}},
            "volumeMounts.home.mountPath of kali /home → /h",
        ),
    ],
)
def test_fields_are_named_and_only_harmless_values_are_shown(changes: dict[str, Any], text: str) -> None:
    assert difference(template(), template(**changes)) == text


def test_a_harmless_name_under_a_field_that_may_hold_anything_is_not_shown() -> None:
    one, two = ({"lifecycle": {"preStop": {"httpGet": {"port": value}}}} for value in ("first", "other"))
    assert difference(template(kali=one), template(kali=two)) == "lifecycle.preStop.httpGet.port of kali changed"


def test_no_secret_is_kept_and_none_is_compared_without_a_key() -> None:
    kept = str(template_changes.fields(template(), PRINT))
    assert not any(value in kept for value in ("s3cr3t", "hunter2", "fast"))
    assert difference(template(), template(kali={"env": ENV}), None) == ""


def test_an_approved_restart_changes_nothing_and_one_by_kubectl_is_said() -> None:
    restarted = {"kubectl.kubernetes.io/restartedAt": "1", "agentpod.dev/approval": "r-1"}
    again = restarted | {"kubectl.kubernetes.io/restartedAt": "2"}
    approved = again | {"agentpod.dev/approval": "r-2"}
    assert difference(template(annotations=restarted), template(annotations=approved)) == ""
    said = difference(template(annotations=restarted), template(annotations=again))
    assert said == "restarted by kubectl or another program"


def test_many_fields_are_counted() -> None:
    env = [{"name": f"K{n}", "value": "1"} for n in range(20)]
    assert difference(template(), template(kali={"env": env})).endswith("env K5 of kali new; 16 more fields")


def many(changed: str = "", first: int = 0, count: int = template_changes.MOST + 5) -> dict[str, Any]:
    """A container with more variables than are kept one by one."""
    env = [{"name": f"V{n}", "value": "x"} for n in range(first, count)]
    return {"env": [{**one, "value": "other"} if one["name"] == changed else one for one in env]}


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (many(), many(), ""),
        (many(), many("V404"), "env of kali changed (too many to name)"),
        (many(), many(first=-1), "env of kali changed (too many to name)"),
        (many(count=350), many(), "env of kali changed (too many to name)"),
        (many(), many(count=350), "env of kali changed (too many to name)"),
        (many(), many() | {"args": ["new"]}, "args of kali changed"),
        (many(), many() | {"args": []}, "args of kali gone"),
        (
            many(count=398),
            many(count=398) | {"ports": [{"containerPort": n} for n in range(9)]},
            "ports of kali new",
        ),
    ],
)
def test_more_fields_than_are_kept_are_compared_in_groups(before: Any, after: Any, text: str) -> None:
    assert difference(template(kali=before), template(kali=after)) == text
    state = template_changes.fields(template(kali=after), PRINT)
    assert len(state) <= template_changes.MOST


def test_an_approved_restart_of_a_template_with_many_annotations_is_no_change() -> None:
    notes = {f"note-{n}": "x" for n in range(template_changes.MOST + 5)}
    marks = {"kubectl.kubernetes.io/restartedAt": "1", "agentpod.dev/approval": "r-1"}
    again = {"kubectl.kubernetes.io/restartedAt": "2", "agentpod.dev/approval": "r-2"}
    assert difference(template(annotations=notes | marks), template(annotations=notes | again)) == ""
    said = difference(template(annotations=notes | marks), template(annotations=notes | again | {"note-1": "y"}))
    assert said == "annotations changed (too many to name)"


def test_more_groups_than_are_kept_are_compared_as_one() -> None:
    def containers(name: str) -> Mapping[str, Any]:
        kinds = {f"k{n}": {"a": "1"} for n in range(5)}
        others = [{"name": f"c{n}", **kinds} for n in range(template_changes.MOST)]
        return template(containers=[*others, {"name": "kali", "args": [name]}])

    assert len(template_changes.fields(containers("a"), PRINT)) == 1
    assert difference(containers("a"), containers("a")) == ""
    assert difference(containers("a"), containers("b")) == "fields changed (too many to name)"
    assert difference(containers("a"), template()) == "fields changed (too many to name)"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), JSON), JSON)
def test_odd_templates_are_compared_without_failing(odd: Any, container: Any) -> None:
    one = template_changes.fields(odd, PRINT)
    two = template_changes.fields(template(containers=[container]), PRINT)
    assert template_changes.changes(one, one) == []
    assert len(template_changes.changes(one, two)) <= 1


def restarted(count: int, ran: float | None = 60, uid: str = "u") -> dict[str, str]:
    """The state of a pod whose container restarted so often, the last time after so many minutes."""
    began = AT - timedelta(minutes=ran) if ran is not None else None
    ended = Termination("Error", 1, AT, started_at=began) if count else None
    one = Container("kali", "r/kali", restarts=count, last_termination=ended)
    return pod_changes.restarts(pod(uid=uid, containers=(one,)))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (restarted(0), restarted(1), "restarted (Error, exit code 1)"),
        (restarted(0), restarted(1, ran=0.1), "restarted (Error, exit code 1)"),
        (restarted(1), restarted(3), "restarted 2 times (Error, exit code 1)"),
        (restarted(1), restarted(2, ran=None), "restarted (Error, exit code 1)"),
        (restarted(1), restarted(2, ran=9), None),  # the next one of a crash loop
        (
            restarted(1),
            restarted(3, ran=9),
            "restarted 2 times (Error, exit code 1)",
        ),  # the first after a long run
        (restarted(1), restarted(1), None),
        (restarted(2), restarted(0), None),
        (restarted(0), restarted(1, uid="another"), None),
    ],
)
def test_a_restart_is_a_change_unless_it_belongs_to_a_crash_loop(
    before: dict[str, str], after: dict[str, str], said: str | None
) -> None:
    assert pod_changes.restart_changes(before, after) == ([("kali", "", said)] if said else [])


@pytest.mark.parametrize(
    ("before", "after", "approved", "said"),
    [
        (0, restarted(1), 1, None),
        (0, restarted(2), 1, "restarted (Error, exit code 1)"),
        (2, restarted(4, ran=1), 3, "restarted (Error, exit code 1)"),
        (2, restarted(4, ran=1), 4, "restarted"),  # how the one before ended is not known
        (2, restarted(5), 5, "restarted 2 times"),
        (2, restarted(4), 2, "restarted 2 times (Error, exit code 1)"),  # it was approved before
    ],
)
def test_a_restart_that_was_approved_is_not_counted(
    before: int, after: dict[str, str], approved: int, said: str | None
) -> None:
    found = pod_changes.restart_changes(restarted(before), after, {("u", "kali", approved)})
    assert found == ([("kali", "", said)] if said else [])


def test_the_containers_that_restarted_between_two_looks_are_one_change() -> None:
    before = {f"c{n}": "u 0 1 " for n in range(9)} | {"kali": "u 1 1 "}
    after = {f"c{n}": "u 1 1 Error, exit code 1" for n in range(9)} | {"kali": "u 3 1 OOMKilled"}
    assert pod_changes.restart_changes(before, after) == [
        (
            "",
            "",
            "c0, c1, c2, c3, c4, c5 and 3 more restarted (Error, exit code 1); kali restarted 2 times (OOMKilled)",
        )
    ]
