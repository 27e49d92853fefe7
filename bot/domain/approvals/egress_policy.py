"""Cilium's egress policy as it is read, its manifest, and the steps of its repair. Pure.

The manifest is stored with the request, so that whichever process carries it out can create the policy again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.domain.approvals.approval import Snapshot
from bot.domain.core import words
from bot.domain.core.stored import Stored
from bot.domain.core.workload import Right

GROUP, VERSION, RESOURCE = "cilium.io", "v2", "ciliumnetworkpolicies"
KIND = "CiliumNetworkPolicy"
MANIFEST, LOG = "manifest", "egress_steps"
"""Keys of a request's details."""
LRU = "LRU not yet initialized"
"""What Cilium says of a policy that the repair mends; a wrong rule stays wrong when it is created again."""
MOST = 20_000
"""Most characters of a manifest that is kept."""
MOST_RULES, LONGEST_RULE = 4, 120
"""Rules that a card shows, and characters of one."""
_META = ("name", "namespace", "labels", "annotations")
_SECTIONS = ("egress", "egressDeny", "ingress", "ingressDeny")


def right(verb: str, name: str) -> Right:
    """The right to get, delete or create the policy; creation is granted without a name."""
    return Right(verb, RESOURCE, GROUP, name="" if verb == "create" else name)


@dataclass(frozen=True)
class EgressPolicy:
    """A CiliumNetworkPolicy."""

    name: str
    uid: str
    generation: int
    resource_version: str
    valid: bool | None
    """None: Cilium has not judged it yet."""
    message: str
    """What Cilium says of it."""
    deleting: bool
    manifest: Mapping[str, Any]
    """What creates it again: without status, and without what the API server writes."""

    @property
    def text(self) -> str:
        """The manifest as JSON, the same for equal manifests."""
        return json.dumps(self.manifest, sort_keys=True, ensure_ascii=False)

    @property
    def wrong_rule(self) -> bool:
        """Whether Cilium refuses the policy for what is in it, so that creating it again changes nothing."""
        return self.valid is False and bool(self.message) and LRU not in self.message

    @property
    def not_mended(self) -> str:
        """Why creating it again would not fix it; empty for a policy with the bug that the repair mends."""
        if self.valid:
            return "the policy is valid by now"
        if self.wrong_rule:
            return f"creating the policy again would not fix it: Cilium says “{words.cut(self.message, 200)}”"
        return "" if LRU in self.message else "Cilium has not judged the policy"

    def same_rules(self, manifest: Mapping[str, Any]) -> bool:
        """Whether it has the rules of a manifest, whatever its labels and annotations."""
        return all(self.manifest.get(key) == manifest.get(key) for key in ("spec", "specs"))


def policy_of(found: Mapping[str, Any]) -> EgressPolicy:
    """The policy in an API server's answer."""
    meta, status = _map(found.get("metadata")), _map(found.get("status"))
    listed = status.get("conditions")
    conditions = [_map(one) for one in listed] if isinstance(listed, list) else []
    valid = next((one for one in conditions if one.get("type") == "Valid"), None)
    judged = {"True": True, "False": False}.get(str(valid.get("status"))) if valid is not None else None
    kept = {key: meta[key] for key in _META if meta.get(key)}
    rules = {key: found[key] for key in ("spec", "specs") if key in found}
    head = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND}
    return EgressPolicy(
        str(meta.get("name", "")),
        str(meta.get("uid", "")),
        int(meta.get("generation") or 0),
        str(meta.get("resourceVersion", "")),
        judged,
        str(valid.get("message", "")) if valid is not None else "",
        bool(meta.get("deletionTimestamp")),
        {**head, "metadata": kept, **rules},
    )


def snapshot(policy: EgressPolicy | None, pod: tuple[str, str] | None) -> Snapshot:
    """What an approval is bound to: the policy's uid, generation and manifest, and the pod's name and uid."""
    pods = (pod,) if pod is not None else ()
    if policy is None:
        return Snapshot("", 0, (), pods, "", "egress policy")
    return Snapshot(policy.uid, policy.generation, (), pods, policy.text, "egress policy")


def digest(manifest: str) -> str:
    """The SHA-256 of a manifest, by which an approval is bound to it."""
    return hashlib.sha256(manifest.encode()).hexdigest()


def absent(manifest: str, there: EgressPolicy | None = None) -> Snapshot:
    """What an approval of a creation is bound to: that no policy is ``there``, and the manifest to create."""
    uid, version = (there.uid, there.text) if there is not None else ("", "")
    return Snapshot(uid, 0, (), (), version, "missing egress policy", (), digest(manifest))


def metadata_of(manifest: str) -> Mapping[str, Any]:
    """The metadata of a stored manifest; empty where it is no manifest of such a policy."""
    try:
        found = _map(json.loads(manifest))
    except (ValueError, RecursionError):
        return {}
    return _map(found.get("metadata")) if found.get("kind") == KIND else {}


def rules(manifest: Mapping[str, Any]) -> list[str]:
    """The policy's rules in a few lines, such as ``egress: toFQDNs api.anthropic.com``."""
    found = [line for spec in (manifest.get("spec"), *_list(manifest.get("specs"))) for line in _rules(_map(spec))]
    left = len(found) - MOST_RULES
    shown = [words.cut(line, LONGEST_RULE) for line in found[:MOST_RULES]]
    return [*shown, *([f"and {words.plural(left, 'more rule')}"] if left > 0 else [])] or ["none"]


def _rules(spec: Mapping[str, Any]) -> Iterator[str]:
    for section in _SECTIONS:
        if section not in spec:
            continue
        yield from (f"{section}: {_rule(_map(one))}" for one in _list(spec[section]) or ({},))


def _rule(rule: Mapping[str, Any]) -> str:
    """One rule; an empty one allows nothing."""
    parts = (" ".join((key, *dict.fromkeys(_values(value)))) for key, value in rule.items())
    return ", ".join(parts) or "nothing is allowed"


def _values(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _values(one)
    elif isinstance(value, list):
        for one in value:
            yield from _values(one)
    else:
        yield str(value)


@dataclass(frozen=True)
class EgressStep:
    """A step that was begun."""

    name: str
    began: datetime
    uid: str = ""
    """The object that it deletes."""
    ended: datetime | None = None
    said: str = ""
    """What came of it."""


@dataclass(frozen=True)
class EgressLog:
    """All steps that were begun, in order."""

    steps: tuple[EgressStep, ...] = field(default=())

    def step(self, name: str) -> EgressStep | None:
        """A step by name; None where it was not begun."""
        return next((one for one in self.steps if one.name == name), None)

    def began(self, name: str, now: datetime, uid: str = "") -> EgressLog:
        """With one more step."""
        return EgressLog((*self.steps, EgressStep(name, now, uid)))

    def ended(self, now: datetime, said: str) -> EgressLog:
        """With the end of the last step."""
        return EgressLog((*self.steps[:-1], replace(self.steps[-1], ended=now, said=said)))


_LOGS = Stored(EgressLog)


def log_of(details: Mapping[str, str]) -> EgressLog:
    """The steps that were begun. Raises `Unreadable` for a record that this version can't read."""
    return _LOGS.load(details[LOG]) if LOG in details else EgressLog()


def with_log(details: Mapping[str, str], log: EgressLog) -> dict[str, str]:
    """The details with another record of the steps."""
    return {**details, LOG: _LOGS.dump(log)}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
