"""Finds who else writes a Secret or a pod template: by owners, labels, annotations and field managers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.adapters.kubernetes import shapes
from bot.domain.core.workload import Manager

_MOST = 50
"""Maximum owners, and entries of managedFields, that are considered."""

_ESO = "External Secrets"
_IN_GIT = "Change it in Git, from where it is applied."
_OWNERS = {
    "ExternalSecret": (_ESO, "Change it in the store that the ExternalSecret reads."),
    "PushSecret": (_ESO, "Change it in the store that the PushSecret reads."),
    "SealedSecret": ("Sealed Secrets", "Seal the new value with kubeseal, and commit that."),
    "Certificate": ("cert-manager", "Change the Certificate, or renew it with cmctl renew."),
    "VaultStaticSecret": ("Vault Secrets Operator", "Change it in Vault."),
    "VaultDynamicSecret": ("Vault Secrets Operator", "Change it in Vault."),
    "VaultPKISecret": ("Vault Secrets Operator", "Change it in Vault."),
    "HCPVaultSecretsApp": ("Vault Secrets Operator", "Change it in HCP Vault Secrets."),
    "VaultSecret": ("Vault", "Change it in Vault."),
    "InfisicalSecret": ("Infisical", "Change it in Infisical."),
    "OnePasswordItem": ("1Password", "Change the item in 1Password."),
    "DopplerSecret": ("Doppler", "Change it in Doppler."),
    "BitwardenSecret": ("Bitwarden", "Change it in Bitwarden."),
    "AzureKeyVaultSecret": ("akv2k8s", "Change it in Azure Key Vault."),
    "SopsSecret": ("sops-secrets-operator", _IN_GIT),
}
_CONTROLLERS = (
    ("reconcile.external-secrets.io/", _ESO, "Change it in the store that the ExternalSecret reads."),
    ("sealedsecrets.bitnami.com/managed", "Sealed Secrets", "Seal the new value with kubeseal, and commit that."),
    ("sealedsecrets.bitnami.com/patch", "Sealed Secrets", "Seal the new value with kubeseal, and commit that."),
    ("reflector.v1.k8s.emberstack.com/reflects", "Reflector", "Change the Secret that it is a copy of."),
    ("reflector.v1.k8s.emberstack.com/auto-reflects", "Reflector", "Change the Secret that it is a copy of."),
    (
        "replicator.v1.mittwald.de/replicate-from",
        "kubernetes-replicator",
        "Change the Secret that it is a copy of.",
    ),
    (
        "replicator.v1.mittwald.de/replicated-from",
        "kubernetes-replicator",
        "Change the Secret that it is a copy of.",
    ),
    ("kubed.appscode.com/origin", "Config Syncer", "Change the Secret that it is a copy of."),
    ("cert-manager.io/certificate-name", "cert-manager", "Change the Certificate, or renew it with cmctl renew."),
    ("secrets.hashicorp.com/", "Vault Secrets Operator", "Change it in Vault."),
    ("vault.banzaicloud.com/", "Vault", "Change it in Vault."),
    ("secrets.infisical.com/", "Infisical", "Change it in Infisical."),
    ("operator.1password.io/", "1Password", "Change the item in 1Password."),
    ("secrets.doppler.com/", "Doppler", "Change it in Doppler."),
    ("k8s.bitwarden.com/", "Bitwarden", "Change it in Bitwarden."),
    ("generate.kyverno.io/", "Kyverno", "Change what the Kyverno policy generates it from."),
    ("objectset.rio.cattle.io/", "Rancher", _IN_GIT),
    (
        "secrets-store.csi.k8s.io/managed",
        "Secrets Store CSI driver",
        "Change it in the store that it is mounted from.",
    ),
    ("configmanagement.gke.io/managed", "Config Sync", _IN_GIT),
    ("configsync.gke.io/", "Config Sync", _IN_GIT),
    ("cnrm.cloud.google.com/", "Config Connector", "Change the resource that it is made from."),
    ("addonmanager.kubernetes.io/mode", "the cluster's addon manager", "Change the addon's manifest."),
    ("service.beta.openshift.io/", "OpenShift's service CA", "It is generated again by itself; nobody enters it."),
    (
        "service.alpha.openshift.io/",
        "OpenShift's service CA",
        "It is generated again by itself; nobody enters it.",
    ),
)
"""Labels and annotations, or their prefixes, of controllers that overwrite the Secret within minutes."""
_APPLIERS = (
    ("argocd.argoproj.io/tracking-id", "Argo CD", _IN_GIT),
    ("argocd.argoproj.io/instance", "Argo CD", _IN_GIT),
    ("kustomize.toolkit.fluxcd.io/name", "Flux", _IN_GIT),
    ("helm.toolkit.fluxcd.io/name", "Flux", _IN_GIT),
    ("meta.helm.sh/release-name", "Helm", "Change the chart's values, and run helm upgrade."),
    ("kapp.k14s.io/app", "kapp", _IN_GIT),
)
"""Labels and annotations, or their prefixes, of tools that overwrite the Secret when it is next applied."""
_MARKS = tuple(beginning for beginning, _, _ in (*_CONTROLLERS, *_APPLIERS))
_KUBERNETES = ("v1", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io")
"""API groups whose objects don't write Secrets: they own one only for garbage collection."""
_FIELD_MANAGERS = (
    ("externalsecrets.external-secrets.io", _ESO, "Change it in the store that the ExternalSecret reads.", True),
    ("external-secrets", _ESO, "Change it in the store that the ExternalSecret reads.", True),
    ("cert-manager", "cert-manager", "Change the Certificate, or renew it with cmctl renew.", True),
    ("vault-secrets-operator", "Vault Secrets Operator", "Change it in Vault.", True),
    ("reflector", "Reflector", "Change the Secret that it is a copy of.", True),
    ("argocd", "Argo CD", _IN_GIT, False),
    ("kustomize-controller", "Flux", _IN_GIT, False),
    ("helm", "Helm", "Change the chart's values, and run helm upgrade.", False),
)
_Written = Callable[[Mapping[str, Any] | None], frozenset[str]]
"""Returns the keys that an entry of managedFields has."""
_NO_MANAGER = frozenset({"", "kubectl", "manual", "manually", "none", "agentpod", "human", "sops"})
"""Values of ``app.kubernetes.io/managed-by`` that stand for no program that applies the Secret again."""

