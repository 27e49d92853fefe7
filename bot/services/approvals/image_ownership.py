"""Reads which program would undo a change of a Deployment's image, for the request and again before the change."""

from __future__ import annotations

from bot.domain.approvals import image_owner
from bot.domain.approvals.image_owner import Owner
from bot.domain.core.target import Target
from bot.domain.core.workload import Application, Deployment
from bot.errors import AgentpodError, NotFound
from bot.ports.cluster import Cluster

FoundApplication = Application | AgentpodError | None
"""None where there is none; the error where that isn't known."""


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


def owner(deployment: Deployment, target: Target, found: FoundApplication) -> Owner | None:
    """The program that would undo the change; None where there is none.

    Raises the error of an Application that can't be read, unless the Deployment itself names a program.
    """
    known = found if isinstance(found, Application) else None
    named = image_owner.owner_of(deployment, target.namespace, target.argocd, known)
    if named is None and isinstance(found, AgentpodError):
        raise found
    return named
