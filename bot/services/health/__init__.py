"""What is remembered of the targets' Secrets."""
