"""Oddities of a healthy cluster: Secrets that other programs write, events of other objects and the like."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sandbox.breaks import Break, Option
from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.simulation import Simulation
from sandbox.cluster.store import Store, stamp

Object = dict[str, Any]
_OWNER = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "name": "agent-tokens",
    "uid": "sandbox",
}
_SEALED = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "agent-tokens", "uid": "sandbox"}
_WRITERS: dict[str, tuple[str, Object]] = {
    "external-secrets": ("External Secrets", {"ownerReferences": [_OWNER]}),
    "sealed-secrets": ("Sealed Secrets", {"ownerReferences": [_SEALED]}),
    "argocd": ("Argo CD", {"annotations": {"argocd.argoproj.io/tracking-id": f"{objects.APP}:/Secret:ns/s"}}),
    "helm": ("Helm", {"annotations": {"meta.helm.sh/release-name": objects.APP}}),
}
_TIER1 = "agent-secrets-tier1"
_SYNCS = {
    "SecretSynced": ("True", "SecretSynced", "secret synced"),
    "SecretSyncedError": ("False", "SecretSyncedError", "could not get secret data from provider"),
}
"""The operator's Ready condition: status, reason and message."""
_NEW_KEY = objects.PUBLIC_KEY.splitlines()[0] + "\n"
_STRANGER = "somebody-elses"
_REVISIONS = ["3f1c2b7d9a4e5f60718293a4b5c6d7e8f9012345", "4.2.1"]


def oddities(simulation: Simulation) -> list[Break]:
    """All oddities, as entries of the panel."""
    store = simulation.store
    return [
        _writer(store),
        _button("secret-touched", "A Secret is labelled", "no value changes", lambda: _label_secret(store)),
        _external_secret(store),
        _keys(store),
        _config_map(store),
        _button("events-repeated", "A warning 4,312 times", "over 16 h", lambda: _repeat(simulation)),
        _button(
            "events-others",
            "Warnings of others",
            "a pod that is gone, the bot's own",
            lambda: _record_other_events(simulation),
        ),
        _claim(store),
        _sources(store),
        _visitor(simulation),
    ]


def _visitor(simulation: Simulation) -> Break:
    faults = simulation.faults

    def apply(value: Any) -> None:
        faults.signed_in = bool(value)

    words = ("Somebody signs in", "an SSH session and a claude session begin, which a restart would end")
    return Break("pod-signed-in", "Pod", *words, "toggle", lambda: faults.signed_in, apply)


def _button(id_: str, label: str, help_: str, apply: Callable[[], None]) -> Break:
    return Break(id_, "Pod", label, help_, "button", lambda: None, lambda _value: apply())


def _writer(store: Store) -> Break:
    def meta() -> Object:
        found = store.get(kinds.SECRET, NAMESPACE, objects.TIER2_SECRET)
        return found["metadata"] if found else {}

    def read() -> str:
        parts = (meta().get("ownerReferences"), meta().get("annotations"))
        return next(
            (k for k, (_, own) in _WRITERS.items() if any(part in own.values() for part in parts if part)), ""
        )

    def apply(value: Any) -> None:
        draft = store.draft(kinds.SECRET, NAMESPACE, objects.TIER2_SECRET)
        for part in ("ownerReferences", "annotations"):
            draft["metadata"].pop(part, None)
        draft["metadata"] |= _WRITERS[value][1] if value else {}
        store.put(kinds.SECRET, draft)

    options = tuple(Option(value, label) for value, (label, _) in _WRITERS.items())
    words = ("Another writes the Secret", "agent-secrets-tier2 belongs to an operator, or is applied from Git")
    return Break("secret-writer", "Pod", *words, "choice", read, apply, options)


def _external_secret(store: Store) -> Break:
    """An ExternalSecret of the operator, which fills a Secret of its own."""

    def read() -> str:
        found = store.get(kinds.EXTERNAL_SECRET, NAMESPACE, _TIER1)
        return next((c["reason"] for c in found["status"]["conditions"]), "") if found else ""

    def apply(value: Any) -> None:
        if store.get(kinds.EXTERNAL_SECRET, NAMESPACE, _TIER1) is not None:
            store.remove(kinds.EXTERNAL_SECRET, NAMESPACE, _TIER1)
        if value:
            store.put(kinds.EXTERNAL_SECRET, objects.external_secret(_TIER1, _SYNCS[value], store.clock()))

    options = tuple(Option(reason, reason) for reason in _SYNCS)
    words = ("External Secrets fills a Secret", f"an ExternalSecret {_TIER1}, synced or not")
    return Break("external-secret", "Pod", *words, "choice", read, apply, options)


def _label_secret(store: Store) -> None:
    """Label a Secret as the program that wrote its values: their managedFields entry gets the new time."""
    draft = store.draft(kinds.SECRET, NAMESPACE, objects.TIER2_SECRET)
    now = stamp(store.clock())
    draft["metadata"]["labels"] = {**draft["metadata"].get("labels", {}), "sandbox/looked-at": "yes"}
    entry = draft["metadata"]["managedFields"][0]
    entry["time"] = now
    entry["fieldsV1"] = entry["fieldsV1"] | {"f:metadata": {"f:labels": {"f:sandbox/looked-at": {}}}}
    store.put(kinds.SECRET, draft)


