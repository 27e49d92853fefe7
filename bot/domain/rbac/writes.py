"""Declares what each repair writes to the cluster, so that admission can refuse the account all else.

Beside its rights, each action says here what its calls change: RBAC grants a patch whole or not at all.
"""

from __future__ import annotations

from bot.domain.core.lazy_dataclass import dataclass


@dataclass(frozen=True)
class TemplateChange:
    """A patch of a Deployment that changes annotations of its pod template and, where it says so, images.

    An action that changes more of the template gets a field here, which the rules for Deployments
    (`bot.domain.rbac.admission_rules`) take out of the comparison.
    """

    deployment: str
    annotations: tuple[str, ...]
    """The annotations' names."""
    images: tuple[str, ...] = ()
    """The main containers whose image may become another one of its repository, named by its digest."""


@dataclass(frozen=True)
class SecretChange:
    """A patch of a Secret that changes or adds one key, and annotations."""

    secret: str
    key: str | None
    """The key; None: any one."""
    annotations: tuple[str, ...]
    """The annotations' names."""


@dataclass(frozen=True)
class SecretRotation:
    """A patch of a Secret that sets or removes any of its keys, and annotations."""

    secret: str
    annotations: tuple[str, ...]
    """The annotations' names."""


@dataclass(frozen=True)
class PodDeletion:
    """The deletion of one of the target's pods, by its uid and with its grace period."""


@dataclass(frozen=True)
class PolicyReplacement:
    """The deletion and creation of one Cilium policy, by its name."""

    policy: str


@dataclass(frozen=True)
class CiliumRestart:
    """The deletion of one of Cilium's own pods, by its uid and with its grace period."""


Write = TemplateChange | SecretChange | SecretRotation | PodDeletion | PolicyReplacement | CiliumRestart
