"""The Cluster port over the official client's asyncio half.

Raw JSON reads and small types of our own: the client's typed models cost most of a second to build
and drop fields they don't know. What the client is used for: finding the configuration, credentials
and their rotation, TLS, and the connection pool.
"""

from bot.adapters.kubernetes.cluster import KubernetesCluster

__all__ = ["KubernetesCluster"]
