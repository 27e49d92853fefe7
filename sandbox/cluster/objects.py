"""The healthy agent pod's objects, with the handbook's names, addresses and settings."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox import images
from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Store, stamp

Object = dict[str, Any]
APP = "secure-agent-pod"
CONTAINER = "kali"
IMAGE = f"{images.REPOSITORY}:latest"
IMAGE_DIGEST = f"{images.REPOSITORY}@{images.image(1).digest}"
LABELS = {"app": APP}
SSH_IP, KANBAN_IP = "192.168.55.215", "192.168.55.218"
SSH_SECRET, TIER2_SECRET, CONFIG_SECRET = "agent-ssh-keys", "agent-secrets-tier2", "agent-configs"
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUvbyNn0i2zG8Vb2fzQyL9HqhGeVTmVnqyeBWcnFq1k owner@laptop\n"
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHxqQKQxSo1gVnU1xQyYwPBwXcR5p2oXjMvNPwqZ4c2t phone\n"
)
TIER2_VALUES = {
    "GITHUB_TOKEN": "ghp_sandboxFakeToken000000000000000000",
    "TELEGRAM_BOT_TOKEN": "0000000000:sandbox-fake-telegram-token",
    "TELEGRAM_CHAT_ID": "-1000000000000",
}
SETTINGS_MAP, SETTINGS_VALUES = "agent-settings", {"mode": "fast", "model": "opus"}
"""A ConfigMap beside the pod."""
HOME = "/home/claude"


def seed(store: Store, started: datetime, containers: Sequence[str] = ()) -> None:
    """Store all objects except the ReplicaSet, pods and what derives from them; ``started`` is the pod's start.

    ``containers`` are other names for the pod's containers; those after the first are sidecars.
    """
    set_up = started - timedelta(days=61)
    for name in ("default", "kube-system", "argocd", "monitoring", NAMESPACE):
        store.put(kinds.NAMESPACE, namespace(name, set_up))
    for name, ip in (("gpu-1", "192.168.55.31"), ("gpu-2", "192.168.55.32")):
        store.put(kinds.NODE, node(name, ip, set_up, store.clock()))
    for account in ("default", "agentpod"):
        store.put(kinds.SERVICE_ACCOUNT, {"metadata": _meta(account, set_up)})
    for obj in secrets(set_up):
        store.put(kinds.SECRET, obj)
    store.put(kinds.CONFIGMAP, _root_ca(set_up))
    store.put(kinds.CONFIGMAP, config_map(SETTINGS_MAP, SETTINGS_VALUES, set_up))
    store.put(kinds.PV, volume(set_up))
    store.put(kinds.PVC, claim(set_up))
    for svc in services(set_up):
        store.put(kinds.SERVICE, svc)
    store.put(kinds.APPLICATION, application(store.clock(), set_up))
    store.put(kinds.CILIUM_POLICY, egress_policy(set_up))
    store.put(kinds.DEPLOYMENT, deployment(set_up, containers))


def template_hash(template: Object) -> str:
    """The ``pod-template-hash`` of a pod template: ten characters of the alphabet that Kubernetes uses."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join("bcdfghjklmnpqrstvwxz2456789"[byte % 27] for byte in digest[:10])


def namespace(name: str, created: datetime) -> Object:
    """A Namespace."""
    meta = {
        "name": name,
        "creationTimestamp": stamp(created),
        "labels": {"kubernetes.io/metadata.name": name},
    }
    return {"metadata": meta, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def node(name: str, ip: str, created: datetime, now: datetime) -> Object:
    """A Node that is ready."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/gpu": "true",
    }
    resources = {"cpu": "16", "memory": "65536000Ki", "pods": "110", "ephemeral-storage": "488281250Ki"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": stamp(now),
        "lastTransitionTime": stamp(created),
    }
    info = {
        "kubeletVersion": "v1.37.1",
        "osImage": "Talos (v1.12.4)",
        "kernelVersion": "6.18.8-talos",
        "containerRuntimeVersion": "containerd://2.2.1",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    return {
        "metadata": {"name": name, "creationTimestamp": stamp(created), "labels": labels},
        "spec": {"podCIDR": "10.244.3.0/24"},
        "status": {
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}],
            "capacity": resources,
            "allocatable": resources,
            "nodeInfo": info,
        },
    }


def secrets(created: datetime) -> list[Object]:
    """The handbook's three Secrets, with obviously made-up values."""
    configs = {name: config_file(name) for name in ("talosconfig", "kubeconfig", "omniconfig")}
    return [
        secret(SSH_SECRET, {"authorized_keys": PUBLIC_KEY}, created),
        secret(TIER2_SECRET, TIER2_VALUES, created),
        secret(CONFIG_SECRET, configs, created),
    ]


def config_file(name: str, version: int = 1) -> str:
    """A config file's text."""
    return f"# {name} of the sandbox: not a credential\n" + (f"version: {version}\n" if version > 1 else "")


def secret(name: str, values: dict[str, str], created: datetime) -> Object:
    """A Secret whose managedFields tell when its data was last written."""
    manager = {
        "manager": "kubectl-create",
        "operation": "Update",
        "apiVersion": "v1",
        "time": stamp(created),
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, **{f"f:{key}": {} for key in values}}, "f:type": {}},
    }
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": _meta(name, created) | {"managedFields": [manager]}, "type": "Opaque", "data": data}


