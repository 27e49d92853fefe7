"""Finds where and how a pod uses a Secret, from the pod's JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SecretMount:
    """A file of a Secret in a container."""

    path: str
    frozen: bool = False
    """Whether the kubelet never refreshes it, as it doesn't where it is mounted with ``subPath``."""


def find(pod: Mapping[str, Any], container: str, secret: str, key: str) -> SecretMount | None:
    """Where the key of the Secret is in the container; None where it isn't mounted, or it can't be told."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return None
    files = {
        str(volume.get("name")): name for volume in _maps(spec, "volumes") if (name := _file(volume, secret, key))
    }
    for one in (*_maps(spec, "containers"), *_maps(spec, "initContainers")):
        if one.get("name") != container:
            continue
        for mount in _maps(one, "volumeMounts"):
            if (found := _mounted(mount, files.get(str(mount.get("name")), ""))) is not None:
                return found
    return None


FILES, FROZEN, ENV, UNUSED = "files", "frozen", "env", "unused"
"""How a pod uses a Secret: as files that are refreshed or never are, as environment variables, or not at all."""


def uses(pods: Iterable[Any], secret: str) -> frozenset[str]:
    """How the containers of the pods use a Secret; empty without a pod that can be read."""
    found: set[str] = set()
    for pod in pods:
        spec = pod.get("spec") if isinstance(pod, dict) else None
        if isinstance(spec, dict):
            found |= _uses(spec, secret) or {UNUSED}
    return frozenset(found - {UNUSED} or found)


def _uses(spec: Mapping[str, Any], secret: str) -> set[str]:
    volumes = {str(one.get("name")) for one in _maps(spec, "volumes") if any(_sources(one, secret))}
    found: set[str] = set()
    for container in (*_maps(spec, "containers"), *_maps(spec, "initContainers")):
        mounts = [one for one in _maps(container, "volumeMounts") if str(one.get("name")) in volumes]
        found |= {FROZEN if one.get("subPath") or one.get("subPathExpr") else FILES for one in mounts}
        origins = [one.get("valueFrom") for one in _maps(container, "env")]
        keys = [one.get("secretKeyRef") for one in origins if isinstance(one, dict)]
        wholes = [one.get("secretRef") for one in _maps(container, "envFrom")]
        if any(isinstance(one, dict) and one.get("name") == secret for one in (*keys, *wholes)):
            found.add(ENV)
    return found


def _mounted(mount: Mapping[str, Any], file: str) -> SecretMount | None:
    """The file of a mounted volume; ``file`` is its name there, empty for any other volume."""
    path, part = str(mount.get("mountPath", "")), str(mount.get("subPath", ""))
    if not file or not path.startswith("/"):
        return None
    if part:
        return SecretMount(path, frozen=True) if part.strip("/") == file else None
    return SecretMount(f"{path.rstrip('/')}/{file}")


def _file(volume: Mapping[str, Any], secret: str, key: str) -> str:
    """What the key's file is called in a volume; empty where the volume doesn't have it."""
    for source in _sources(volume, secret):
        items = {one.get("key"): str(one.get("path", "")) for one in _maps(source, "items")}
        if file := items.get(key, "") if items else key:
            return file
    return ""


def _sources(volume: Mapping[str, Any], secret: str) -> Iterator[Mapping[str, Any]]:
    """The parts of a volume that are files of the Secret."""
    projected = volume.get("projected")
    sources = [one.get("secret") for one in _maps(projected, "sources")] if isinstance(projected, dict) else []
    for source in (volume.get("secret"), *sources):
        if isinstance(source, dict) and secret in (source.get("secretName"), source.get("name")):
            yield source


def _maps(around: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a list that are mappings."""
    found = around.get(name)
    yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))
