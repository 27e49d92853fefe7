"""The clusters: connections, the account's rights, admission policies, and the targets' pods."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Iterator, Sequence

from bot.check.report import Check, Impact, failed
from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.judge_admission import Verdict
from bot.domain.rbac.options import option_of
from bot.errors import AgentpodError
from bot.wiring import admission_check
from bot.wiring.clusters import ClusterLink
from bot.wiring.parts import Parts
from bot.wiring.rights import Beyond, review, rights_needed

_OVERLAY = "deploy/overlays/mine"
"""The user's copy of the example (docs/install.md). The base by itself would reset its settings."""
_MANIFESTS = "deploy/base and, for Argo CD and Cilium, deploy/options/argocd and deploy/options/egress"


async def clusters(parts: Parts) -> list[Check]:
    """Try each cluster, and its targets."""
    found = await asyncio.gather(*(_cluster(parts, link) for link in parts.clusters.links))
    return [check for group in found for check in group]


async def _cluster(parts: Parts, link: ClusterLink) -> list[Check]:
    """One cluster, and the targets in it."""
    title = f"Kubernetes {link.name}".strip()
    impact = Impact.WORK if len(parts.clusters.links) == 1 else Impact.PART
    error = await link.connect()
    if error is not None:
        return [failed(title, error, impact)]
    try:
        info = await parts.cluster_of(link.targets[0].name).info()
    except AgentpodError as failure:
        return [failed(title, failure, impact)]
    first = Check(title, True, f"{info.version} at {info.server}")
    admission = f"Admission {link.name}".strip()
    cluster = parts.cluster_of(link.targets[0].name)
    judged, *rest = await asyncio.gather(
        _judged(admission, admission_check.policies(cluster, link.targets, parts.books, info.user)),
        *(_target(parts, target, link.targets, info.user) for target in link.targets),
    )
    return [first, *(check for group in rest for check in group), *judged]


async def _judged(title: str, verdict: Awaitable[Verdict | None]) -> list[Check]:
    found = await verdict
    return [Check(title, found.ok, found.detail, found.remedy)] if found is not None else []


async def _target(parts: Parts, target: Target, targets: Sequence[Target], user: str | None) -> list[Check]:
    """A target, of those in its cluster, which its account is for."""
    cluster = parts.cluster_of(target.name)
    title = f"Target {target.name}"
    try:
        missing, beyond = await review(cluster, target, targets, parts.commands, parts.books)
        needed = rights_needed(target, parts.commands, book=parts.books.get(target.name))
        checks = [
            *rights_checks(title, len(needed), missing, beyond),
            *describe_beyond(title, beyond, user),
        ]
        checks += await _judged(title, admission_check.reach(cluster, target))
        pods = await cluster.pods(target.selector)
    except AgentpodError as error:
        return [failed(title, error)]
    count = "1 pod matches" if len(pods) == 1 else f"{len(pods)} pods match"
    found = f"{count} {target.selector} in {target.namespace}"
    hint = None if pods else "Is targets[].selector right? `kubectl get pods --show-labels` shows the labels."
    return [*checks, Check(title, True if pods else None, found, hint)]


def routes(parts: Parts) -> Iterator[Check]:
    """The routes to the API servers, once they were connected to."""
    for link in parts.clusters.links:
        if link.route is not None:
            of = f" of {link.name}" if link.name else ""
            yield Check(f"Route to the API server{of}", True, str(link.route))


def rights_checks(title: str, total: int, missing: Sequence[Right], beyond: Beyond) -> Iterator[Check]:
    """Report the missing rights; as a note those of an option that is off unless somebody applies it."""
    options = {right: option for right in missing if (option := option_of(right)) is not None}
    off = [right for right, option in options.items() if not option.wanted]
    lacking = [right for right in missing if right not in off]
    if lacking:
        folders = list(dict.fromkeys(o.folder for right, o in options.items() if right in lacking))
        based = any(right not in options for right in lacking)
        grants = words.listed(["deploy/base", *folders] if based else folders)
        yield Check(
            title,
            False,
            f"{len(lacking)} of {total} rights are missing: {_by_verb(lacking)}",
            f"Apply {grants}: what they grant is exactly what is needed.",
            " && ".join(f"kubectl apply -k {folder}" for folder in [*([_OVERLAY] if based else []), *folders]),
        )
    else:
        count = f"all {total}" if not off else f"{total - len(off)} of {total}"
        yield Check(title, True, f"{count} rights are granted{', and no others' if beyond.nothing else ''}")
    for right in off:
        option = options[right]
        said = f"option not applied: {option.gives} can't be read, for {option.used_by} ({right})"
        yield Check(title, None, said, f"Apply {option.folder} if you want that; all else works without it.")


def _by_verb(rights: Sequence[Right]) -> str:
    """The rights in one sentence: ``list pods and events; create pods/exec``."""
    objects: dict[str, list[str]] = {}
    for right in rights:
        verb, _, rest = str(right).partition(" ")
        objects.setdefault(verb, []).append(rest)
    return "; ".join(f"{verb} {words.listed(names)}" for verb, names in objects.items())


def describe_beyond(title: str, beyond: Beyond, user: str | None) -> Iterator[Check]:
    """Report excess rights of the account, as a note: to try the bot as an administrator is legitimate."""
    if beyond.found:
        detail = f"the account can do more than agentpod needs: {beyond}"
        yield Check(title, None, detail, _narrower(beyond.own, user))
    if beyond.unknown:
        yield Check(title, None, f"unknown what else the account can do: {' '.join(beyond.unknown)}")
    elif beyond.incomplete:
        listed = "this list may be incomplete" if beyond.found else "nothing else was found, but perhaps not all"
        yield Check(title, None, f"{listed}: the API server says {beyond.incomplete}")


def _narrower(own: str, user: str | None) -> str:
    """The remedy: how to find excess rights of a service account, or what to use instead of one's own account."""
    account = (user or "").removeprefix("system:serviceaccount:").replace(":", "/")
    if not (user or "").startswith("system:serviceaccount:"):
        return f"Fine for a try as {user or 'yourself'}; in the cluster, {_MANIFESTS} grant just what is needed."
    return (
        f"Remove what goes beyond {_MANIFESTS}. All it can do: `kubectl auth can-i --list -n {own} "
        f"--as={shlex.quote(user or '')}`. Which binding gives it: `kubectl get rolebindings,clusterrolebindings "
        f"-A -o wide | grep {shlex.quote(account)}`."
    )
