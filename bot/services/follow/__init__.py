"""Follows a container's log, and shows its lines as they are written."""
