"""Imports the configuration loader of the ``kubernetes`` package, and nothing else of it.

``import kubernetes`` loads both halves of the package, with requests, urllib3, oauthlib, a WebSocket library and
generated clients: 10 MiB and 0.2 s that a bot which reads raw JSON over its own connections does not need. So the
package and its ``aio`` half are registered without running their ``__init__``, and only the needed modules are
loaded. Other modules of the package can still be imported later.
"""

from __future__ import annotations

import importlib.util
import sys


def _make_known(name: str) -> None:
    """Register a package without running its ``__init__``, so that its modules can be imported."""
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

from kubernetes.aio.client.configuration import Configuration  # noqa: E402 - the package is registered first
from kubernetes.aio.config import ConfigException, load_incluster_config  # noqa: E402
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger  # noqa: E402

__all__ = ["ConfigException", "Configuration", "KubeConfigLoader", "KubeConfigMerger", "load_incluster_config"]
