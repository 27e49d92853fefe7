"""Pending messages, and where they are once they are posted."""
