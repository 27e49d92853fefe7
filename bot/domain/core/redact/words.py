"""What stands in a secret's place."""

PLACEHOLDER = "[redacted]"
