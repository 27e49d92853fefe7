"""agentpod: a Slack bot that keeps one hardened agent pod healthy."""

__version__ = "0.1.0"
