"""Repair requests that need approval, and how they are shown."""
