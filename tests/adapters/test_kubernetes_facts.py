"""Facts read from API objects: references, events of both API versions, an Application's several sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bot.adapters.kubernetes import facts, shapes
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Event, OwnerRef, Uses
from bot.domain.health import judge_argocd, judge_secrets

NOW = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)


def pod(spec: dict[str, Any], **meta: Any) -> Any:
    raw = msgspec.json.encode({"metadata": {"name": "p", "uid": "u", **meta}, "spec": spec})
    return facts.pod(msgspec.json.decode(raw, type=shapes.Pod))


def test_claims_secrets_and_config_maps_are_found_anywhere_in_a_pod_s_spec() -> None:
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
        frozenset({"agent-ssh-keys", "in-projection", "tier2", "one-key"}),
    )


def test_a_secret_is_required_where_one_reference_to_it_is_not_optional() -> None:
    environment = [
        {"secretRef": {"name": "tier2", "optional": True}},
        {"secretRef": {"name": "both", "optional": True}},
    ]
    spec = {
        "volumes": [
            {"name": "keys", "secret": {"secretName": "files", "optional": True}},
            {"name": "again", "secret": {"secretName": "both"}},
        ],
        "containers": [{"name": "kali", "envFrom": environment}],
    }
    found = pod(spec).uses
    assert found is not None
    assert found.secrets == {"tier2", "both", "files"}
    assert found.required_secrets == {"both"}


def test_a_pod_s_owners_are_read_with_kind_name_and_uid() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True}
    assert pod({}, ownerReferences=[owner]).owners == (OwnerRef("ReplicaSet", "rs", "uid-rs", "apps/v1"),)


def entry(manager: str, *keys: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "time": "2026-11-01T00:00:00Z",
        "fieldsV1": {"f:data": {f"f:{k}": {} for k in keys}},
    }


def owner(kind: str, name: str) -> dict[str, Any]:
    return {
        "ownerReferences": [{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "u", "controller": True}]
    }


UNDONE: dict[str, tuple[dict[str, Any], str]] = {
    "ExternalSecret": (owner("ExternalSecret", "tokens"), "ExternalSecret tokens"),
    "SealedSecret": (owner("SealedSecret", "tokens"), "SealedSecret tokens"),
    "Certificate": (owner("Certificate", "tls"), "Certificate tls"),
    "VaultStaticSecret": (owner("VaultStaticSecret", "v"), "VaultStaticSecret v"),
    "an owner of a kind not known here": (owner("SecretMirror", "m"), "SecretMirror m"),
    "ESO's annotation": ({"annotations": {"reconcile.external-secrets.io/data-hash": "1"}}, "External Secrets"),
    "ESO's label": ({"labels": {"reconcile.external-secrets.io/created-by": "1"}}, "External Secrets"),
    "ESO's fields": (
        {"managedFields": [entry("externalsecrets.external-secrets.io/tokens", "KEY")]},
        "External Secrets (externalsecrets.external-secrets.io/tokens)",
    ),
    "Reflector": (
        {"annotations": {"reflector.v1.k8s.emberstack.com/reflects": "default/a"}},
        "Reflector (default/a)",
    ),
    "replicator": (
        {"annotations": {"replicator.v1.mittwald.de/replicate-from": "default/a"}},
        "kubernetes-replicator (default/a)",
    ),
    "cert-manager": ({"annotations": {"cert-manager.io/certificate-name": "tls"}}, "cert-manager (tls)"),
    "Vault Secrets Operator": (
        {
            "labels": {
                "app.kubernetes.io/managed-by": "hashicorp-vso",
                "secrets.hashicorp.com/vso-ownerRefUID": "u",
            }
        },
        "Vault Secrets Operator",
    ),
    "1Password": ({"annotations": {"operator.1password.io/item-path": "vaults/a"}}, "1Password"),
    "Secrets Store": (
        {
            "labels": {"secrets-store.csi.k8s.io/managed": "true"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a-5d9", "uid": "u"}],
        },
        "Secrets Store CSI driver",
    ),
    "Config Sync": ({"annotations": {"configmanagement.gke.io/managed": "enabled"}}, "Config Sync"),
    "an addon": ({"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}, "the cluster's addon manager"),
    "a kind of its own": (
        {"ownerReferences": [{"apiVersion": "db.example/v1", "kind": "Database", "name": "main", "uid": "u"}]},
        "Database main",
    ),
    "Kyverno": ({"labels": {"generate.kyverno.io/policy-name": "sync"}}, "Kyverno"),
}
APPLIED: dict[str, tuple[dict[str, Any], str]] = {
    "Argo CD's annotation": (
        {"annotations": {"argocd.argoproj.io/tracking-id": "agent:/Secret:ns/s"}},
        "Argo CD application agent",
    ),
    "Argo CD's label": ({"labels": {"argocd.argoproj.io/instance": "agent"}}, "Argo CD (agent)"),
    "Argo CD's fields": ({"managedFields": [entry("argocd-controller", "KEY")]}, "Argo CD (argocd-controller)"),
    "Helm": (
        {
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "agent"},
        },
        "Helm (agent)",
    ),
    "Helm by its label": ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "Helm"),
    "Flux": ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux (apps)"),
    "Argo CD by its label": ({"labels": {"app.kubernetes.io/managed-by": "argocd"}}, "Argo CD"),
    "Flux by its label": ({"labels": {"app.kubernetes.io/managed-by": "FluxCD"}}, "Flux"),
    "Config Sync by its label": (
        {"labels": {"app.kubernetes.io/managed-by": "configmanagement.gke.io"}},
        "Config Sync",
    ),
    "another": ({"labels": {"app.kubernetes.io/managed-by": "terraform"}}, "terraform"),
}
NOBODYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an instance label that charts have, too": {"labels": {"app.kubernetes.io/instance": "secure-agent-pod"}},
    "by hand": {"labels": {"app.kubernetes.io/managed-by": "kubectl"}, "managedFields": [entry("kubectl", "KEY")]},
    "the bot": {"managedFields": [entry("agentpod", "KEY")]},
    **{
        f"what only goes with a {kind}": {
            "ownerReferences": [{"apiVersion": group, "kind": kind, "name": "agent", "uid": "u"}]
        }
        for group, kind in (("apps/v1", "Deployment"), ("v1", "ServiceAccount"), ("batch/v1", "Job"))
    },
    "a label of a program that writes no values": {
        "managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:metadata": {"f:labels": {}}}}]
    },
}


def secret_of(meta: dict[str, Any]) -> Any:
    raw = {"metadata": {"name": "s", "uid": "u", **meta}, "data": {"KEY": "eA==", "OTHER": "eA=="}}
    return facts.secret(msgspec.json.decode(msgspec.json.encode(raw), type=shapes.Secret), b"key")


@pytest.mark.parametrize("whose", UNDONE)
def test_a_writer_that_restores_a_secret_within_minutes_is_identified(whose: str) -> None:
    meta, name = UNDONE[whose]
    [manager, *_] = secret_of(meta).managers
    assert (manager.name, manager.undoes) == (name, True)
    assert judge_secrets.undone_by([manager], "KEY") == manager
    assert manager.where.endswith(".")


@pytest.mark.parametrize("whose", APPLIED)
def test_a_manager_that_reapplies_a_secret_later_is_identified(whose: str) -> None:
    meta, name = APPLIED[whose]
    [manager] = secret_of(meta).managers
    assert (manager.name, manager.undoes) == (name, False)
    assert judge_secrets.undone_by([manager], "KEY") is None


@pytest.mark.parametrize("meta", NOBODYS.values(), ids=NOBODYS)
def test_a_secret_that_people_write_has_no_other_manager(meta: dict[str, Any]) -> None:
    assert secret_of(meta).managers == ()


def deployment_of(meta: dict[str, Any]) -> Any:
    raw = {"metadata": {"name": "d", "uid": "u", **meta}}
    return facts.deployment(msgspec.json.decode(msgspec.json.encode(raw), type=shapes.Deployment))


TEMPLATE = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({}, []),
        ({"labels": {"app.kubernetes.io/instance": "pod"}}, []),  # charts have it, too
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "pod:apps/Deployment:ns/d"}},
            ["Argo CD application pod"],
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, ["Flux (apps)"]),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, ["Helm"]),
        (owner("AgentPod", "kali"), ["AgentPod kali"]),
        (
            {"managedFields": [{"manager": "argocd-controller", "fieldsV1": TEMPLATE}]},
            ["Argo CD (argocd-controller)"],
        ),
        ({"managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}, []),
        ({"managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:data": {"f:KEY": {}}}}]}, []),
        ({"managedFields": [{"manager": "agentpod", "fieldsV1": TEMPLATE}]}, []),
        ({"managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:spec": 7}}]}, []),
    ],
)
def test_who_else_writes_a_pod_template_is_known(meta: dict[str, Any], names: list[str]) -> None:
    found = deployment_of(meta)
    assert [one.name for one in found.managers] == names
    assert found.instance == meta.get("labels", {}).get("app.kubernetes.io/instance", "")


def test_a_program_that_writes_some_keys_leaves_the_others_alone() -> None:
    merged = {
        "annotations": {"reconcile.external-secrets.io/data-hash": "1"},
        "managedFields": [entry("externalsecrets.external-secrets.io/tokens", "KEY")],
    }
    managers = secret_of(merged).managers
    assert judge_secrets.undone_by(managers, "KEY") is not None
    assert judge_secrets.undone_by(managers, "OTHER") is None
    owned = secret_of(merged | owner("ExternalSecret", "tokens")).managers
    assert judge_secrets.undone_by(owned, "OTHER") is not None


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
def test_a_single_source_is_read_as_its_revision_only(
    spec: dict[str, Any], sync: dict[str, Any], says: str
) -> None:
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


def test_a_service_s_addresses_are_read_from_its_spec() -> None:
    raw = {
        "metadata": {"name": "ssh", "uid": "u"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.43.0.9", "externalIPs": ["192.168.55.215"]},
    }
    read = facts.service(msgspec.json.decode(msgspec.json.encode(raw), type=shapes.Service))
    assert read.addresses == ("192.168.55.215", "10.43.0.9")


@pytest.mark.parametrize(
    ("spec", "policy", "grace", "shared"),
    [
        ({}, "Always", 30, ""),
        ({"restartPolicy": "Never", "terminationGracePeriodSeconds": 90}, "Never", 90, ""),
        ({"shareProcessNamespace": True, "terminationGracePeriodSeconds": 2**62}, "Always", 3600, "pod"),
        (
            {"hostPID": True, "shareProcessNamespace": False, "terminationGracePeriodSeconds": -1},
            "Always",
            0,
            "node",
        ),
    ],
)
def test_what_becomes_of_ended_containers_is_read(
    spec: dict[str, Any], policy: str, grace: int, shared: str
) -> None:
    found = pod({**spec, "containers": [{"name": "kali", "restartPolicy": "OnFailure"}]})
    assert (found.restart_policy, found.grace.total_seconds(), found.shared_processes) == (policy, grace, shared)
    assert found.containers[0].restart_policy == "OnFailure"


@pytest.mark.parametrize(
    ("policy", "code", "quoted"),
    [
        ("File", 1, True),
        (None, 1, True),
        ("FallbackToLogsOnError", 0, True),
        ("FallbackToLogsOnError", 1, False),
        ("FallbackToLogsOnError", None, False),
    ],
)
def test_a_termination_message_that_may_be_of_the_log_is_left_out(
    policy: str | None, code: int | None, *, quoted: bool
) -> None:
    """Whoever sees the pod may not all read logs."""
    ended = {"terminated": {"reason": "Error", "message": "can't open config.json", "exitCode": code}}
    status = {"name": "kali", "state": ended, "lastState": ended}
    spec = {"containers": [{"name": "kali", "terminationMessagePolicy": policy}]}
    raw = {"metadata": {"name": "p", "uid": "u"}, "spec": spec, "status": {"containerStatuses": [status]}}
    [found] = facts.pod(msgspec.json.decode(msgspec.json.encode(raw), type=shapes.Pod)).containers
    assert found.terminated is not None
    assert found.last_termination is not None
    messages = {found.message, found.terminated.message, found.last_termination.message}
    assert messages == ({"can't open config.json"} if quoted else {None})


def test_what_a_waiting_container_waits_for_is_read_with_any_policy() -> None:
    status = {"name": "kali", "state": {"waiting": {"message": "back-off 5m0s"}}}
    spec = {"containers": [{"name": "kali", "terminationMessagePolicy": "FallbackToLogsOnError"}]}
    raw = {"metadata": {"name": "p", "uid": "u"}, "spec": spec, "status": {"containerStatuses": [status]}}
    [found] = facts.pod(msgspec.json.decode(msgspec.json.encode(raw), type=shapes.Pod)).containers
    assert found.message == "back-off 5m0s"


def test_what_an_application_manages_and_whether_it_heals_itself_is_read() -> None:
    deployment = {"kind": "Deployment", "namespace": "ns", "name": "d"}
    spec = {"source": {"path": "apps/pod"}, "syncPolicy": {"automated": {"selfHeal": True}}}
    found = application(spec, resources=[deployment, {"kind": "Secret", "name": "s"}, {"kind": "Deployment"}])
    assert found.deployments == {("ns", "d"), ("", "")}
    assert (found.self_heal, found.path) == (True, "apps/pod")
    for bare in ({}, {"syncPolicy": None, "source": None}, {"syncPolicy": {"automated": None}}):
        plain = application(bare)
        assert (plain.deployments, plain.self_heal, plain.path) == (frozenset(), False, "")