def text_of(secret_: Object | None, key: str) -> str | None:
    """A Secret's value as text; None if the key is missing."""
    encoded = (secret_ or {}).get("data", {}).get(key)
    return None if encoded is None else base64.b64decode(encoded).decode("utf-8", "replace")


def _root_ca(created: datetime) -> Object:
    return config_map("kube-root-ca.crt", {"ca.crt": "made up"}, created)


def config_map(name: str, values: dict[str, str], created: datetime) -> Object:
    """A ConfigMap."""
    return {"metadata": _meta(name, created), "data": dict(values)}


def volume(created: datetime) -> Object:
    """The PersistentVolume behind the home."""
    meta = {
        "name": "pvc-4b0f7c52-2f0a-4f9d-8f58-2a0d5f4e9f10",
        "creationTimestamp": stamp(created),
        "annotations": {"pv.kubernetes.io/provisioned-by": "driver.longhorn.io"},
        "finalizers": ["kubernetes.io/pv-protection"],
    }
    claim_ref = {"kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": "agent-home"}
    return {
        "metadata": meta,
        "spec": {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "longhorn",
            "volumeMode": "Filesystem",
            "claimRef": claim_ref | {"apiVersion": "v1"},
            "csi": {"driver": "driver.longhorn.io", "volumeHandle": meta["name"], "fsType": "ext4"},
        },
        "status": {"phase": "Bound"},
    }


def claim(created: datetime) -> Object:
    """The PersistentVolumeClaim of the home."""
    return {
        "metadata": _meta("agent-home", created) | {"finalizers": ["kubernetes.io/pvc-protection"]},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "50Gi"}},
            "storageClassName": "longhorn",
            "volumeMode": "Filesystem",
            "volumeName": "pvc-4b0f7c52-2f0a-4f9d-8f58-2a0d5f4e9f10",
        },
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "50Gi"}},
    }


def services(created: datetime) -> list[Object]:
    """The two LoadBalancer services."""
    return [
        service("secure-agent-ssh", SSH_IP, "10.96.41.15", ("ssh", 22, 2222, 31022), created),
        service("secure-agent-vibekanban", KANBAN_IP, "10.96.41.18", ("http", 8081, 8081, 31081), created),
    ]


def service(name: str, ip: str, cluster_ip: str, port: tuple[str, int, int, int], created: datetime) -> Object:
    """A LoadBalancer Service; ``port`` is its name, port, target port and node port."""
    port_name, number, target, node_port = port
    ports = [{"name": port_name, "port": number, "targetPort": target, "nodePort": node_port, "protocol": "TCP"}]
    return {
        "metadata": _meta(name, created) | {"annotations": {"lbipam.cilium.io/ips": ip}},
        "spec": {
            "type": "LoadBalancer",
            "selector": dict(LABELS),
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "allocateLoadBalancerNodePorts": True,
            "sessionAffinity": "None",
            "ports": ports,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"}]}},
    }


def external_secret(name: str, ready: tuple[str, str, str], now: datetime) -> Object:
    """An ExternalSecret as the operator leaves it; ``ready`` is its condition's status, reason and message."""
    status, reason, message = ready
    condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {
        "metadata": _meta(name, now),
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "infisical"},
            "target": {"name": name, "creationPolicy": "Owner"},
            "dataFrom": [{"extract": {"key": "agent-pod"}}],
        },
        "status": {
            "conditions": [condition | {"lastTransitionTime": stamp(now)}],
            "refreshTime": stamp(now - timedelta(minutes=17)),
        },
    }


def local_service(name: str, port: int, created: datetime) -> Object:
    """A Service whose address is this machine."""
    ports = [{"name": "http", "port": port, "targetPort": port, "protocol": "TCP"}]
    address = {"clusterIP": "127.0.0.1", "clusterIPs": ["127.0.0.1"]}
    return {
        "metadata": _meta(name, created),
        "spec": {"type": "ClusterIP", "selector": dict(LABELS), **address, "ports": ports},
        "status": {"loadBalancer": {}},
    }


def deployment(created: datetime, containers: Sequence[str] = ()) -> Object:
    """The Deployment, without its status."""
    meta = _meta(APP, created) | {
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "generation": 1,
    }
    meta["labels"] = LABELS | {"app.kubernetes.io/instance": APP}
    return {
        "metadata": meta,
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": dict(LABELS)},
            "strategy": {"type": "Recreate"},
            "template": pod_template(containers),
        },
        "status": {},
    }