_FROM_GIT = {
    "argocd": "Argo CD",
    "argo-cd": "Argo CD",
    "flux": "Flux",
    "fluxcd": "Flux",
    "configmanagement.gke.io": "Config Sync",
}
"""Values of it, in lower case, that stand for a program known by another name."""


def managers(meta: shapes.ObjectMeta) -> tuple[Manager, ...]:
    """Return who else writes the Secret, each once, those that overwrite it within minutes first."""
    return _managers(meta, written)


def template_managers(meta: shapes.ObjectMeta) -> tuple[Manager, ...]:
    """Return who else writes the Deployment's pod template, likewise."""
    return _managers(meta, _written_template)


def _managers(meta: shapes.ObjectMeta, written_: _Written) -> tuple[Manager, ...]:
    found = {one.by: one for one in _owners(meta)}
    writers = {one.by: one for one in _writers(meta, written_)}
    for one in _by_metadata(meta):
        # A manager that writes some keys only (External Secrets' creationPolicy Merge) leaves the others alone.
        mine = writers.get(one.by)
        found.setdefault(one.by, replace(one, keys=mine.keys) if mine else one)
    found = writers | found
    return tuple(sorted(found.values(), key=lambda m: not m.undoes))


def _owners(meta: shapes.ObjectMeta) -> Iterator[Manager]:
    for owner in (meta.owner_references or ())[:_MOST]:
        kind, name = owner.kind or "", owner.name or ""
        if (owner.api_version or "").partition("/")[0] in _KUBERNETES:
            continue
        by, where = _OWNERS.get(kind, (kind, f"Change the {kind} that it belongs to."))
        yield Manager(by, f"{kind} {name}", where, undoes=True)


def _by_metadata(meta: shapes.ObjectMeta) -> Iterator[Manager]:
    every = (meta.labels or {}) | (meta.annotations or {})
    marks = {name: value for name, value in every.items() if name.startswith(_MARKS)}
    for table, undoes in ((_CONTROLLERS, True), (_APPLIERS, False)) if marks else ():
        for beginning, by, where in table:
            name = next((n for n in marks if n.startswith(beginning)), None)
            if name is not None and marks[name] != "false":
                yield Manager(by, _named(by, name, marks[name]), where, undoes=undoes)
    by = every.get("app.kubernetes.io/managed-by", "")
    if by.lower() in _FROM_GIT:
        by = _FROM_GIT[by.lower()]
        yield Manager(by, by, _IN_GIT, undoes=False)
    elif by.lower() not in _NO_MANAGER:
        yield Manager(by, by, f"Change it where {by} takes it from.", undoes=False)


def _named(by: str, mark: str, value: str) -> str:
    """Return the manager's name, with the object that the label or annotation names, if it names one."""
    if mark.endswith("/tracking-id"):
        return f"{by} application {value.partition(':')[0]}"
    if mark.endswith(("/instance", "/certificate-name", "/name", "/release-name", "/reflects", "/replicate-from")):
        return f"{by} ({value})"
    return by


def _writers(meta: shapes.ObjectMeta, written_: _Written) -> Iterator[Manager]:
    """Yield the known programs that have written values, each with its keys."""
    for entry in (meta.managed_fields or ())[:_MOST]:
        keys = written_(entry.fields_v1)
        for beginning, by, where, undoes in _FIELD_MANAGERS:
            if keys and (entry.manager or "").lower().startswith(beginning):
                yield Manager(by, f"{by} ({entry.manager})", where, undoes=undoes, keys=keys)
                break


def last_write(meta: shapes.ObjectMeta) -> shapes.Managed | None:
    """Return the newest entry of managedFields that has values; None if there is none with a time."""
    entries = [m for m in meta.managed_fields or () if m.time is not None and "f:data" in (m.fields_v1 or {})]
    return max(entries, key=lambda m: m.time or _LONG_AGO, default=None)


def writes_values_only(entry: shapes.Managed) -> bool:
    """Whether an entry's time is that of a value: its manager owns no labels or annotations, or is the bot."""
    return entry.manager == "agentpod" or set(entry.fields_v1 or {}) <= {"f:data", "f:type", "f:immutable"}


def _written_template(fields: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the key of the pod template, where an entry of managedFields has it."""
    spec = (fields or {}).get("f:spec")
    return frozenset({"template"}) if isinstance(spec, dict) and "f:template" in spec else frozenset()


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def written(fields: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the keys of a Secret's data in an entry of managedFields."""
    data = (fields or {}).get("f:data")
    return frozenset(k.removeprefix("f:") for k in data if k != ".") if isinstance(data, dict) else frozenset()
