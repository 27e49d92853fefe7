"""The replacement for a secret."""

PLACEHOLDER = "[redacted]"
