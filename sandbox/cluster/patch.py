"""The ways to patch: JSON merge patch, JSON patch and strategic merge patch.

RFC 7386, RFC 6902, and Kubernetes' strategic merge with the merge keys of the types served here.
"""

from __future__ import annotations

import copy
from typing import Any

from sandbox.cluster.status import ApiError, bad_request

MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "volumeMounts": ("mountPath",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "hostAliases": ("ip",),
    "ports": ("containerPort", "port"),
}
"""Lists merged item by item, by the first of these keys that the items have."""


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_patch(target: Any, patch: Any) -> Any:
    """Kubernetes' strategic merge, with ``$patch``, ``$retainKeys`` and ``$deleteFromPrimitiveList``."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {k: copy.deepcopy(v) for k, v in patch.items() if k != "$patch"}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {k: v for k, v in result.items() if k in patch["$retainKeys"]}
    for key, value in patch.items():
        _strategic_field(result, key, value)
    return result


def _strategic_field(result: dict[str, Any], key: str, value: Any) -> None:
    if key.startswith("$deleteFromPrimitiveList/"):
        name = key.partition("/")[2]
        result[name] = [item for item in result.get(name, []) if item not in value]
    elif key.startswith("$"):
        return  # $setElementOrder only concerns the order, $patch and $retainKeys are done
    elif value is None:
        result.pop(key, None)
    elif isinstance(value, list) and _merge_key(key, value):
        result[key] = _merge_list(result.get(key) or [], value, _merge_key(key, value))
    else:
        result[key] = strategic_patch(result.get(key), value)


def _merge_key(field: str, items: list[Any]) -> str:
    for key in MERGE_KEYS.get(field, ()):
        if items and all(isinstance(item, dict) and key in item for item in items):
            return key
    return ""


def _merge_list(old: list[Any], new: list[Any], key: str) -> list[Any]:
    result = {item.get(key): item for item in old}
    for item in new:
        if item.get("$patch") == "delete":
            result.pop(item[key], None)
        else:
            result[item[key]] = strategic_patch(result.get(item[key]), item)
    return list(result.values())


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902: add, remove, replace and test. Raises ApiError 400 or 422."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type []")
    result = copy.deepcopy(target)
    for operation in operations:
        _json_operation(result, operation)
    return result


def _json_operation(root: Any, operation: dict[str, Any]) -> None:
    op, path = operation.get("op"), str(operation.get("path", ""))
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    try:
        parent = root
        for step in steps[:-1]:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        _json_apply(op, parent, steps[-1], operation)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        words = f"the server rejected our request due to an error in our request: {op} {path}"
        raise ApiError(422, "Invalid", words) from error


def _json_apply(op: Any, parent: Any, step: str, operation: dict[str, Any]) -> None:
    if isinstance(parent, list):
        _json_apply_list(op, parent, step, operation)
    elif op == "remove":
        del parent[step]
    elif op == "test":
        if parent[step] != operation.get("value"):
            raise ValueError("test failed")
    elif op in ("add", "replace"):
        if op == "replace" and step not in parent:
            raise KeyError(step)
        parent[step] = copy.deepcopy(operation["value"])
    else:
        raise ValueError(f"unknown operation {op}")


def _json_apply_list(op: Any, parent: list[Any], step: str, operation: dict[str, Any]) -> None:
    index = len(parent) if step == "-" else int(step)
    if op == "add":
        parent.insert(index, copy.deepcopy(operation["value"]))
    elif op == "remove":
        del parent[index]
    elif op == "replace":
        parent[index] = copy.deepcopy(operation["value"])
    elif op == "test" and parent[index] != operation.get("value"):
        raise ValueError("test failed")
