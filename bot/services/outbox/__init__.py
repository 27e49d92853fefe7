"""Pending messages: brought to where they go, once each."""
