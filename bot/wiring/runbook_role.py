"""``agentpod runbook rights FILE``: the Role that a runbook's facts need, and nothing beyond."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.rights import VERBS
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Runbook
from bot.services.health import rights
from bot.services.runbook.read_facts import rights_of

ACCOUNT = "agentpod"
"""The bot's ServiceAccount."""
API = "rbac.authorization.k8s.io"


def manifest(runbook: Runbook, target: Target) -> list[str]:
    """Return the manifest's lines: a Role and its binding for each namespace that the facts are read in."""
    changing = (*rights.POD_READ, *rights.EXEC) if runbook.repairs else ()
    needed = list(dict.fromkeys([*rights_of(facts_in(runbook), target), *changing]))
    what = "the facts and repairs" if runbook.repairs else "the facts"
    lines = [f"# The rights that {what} of the runbook {runbook.name} need, and no others."]
    if not needed:
        return [*lines, "# It reads nothing from the API server, so it needs none."]
    name = f"agentpod-runbook-{runbook.name}"
    for namespace in dict.fromkeys(right.namespace or target.namespace for right in needed):
        there = [right for right in needed if (right.namespace or target.namespace) == namespace]
        for part in (_role(name, namespace, there), _binding(name, namespace, target.namespace)):
            text = yaml.safe_dump(part, sort_keys=False, default_flow_style=None, width=1_000)
            lines += ["---", *text.removesuffix("\n").split("\n")]
    return lines


def facts_in(value: Any) -> Iterator[FactUse]:
    """Yield all facts in an entry or a whole runbook, however deep."""
    if isinstance(value, FactUse):
        yield value
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from facts_in(getattr(value, field))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from facts_in(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from facts_in(inner)


def _role(name: str, namespace: str, rights: list[Right]) -> dict[str, Any]:
    return {
        "apiVersion": f"{API}/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": list(_rules(rights)),
    }


def _rules(rights: list[Right]) -> Iterator[dict[str, Any]]:
    """One rule for all resources of a group that are granted the same verbs on the same objects."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
        verbs.setdefault((right.group, resource, right.name), []).append(right.verb)
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, object_), granted in verbs.items():
        alike.setdefault((group, object_, tuple(sorted(set(granted), key=VERBS.index))), []).append(resource)
    for (group, object_, granted_verbs), resources in alike.items():
        names = {"resourceNames": [object_]} if object_ else {}
        yield {"apiGroups": [group], "resources": resources, **names, "verbs": list(granted_verbs)}


def _binding(name: str, namespace: str, home: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{API}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": API, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}],
    }
