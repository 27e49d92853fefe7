"""Who else decides what a Deployment is like, so that a change of it would be undone. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.images import reference
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application, Deployment, Manager

ARGO = "Argo CD"
FROM_GIT = (ARGO, "Flux", "Rancher", "Config Sync")
"""Programs that make a Deployment as their repository has it again and again."""


@dataclass(frozen=True)
class Owner:
    """A program that would undo a patch."""

    name: str
    """With the object that configures it: ``Argo CD application secure-agent-pod``."""
    when: str
    """When it would undo it."""
    path: str = ""
    """The folder of the manifests, where that is known."""

    def commits(self, what: str) -> str:
        """What to do instead of a change, and why: the end of a sentence, which begins with "commit"."""
        where = f" in {words.cut(self.path, 100)}" if self.path else ""
        return f"commit {what}{where} and sync: {words.cut(self.name, 100)} manages the Deployment."


@dataclass(frozen=True)
class Ways:
    """How the images of a Deployment can be changed."""

    settable: Collection[str] = ()
    """The containers for which `image set` takes another image."""
    owner: Owner | None = None
    """The program that would undo a change of the Deployment; None where none is known."""
    unread: str = ""
    """Why it is not known whether Argo CD manages the Deployment, the end of a sentence; empty where it is."""
    remedy: str = ""
    """What helps against that."""

    @property
    def place(self) -> str:
        """Where a person changes the image."""
        return f"in the Deployment, or in Git if {ARGO} manages it" if self.unread else "in the Deployment"


def owner_of(
    deployment: Deployment, namespace: str, argocd: ArgoCD | None, application: Application | None
) -> Owner | None:
    """The program that would undo a change of the Deployment; None where none is known.

    ``application`` is the one that the settings name, None where there is none or it could not be read.
    """
    found = next((one for one in deployment.managers if one.undoes or one.by in FROM_GIT), None)
    if argocd is not None and application is not None:
        listed = {(place or namespace, name) for place, name in application.deployments}
        if (namespace, deployment.name) in listed or deployment.instance == argocd.application:
            when = "within minutes, by its self-heal" if application.self_heal else "with its next sync"
            return Owner(f"{ARGO} application {argocd.application}", when, application.path)
    return Owner(found.name, "when it next applies its source") if found is not None else None


def also(deployment: Deployment) -> list[Manager]:
    """Programs that write the pod template when somebody has them do it."""
    return [one for one in deployment.managers if not one.undoes and one.by not in FROM_GIT]


def to_commit(image: str, container: str) -> str:
    """The change as text for a file: an entry of a kustomization, and a manifest's line."""
    named = reference(image)
    tag = [f"    newTag: {named.tag}"] if named.tag else []
    lines = [
        "# in kustomization.yaml",
        "images:",
        f"  - name: {named.repository}",
        *tag,
        f"    digest: {named.digest}",
        "",
        f"# or for the container {container} in the Deployment's manifest",
        f"image: {image}",
    ]
    return "\n".join(lines)
