"""Find rights of an account beyond those it needs, by RBAC's matching rules.

Source: `pkg/apis/rbac/v1/evaluation_helpers.go` of Kubernetes. A rule is a product of groups, resources, names
and verbs; ``*`` stands for any group, resource or verb, ``*/log`` for that subresource of any resource. ``pods/*``
is no wildcard. A rule without names applies to every name.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bot.domain.core.workload import PolicyRule, Right

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
"""The standard verbs, in the order in which they are shown."""
EVERYWHERE = ""
"""Stands for the whole cluster, as in `Right.namespace`."""
_READS = frozenset(VERBS[:3])
_POWERS = frozenset({"impersonate", "bind", "escalate", "approve", "sign", "attest"})


class Permission(NamedTuple):
    """One element of a rule's product: ``resource`` is ``pods`` or ``pods/log``; an empty ``name`` means any."""

    group: str
    resource: str
    name: str
    verb: str

    @classmethod
    def of(cls, right: Right) -> Permission:
        """The grant that a right needs."""
        resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
        return cls(right.group, resource, right.name, right.verb)

    def right(self, namespace: str) -> Right:
        """The right to check with the authorizer."""
        resource, _, subresource = self.resource.partition("/")
        return Right(self.verb, resource, self.group, subresource, self.name, namespace)

    def wider(self) -> Iterator[Permission]:
        """Yield every grant that includes this one, itself first."""
        subresource = self.resource.partition("/")[2]
        resources = (self.resource, "*", f"*/{subresource}") if subresource else (self.resource, "*")
        for atom in itertools.product((self.group, "*"), resources, (self.name, ""), (self.verb, "*")):
            yield Permission(*atom)


Places = dict[Permission, set[str]]
"""The namespaces in which each grant applies; `EVERYWHERE` is the whole cluster."""

EVERYBODY = (
    Permission("authorization.k8s.io", "selfsubjectaccessreviews", "", "create"),
    Permission("authorization.k8s.io", "selfsubjectrulesreviews", "", "create"),
    Permission("authentication.k8s.io", "selfsubjectreviews", "", "create"),
    *(Permission("certificates.k8s.io", "clustertrustbundles", "", verb) for verb in VERBS[:3]),
)
"""What Kubernetes 1.37 grants every service account: reviews of its own rights, and reading public certificates.

These come from the ClusterRoles ``system:basic-user`` and ``system:cluster-trust-bundle-discovery``. The others
that are bound to all accounts (``system:discovery``, ``system:public-info-viewer`` and
``system:service-account-issuer-discovery``) have paths such as ``/version`` and no resources.
"""


@dataclass(frozen=True)
class Excess:
    """Granted rights that nothing needs: verbs on one kind of resource."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Names of the objects it is limited to; empty: all objects."""
    any_name: bool = False
    """Whether the right is needed for single objects, but granted for any name."""
    where: tuple[str, ...] = ()
    """The namespaces in which it applies; `EVERYWHERE` alone is the whole cluster."""

    def __str__(self) -> str:
        """``create pods``, ``get, list secrets (any)``, ``everything (* on *)``."""
        return "everything (* on *)" if self.everything else f"{self.action} {self.subject}"

    @property
    def action(self) -> str:
        """The verbs: ``get, list``; ``every verb on``; ``read and change`` for all standard ones."""
        if "*" in self.verbs:
            return "every verb on"
        if set(VERBS) <= set(self.verbs):
            return ", ".join(["read and change", *self.verbs[len(VERBS) :]])
        return ", ".join(self.verbs)

    @property
    def subject(self) -> str:
        """The resource, with the names: ``secrets "x"``, ``secrets (any)``."""
        names = "".join(f' "{name}"' for name in self.names)
        return f"{resource_text(self.group, self.resource)}{names}{' (any)' if self.any_name else ''}"

    @property
    def everything(self) -> bool:
        """Whether it is all verbs on all resources, as of a cluster administrator."""
        return self.group == self.resource == "*" and "*" in self.verbs and not self.names

    @property
    def weight(self) -> tuple[object, ...]:
        """Sort key, worst first: everything, wildcards, ways to gain rights, Secrets, changes, reads."""
        powers = bool(_POWERS & set(self.verbs)) or "rbac" in self.group or self.resource.endswith("/token")
        ranks = (
            self.everything,
            any(word.startswith("*") for word in (self.group, self.resource, *self.verbs)),
            powers,
            self.resource == "secrets",
            not set(self.verbs) <= _READS,
            True,
        )
        return ranks.index(True), self.group, self.resource, self.names, self.verbs, self.where


