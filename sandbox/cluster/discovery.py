"""API discovery: groups, versions and resources, in the older and the aggregated format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.cluster.kinds import ACCESS_REVIEW, KINDS, NEW_EVENT, RULES_REVIEW, SELF_REVIEW, TOKEN_REVIEW, Kind
from sandbox.cluster.scale import GROUP_VERSION_KIND

Object = dict[str, Any]
GIT_VERSION = "v1.37.1"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_GET_PATCH = ("get", "patch")


def version() -> Object:
    """``GET /version``."""
    return {
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": GIT_VERSION,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-09-09T00:00:00Z",
        "goVersion": "go1.26.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions(address: str) -> Object:
    """``GET /api``."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(absent: Iterable[str] = ()) -> Object:
    """``GET /apis``; ``absent`` are groups to leave out (a CRD that is not installed)."""
    groups = [_group(name) for name in _groups(absent) if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str) -> Object:
    """``GET /apis/<group>``."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def resource_list(group_name: str, version_name: str) -> Object:
    """``GET /api/v1`` or ``/apis/<group>/<version>``."""
    kinds = [k for k in KINDS if (k.group, k.version) == (group_name, version_name)]
    resources = [entry for kind in kinds for entry in _resources(kind)]
    group_version = f"{group_name}/{version_name}" if group_name else version_name
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def aggregated(core: bool, absent: Iterable[str] = ()) -> Object:
    """``GET /api`` (``core``) or ``/apis`` for clients that request the aggregated format."""
    names = [""] if core else [name for name in _groups(absent) if name]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(name) for name in names],
    }


def openapi_index(absent: Iterable[str] = ()) -> Object:
    """``GET /openapi/v3``."""
    paths = {}
    for kind in KINDS:
        if kind.group not in absent:
            path = f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash=1"}
    return {"paths": paths}


def openapi(group_name: str, version_name: str) -> Object:
    """``GET /openapi/v3/apis/<group>/<version>``: the minimum that announces server-side field validation."""
    paths: Object = {}
    for kind in KINDS:
        if (kind.group, kind.version) == (group_name, version_name):
            paths |= _openapi_paths(kind)
    info = {"title": "Kubernetes", "version": GIT_VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _openapi_paths(kind: Kind) -> Object:
    base = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    query = [{"name": n, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for n in names]
    patch = {
        "operationId": f"patch{kind.kind}",
        "parameters": query,
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": gvk,
    }
    return {f"{base}{scope}/{kind.plural}/{{name}}": {"patch": patch}}


def _groups(absent: Iterable[str]) -> list[str]:
    left_out = set(absent)
    return [name for name in dict.fromkeys(kind.group for kind in KINDS) if name not in left_out]


def _versions(name: str) -> list[str]:
    return list(dict.fromkeys(kind.version for kind in KINDS if kind.group == name))


def _group(name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{v}", "version": v} for v in _versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(kind: Kind) -> list[Object]:
    entry: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short:
        entry["shortNames"] = list(kind.short)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    subs = [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **({"kind": sub_kind} if name != "scale" else GROUP_VERSION_KIND),
            "verbs": list(verbs),
        }
        for name, sub_kind, verbs in kind.subresources
    ]
    return [entry, *subs]


def _aggregated_group(name: str) -> Object:
    versions = []
    for version_name in _versions(name):
        kinds = [k for k in KINDS if (k.group, k.version) == (name, version_name)]
        resources = [_aggregated_resource(kind) for kind in kinds]
        versions.append({"version": version_name, "resources": resources, "freshness": "Current"})
    return {"metadata": {"name": name, "creationTimestamp": None} if name else {}, "versions": versions}


def _aggregated_resource(kind: Kind) -> Object:
    entry: Object = {
        "resource": kind.plural,
        "responseKind": _gvk(kind, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short:
        entry["shortNames"] = list(kind.short)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [
            {"subresource": name, "responseKind": _gvk(kind, sub_kind), "verbs": list(verbs)}
            for name, sub_kind, verbs in kind.subresources
        ]
    return entry


def _gvk(kind: Kind, name: str) -> Object:
    if name == "Scale":
        return dict(GROUP_VERSION_KIND)
    return {"group": kind.group, "version": kind.version, "kind": name}


UNSTORED = frozenset(
    kind.qualified for kind in (ACCESS_REVIEW, RULES_REVIEW, TOKEN_REVIEW, SELF_REVIEW, NEW_EVENT)
)
"""Types that are answered without being stored."""
