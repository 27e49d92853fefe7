"""Reads which program would undo a change of a Deployment: for an answer, for a request, and before a change."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.core.workload import Application, Deployment
from bot.domain.health import deployment_owner, judge_argocd
from bot.domain.health.deployment_owner import Owner, Ways
from bot.errors import AgentpodError, NotFound
from bot.ports.cluster import Cluster

FoundApplication = Application | AgentpodError | None
"""None where there is none; the error where that isn't known."""


@dataclass(frozen=True)
class Ownership:
    """The program that would undo a change, or why that isn't known; neither where there is none."""

    owner: Owner | None = None
    unread: AgentpodError | None = None

    def ways(self, target: Target) -> Ways:
        """How images can be changed: `image set` takes none where its change would or might be undone."""
        if (unread := self.unread) is None:
            return Ways(() if self.owner else target.image_set, self.owner)
        why = words.lower_first(unread.message.rstrip("."))
        return Ways((), self.owner, why, unread.remedy or judge_argocd.UNREAD_REMEDY)


async def application(cluster: Cluster, target: Target) -> FoundApplication:
    """Read the Argo CD Application that the settings name. Never raises one of `bot.errors`."""
    argocd = target.argocd
    if argocd is None:
        return None
    try:
        return await cluster.application(argocd.namespace, argocd.application)
    except NotFound:
        return None
    except AgentpodError as error:
        return error


def ownership(deployment: Deployment, target: Target, found: FoundApplication) -> Ownership:
    """Whose the Deployment is. An Application that can't be read leaves that open, unless another is named."""
    known = found if isinstance(found, Application) else None
    owner = deployment_owner.owner_of(deployment, target.namespace, target.argocd, known)
    return Ownership(owner, found if owner is None and isinstance(found, AgentpodError) else None)
