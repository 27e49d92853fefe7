"""Where and how a pod uses a Secret, by the pod's JSON."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.health.secret_mount import ENV, FILES, FROZEN, UNUSED, SecretMount, find, uses

PLAIN = {"name": "v", "secret": {"secretName": "keys"}}
ITEMS = {"name": "v", "secret": {"secretName": "keys", "items": [{"key": "k", "path": "sub/file"}]}}
OTHER_ITEM = {"name": "v", "secret": {"secretName": "keys", "items": [{"key": "x", "path": "k"}]}}
PROJECTED = {
    "name": "v",
    "projected": {"sources": [{"configMap": {"name": "keys"}}, {"secret": {"name": "keys"}}]},
}


@pytest.mark.parametrize(
    ("volume", "mount", "found"),
    [
        (PLAIN, {"mountPath": "/etc/keys"}, SecretMount("/etc/keys/k")),
        (PLAIN, {"mountPath": "/etc/keys/"}, SecretMount("/etc/keys/k")),
        (ITEMS, {"mountPath": "/etc/keys"}, SecretMount("/etc/keys/sub/file")),
        (OTHER_ITEM, {"mountPath": "/etc/keys"}, None),
        (PROJECTED, {"mountPath": "/p"}, SecretMount("/p/k")),
        (PLAIN, {"mountPath": "/etc/one", "subPath": "k"}, SecretMount("/etc/one", frozen=True)),
        (PLAIN, {"mountPath": "/etc/one", "subPath": "x"}, None),
        (PLAIN, {"mountPath": "etc"}, None),
        ({"name": "v", "secret": {"secretName": "other"}}, {"mountPath": "/etc/keys"}, None),
        ({"name": "w", "secret": {"secretName": "keys"}}, {"mountPath": "/etc/keys"}, None),
        ({"name": "v", "emptyDir": {}}, {"mountPath": "/etc/keys"}, None),
        ({"name": "v", "secret": "odd"}, {"mountPath": "/etc/keys"}, None),
    ],
)
def test_a_mounted_key_is_found(volume: Any, mount: Any, found: SecretMount | None) -> None:
    pod = {
        "spec": {"volumes": [volume], "containers": [{"name": "kali", "volumeMounts": [{"name": "v"} | mount]}]}
    }
    assert find(pod, "kali", "keys", "k") == found
    assert find(pod, "other", "keys", "k") is None


@pytest.mark.parametrize(
    "pod", [{}, {"spec": None}, {"spec": {"volumes": "x", "containers": [1, {"name": "kali"}]}}]
)
def test_what_has_another_shape_is_not_found(pod: Any) -> None:
    assert find(pod, "kali", "keys", "k") is None


def test_a_sidecar_s_mount_is_found() -> None:
    side = {"name": "sshd", "volumeMounts": [{"name": "v", "mountPath": "/k"}]}
    pod = {"spec": {"volumes": [PLAIN], "containers": [], "initContainers": [side]}}
    assert find(pod, "sshd", "keys", "k") == SecretMount("/k/k")


def container(**more: Any) -> dict[str, Any]:
    return {"name": "kali", **more}


MOUNT = {"name": "v", "mountPath": "/k"}
BY_KEY = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}


@pytest.mark.parametrize(
    ("volumes", "containers", "found"),
    [
        ([PLAIN], [container(volumeMounts=[MOUNT])], {FILES}),
        ([PROJECTED], [container(volumeMounts=[MOUNT])], {FILES}),
        ([PLAIN], [container(volumeMounts=[MOUNT | {"subPath": "k"}])], {FROZEN}),
        ([PLAIN], [container(volumeMounts=[MOUNT | {"subPathExpr": "$(A)"}])], {FROZEN}),
        (
            [PLAIN],
            [container(volumeMounts=[MOUNT]), container(volumeMounts=[MOUNT | {"subPath": "k"}])],
            {FILES, FROZEN},
        ),
        ([], [container(env=[BY_KEY])], {ENV}),
        ([], [container(envFrom=[{"secretRef": {"name": "keys"}}])], {ENV}),
        (
            [PLAIN],
            [container(env=[{"name": "A", "value": "keys"}], envFrom=[{"configMapRef": {"name": "keys"}}])],
            {UNUSED},
        ),
        ("x", [1, container(env="x", volumeMounts=[1])], {UNUSED}),
    ],
)
def test_how_a_pod_uses_a_secret(volumes: Any, containers: Any, found: set[str]) -> None:
    pod = {"spec": {"volumes": volumes, "containers": containers}}
    assert uses([pod], "keys") == found
    assert uses([pod, {"spec": {}}], "keys") == found


def test_without_a_pod_it_is_not_known() -> None:
    assert uses([], "keys") == set()
    assert uses([None, {}, {"spec": 1}], "keys") == set()
