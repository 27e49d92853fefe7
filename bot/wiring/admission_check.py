"""For `agentpod check`: are the admission policies in force, and what does a command in the pod reach?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_pod
from bot.domain.rbac import judge_admission, pod_account
from bot.domain.rbac.admission import GROUP, account_of, home_of
from bot.domain.rbac.forbidden import OTHER_NAMESPACES, to_ask
from bot.domain.rbac.judge_admission import Found, Unread, Verdict
from bot.domain.rbac.pod_account import PodAccount
from bot.domain.rbac.rights import EVERYWHERE
from bot.errors import AgentpodError, NoSuchKind, NotAllowed, NotFound
from bot.ports.cluster import Cluster
from bot.wiring.admission import manifests
from bot.wiring.rights import Books

_REVIEW = Right("create", "subjectaccessreviews", "authorization.k8s.io", namespace=EVERYWHERE)
_MOST = 8
"""Most rights of the pod's account that are named."""


async def policies(cluster: Cluster, targets: Sequence[Target], books: Books, user: str | None) -> Verdict:
    """Judge the policies for the targets of one cluster. ``user`` is the bot's user name there.

    Somebody who tries the bot with an account of their own is told of the policies of the bot's.
    """
    account = user if user is not None and home_of(user) else account_of(targets[0].namespace)
    try:
        wanted = manifests(targets, books, account)
    except AgentpodError as error:
        return Verdict(False, error.message, error.remedy)
    found = await asyncio.gather(*(_installed(cluster, one) for one in wanted))
    return judge_admission.judge(wanted, found, account)


async def _installed(cluster: Cluster, wanted: Mapping[str, Any]) -> Found:
    resource, name = judge_admission.resource_of(wanted), str(wanted["metadata"]["name"])
    right = Right("get", resource, GROUP, name=name, namespace=EVERYWHERE)
    try:
        return await cluster.objects(right, "v1")
    except NoSuchKind:
        return Unread("", absent=True)
    except NotFound:
        return None
    except AgentpodError as error:
        return Unread(words.lower_first(error.message).rstrip("."), isinstance(error, NotAllowed))


async def reach(cluster: Cluster, target: Target) -> Verdict | None:
    """Say what a command in the pod has by the pod's own ServiceAccount; None where there is no pod."""
    right = Right("list", "pods")
    try:
        listed, pods = await asyncio.gather(
            cluster.objects(right, "v1", target.selector), cluster.pods(target.selector)
        )
    except AgentpodError as error:
        why = words.lower_first(error.message).rstrip(".")
        return Verdict(None, f"unknown which ServiceAccount the pod has: {why}")
    current = judge_pod.current(pods)
    items = [one for one in listed.get("items") or () if current and one["metadata"].get("uid") == current.uid]
    if not items:
        return None
    found = pod_account.account_of(items[0])
    if not found.containers:
        return Verdict(True, f"no container of the pod has a token of its ServiceAccount {found.name}")
    return await _reached(cluster, target, found)


async def _reached(cluster: Cluster, target: Target, found: PodAccount) -> Verdict:
    where = words.listed(list(found.containers))
    begin = f"a command in {where} can use the token of the pod's own ServiceAccount {found.name}"
    command = pod_account.listing(target.namespace, found.name)
    narrower = "If the pod does not need it, set automountServiceAccountToken: false in its Deployment."
    try:
        if not await cluster.can_i(_REVIEW):
            said = f"{begin}; what that account may do, the bot has no right to ask"
            return Verdict(None, said, f"See what it may do: `{command}`. {narrower}")
        granted = await _granted(cluster, target, found.name)
    except AgentpodError as error:
        why = words.lower_first(error.message).rstrip(".")
        return Verdict(None, f"{begin}; what that account may do is unknown: {why}", f"`{command}` shows it.")
    if not granted:
        said = f"{begin}, which has none of the rights that would do the most harm"
        return Verdict(None, said, f"All of them: `{command}`.")
    more = f" and {len(granted) - _MOST} more" if len(granted) > _MOST else ""
    said = f"{begin}, which may {', '.join(granted[:_MOST])}{more}"
    return Verdict(
        None, said, f"Whoever can run commands there can do that too. All of it: `{command}`. {narrower}"
    )


async def _granted(cluster: Cluster, target: Target, account: str) -> list[str]:
    """What the account may do of what would do the most harm; only "everything" for an administrator."""
    everything = Right("*", "*", "*", namespace=EVERYWHERE)
    if await cluster.account_can(target.namespace, account, everything):
        return ["do everything in the whole cluster (cluster-admin)"]
    others = [name for name in OTHER_NAMESPACES if name != target.namespace]
    asked = list(dict.fromkeys(to_ask((), target.namespace, others)))
    answers = await asyncio.gather(*(cluster.account_can(target.namespace, account, right) for right in asked))
    return [str(right) for right, yes in zip(asked, answers, strict=True) if yes]
