"""Commands about the bot itself: help, roles, the audit trail, the version, and ``/agentpod`` alone."""
