"""The `ImageRegistry` port on the OCI distribution specification's HTTP API: reads manifests, pulls nothing."""

from bot.adapters.registry.client import OciRegistry

__all__ = ["OciRegistry"]
