"""Heartbeats of cron jobs: when each last succeeded, and whether the next success is late."""
