"""What a change makes of an object: each field once, never a secret's value, bounded."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.object_diff import LONGEST, MOST, object_diff

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "agent", "generation": 3, "resourceVersion": "7", "managedFields": [1]},
    "spec": {
        "replicas": 1,
        "template": {"metadata": {}, "spec": {"containers": [{"name": "kali", "image": "a:1"}, {"name": "vk"}]}},
    },
    "status": {"readyReplicas": 1},
}


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(DEPLOYMENT)
    place: Any = result
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["metadata", "generation"], 4, []),
        (["metadata", "resourceVersion"], "8", []),
        (["status", "readyReplicas"], 0, []),
        (["spec", "replicas"], 0, ["~ spec.replicas: 1 → 0"]),
        (["spec", "replicas"], None, ["- spec.replicas: 1"]),
        (
            ["spec", "template", "metadata"],
            {"annotations": {"a.b/c": "x"}},
            ["+ spec.template.metadata.annotations[a.b/c]: x"],
        ),
        (
            ["spec", "template", "spec", "containers", 0, "image"],
            "a:2",
            ["~ spec.template.spec.containers[kali].image: a:1 → a:2"],
        ),
        (["spec", "template", "spec", "hostNetwork"], True, ["+ spec.template.spec.hostNetwork: true"]),
    ],
)
def test_each_difference_is_one_field(path: list[Any], value: Any, said: list[str]) -> None:
    found = object_diff(DEPLOYMENT, changed(path, value))
    assert [str(one) for one in found] == said
    assert {one.object for one in found} <= {"Deployment agent"}


def test_a_container_that_is_new_or_gone_is_shown_whole() -> None:
    containers = ["spec", "template", "spec", "containers"]
    more = changed(
        containers, [*DEPLOYMENT["spec"]["template"]["spec"]["containers"], {"name": "x", "image": "e"}]
    )
    assert [str(one) for one in object_diff(DEPLOYMENT, more)] == [
        "+ spec.template.spec.containers[x].image: e",
        "+ spec.template.spec.containers[x].name: x",
    ]
    less = changed(containers, [{"name": "kali", "image": "a:1"}])
    assert [one.after for one in object_diff(DEPLOYMENT, less)] == [None]


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_value_of_a_secret_is_shown(before: str, after: str) -> None:
    def secret(value: str) -> dict[str, Any]:
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"K.x": value, "same": "z"}}

    found = object_diff(secret("!" + before), secret("!" + after))
    assert [(one.path, one.before, one.after) for one in found] == (
        [("data[K.x]", "(hidden)", "(hidden)")] if before != after else []
    )


def test_it_is_bounded() -> None:
    before = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {str(n): "a" for n in range(5_000)}}
    after = {**before, "data": {str(n): "b" * 5_000 for n in range(5_000)}}
    found = object_diff(before, after)
    assert len(found) == MOST
    assert all(len(one.after or "") <= LONGEST for one in found)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_an_object_does_not_differ_from_itself(spec: Any) -> None:
    assert object_diff({"spec": spec}, {"spec": copy.deepcopy(spec)}) == []