def resource_text(group: str, resource: str) -> str:
    """``pods/log``, ``deployments.apps/scale``, ``everything of apps``."""
    if resource == "*":
        return "everything" + {"*": "", "": " of the core group"}.get(group, f" of {group}")
    kind, slash, subresource = resource.partition("/")
    return f"{kind}.{group}{slash}{subresource}" if group else resource


def grants(rules: Iterable[PolicyRule]) -> Iterator[Permission]:
    """Expand rules to their grants; there may be duplicates."""
    for rule in rules:
        for atom in itertools.product(rule.groups, rule.resources, rule.names or ("",), rule.verbs):
            yield Permission(*atom)


def needed_in(needed: Iterable[Right], namespace: str | None) -> list[Right]:
    """The needed rights that apply in a namespace: its own, and those of the whole cluster."""
    return [right for right in needed if right.namespace in (namespace, EVERYWHERE)]


def beyond(found: Iterable[Permission], needed: Iterable[Right]) -> set[Permission]:
    """The grants that are included neither in the needed rights nor in those of every account."""
    allowed = {*EVERYBODY, *(Permission.of(right) for right in needed)}
    return {grant for grant in found if allowed.isdisjoint(grant.wider())}


def excess(rules: Iterable[PolicyRule], needed: Iterable[Right], namespace: str | None = None) -> list[Excess]:
    """What ``rules`` of a namespace grant beyond what is ``needed`` there; worst first.

    ``namespace`` is compared with that of each right, where None is the target's. The result does not depend on
    the order of the rules, or on how they are split.
    """
    here = needed_in(needed, namespace)
    found = combined({grant: {"here"} for grant in beyond(grants(rules), here)}, here)
    return [replace(entry, where=()) for entry in found]


def combined(places: Mapping[Permission, Collection[str]], needed: Iterable[Right]) -> list[Excess]:
    """Combine grants into findings, worst first: join verbs and names, and drop what a wider grant includes."""
    by_name = {Permission.of(right)._replace(name="") for right in needed if right.name}
    verbs: dict[tuple[Permission, tuple[str, ...]], set[str]] = {}
    for grant, where in places.items():
        if left := _not_covered(grant, where, places):
            verbs.setdefault((grant._replace(verb=""), left), set()).add(grant.verb)
    names: dict[tuple[Excess, bool], set[str]] = {}
    for (grant, where), said in verbs.items():
        also = any(grant._replace(verb=verb) in by_name for verb in said)
        entry = Excess(grant.group, grant.resource, _in_order(said), (), also, where)
        names.setdefault((entry, bool(grant.name)), set()).add(grant.name)
    found = [replace(e, names=tuple(sorted(n))) if single else e for (e, single), n in names.items()]
    return sorted(found, key=lambda e: e.weight)


def _not_covered(
    grant: Permission, where: Collection[str], places: Mapping[Permission, Collection[str]]
) -> tuple[str, ...]:
    """The places where the grant applies and no wider grant does."""
    wider = {place for other in grant.wider() if other != grant for place in places.get(other, ())}
    if EVERYWHERE in wider:
        return ()
    return (EVERYWHERE,) if EVERYWHERE in where else tuple(sorted(set(where) - wider))


def _in_order(verbs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(verbs, key=lambda verb: (VERBS.index(verb) if verb in VERBS else len(VERBS), verb)))


def summary(found: Iterable[Excess], own: str, most: int = 6) -> str:
    """Findings in one line, worst first; those of the namespace ``own`` come before others.

    Findings with the same verbs are joined. At most ``most`` groups are shown, with ``most`` resources each.
    """
    alike: dict[tuple[tuple[str, ...], str], list[Excess]] = {}
    for entry in sorted(found, key=lambda e: e.weight):
        alike.setdefault((entry.where, entry.action), []).append(entry)
    shown = dict(itertools.islice(alike.items(), most))
    parts = []
    for place in sorted({where for where, _ in shown}, key=lambda where: (where != (own,), where)):
        said = "; ".join(_together(entries, most) for (where, _), entries in shown.items() if where == place)
        parts.append(said if place == (own,) else f"{_where(place)}: {said}")
    left = sum(len(entries) for key, entries in alike.items() if key not in shown)
    return "; ".join([*parts, *([f"and {left} more"] if left else [])])


def _together(entries: Sequence[Excess], most: int) -> str:
    """Findings with the same verbs: ``get pods, secrets (any) and 3 more``."""
    more = f" and {len(entries) - most} more" if len(entries) > most else ""
    return str(entries[0]) + "".join(f", {entry.subject}" for entry in entries[1:most]) + more


def _where(where: tuple[str, ...]) -> str:
    if where == (EVERYWHERE,):
        return "in the whole cluster"
    return "in " + (where[0] if len(where) == 1 else f"{', '.join(where[:-1])} and {where[-1]}")