def pod_template(containers: Sequence[str] = ()) -> Object:
    """The pod template: one hardened container, its home on the claim, secrets as files and environment."""
    main, *beside = containers or (CONTAINER,)
    sidecars = [
        {"name": name, "image": f"registry.invalid/{name}:1", "restartPolicy": "Always"} for name in beside
    ]
    volumes: list[Object] = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "agent-home"}},
        {"name": "ssh-keys", "secret": {"secretName": SSH_SECRET, "defaultMode": 0o400}},
        {"name": "configs", "secret": {"secretName": CONFIG_SECRET, "defaultMode": 0o400}},
    ]
    return {
        "metadata": {"creationTimestamp": None, "labels": dict(LABELS)},
        "spec": {
            "containers": [container() | {"name": main}],
            **({"initContainers": sidecars} if sidecars else {}),
            "volumes": volumes,
            "nodeSelector": {"kubernetes.io/hostname": "gpu-1"},
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "runAsNonRoot": True},
        },
    }


def container() -> Object:
    """The one container."""
    optional = [{"secretRef": {"name": f"agent-secrets-tier{tier}", "optional": True}} for tier in (1, 2)]
    mounts: list[Object] = [
        {"name": "home", "mountPath": HOME},
        {"name": "ssh-keys", "mountPath": "/etc/agent/ssh-keys", "readOnly": True},
        {"name": "configs", "mountPath": f"{HOME}/.kube/configs", "readOnly": True},
    ]
    return {
        "name": CONTAINER,
        "image": IMAGE,
        "imagePullPolicy": "Always",
        "ports": [
            {"name": "ssh", "containerPort": 2222, "protocol": "TCP"},
            {"name": "http", "containerPort": 8081, "protocol": "TCP"},
        ],
        "env": [{"name": "PORT", "value": "8081"}, {"name": "HOST", "value": "0.0.0.0"}],  # noqa: S104
        "envFrom": optional,
        "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"cpu": "8", "memory": "16Gi"}},
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def application(now: datetime, created: datetime) -> Object:
    """The Argo CD Application: synced and healthy."""
    revision = "3f1c2b7d9a4e5f60718293a4b5c6d7e8f9012345"
    synced = now - timedelta(hours=6, minutes=57)
    source = {
        "repoURL": "https://github.com/derio-net/frank",
        "path": "apps/secure-agent-pod/manifests",
        "targetRevision": "main",
    }
    return {
        "metadata": _meta(APP, created, "argocd") | {"finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": "Healthy", "lastTransitionTime": stamp(synced)},
            "reconciledAt": stamp(now),
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "startedAt": stamp(synced - timedelta(seconds=4)),
                "finishedAt": stamp(synced),
                "syncResult": {"revision": revision, "source": source},
            },
            "history": [{"id": 42, "revision": revision, "deployedAt": stamp(synced), "source": source}],
            "summary": {"images": [IMAGE]},
            "resources": [
                _resource("apps", "Deployment", APP),
                _resource("", "PersistentVolumeClaim", "agent-home"),
            ],
        },
    }


def _resource(group: str, kind: str, name: str) -> Object:
    """One of the Application's resources, in sync and healthy."""
    about = {"group": group, "version": "v1", "kind": kind, "namespace": NAMESPACE, "name": name}
    return about | {"status": "Synced", "health": {"status": "Healthy"}}


LRU = "LRU not yet initialized"
"""What Cilium 1.17 says of a policy with FQDN rules, by a bug of its own."""


def egress_policy(created: datetime, problem: str = "") -> Object:
    """Cilium's policy for the pod's egress, which Cilium takes or, for ``problem``, doesn't."""
    valid = {
        "type": "Valid",
        "status": "False" if problem else "True",
        "message": problem or "Policy validation succeeded",
        "lastTransitionTime": stamp(created),
    }
    rule = {"toFQDNs": [{"matchName": "api.anthropic.com"}], "toPorts": [{"ports": [{"port": "443"}]}]}
    return {
        "metadata": _meta("agent-egress", created),
        "spec": {"endpointSelector": {"matchLabels": dict(LABELS)}, "egress": [rule]},
        "status": {"conditions": [valid]},
    }


CILIUM_NAMESPACE = "kube-system"


def cilium_agent(created: datetime, node: str) -> Object:
    """The pod of Cilium's agent on a node, which is ready."""
    name = f"cilium-{uuid.uuid4().hex[:5]}"
    meta = _meta(name, created, CILIUM_NAMESPACE) | {"labels": {"k8s-app": "cilium"}}
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(created)}]
    return {
        "metadata": meta,
        "spec": {
            "nodeName": node,
            "containers": [{"name": "cilium-agent", "image": "cilium:v1.17.2"}],
        },
        "status": {"phase": "Running", "conditions": ready},
    }


def _meta(name: str, created: datetime, where: str = NAMESPACE) -> Object:
    return {
        "name": name,
        "namespace": where,
        "creationTimestamp": stamp(created),
        "labels": {"app.kubernetes.io/instance": APP},
    }
