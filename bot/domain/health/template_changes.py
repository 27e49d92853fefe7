"""What changed in a Deployment's pod template, field by field. Pure.

Only the values of harmless fields are kept and shown. Of all others, such as environment variables and arguments,
the name is shown, and a keyed fingerprint is kept to compare with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bot.domain.core import words
from bot.domain.core.bounded_state import MERGED, alike, bounded, digest
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION

MOST, SHOWN, LONGEST = 400, 6, 80
"""Fields that are kept one by one, fields that are named of one change, and characters of a value."""
HIDDEN = "#"
"""What a value that isn't shown begins with; the fingerprint follows."""
_SECRETIVE = frozenset(
    {"env", "envFrom", "annotations", "labels", "command", "args", "lifecycle", "httpHeaders", "exec", "volumes"}
)
"""Fields under which anything may be written."""
_HARMLESS = frozenset(
    {
        "memory",
        "cpu",
        "ephemeral-storage",
        "imagePullPolicy",
        "restartPolicy",
        "serviceAccountName",
        "priorityClassName",
        "runtimeClassName",
        "terminationGracePeriodSeconds",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "runAsUser",
        "runAsGroup",
        "runAsNonRoot",
        "fsGroup",
        "privileged",
        "readOnlyRootFilesystem",
        "allowPrivilegeEscalation",
        "containerPort",
        "hostPort",
        "protocol",
        "mountPath",
        "subPath",
        "readOnly",
        "initialDelaySeconds",
        "periodSeconds",
        "timeoutSeconds",
        "failureThreshold",
        "successThreshold",
        "port",
        "scheme",
        "automountServiceAccountToken",
        "dnsPolicy",
        "enableServiceLinks",
        "activeDeadlineSeconds",
    }
)
"""Fields whose values are numbers, switches and names of Kubernetes' own."""
_LISTS = frozenset({"containers", "initContainers"})


_APPROVED, _RESTARTED = (f"/annotations.{name}" for name in (APPROVAL_ANNOTATION, RESTARTED_ANNOTATION))


def fields(template: Mapping[str, Any], fingerprint: Callable[[str], str] | None) -> dict[str, str]:
    """Container, ``/`` and field → its value where that is harmless, else `HIDDEN` with its fingerprint.

    The images are left out: the pod's own are compared.
    """
    found: dict[str, list[str]] = {}
    for path, owner, value in _walk(template):
        if len(path) == 1 and value in ({}, [], None):
            continue
        found.setdefault(f"{owner}/{'.'.join(path)}"[:200], []).append(_kept(path, value, fingerprint))
    state = {name: kept[0] if len(kept) == 1 else HIDDEN + digest(kept) for name, kept in found.items()}
    return bounded(state, MOST, _group, HIDDEN)


def _group(name: str) -> str:
    """A container, ``/`` and the field's first word, such as ``kali/env``."""
    owner, _, path = name.partition("/")
    return "" if name in (_APPROVED, _RESTARTED) else f"{owner}/{path.partition('.')[0]}"


def _kept(path: Sequence[str], value: Any, fingerprint: Callable[[str], str] | None) -> str:
    if path[-1] in _HARMLESS and not _SECRETIVE.intersection(path) and isinstance(value, str | int | bool):
        return words.cut(str(value).lower() if isinstance(value, bool) else str(value), LONGEST)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return HIDDEN + (fingerprint(text) if fingerprint is not None else "")


def _walk(template: Mapping[str, Any]) -> Iterator[tuple[list[str], str, Any]]:
    """Yield each field: its path, the container that it belongs to, its value."""
    for key, part in template.items():
        if not isinstance(part, Mapping):
            continue
        for name, value in part.items():
            if name in _LISTS and isinstance(value, Sequence):
                for container in value:
                    if isinstance(container, Mapping):
                        yield from _of_container(container)
            elif not (key == "metadata" and name == "creationTimestamp"):
                yield from _leaves([str(name)], "", value)


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[list[str], str, Any]]:
    owner = str(container.get("name", ""))
    for name, value in container.items():
        if name not in ("name", "image"):
            yield from _leaves([str(name)], owner, value)


def _leaves(path: list[str], owner: str, value: Any) -> Iterator[tuple[list[str], str, Any]]:
    if path == ["env"] and (named := _by_name(value)) is not None:
        for name, item in named.items():
            yield [*path, name], owner, item
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves([*path, str(key)], owner, inner)
    elif (named := _by_name(value)) is not None:
        for name, item in named.items():
            yield from _leaves([*path, name], owner, {k: v for k, v in item.items() if k != "name"})
    else:
        yield path, owner, value


def _by_name(value: Any) -> dict[str, Mapping[str, Any]] | None:
    """The items of a list by their names; None where they have none, or the same."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    found = {str(item["name"]): item for item in value if isinstance(item, Mapping) and item.get("name")}
    return found if len(found) == len(value) else None


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What differs, as one change; none where it is only a restart that was approved.

    Fields of a container that is new or gone are left out: its image says so.
    """
    before, after = alike(before, after, _group, HIDDEN)
    names = [name for name in dict.fromkeys([*after, *before]) if before.get(name) != after.get(name)]
    if _APPROVED in names:
        names = [name for name in names if name not in (_APPROVED, _RESTARTED)]
    both = _owners(before) & _owners(after)
    names = [name for name in names if _owner(name) in both or not _owner(name)]
    if not names:
        return []
    said = [_said(name, before.get(name), after.get(name)) for name in names[:SHOWN]]
    more = len(names) - len(said)
    return [("", "", "; ".join([*said, *([words.plural(more, "more field")] if more else [])]))]


def _owner(name: str) -> str:
    return name.partition("/")[0]


def _owners(found: Mapping[str, str]) -> frozenset[str]:
    return frozenset(map(_owner, found))


def _said(name: str, before: str | None, after: str | None) -> str:
    if name == _RESTARTED:
        return "restarted by kubectl or another program"
    owner, _, path = name.removesuffix(MERGED).partition("/")
    path = path or "fields"
    first, dot, rest = path.partition(".")
    called = f"{first} {rest}" if dot and first == "env" else path
    called += f" of {owner}" if owner else ""
    if before is None:
        return f"{called} new" if _hides(after) else f"{called} {after} (new)"
    if after is None:
        return f"{called} gone"
    if name.endswith(MERGED):
        return f"{called} changed (too many to name)"
    return f"{called} changed" if _hides(before) or _hides(after) else f"{called} {before} → {after}"


def _hides(value: str | None) -> bool:
    return value is None or value.startswith(HIDDEN)
