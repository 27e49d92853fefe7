"""The one door to the ``kubernetes`` package: how a configuration is found and read, and nothing else of it.

``import kubernetes`` runs both halves of the package, with requests, urllib3, oauthlib, a WebSocket library and
generated clients: 10 MiB and 0.2 s of a bot that reads raw JSON over its own connections. So the package and its
``aio`` half are made known without running what they would import, and just the modules that are needed are
loaded. Whoever imports more of the package later gets it all the same.
"""

from __future__ import annotations

import importlib.util
import sys


def _make_known(name: str) -> None:
    """Have a package importable without what its own file imports."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


_make_known("kubernetes")
_make_known("kubernetes.aio")

from kubernetes.aio.client.configuration import Configuration  # noqa: E402 - not before the package is known
from kubernetes.aio.config import ConfigException, load_incluster_config  # noqa: E402
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger  # noqa: E402

__all__ = ["ConfigException", "Configuration", "KubeConfigLoader", "KubeConfigMerger", "load_incluster_config"]
