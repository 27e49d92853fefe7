"""Fingerprints and known values of the targets' Secrets."""
