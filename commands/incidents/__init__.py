"""Incidents, and the digest of a day."""
