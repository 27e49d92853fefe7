"""Where the API server is and how to speak to it: the client's usual rules, with errors that say what to do.

In order: the files of ``KUBECONFIG`` (several, joined by ``:``) or ``~/.kube/config``, then the service
account mounted into a pod.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.kube_config import KubeConfigMerger

from bot import __version__
from bot.errors import Permanent

POOL_SIZE = 64
"""Connections to the API server at most: well above the calls of one status, exec sockets included."""

_UNREADABLE = (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the client raises for a kubeconfig that is missing a part, is no YAML or has the wrong shape."""


@dataclass(frozen=True)
class Source:
    """Which configuration is in use: kubeconfig files, or none for the pod's own service account."""

    files: tuple[str, ...]
    context: str | None
    user: str | None

    @property
    def in_cluster(self) -> bool:
        """Whether the credentials are those mounted into the pod."""
        return not self.files

    @property
    def described(self) -> str:
        """How messages call it."""
        return "the pod's service account" if self.in_cluster else "kubeconfig " + ", ".join(self.files)


def kubeconfig_paths() -> list[str]:
    """Where a kubeconfig is looked for, whether or not it exists."""
    value = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return [str(Path(p).expanduser()) for p in value.split(os.pathsep) if p]


def existing_paths() -> tuple[str, ...]:
    """Those of them that exist."""
    return tuple(path for path in kubeconfig_paths() if Path(path).exists())


async def load(context: str | None) -> tuple[Configuration, Source]:
    """Find and read the configuration. Raises Permanent that says where it looked and what was wrong."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = POOL_SIZE
    files = existing_paths()
    if files:
        return configuration, await _from_files(configuration, files, context)
    if context is not None:
        raise _nowhere(f"The Kubernetes context {context!r} can't be used: no kubeconfig was found")
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise _nowhere("No Kubernetes configuration was found")
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise Permanent(
            f"The pod's service account can't be used: {_plain(error)}.",
            remedy="Set automountServiceAccountToken: true on the bot's pod, or give it a kubeconfig.",
        ) from error
    return configuration, Source((), None, None)


def _nowhere(what: str) -> Permanent:
    looked = ", ".join(kubeconfig_paths())
    return Permanent(
        f"{what}: looked at {looked} and for a pod's service account.",
        remedy="Set KUBECONFIG to a kubeconfig file, or run the bot inside the cluster.",
    )


async def _from_files(configuration: Configuration, files: tuple[str, ...], context: str | None) -> Source:
    joined = os.pathsep.join(files)
    try:
        _check_context(joined, files, context)
        # persist_config would write refreshed credentials back: the operator's file is not the bot's to edit.
        loader = await load_kube_config(
            config_file=joined, context=context, client_configuration=configuration, persist_config=False
        )
        current = loader.current_context
    except _UNREADABLE as error:
        raise Permanent(
            f"The kubeconfig {', '.join(files)} can't be used: {_plain(error)}.",
            remedy="Check it with `kubectl config view`, or set KUBECONFIG to another file.",
        ) from error
    return Source(files, current["name"], (current.get("context") or {}).get("user"))


def _check_context(joined: str, files: tuple[str, ...], context: str | None) -> None:
    """Name the contexts that exist when the one wanted does not."""
    merged = KubeConfigMerger(joined).config
    if merged is None or not isinstance(merged.value, dict):
        raise ConfigException("the file is empty or no mapping")
    names = sorted(str(node.value["name"]) for node in merged.value.get("contexts") or [])
    wanted = context or merged.value.get("current-context")
    if wanted in names:
        return
    known = ", ".join(names) or "none at all"
    if not wanted:
        raise Permanent(
            f"The kubeconfig {', '.join(files)} has no current-context.",
            remedy=f"Set AGENTPOD_KUBERNETES__CONTEXT to one of: {known}.",
        )
    raise Permanent(
        f"There is no context {wanted!r} in {', '.join(files)}.",
        remedy=f"Set AGENTPOD_KUBERNETES__CONTEXT to one that exists: {known}.",
    )


def _plain(error: Exception) -> str:
    """An error's first line without its full stop. YAML errors quote the text around: only their place is told."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"it is no YAML ({error.problem} in line {error.problem_mark.line + 1})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    if isinstance(error, TypeError | KeyError | AttributeError):
        return "it does not have the shape of a kubeconfig"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def build_client(configuration: Configuration, source: Source) -> ApiClient:
    """The client with its TLS settings. Raises Permanent for certificates that can't be loaded."""
    try:
        client: Any = ApiClient(configuration=configuration)
    except (OSError, ValueError) as error:
        raise Permanent(
            f"The certificates of {source.described} can't be loaded: {_plain(error)}.",
            remedy="Check certificate-authority, client-certificate and client-key.",
        ) from error
    client.user_agent = f"agentpod/{__version__}"
    return client
