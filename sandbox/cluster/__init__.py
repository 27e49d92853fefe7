"""A pretend Kubernetes cluster: the part of the API that the bot uses, over real HTTP and WebSocket.

Behind it runs a small simulation of the agent pod. Start it with :class:`PretendCluster`.
"""

from sandbox.cluster.cluster import PretendCluster

__all__ = ["PretendCluster"]
