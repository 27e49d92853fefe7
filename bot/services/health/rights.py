"""Kubernetes rights that several checks and commands need."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.core.target import Target
from bot.domain.core.workload import Right

POD_READ = (Right("list", "pods"),)
EXEC = (Right("get", "pods", subresource="exec"), Right("create", "pods", subresource="exec"))
"""Both: the WebSocket handshake is a GET, and newer API servers ask for create as well."""
EXTERNAL_READ = Right("list", "externalsecrets", "external-secrets.io")


def secret_rights(names: Iterable[str]) -> list[Right]:
    """The rights to read Secrets by name."""
    return [Right("get", "secrets", name=name) for name in names]


def config_map_right(name: str) -> Right:
    """The right to read a ConfigMap, which deploy/options/configmaps grants."""
    return Right("get", "configmaps", name=name)


def deployment_right(target: Target) -> Right:
    """The right to read the target's Deployment, which explains a pod that is missing or not ready."""
    return Right("get", "deployments", "apps", name=target.deployment)