def _keys(store: Store) -> Break:
    def read() -> bool:
        found = store.get(kinds.SECRET, NAMESPACE, objects.SSH_SECRET)
        return objects.text_of(found, "authorized_keys") == _NEW_KEY

    def apply(value: Any) -> None:
        text = _NEW_KEY if value else objects.PUBLIC_KEY
        if store.get(kinds.SECRET, NAMESPACE, objects.SSH_SECRET) is None:
            if value:  # another fault may have deleted the Secret
                keys = {"authorized_keys": text}
                store.put(kinds.SECRET, objects.secret(objects.SSH_SECRET, keys, store.clock()))
            return
        draft = store.draft(kinds.SECRET, NAMESPACE, objects.SSH_SECRET)
        draft["data"]["authorized_keys"] = base64.b64encode(text.encode()).decode()
        draft["metadata"]["managedFields"][0]["time"] = stamp(store.clock())
        store.put(kinds.SECRET, draft)

    words = ("SSH keys change", "the Secret loses a key that the pod has copied")
    return Break("ssh-keys-changed", "Pod", *words, "toggle", read, apply)


def _config_map(store: Store) -> Break:
    def read() -> str:
        found = store.get(kinds.CONFIGMAP, NAMESPACE, objects.SETTINGS_MAP)
        if found is None:
            return "deleted"
        return "" if found["data"] == objects.SETTINGS_VALUES else "changed"

    def apply(value: Any) -> None:
        found = store.get(kinds.CONFIGMAP, NAMESPACE, objects.SETTINGS_MAP)
        if value == "deleted":
            if found is not None:
                store.remove(kinds.CONFIGMAP, NAMESPACE, objects.SETTINGS_MAP)
            return
        data = objects.SETTINGS_VALUES | ({"mode": "slow"} if value else {})
        if found is None:
            store.put(kinds.CONFIGMAP, objects.config_map(objects.SETTINGS_MAP, data, store.clock()))
            return
        store.put(kinds.CONFIGMAP, store.draft(kinds.CONFIGMAP, NAMESPACE, objects.SETTINGS_MAP) | {"data": data})

    options = (Option("changed", "another value of its key mode"), Option("deleted", "it is deleted"))
    words = ("ConfigMap changes", f"what `changes` says of {objects.SETTINGS_MAP}, once it has been compared")
    return Break("configmap", "Pod", *words, "choice", read, apply, options)


def _repeat(simulation: Simulation) -> None:
    """A readiness probe that fails now and then, as the kubelet counts it."""
    now = simulation.now
    for pod in simulation.pods()[:1]:
        simulation.events.record(
            pod,
            "Warning",
            "Unhealthy",
            "Readiness probe failed: connection refused",
            now - timedelta(minutes=50),
            count=4312,
            since=now - timedelta(hours=16),
        )


def _record_other_events(simulation: Simulation) -> None:
    """Record the events that an install or a restart leaves behind for an hour."""
    for name, reason in ((f"{objects.APP}-gone", "BackOff"), ("agentpod-6d9f-x2k8p", "FailedScheduling")):
        meta = {"namespace": NAMESPACE, "name": name, "uid": f"uid-of-{name}", "resourceVersion": "1"}
        about = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {}}
        simulation.events.record(about, "Warning", reason, f"{reason} of another pod", component="sandbox")


def _claim(store: Store) -> Break:
    def read() -> bool:
        return store.get(kinds.PVC, NAMESPACE, _STRANGER) is not None

    def apply(value: Any) -> None:
        if not value:
            store.remove(kinds.PVC, NAMESPACE, _STRANGER)
            return
        made = objects.claim(store.clock())
        made["metadata"]["name"] = _STRANGER
        store.put(kinds.PVC, made | {"status": {"phase": "Pending"}})

    words = ("A stranger's claim is Pending", "the pod does not use it")
    return Break("claim-stranger", "Pod", *words, "toggle", read, apply)


def _sources(store: Store) -> Break:
    def read() -> bool:
        found = store.get(kinds.APPLICATION, "argocd", objects.APP)
        return bool(found and found["spec"].get("sources"))

    def apply(value: Any) -> None:
        draft, plain = (
            store.draft(kinds.APPLICATION, "argocd", objects.APP),
            objects.application(store.clock(), store.clock()),
        )
        source = plain["spec"]["source"]
        draft["spec"].pop("sources", None)
        if value:
            chart = {"repoURL": "https://charts.example.com", "chart": "agent-base", "targetRevision": "4.2.1"}
            draft["spec"]["sources"] = [source, chart]
        draft["status"]["sync"].pop("revisions" if not value else "revision", None)
        draft["status"]["sync"] |= {"revisions": _REVISIONS} if value else {"revision": _REVISIONS[0]}
        store.put(kinds.APPLICATION, draft)

    words = ("Argo CD reads two sources", "a repository and a chart, each with its revision")
    return Break("argocd-sources", "Kubernetes API", *words, "toggle", read, apply)
