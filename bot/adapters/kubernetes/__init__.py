"""The Cluster port on a Kubernetes API server.

Reads raw JSON into small types of our own: the official client's models take most of a second to import and drop
fields they don't know. The client is used only to find and read the configuration and its credentials.
"""

from bot.adapters.kubernetes.cluster import KubernetesCluster

__all__ = ["KubernetesCluster"]
