"""A day in review."""
