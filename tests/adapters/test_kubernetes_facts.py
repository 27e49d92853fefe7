"""What is read of the API's objects: references, events of both generations, several sources of an Application."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bot.adapters.kubernetes import facts, shapes
from bot.domain import judge_argocd
from bot.domain.target import ArgoCD
from bot.domain.workload import Event, OwnerRef, Uses

NOW = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)


def pod(spec: dict[str, Any], **meta: Any) -> Any:
    raw = msgspec.json.encode({"metadata": {"name": "p", "uid": "u", **meta}, "spec": spec})
    return facts.pod(msgspec.json.decode(raw, type=shapes.Pod))


def test_a_pod_s_claims_secrets_and_config_maps_are_found_wherever_its_spec_names_them() -> None:
    projected = [{"secret": {"name": "in-projection"}}, {"configMap": {"name": "map-in-projection"}}, {}]
    spec = {
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": "agent-home"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {"name": "keys", "secret": {"secretName": "agent-ssh-keys"}},
            {"name": "map", "configMap": {"name": "settings"}},
            {"name": "all", "projected": {"sources": projected}},
            {"name": "empty", "emptyDir": {}},
        ],
        "containers": [
            {"name": "kali", "envFrom": [{"secretRef": {"name": "tier2"}}, {"configMapRef": {"name": "env"}}]},
        ],
        "initContainers": [
            {
                "name": "init",
                "env": [
                    {"name": "A", "value": "plain"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "one-key", "key": "b"}}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "one-entry", "key": "c"}}},
                    {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
            }
        ],
    }
    assert pod(spec).uses == Uses(
        frozenset({"agent-home", "p-scratch"}),
        frozenset({"agent-ssh-keys", "in-projection", "tier2", "one-key"}),
        frozenset({"settings", "map-in-projection", "env", "one-entry"}),
    )


def test_a_pod_s_owners_are_known_by_kind_name_and_uid() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True}
    assert pod({}, ownerReferences=[owner]).owners == (OwnerRef("ReplicaSet", "rs", "uid-rs", "apps/v1"),)


ABOUT = {"involvedObject": {"kind": "Pod", "name": "p", "uid": "u"}, "type": "Warning", "reason": "Unhealthy"}
EIGHT, NINE = "2026-11-29T08:00:00Z", "2026-11-29T09:00:00Z"


@pytest.mark.parametrize(
    ("raw", "count", "first", "last"),
    [
        ({"count": 4312, "firstTimestamp": EIGHT, "lastTimestamp": NINE}, 4312, EIGHT, NINE),
        (
            {
                "eventTime": "2026-11-29T08:00:00.123456Z",
                "firstTimestamp": None,
                "lastTimestamp": None,
                "series": {"count": 40, "lastObservedTime": "2026-11-29T09:00:00.5Z"},
            },
            40,
            EIGHT,
            NINE,
        ),
        ({"eventTime": "2026-11-29T08:00:00.1Z", "count": 0}, 1, EIGHT, EIGHT),
        ({"metadata": {"name": "e", "creationTimestamp": EIGHT}, "eventTime": None}, 1, EIGHT, EIGHT),
        ({"count": None, "lastTimestamp": NINE}, 1, None, NINE),
        ({}, 1, None, None),
    ],
)
def test_an_event_s_count_and_times_are_read_in_either_generation(
    raw: dict[str, Any], count: int, first: str | None, last: str | None
) -> None:
    event: Event = facts.event(msgspec.convert(ABOUT | raw, shapes.Event))
    assert (event.count, event.uid) == (count, "u")
    for found, expected in ((event.first_seen, first), (event.last_seen, last)):
        assert (found and found.strftime("%Y-%m-%dT%H:%M:%SZ")) == expected


A, B = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"


def application(spec: dict[str, Any], **status: Any) -> Any:
    raw = {"metadata": {"name": "app"}, "spec": spec, "status": {"health": {"status": "Healthy"}, **status}}
    return facts.application(msgspec.convert(raw, shapes.Application))


def summary(spec: dict[str, Any], **status: Any) -> str:
    return judge_argocd.judge_application(application(spec, **status), ArgoCD(), NOW).summary


def test_each_source_of_an_application_has_its_revision_and_name() -> None:
    sources = [
        {"repoURL": "https://github.com/derio-net/frank.git", "path": "apps"},
        {"repoURL": "https://charts.example.com", "chart": "redis"},
        {"repoURL": "git@github.com:derio-net/values"},
        {"repoURL": "oci://ghcr.io/derio-net/charts/agent", "path": "."},
    ]
    sync = {"status": "Synced", "revisions": [A, "4.2.1", B, f"sha256:{'ab' * 32}"]}
    assert summary({"sources": sources}, sync=sync) == (
        "Synced and Healthy at 0123456 (frank), 4.2.1 (redis), 89abcde (values) and 1 more"
    )
    assert summary({"sources": sources[:2]}, sync=sync | {"revisions": [A]}) == (
        "Synced and Healthy at 0123456 (frank) and unknown (redis)"
    )


@pytest.mark.parametrize(
    ("spec", "sync", "says"),
    [
        ({"source": {"repoURL": "https://x/y"}}, {"revision": A}, "0123456"),
        ({"sources": [{"repoURL": "https://x/y"}]}, {"revisions": [A]}, "0123456"),
        ({"sources": []}, {"revisions": []}, "unknown"),
        ({"source": {"chart": "redis"}}, {"revision": "4.2.1"}, "4.2.1"),
        ({}, {"revisions": [A, B]}, "0123456 (source 1) and 89abcde (source 2)"),
    ],
)
def test_one_source_has_its_revision_alone(spec: dict[str, Any], sync: dict[str, Any], says: str) -> None:
    assert summary(spec, sync={"status": "Synced", **sync}) == f"Synced and Healthy at {says}"


def test_the_resource_that_is_not_healthy_is_named() -> None:
    resources = [
        {"kind": "Service", "name": "ssh", "health": {"status": "Healthy"}},
        {"kind": "ConfigMap", "name": "no-health"},
        {
            "kind": "Deployment",
            "name": "agent",
            "health": {"status": "Degraded", "message": "exceeded its deadline"},
        },
    ]
    found = application({}, resources=resources, health={"status": "Degraded"}, sync={"status": "Synced"})
    assert found.unhealthy == ("Deployment agent is Degraded: exceeded its deadline",)
