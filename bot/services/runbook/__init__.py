"""Reads a runbook's facts, and makes its checks and diagnoses."""
